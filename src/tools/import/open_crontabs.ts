import { orElse } from "../../core/or_else.ts";
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { isAccount } from "../../platform/system/accounts.ts";
import { fileErrorCode } from "../../core/file_errors.ts";
import { fileNote, type ImportNote } from "./crontab_reader.ts";
import { type CrontabFormat, folderOf, formatOf } from "./crontab_shape.ts";
import { type Dialect, DIALECT_RULES } from "./dialect.ts";
import { type OwnedFile, readOwnedFile } from "./owned_file.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** One crontab as text. */
export interface CrontabText {
  readonly file: string;
  readonly text: string;
  /** True if each command has a user before it. */
  readonly isSystem: boolean;
  /** True if it has the columns of an anacrontab. */
  readonly isAnacron?: boolean;
  /** The user whose crontab it is; null if unknown. */
  readonly owner: string | null;
}

/** Settings for opening files. */
export interface OpenOptions {
  /** True if each command has a user before it; null to judge by path and text. */
  readonly isSystem: boolean | null;
  /** The owner of the crontabs; null if not given. */
  readonly owner: string | null;
  readonly dialect: Dialect;
}

/** Opened crontabs, and notes about the others. */
export interface OpenedCrontabs {
  readonly crontabs: readonly CrontabText[];
  readonly notes: readonly ImportNote[];
}

const WRITABLE_BY_OTHERS = 0o002;
const WRITABLE = 0o022;
const STICKY = 0o1000;

/** Bytes of a crontab as text: UTF-8, or Latin-1 if they are not UTF-8. */
export function decodeCrontab(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** A crontab from its text, in the text's format. */
export function crontabOfText(
  file: string,
  text: string,
  options: OpenOptions & Partial<Pick<FileOptions, "folder">>,
): CrontabText {
  const found = formatOf(file, text);
  // In its own folders cron reads each file as a crontab.
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

/** A note if the crontab of a user seems to have a user before each command. */
export function userColumnNotes(
  { file, text, isSystem, isAnacron, owner }: CrontabText,
  isInFolder = false,
): readonly ImportNote[] {
  if (owner === null || isSystem || isAnacron || formatOf(file, text) !== "system") return [];
  const found = "its commands seem to have a user before them, which";
  const remark = isInFolder
    ? `${found} cron takes for the program in a user's crontab`
    : `${found} --user makes part of the command: leave it out`;
  // In a user's folder such commands do not work under cron either.
  return [fileNote(file, remark, !isInFolder)];
}

function formatGiven({ isSystem, owner }: OpenOptions): CrontabFormat | null {
  return isSystem === true ? "system" : isSystem === false || owner !== null ? "user" : null;
}

/**
 * The crontabs of a file, or of a directory, which is read like /etc/cron.d or the folder of users'
 * crontabs. A file of a user other than root and our own is that user's crontab, and its jobs run
 * only as that user.
 *
 * @throws JobError `not_found`, or as {@link fileErrorCode}, if unreadable
 */
export function openCrontabs(path: string, options: OpenOptions): OpenedCrontabs {
  try {
    if (statSync(path).isDirectory()) return openFolder(path, options);
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

/** Refused mode bits: cron's own where it reads the file; else dangerous ones. */
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

function openFolder(path: string, options: OpenOptions): OpenedCrontabs {
  const { dialect } = options;
  const { takesName } = DIALECT_RULES[dialect];
  const files = readdirSync(path).sort().map((name) => join(path, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  const folder = folderKind(path, files, options);
  const taken = files.filter((file) => takesName(basename(file), folder));
  const found = taken.map((file) =>
    openOrNote(file, {
      isSystem: folder === "system",
      owner: folder === "users" ? basename(file) : null,
      dialect,
      modes: modesOf(file, true, folder, dialect),
      folder,
    })
  );
  return {
    crontabs: found.flatMap(({ crontabs }) => crontabs),
    notes: [
      ...folderNotes(path),
      ...files.filter((file) => !taken.includes(file)).map((file) => nameNote(file, dialect)),
      ...found.flatMap(({ notes }) => notes),
    ],
  };
}

function folderNotes(path: string): readonly ImportNote[] {
  const { mode } = statSync(path);
  if ((mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0) return [];
  const text = `every user can write to this folder: chmod o-w ${shellWord(path)}`;
  return [fileNote(path, text, true)];
}

/** Users' crontabs are named after accounts, and their lines name no account. */
function folderKind(
  path: string,
  files: readonly string[],
  { isSystem }: OpenOptions,
): "system" | "users" {
  if (isSystem === true) return "system";
  const known = folderOf(path);
  if (known !== null) return known;
  const isUsers = files.length > 0 &&
    files.every((file) => isAccount(basename(file)) && isUserCrontab(file));
  return isUsers ? "users" : "system";
}

function nameNote(file: string, dialect: Dialect): ImportNote {
  const { program } = DIALECT_RULES[dialect];
  const wanted = dialect === "debian"
    ? 'only names of letters, digits, "_" and "-"'
    : "no file of this name";
  return fileNote(file, `left out: ${program} takes ${wanted}`, false);
}

interface FileOptions extends OpenOptions {
  readonly modes: number;
  /** The cron folder that contains it. */
  readonly folder: "system" | "users" | null;
}

/** Open a file. An unreadable one becomes a note, and the other files are still imported. */
function openOrNote(file: string, options: FileOptions): OpenedCrontabs {
  try {
    return openFile(file, options);
  } catch (error) {
    if (!isJobError(error) && errorCode(error) === undefined) throw error;
    return refused(file, messageOf(error));
  }
}

function refused(file: string, problem: string): OpenedCrontabs {
  return { crontabs: [], notes: [fileNote(file, `left out: ${problem}`, true)] };
}

function isUserCrontab(file: string): boolean {
  return orElse(() => formatOf(file, decodeCrontab(readOwnedFile(file).bytes)) === "user", false);
}

function openFile(file: string, options: FileOptions): OpenedCrontabs {
  const found = readOwnedFile(file, { isNamed: options.folder === null });
  const { program, hasSystemCrontabs } = DIALECT_RULES[options.dialect];
  const refuse = (problem: string) => refused(file, problem);
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
  if (problem !== null) return refuse(`${belongs}, and ${problem}`);
  if (crontab.isSystem && !hasSystemCrontabs) {
    return refuse(
      `its commands have a user before them, and ${program} reads only users' crontabs`,
    );
  }
  if (foreign !== undefined && options.owner === null) {
    const noted = fileNote(file, `${belongs}: its jobs run as that user`, false);
    return { crontabs: [{ ...crontab, isSystem: false, owner: foreign }], notes: [noted] };
  }
  const isNoted = crontab.isSystem && options.isSystem === null &&
    !/^\/etc\/(?:crontab$|cron\.d\/)/.test(file);
  const noted = isNoted
    ? [fileNote(file, "read as a system crontab: each command has a user before it", false)]
    : [];
  return {
    crontabs: [crontab],
    notes: [...noted, ...userColumnNotes(crontab, options.folder !== null)],
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
  // Users' crontabs are named after them. Cron accepts no other files of theirs with users in the
  // lines.
  if (isSystem && (basename(file) !== foreign || formatOf(file, text) === "system")) {
    return "cron accepts only files of root";
  }
  return null;
}
