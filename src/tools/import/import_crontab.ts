import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { REBOOT } from "../../core/schedule.ts";
import { parseScheduleText } from "../../core/ticks.ts";
import { openZone } from "../../core/zone.ts";
import { readCronie } from "../cronie.ts";
import {
  type CrontabLine,
  type ImportNote,
  isRunPartsName,
  readCrontab,
} from "./crontab_reader.ts";
import { type JobDraft, writeFile } from "./job_toml.ts";
import { KindNames, nameLine } from "./kind_names.ts";
import { readOwnedFile } from "./owned_file.ts";

/** Longest delay that cron takes from RANDOM_DELAY, in minutes. */
const DELAY_MINUTES_MAX = 1_440;
/** Variables that are keys of their own, or cron's own business. */
const OWN_VARIABLES = new Set(["CRON_TZ", "RANDOM_DELAY"]);
/** What commands have anyhow, under cron and here. */
const DEFAULT_VARIABLES: Readonly<Record<string, string>> = {
  SHELL: "/bin/sh",
  PATH: "/usr/bin:/bin",
};

/** One crontab as text. */
export interface CrontabText {
  readonly file: string;
  readonly text: string;
  /** Whether a user stands before each command. */
  readonly isSystem: boolean;
  /** Whose crontab it is; null when it does not say. */
  readonly owner: string | null;
}

/** A job and the line that it comes from. */
export interface ImportedLine {
  readonly line: CrontabLine;
  readonly job: JobDraft;
}

/** What an import gave. */
export interface ImportResult {
  readonly toml: string;
  readonly imported: readonly ImportedLine[];
  /** In the order of files and lines. */
  readonly notes: readonly ImportNote[];
}

/** Bytes of a crontab as text: UTF-8, or Latin-1 where they are none. */
export function decodeCrontab(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/**
 * The crontabs of a file, or of a directory as cron on Debian reads /etc/cron.d. A file that
 * belongs to a user other than root and our own is that user's crontab; its jobs run as that user
 * only.
 *
 * @throws JobError `not_found`, `permission_denied` or `unavailable` when it cannot be read
 */
export function openCrontabs(
  path: string,
  options: { readonly isSystem: boolean; readonly owner: string | null },
): { readonly crontabs: readonly CrontabText[]; readonly notes: readonly ImportNote[] } {
  try {
    if (!statSync(path).isDirectory()) {
      return openCrontab(path, options);
    }
    const files = readdirSync(path).sort().map((name) => join(path, name))
      .filter((file) => statSync(file).isFile());
    const notes = files.filter((file) => !isRunPartsName(file)).map((file) => ({
      file,
      line: null,
      text: 'left out: cron takes only names of letters, digits, "_" and "-"',
      isLoss: false,
    }));
    const found = files.filter(isRunPartsName).map((file) =>
      openCrontab(file, { isSystem: true, owner: null })
    );
    return {
      crontabs: found.flatMap(({ crontabs }) => crontabs),
      notes: [...notes, ...found.flatMap((one) => one.notes)],
    };
  } catch (error) {
    if (isJobError(error)) throw error;
    const code = errorCode(error);
    const isMissing = code === "ENOENT" || code === "ENOTDIR";
    throw new JobError(
      isMissing ? "not_found" : code === "EACCES" ? "permission_denied" : "unavailable",
      `Cannot read the crontab "${path}": ${isMissing ? "there is none" : messageOf(error)}`,
      {
        hint:
          "Name a file, a directory such as /etc/cron.d, or pipe it in: crontab -l | jobctl import crontab -",
        cause: error,
      },
    );
  }
}

function openCrontab(
  file: string,
  { isSystem, owner }: { readonly isSystem: boolean; readonly owner: string | null },
): { readonly crontabs: readonly CrontabText[]; readonly notes: readonly ImportNote[] } {
  const { bytes, owner: foreign } = readOwnedFile(file);
  const text = decodeCrontab(bytes);
  const note = (text: string, isLoss: boolean) => ({ file, line: null, text, isLoss });
  if (foreign === null || owner !== null) {
    return { crontabs: [{ file, text, isSystem, owner }], notes: [] };
  }
  // Users' crontabs are named after them. Cron does not accept other files of theirs with a user
  // before each command.
  if (isSystem && basename(file) !== foreign) {
    const problem = `left out: it belongs to "${foreign}", and cron accepts only files of root`;
    return { crontabs: [], notes: [note(problem, true)] };
  }
  return {
    crontabs: [{ file, text, isSystem: false, owner: foreign }],
    notes: [note(`it belongs to "${foreign}": its jobs run as that user`, false)],
  };
}

class Importer {
  readonly imported: ImportedLine[] = [];
  readonly notes: ImportNote[] = [];
  readonly #names = new KindNames();
  readonly #timezone: string;

  constructor(timezone: string) {
    this.#timezone = timezone;
  }

  add(crontab: CrontabText): void {
    const { lines, notes } = readCrontab(crontab.text, crontab);
    const found: ImportNote[] = [...notes];
    for (const line of lines) {
      const tell = (text: string, isLoss: boolean) =>
        void found.push({ file: line.file, line: line.line, text, isLoss });
      const job = this.#draft(line, crontab.owner, tell);
      if (job !== null) this.imported.push({ line, job });
    }
    this.notes.push(...found.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)));
  }

  #draft(line: CrontabLine, owner: string | null, tell: Tell): JobDraft | null {
    const kind = nameLine(line.command);
    if (!checkSchedule(line, kind, tell)) return null;
    const { SHELL: shell, HOME: home } = line.env;
    const env = Object.fromEntries(
      Object.entries(line.env).filter(([name, value]) =>
        !OWN_VARIABLES.has(name) && DEFAULT_VARIABLES[name] !== value
      ),
    );
    const user = line.user ?? owner;
    return {
      kind: this.#names.take(kind),
      origin: `${line.file}:${line.line}: ${line.text}`,
      ...(line.comment === null ? {} : { description: line.comment }),
      run: line.command,
      ...(shell && shell !== "/bin/sh" ? { shell: [shell, "-c"] } : {}),
      ...(home ? { cwd: home } : {}),
      ...(user === null ? {} : { user }),
      env,
      ...(line.stdin === null ? {} : { stdin: line.stdin }),
      schedule: [line.schedule],
      timezone: this.#zoneOf(line, tell),
      ...jitterOf(line, tell),
      overlap: "allow",
      misfire: "skip",
    };
  }

  #zoneOf(line: CrontabLine, tell: Tell): string {
    const name = line.env.CRON_TZ;
    if (name === undefined || name === "") return this.#timezone;
    try {
      return openZone(name.replace(/^:/, "")).name;
    } catch (error) {
      tell(`CRON_TZ=${name} is not carried: ${messageOf(error)}`, true);
      return this.#timezone;
    }
  }
}

