import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import { REBOOT } from "../../core/time/schedule.ts";
import { parseScheduleText } from "../../core/time/ticks.ts";
import { MATCHING_CHANNELS, SENDMAIL_PATH } from "../../core/notices/settings.ts";
import { openZone } from "../../core/time/zone.ts";
import { loginShell, userName } from "../../platform/system/accounts.ts";
import { type LineMail, MailChannels, mailOf } from "./cron_mail.ts";
import { type CrontabLine, fileNote, type ImportNote, readCrontab } from "./crontab_reader.ts";
import { type Dialect, DIALECT_RULES, type DialectRules } from "./dialect.ts";
import { type JobDraft, MISSED_EVER, writeFile } from "./job_toml.ts";
import { isOfHost } from "./host_environment.ts";
import { KindNames, kindPart, nameLine } from "./kind_names.ts";
import type { CrontabText } from "./open_crontabs.ts";
import { readAnacrontab } from "./read_anacrontab.ts";

/** Longest delay that cron takes from RANDOM_DELAY, in minutes. */
const DELAY_MINUTES_MAX = 1_440;
/** Placeholder for the user in a prefix of kinds. */
const USER_PLACE = "{user}";
/** Variables that commands have in any case, under cron and here. */
const DEFAULT_VARIABLES: Readonly<Record<string, string>> = {
  SHELL: "/bin/sh",
  PATH: "/usr/bin:/bin",
};

/** A job and its line. */
export interface ImportedLine {
  readonly line: CrontabLine;
  readonly job: JobDraft;
  /** Mail settings of its output; null if cron sends no mail. */
  readonly mail: (LineMail & { readonly channel: string }) | null;
}

/** Settings for converting crontabs to jobs. */
export interface ImportOptions {
  /** IANA zone of the host. */
  readonly timezone: string;
  readonly dialect: Dialect;
  /** Prefix of each kind; `{user}` in it becomes the user of the job. */
  readonly prefix?: string;
  /** Variables that this host's cron sets for all commands of its own crontabs. */
  readonly hostEnv?: Readonly<Record<string, string>> | undefined;
  /** The umask that PAM gives to the commands of a user; null if it leaves cron's. */
  readonly umaskOf?: ((user: string) => string | null) | undefined;
  /** True if this host has a user: by this its own crontabs are judged. */
  readonly isAccount?: ((name: string) => boolean) | undefined;
  /** True if this host has a sendmail, without which cron sends no mail; absent: no mail at all. */
  readonly hasSendmail?: boolean | undefined;
}

/** The result of an import. */
export interface ImportResult {
  readonly dialect: Dialect;
  readonly toml: string;
  readonly imported: readonly ImportedLine[];
  /** In the order of files and lines. */
  readonly notes: readonly ImportNote[];
  /** Number of omitted lines with a command. */
  readonly leftOut: number;
  /** True if the host has a sendmail, so that jobs send mail like the lines do. */
  readonly hasMail: boolean;
}

class Importer {
  readonly imported: ImportedLine[] = [];
  readonly notes: ImportNote[] = [];
  leftOut = 0;
  readonly channels = new MailChannels();
  readonly #names = new KindNames();
  /** By user. */
  readonly #umasks = new Map<string, string>();
  readonly #timezone: string;
  readonly #options: ImportOptions;
  readonly #rules: DialectRules;
  /** Variables that this cron sets for commands, in addition to the usual ones. */
  readonly #defaults: Readonly<Record<string, string>>;

  constructor(options: ImportOptions) {
    this.#timezone = openZone(options.timezone).name;
    this.#options = options;
    this.#rules = DIALECT_RULES[options.dialect];
    // busybox runs all jobs by its own $SHELL. Without it, as under systemd and in containers, it
    // takes its user's login shell.
    const shell = options.dialect === "busybox" ? loginShell("root") : null;
    const { path } = this.#rules;
    this.#defaults = { ...(shell === null ? {} : { SHELL: shell }), ...(path && { PATH: path }) };
  }

