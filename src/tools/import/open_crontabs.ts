import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { isAccount } from "../../platform/process/accounts.ts";
import { fileErrorCode } from "../../core/file_errors.ts";
import type { ImportNote } from "./crontab_reader.ts";
import { type CrontabFormat, folderOf, formatOf } from "./crontab_shape.ts";
import { type Dialect, DIALECT_RULES, isCrontabName } from "./dialect.ts";
import { type OwnedFile, readOwnedFile } from "./owned_file.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** One crontab as text. */
export interface CrontabText {
  readonly file: string;
  readonly text: string;
  /** True if each command has a user before it. */
  readonly isSystem: boolean;
  /** Whether it has the columns of an anacrontab. */
  readonly isAnacron?: boolean;
  /** Whose crontab it is; null when it does not say. */
  readonly owner: string | null;
}

/** How files are opened. */
export interface OpenOptions {
  /** True if each command has a user before it; null to judge by path and text. */
  readonly isSystem: boolean | null;
  /** Whose crontabs they are; null when nobody is named. */
  readonly owner: string | null;
  readonly dialect: Dialect;
}

/** Crontabs that were opened, and notes about those that were not. */
export interface OpenedCrontabs {
  readonly crontabs: readonly CrontabText[];
  readonly notes: readonly ImportNote[];
}

const WRITABLE_BY_OTHERS = 0o002;
const WRITABLE = 0o022;
const STICKY = 0o1000;

