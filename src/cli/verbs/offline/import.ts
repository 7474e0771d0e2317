import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { errorCode, JobError } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { SENDMAIL_PATH } from "../../../core/notices/settings.ts";
import { hostTimezone } from "../../../platform/host_timezone.ts";
import type { ImportNote } from "../../../tools/import/crontab_reader.ts";
import { type Dialect, DIALECTS, guessDialect } from "../../../tools/import/dialect.ts";
import type { ImportResult } from "../../../tools/import/import_crontab.ts";
import type { OpenedCrontabs } from "../../../tools/import/open_crontabs.ts";
import type { LineCheck } from "../../../tools/verify_crontab.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { CliIo } from "../../io/io.ts";
import { OUT_OPTIONS, writeMessage, writeOut } from "../../parsing/written_file.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";

/** Folders of users' crontabs: on Debian and Alpine, on SUSE, on Red Hat. */
const SPOOLS = ["/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"];
const PREFIX = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,39}$/;
const STDIN_BYTES_MAX = 4 * 1_048_576;

async function readStdin(io: CliIo): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  let length = 0;
  for await (const block of io.stdin) {
    const bytes = typeof block === "string" ? new TextEncoder().encode(block) : block;
    length += bytes.length;
    if (length > STDIN_BYTES_MAX) {
      throw usageError(`Cannot import stdin: over ${STDIN_BYTES_MAX} bytes`, "Import one crontab");
    }
    blocks.push(bytes);
  }
  return Buffer.concat(blocks);
}

function spoolFile(user: string, spool: string | undefined): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(user)) {
    throw usageError(
      `Cannot import the crontab of "${user}": not a user name`,
      "Name an account",
    );
  }
  const paths = (spool === undefined ? SPOOLS : [spool]).map((folder) => join(folder, user));
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  const hidden = paths.find(isHidden);
  const problem = hidden === undefined
    ? `there is no file ${paths.join(" or ")}`
    : `permission denied for ${hidden}`;
  throw new JobError("not_found", `Cannot import the crontab of "${user}": ${problem}`, {
    hint: hidden === undefined
      ? "Name the folder of the users' crontabs with --spool, or name a file"
      : `Only root can read it; or pipe it in: crontab -l | jobctl import crontab - --user ${user}`,
  });
}

/** True if we may not see whether a file exists. */
function isHidden(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return errorCode(error) === "EACCES";
  }
}

/** The crontabs of the command line: of files, folders, stdin, or users. */
async function openTexts(args: Args, io: CliIo, dialect: Dialect): Promise<OpenedCrontabs> {
  const users = args.list("user");
  const files = args.words("FILE");
  if (files.length === 0 && users.length === 0) {
    throw usageError(
      "Cannot import: no crontab is named",
      "Name /etc/crontab, /etc/cron.d, --user NAME, or pipe it in: crontab -l | jobctl import crontab -",
    );
  }
  if (files.length > 0 && users.length > 1) {
    throw usageError(
      `Cannot import ${files[0]} for ${users.length} users: a crontab belongs to one user`,
      "Name one user, or leave the files out to read those of the users",
    );
  }
  const { crontabOfText, decodeCrontab, openCrontabs, userColumnNotes } = await import(
    "../../../tools/import/open_crontabs.ts"
  );
  const isSystem = args.flag("system") ? true : null;
  const named = files.length > 0
    ? files.map((file) => ({ file, owner: users[0] ?? null }))
    : users.map((user) => ({ file: spoolFile(user, args.text("spool")), owner: user }));
  const opened: OpenedCrontabs[] = [];
  for (const { file, owner } of named) {
    const options = { isSystem, owner, dialect };
    if (file === "-") {
      const text = decodeCrontab(await readStdin(io));
      const crontab = crontabOfText("stdin", text, options);
      opened.push({ crontabs: [crontab], notes: userColumnNotes(crontab) });
    } else opened.push(openCrontabs(resolve(io.cwd, file), options));
  }
  return {
    crontabs: opened.flatMap(({ crontabs }) => crontabs),
    notes: opened.flatMap(({ notes }) => notes),
  };
}