  add(crontab: CrontabText): void {
    const { dialect } = this.#options;
    const { lines, notes, leftOut } = crontab.isAnacron
      ? readAnacrontab(crontab.text, crontab.file)
      : readCrontab(crontab.text, {
        ...crontab,
        dialect,
        isAccount: this.#options.isAccount,
        isCopy: !isOfHost(crontab.file),
      });
    const found: ImportNote[] = [...notes];
    for (const line of lines) {
      const addNote = (text: string, isLoss: boolean) =>
        void found.push({ file: line.file, line: line.line, text, isLoss });
      const job = this.#draft(line, crontab.owner, addNote);
      if (job === null) {
        this.leftOut += 1;
        continue;
      }
      const mail = this.#mailOf(line, crontab, addNote);
      this.imported.push({ line, job: { ...job, ...this.#notify(mail) }, mail });
    }
    this.leftOut += leftOut;
    this.notes.push(...found.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)));
  }

  #draft(line: CrontabLine, owner: string | null, addNote: AddNote): JobDraft | null {
    const isAnacron = line.anacronId !== undefined;
    const kind = isAnacron ? kindPart(line.anacronId!) || "job" : nameLine(line.command);
    if (!checkSchedule(line, kind, addNote)) return null;
    // anacron does not use PAM.
    const hasHostEnv = !isAnacron && isOfHost(line.file);
    const variables = {
      ...(hasHostEnv ? this.#options.hostEnv : {}),
      ...this.#defaults,
      ...line.env,
    };
    const { SHELL: shell, HOME: home } = variables;
    const env = Object.fromEntries(
      Object.entries(variables).filter(([name, value]) => DEFAULT_VARIABLES[name] !== value),
    );
    const user = line.user ?? owner;
    const umask = hasHostEnv ? this.#umaskOf(user) : null;
    return {
      kind: this.#names.take(this.#prefix(user) + kind),
      origin: `${line.file}:${line.line}: ${line.text}`,
      description: line.comment ?? undefined,
      run: line.command,
      shell: shell && shell !== "/bin/sh" ? [shell, "-c"] : undefined,
      schedule: [line.schedule],
      timezone: this.#zoneOf(line, addNote),
      cwd: home || (isAnacron ? "/" : undefined),
      user: user ?? undefined,
      ...(umask === null ? {} : { umask }),
      env,
      stdin: line.stdin === null ? undefined : { text: line.stdin },
      // Cron runs a command immediately, once, without a time limit, and without retries.
      overlap: this.#rules.isOverlapping && !isAnacron ? "allow" : "skip",
      misfire: isAnacron ? "latest" : "skip",
      misfireWithin: isAnacron ? MISSED_EVER : undefined,
      jitter: this.#rules.hasDelay || isAnacron ? jitterOf(line, addNote) : "0",
      timeout: "0",
      killAfter: "10s",
      leaveChildren: true,
    };
  }

  #umaskOf(user: string | null): string | null {
    const name = user ?? userName(process.getuid?.() ?? 0);
    const umask = this.#options.umaskOf?.(name) ?? null;
    if (umask !== null) this.#umasks.set(name, umask);
    return umask;
  }

  /** The umasks that were carried over. */
  umaskNotes(): readonly ImportNote[] {
    return [...this.#umasks].map(([user, umask]) =>
      fileNote(
        "/etc/pam.d",
        `umask ${umask} is written to the jobs of ${user}, as PAM sets it`,
        false,
      )
    );
  }

  #mailOf(line: CrontabLine, { owner, isAnacron }: CrontabText, addNote: AddNote) {
    const { dialect, hasSendmail } = this.#options;
    if (hasSendmail === undefined) return null;
    const own = isAnacron ? "root" : userName(process.getuid?.() ?? 0);
    const mail = mailOf(line, { dialect, user: line.user ?? owner ?? own }, addNote);
    return mail && { ...mail, channel: this.channels.nameOf(mail) };
  }

  /** `notify` for cron's mail, which adds the notices that the job has without it. */
  #notify(mail: ImportedLine["mail"]): Partial<JobDraft> {
    if (mail === null) return {};
    const notify = [MATCHING_CHANNELS, mail.channel];
    if (this.#options.hasSendmail) return { notify };
    return { commented: `notify = [${notify.map((name) => `"${name}"`).join(", ")}]` };
  }

  #prefix(user: string | null): string {
    const { prefix = "" } = this.#options;
    return prefix.replaceAll(USER_PLACE, () => kindPart(user ?? "own"));
  }

  #zoneOf(line: CrontabLine, addNote: AddNote): string {
    const name = line.env.CRON_TZ;
    if (name === undefined || name === "" || !this.#rules.hasZone) return this.#timezone;
    try {
      return openZone(name.replace(/^:/, "")).name;
    } catch (error) {
      addNote(`CRON_TZ=${name} is not carried over: ${messageOf(error)}`, true);
      return this.#timezone;
    }
  }
}