type Tell = (text: string, isLoss: boolean) => void;

/** Whether both cron and we take the schedule of a line. */
function checkSchedule(line: CrontabLine, kind: string, tell: Tell): boolean {
  if (line.schedule === REBOOT) return true;
  try {
    readCronie(line.schedule);
  } catch (error) {
    if (!isJobError(error)) throw error;
    tell(`left out, cron refuses it too: ${error.message}`, true);
    return false;
  }
  try {
    parseScheduleText(line.schedule, { seed: kind });
    return true;
  } catch (error) {
    if (!isJobError(error)) throw error;
    tell(`left out, cron takes it and never runs a part of it: ${error.message}`, true);
    return false;
  }
}

function jitterOf(line: CrontabLine, tell: Tell): { readonly jitter?: string } {
  const delay = line.env.RANDOM_DELAY;
  if (!delay || line.schedule === REBOOT) return {};
  const minutes = /^\d{1,5}$/.test(delay) ? Number(delay) : NaN;
  if (!(minutes <= DELAY_MINUTES_MAX)) {
    tell(`RANDOM_DELAY=${delay} is not carried: wanted 0 to ${DELAY_MINUTES_MAX} minutes`, true);
    return {};
  }
  return minutes === 0 ? {} : { jitter: `${minutes}m` };
}

/** Accounts that own the jobs of most system crontabs: in a user's crontab they would be programs. */
const ACCOUNTS = /^(?:root|www-data|nobody)$/;

// A system crontab that is read as a user's would run programs called "root".
function checkFormat(crontabs: readonly CrontabText[], lines: readonly ImportedLine[]): void {
  const first = lines.find(({ line }) =>
    line.user === null && ACCOUNTS.test(line.command.split(/\s/, 1)[0]!)
  );
  if (first === undefined || crontabs.every(({ isSystem }) => isSystem)) return;
  const { file, line, command } = first.line;
  throw new JobError(
    "invalid_argument",
    `Cannot import "${file}": line ${line} runs a command named "${command.split(/\s/, 1)[0]}"`,
    { hint: "It seems to be a system crontab, with a user before each command: add --system" },
  );
}

/**
 * Turn crontabs into tables of our configuration that behave as cron does: the host's zone, overlap "allow", misfire "skip".
 *
 * @param options.timezone IANA zone of the host
 * @throws JobError `invalid_argument` for a system crontab that is read as a user's
 */
export function importCrontabs(
  crontabs: readonly CrontabText[],
  options: { readonly timezone: string },
): ImportResult {
  const importer = new Importer(openZone(options.timezone).name);
  for (const crontab of crontabs) {
    if (crontab.text.includes("\0")) {
      throw new JobError("invalid_argument", `Cannot import "${crontab.file}": it is no text`, {
        hint: "Name a crontab",
      });
    }
    importer.add(crontab);
  }
  const { imported, notes } = importer;
  checkFormat(crontabs, imported);
  const toml = writeFile([
    "Imported from crontabs by jobctl. Each job behaves as under cron: zone of the host, runs may overlap, missed runs",
    "are not made up for. cron starts any number of jobs at once; here worker.count in the main file is the limit.",
    "Use it as it is (jobctl serve --config FILE), or name it under include in another configuration.",
  ], imported.map(({ job }) => job));
  return { toml, imported, notes };
}