function prefixOf(args: Args): string | undefined {
  const prefix = args.text("prefix");
  if (prefix === undefined || PREFIX.test(prefix.replaceAll("{user}", "u"))) return prefix;
  throw usageError(
    `Cannot use the prefix "${prefix}": wanted up to 40 letters, digits, "_", ".", ":" and "-"`,
    'Write --prefix web1- or --prefix "{user}-"',
  );
}

async function writeNotes(notes: readonly ImportNote[], io: CliIo): Promise<void> {
  for (const { file, line, text } of notes) {
    await writeMessage(io, line === null ? `${file}: ${text}` : `${file}:${line}: ${text}`);
  }
}

function checkText(check: LineCheck): string {
  const at = `${check.line.file}:${check.line.line}: ${check.kind}`;
  if (check.problem !== null) return `${at}: NOT the same: ${check.problem}`;
  if (check.notCompared !== null) return `${at}: not compared: ${check.notCompared}`;
  if (check.line.schedule === "@reboot") return `${at}: the same: at each start`;
  if (check.differsAt === null) return `${at}: the same ${countText(check.ourCount, "run")}`;
  const first = new Date(check.differsAt).toISOString();
  return `${at}: NOT the same: cron ${
    countText(check.cronCount, "run")
  }, jobctl ${check.ourCount}, first difference ${first}`;
}

async function verify(result: ImportResult, io: CliIo): Promise<boolean> {
  const { verifyCrontab, VERIFIED_DAYS } = await import("../../../tools/verify_crontab.ts");
  const checks = await verifyCrontab(result, io.clock.now().wallMs);
  for (const check of checks) {
    await writeMessage(io, checkText(check));
    const { line, warning } = check;
    if (warning !== null) {
      await writeMessage(io, `${line.file}:${line.line}: not on this host: ${warning}`);
    }
  }
  const compared = checks.filter(({ problem, notCompared }) =>
    problem !== null || notCompared === null
  );
  const same = compared.filter(({ problem, differsAt }) => problem === null && differsAt === null);
  const runs = same.reduce((sum, { ourCount }) => sum + ourCount, 0);
  const left = result.leftOut === 0
    ? ""
    : `, ${countText(result.leftOut, "line was", "lines were")} left out`;
  await writeMessage(
    io,
    result.imported.length === 0
      ? `Verified nothing: no line was imported${left}`
      : `Verified over ${VERIFIED_DAYS} days: ${same.length} of ${
        countText(compared.length, "line is", "lines are")
      } the same, ${countText(runs, "run")}${left}`,
  );
  const mailed = result.imported.filter(({ mail }) => mail !== null).length;
  if (mailed > 0) {
    const { length } = result.imported;
    const text = result.hasMail
      ? `the output of ${mailed} of ${
        countText(length, "line")
      } is mailed, with the same recipients and subject`
      : "none from here, and none by cron, since this host has no sendmail";
    await writeMessage(io, `Mail: ${text}`);
  }
  return same.length === compared.length && checks.every(({ warning }) => warning === null);
}