type AddNote = (text: string, isLoss: boolean) => void;

/** True if the product accepts the schedule of a line too. */
function checkSchedule(line: CrontabLine, kind: string, addNote: AddNote): boolean {
  if (line.schedule === REBOOT) return true;
  try {
    parseScheduleText(line.schedule, { seed: kind });
    return true;
  } catch (error) {
    if (!isJobError(error)) throw error;
    addNote(
      `left out, because cron accepts it but never runs a part of it: ${error.message}`,
      true,
    );
    return false;
  }
}

function jitterOf(line: CrontabLine, addNote: AddNote): string {
  const delay = line.env.RANDOM_DELAY;
  if (!delay || line.schedule === REBOOT) return "0";
  const minutes = /^\d{1,5}$/.test(delay) ? Number(delay) : NaN;
  if (minutes <= DELAY_MINUTES_MAX) return minutes === 0 ? "0" : `${minutes}m`;
  const wanted = `wanted 0 to ${DELAY_MINUTES_MAX} minutes`;
  addNote(`RANDOM_DELAY=${delay} is not carried over: ${wanted}`, true);
  return "0";
}

const MAIL_COMMENT = [
  "The output of runs, mailed as cron does. Jobs name these channels in notify.",
];
const OFF_COMMENT = [
  "This host had no /usr/sbin/sendmail, so cron sent no mail. With one, remove the comment signs here",
  "and before notify.",
];
const NO_SENDMAIL =
  "no output is mailed: this host has no /usr/sbin/sendmail, without which cron mails none either. The settings are in the file as comments";

/** Convert crontabs to tables of a configuration; jobs behave like under their own daemon. */
export function importCrontabs(
  crontabs: readonly CrontabText[],
  options: ImportOptions,
): ImportResult {
  const importer = new Importer(options);
  for (const crontab of crontabs) {
    if (crontab.text.includes("\0")) {
      throw new JobError("invalid_argument", `Cannot import "${crontab.file}": it is not text`, {
        hint: "Name a crontab",
      });
    }
    importer.add(crontab);
  }
  const { imported, leftOut, channels } = importer;
  const { hasSendmail = false } = options;
  const tables = channels.tables();
  const fileOf = (channel: string) =>
    imported.find(({ mail }) => mail?.channel === channel)?.line.file ?? "";
  const mailNotes = hasSendmail
    ? channels.summaries().map(({ channel, text }) => fileNote(fileOf(channel), text, false))
    : tables.length === 0
    ? []
    : [fileNote(SENDMAIL_PATH, NO_SENDMAIL, false)];
  const notes = [
    ...importer.notes,
    ...importer.umaskNotes(),
    ...mailNotes,
  ];
  const { program, isOverlapping } = DIALECT_RULES[options.dialect];
  const toml = writeFile(
    [
      `Imported by jobctl from crontabs, read as ${program} reads them. Each job behaves as under it: the host's zone,`,
      `runs ${
        isOverlapping ? "may" : "do not"
      } overlap, missed runs are not made up for, failed ones are not retried.`,
      "[defaults] and worker.count do not change the tables.",
      "Use it as it is (jobctl serve --config FILE), or name it under include in another configuration.",
    ],
    imported.map(({ job }) => job),
    {
      comments: hasSendmail ? MAIL_COMMENT : [...MAIL_COMMENT, ...OFF_COMMENT],
      tables,
      isOff: !hasSendmail,
    },
  );
  return { toml, imported, notes, leftOut, dialect: options.dialect, hasMail: hasSendmail };
}
