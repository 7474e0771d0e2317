import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import { REBOOT } from "../../core/job/schedule.ts";
import { parseScheduleText } from "../../core/time/ticks.ts";
import { openZone } from "../../core/time/zone.ts";
import { loginShell } from "../../platform/process/accounts.ts";
import { type CrontabLine, type ImportNote, readCrontab } from "./crontab_reader.ts";
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

/** A job and the line that it comes from. */
export interface ImportedLine {
  readonly line: CrontabLine;
  readonly job: JobDraft;
}

/** How crontabs become jobs. */
export interface ImportOptions {
  /** IANA zone of the host. */
  readonly timezone: string;
  /** The daemon by whose rules they are read. */
  readonly dialect: Dialect;
  /** Prefix of each kind; `{user}` in it becomes the user of the job. */
  readonly prefix?: string;
  /** Variables that this host's cron sets for all commands of its own crontabs. */
  readonly hostEnv?: Readonly<Record<string, string>> | undefined;
}

/** The result of an import. */
export interface ImportResult {
  readonly dialect: Dialect;
  readonly toml: string;
  readonly imported: readonly ImportedLine[];
  /** In the order of files and lines. */
  readonly notes: readonly ImportNote[];
  /** How many lines with a command were left out. */
  readonly leftOut: number;
}

class Importer {
  readonly imported: ImportedLine[] = [];
  readonly notes: ImportNote[] = [];
  leftOut = 0;
  readonly #names = new KindNames();
  readonly #timezone: string;
  readonly #options: ImportOptions;
  readonly #rules: DialectRules;
  /** Variables that this cron sets for commands, in addition to the usual ones. */
  readonly #defaults: Readonly<Record<string, string>>;

  constructor(options: ImportOptions) {
    this.#timezone = openZone(options.timezone).name;
    this.#options = options;
    this.#rules = DIALECT_RULES[options.dialect];
    // busybox runs all jobs by its own $SHELL. Without one, as under systemd and in containers, it
    // takes the login shell of the user that it runs as.
    const shell = options.dialect === "busybox" ? loginShell("root") : null;
    const { path } = this.#rules;
    this.#defaults = { ...(shell === null ? {} : { SHELL: shell }), ...(path && { PATH: path }) };
  }

  add(crontab: CrontabText): void {
    const { dialect } = this.#options;
    const { lines, notes, leftOut } = crontab.isAnacron
      ? readAnacrontab(crontab.text, crontab.file)
      : readCrontab(crontab.text, { ...crontab, dialect });
    const found: ImportNote[] = [...notes];
    for (const line of lines) {
      const addNote = (text: string, isLoss: boolean) =>
        void found.push({ file: line.file, line: line.line, text, isLoss });
      const job = this.#draft(line, crontab.owner, addNote);
      if (job !== null) this.imported.push({ line, job });
      else this.leftOut += 1;
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

/** Turn crontabs into tables of a configuration whose jobs behave as under their own daemon. */
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
  const { imported, notes, leftOut } = importer;
  const { program, isOverlapping } = DIALECT_RULES[options.dialect];
  const toml = writeFile([
    `Imported by jobctl from crontabs, read as ${program} reads them. Each job behaves as under it: the host's zone,`,
    `runs ${
      isOverlapping ? "may" : "do not"
    } overlap, missed runs are not made up for, failed ones are not retried.`,
    "[defaults] and worker.count do not change the tables.",
    "Use it as it is (jobctl serve --config FILE), or name it under include in another configuration.",
  ], imported.map(({ job }) => job));
  return { toml, imported, notes, leftOut, dialect: options.dialect };
}