const CRONTAB: Verb = {
  name: "crontab",
  summary: "Turn crontabs into a configuration that behaves as cron does",
  details: [
    "Works without a daemon and writes TOML. Anything that cannot be carried over is reported on",
    "stderr as file:line: text, and the exit code is then 3. Lines and files that the cron daemon",
    "refuses are left out. A directory is read as cron reads /etc/cron.d, or as it reads its",
    "folder of users' crontabs. If a file belongs to a user other than root, its jobs run as that",
    "user. --verify computes the runs of each line over the next 366 days by cron's own rules,",
    "and compares them with the runs of the written job. It also checks that no [defaults] can",
    "change the job. Output is mailed as cron mails it (MAILTO), by a channel for each list of",
    "recipients. On a host without sendmail, where cron mails nothing, the channels are comments.",
  ].join(" "),
  words: [{
    name: "FILE",
    describe: "Crontabs, directories of them, or - for stdin",
    offers: "file",
    isOptional: true,
    isRest: true,
  }],
  options: {
    user: {
      value: "USER",
      describe: "The crontab of this user, whose jobs run as that user (repeatable)",
      offers: "user",
    },
    spool: {
      value: "DIR",
      describe: `Directory of the users' crontabs (default ${SPOOLS.join(", ")})`,
      offers: "folder",
    },
    system: {
      describe: "Each command has a user before it (default: judged by path and text)",
      isFlag: true,
    },
    dialect: {
      value: "NAME",
      describe: "The cron whose rules apply (default: the installed one)",
      choices: DIALECTS,
    },
    prefix: { value: "TEXT", describe: 'Prefix for each kind, such as web1- or "{user}-"' },
    timezone: { value: "ZONE", describe: "Zone that cron runs in (default: the host's)" },
    verify: {
      describe:
        "Compare the runs of the next 366 days, and check that no [defaults] can change the jobs",
      isFlag: true,
    },
    ...OUT_OPTIONS,
  },
  examples: [
    [
      "jobctl import crontab /etc/crontab --out config.toml --verify",
      "The system's crontab, with proof",
    ],
    ["jobctl import crontab /etc/cron.d > cron.toml", "All files of a directory"],
    ["crontab -l | jobctl import crontab - > config.toml", "Your own crontab"],
    ["jobctl import crontab --user www-data", "As root: a user's crontab"],
    [
      "jobctl import crontab /var/spool/cron/crontabs --prefix '{user}-'",
      "As root: the crontabs of all users",
    ],
  ],
  isOffline: true,
  async run(args, { io }) {
    assertOneOf(args, ["user", "system"]);
    const dialect = args.text("dialect") as Dialect | undefined ?? guessDialect();
    const prefix = prefixOf(args);
    const { crontabs, notes } = await openTexts(args, io, dialect);
    const { importCrontabs } = await import("../../../tools/import/import_crontab.ts");
    const timezone = args.text("timezone") ?? hostTimezone();
    const { hostEnvironment, hostUmasks, isOfHost } = await import(
      "../../../tools/import/host_environment.ts"
    );
    const host = crontabs.some(({ file }) => isOfHost(file)) ? hostEnvironment(dialect) : null;
    const hasSendmail = existsSync(SENDMAIL_PATH);
    const { isAccount } = await import("../../../platform/system/accounts.ts");
    const own = {
      hostEnv: host?.env,
      isAccount,
      umaskOf: host === null ? undefined : hostUmasks(dialect),
    };
    const how = { ...own, timezone, dialect, prefix, hasSendmail };
    const result = importCrontabs(crontabs, how);
    await writeOut(result.toml, args, io);
    const all = [...host?.notes ?? [], ...notes, ...result.notes];
    await writeNotes(all, io);
    const isSame = !args.flag("verify") || await verify(result, io);
    const hasLoss = all.some(({ isLoss }) => isLoss);
    return isSame && !hasLoss ? EXIT.ok : EXIT.conditionNotMet;
  },
};

const SYSTEMD: Verb = {
  name: "systemd",
  summary: "Turn systemd timers and their services into a configuration",
  details:
    "Works without a daemon. Reads unit files with their drop-ins. Anything that cannot be carried over is reported " +
    "on stderr as file:line: text, and the exit code is then 3.",
  words: [{
    name: "UNIT",
    describe: "A .timer file, the name of an installed timer, or a directory of units",
    offers: "file",
  }],
  options: {
    timezone: {
      value: "ZONE",
      describe: "Time zone of OnCalendar= values that name none (default: the host's)",
    },
    ...OUT_OPTIONS,
  },
  examples: [
    ["jobctl import systemd /etc/systemd/system --out timers.toml", "All timers of a directory"],
    [
      "jobctl import systemd /etc/systemd/system/timers.target.wants",
      "All enabled timers",
    ],
    ["jobctl import systemd logrotate.timer", "An installed timer"],
  ],
  isOffline: true,
  async run(args, { io }) {
    const unit = args.word("UNIT");
    const { importSystemd } = await import("../../../tools/import/import_systemd.ts");
    const timezone = args.text("timezone") ?? hostTimezone();
    const isPath = unit.includes("/") || existsSync(resolve(io.cwd, unit));
    const result = importSystemd(isPath ? resolve(io.cwd, unit) : unit, { timezone });
    await writeOut(result.toml, args, io);
    await writeNotes(result.notes, io);
    return result.notes.some(({ isLoss }) => isLoss) ? EXIT.conditionNotMet : EXIT.ok;
  },
};

/** `jobctl import` */
export const IMPORT: VerbGroup = {
  name: "import",
  summary: "Turn another scheduler's jobs into a configuration",
  verbs: [CRONTAB, SYSTEMD],
};