/** Bytes of a crontab as text: UTF-8, or Latin-1 where they are none. */
export function decodeCrontab(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** A crontab that came without a file, in the format that its text has. */
export function crontabOfText(
  file: string,
  text: string,
  options: OpenOptions & Partial<Pick<FileOptions, "folder">>,
): CrontabText {
  const found = formatOf(file, text);
  // In folders of its own cron reads each file as a crontab.
  const isAnacron = found === "anacron" && !options.folder;
  const format = isAnacron ? found : formatGiven(options) ?? found;
  return {
    file,
    text,
    isSystem: format === "system",
    isAnacron: format === "anacron",
    owner: options.owner,
  };
}

/** What to tell of a crontab that is said to be a user's and seems to have a user before each command. */
export function userColumnNotes(
  { file, text, isSystem, isAnacron, owner }: CrontabText,
  isInFolder = false,
): readonly ImportNote[] {
  if (owner === null || isSystem || isAnacron || formatOf(file, text) !== "system") return [];
  const found = "its commands seem to have a user before them, which";
  return [{
    file,
    line: null,
    text: isInFolder
      ? `${found} cron takes for the program in a user's crontab`
      : `${found} --user makes part of the command: leave it out`,
    // In a user's crontab they do not work under cron either.
    isLoss: !isInFolder,
  }];
}

function formatGiven({ isSystem, owner }: OpenOptions): CrontabFormat | null {
  return isSystem === true ? "system" : isSystem === false || owner !== null ? "user" : null;
}

/**
 * The crontabs of a file, or of a directory as the daemon reads /etc/cron.d or its folder of users' crontabs. A file that
 * belongs to a user other than root and our own is that user's crontab; its jobs run as that user only.
 *
 * @throws JobError `not_found`, or as {@link fileErrorCode}, when it cannot be read
 */
export function openCrontabs(path: string, options: OpenOptions): OpenedCrontabs {
  try {
    if (statSync(path).isDirectory()) return new Folder(path, options).open();
    const modes = modesOf(path, false, "system", options.dialect);
    return openFile(path, { ...options, modes, folder: null });
  } catch (error) {
    if (isJobError(error)) throw error;
    const code = errorCode(error);
    const isMissing = code === "ENOENT" || code === "ENOTDIR";
    throw new JobError(
      isMissing ? "not_found" : fileErrorCode(error),
      `Cannot read the crontab "${path}": ${isMissing ? "there is none" : messageOf(error)}`,
      {
        hint:
          "Name a file, a directory such as /etc/cron.d, or pipe it in: crontab -l | jobctl import crontab -",
        cause: error,
      },
    );
  }
}

/** Bits of the mode for which a file is refused: where cron reads it those that cron refuses, elsewhere the dangerous ones. */
function modesOf(
  path: string,
  isInFolder: boolean,
  folder: "system" | "users",
  dialect: Dialect,
): number {
  const rules = DIALECT_RULES[dialect];
  const modes = folder === "users" ? rules.userModes : rules.systemModes;
  const isLive = /^\/(?:etc|var\/spool)\//.test(path);
  return isLive ? modes : modes & (isInFolder ? WRITABLE : WRITABLE_BY_OTHERS);
}

class Folder {
  readonly #path: string;
  readonly #options: OpenOptions;
  readonly #notes: ImportNote[] = [];

  constructor(path: string, options: OpenOptions) {
    this.#path = path;
    this.#options = options;
  }

  open(): OpenedCrontabs {
    const { dialect } = this.#options;
    this.#checkFolder();
    const files = readdirSync(this.#path).sort().map((name) => join(this.#path, name))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
    const folder = this.#folder(files);
    const taken = files.filter((file) => isCrontabName(basename(file), folder, dialect));
    for (const file of files) if (!taken.includes(file)) this.#tellName(file);
    const found = taken.map((file) =>
      openOrTell(file, {
        isSystem: folder === "system",
        owner: folder === "users" ? basename(file) : null,
        dialect,
        modes: modesOf(file, true, folder, dialect),
        folder,
      })
    );
    return {
      crontabs: found.flatMap(({ crontabs }) => crontabs),
      notes: [...this.#notes, ...found.flatMap(({ notes }) => notes)],
    };
  }

  #checkFolder(): void {
    const { mode } = statSync(this.#path);
    if ((mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0) return;
    this.#notes.push({
      file: this.#path,
      line: null,
      text: `every user can write to this folder: chmod o-w ${shellWord(this.#path)}`,
      isLoss: true,
    });
  }

  /** Users' crontabs are named after accounts, and their lines name no account. */
  #folder(files: readonly string[]): "system" | "users" {
    if (this.#options.isSystem === true) return "system";
    const known = folderOf(this.#path);
    if (known !== null) return known;
    const isUsers = files.length > 0 &&
      files.every((file) => isAccount(basename(file)) && isUserCrontab(file));
    return isUsers ? "users" : "system";
  }

  #tellName(file: string): void {
    const { program } = DIALECT_RULES[this.#options.dialect];
    const wanted = this.#options.dialect === "debian"
      ? 'only names of letters, digits, "_" and "-"'
      : "no file of this name";
    const text = `left out: ${program} takes ${wanted}`;
    this.#notes.push({ file, line: null, text, isLoss: false });
  }
}

interface FileOptions extends OpenOptions {
  readonly modes: number;
  /** The folder of cron's that it was found in. */
  readonly folder: "system" | "users" | null;
}

/** A file that cannot be read does not keep the others of its folder from being imported. */
function openOrTell(file: string, options: FileOptions): OpenedCrontabs {
  try {
    return openFile(file, options);
  } catch (error) {
    if (!isJobError(error) && errorCode(error) === undefined) throw error;
    const text = `left out: ${messageOf(error)}`;
    return { crontabs: [], notes: [{ file, line: null, text, isLoss: true }] };
  }
}

function isUserCrontab(file: string): boolean {
  try {
    return formatOf(file, decodeCrontab(readOwnedFile(file).bytes)) === "user";
  } catch {
    return false;
  }
}

function openFile(file: string, options: FileOptions): OpenedCrontabs {
  const found = readOwnedFile(file, { isNamed: options.folder === null });
  const { program, hasSystemCrontabs } = DIALECT_RULES[options.dialect];
  const note = (text: string, isLoss: boolean) => ({ file, line: null, text, isLoss });
  const refuse = (problem: string): OpenedCrontabs => ({
    crontabs: [],
    notes: [note(`left out: ${problem}`, true)],
  });
  const badMode = modeProblem(found, options);
  if (badMode !== null) return refuse(badMode);
  const text = decodeCrontab(found.bytes);
  const crontab = crontabOfText(file, text, options);
  const [foreign, ...others] = found.owners;
  if (others.length > 0 && (options.owner === null || options.folder !== null)) {
    const names = found.owners.map((name) => `"${name}"`).join(" and ");
    return refuse(`it, or folders and links that lead to it, belong to ${names}`);
  }
  const belongs = `${found.whatBelongs} belongs to "${foreign}"`;
  const problem = foreign === undefined ? null : ownerProblemOf(foreign, crontab, options);
  const ownerProblem = problem && `${belongs}, and ${problem}`;
  if (ownerProblem !== null) return refuse(ownerProblem);
  if (crontab.isSystem && !hasSystemCrontabs) {
    return refuse(
      `its commands have a user before them, and ${program} reads only users' crontabs`,
    );
  }
  if (foreign !== undefined && options.owner === null) {
    const told = note(`${belongs}: its jobs run as that user`, false);
    return { crontabs: [{ ...crontab, isSystem: false, owner: foreign }], notes: [told] };
  }
  const isTold = crontab.isSystem && options.isSystem === null &&
    !/^\/etc\/(?:crontab$|cron\.d\/)/.test(file);
  const told = isTold
    ? [note("read as a system crontab: each command has a user before it", false)]
    : [];
  return {
    crontabs: [crontab],
    notes: [...told, ...userColumnNotes(crontab, options.folder !== null)],
  };
}

function modeProblem({ mode }: OwnedFile, { modes, folder, dialect }: FileOptions): string | null {
  const bits = mode & modes;
  if (bits === 0) return null;
  const { program } = DIALECT_RULES[dialect];
  const wanted = folder === "users" && dialect === "debian" ? "0600" : "0644 or less";
  const who = (bits & WRITABLE_BY_OTHERS) !== 0 ? "every user can write to it" : "it is refused";
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  return `${who} (mode ${octal}), ${program} wants ${wanted}`;
}

function ownerProblemOf(
  foreign: string,
  { file, text, isSystem }: CrontabText,
  { folder, dialect, owner }: FileOptions,
): string | null {
  const { program } = DIALECT_RULES[dialect];
  if (dialect === "busybox" && folder === "users") {
    return `${program} accepts only files of root`;
  }
  if (folder === "users" && foreign !== owner) {
    return `cron accepts only files of "${owner}" and root`;
  }
  // Users' crontabs are named after them. Cron does not accept other files of theirs with a user
  // before each command.
  if (isSystem && (basename(file) !== foreign || formatOf(file, text) === "system")) {
    return "cron accepts only files of root";
  }
  return null;
}
