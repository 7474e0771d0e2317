import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Buffer } from "node:buffer";
import { basename, join } from "node:path";
import { JobError } from "../core/errors.ts";
import { isObject } from "../core/text/object_keys.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../platform/files/private_files.ts";
import { readRegularFile } from "../platform/files/read_file.ts";
import { distrustError, findDistrust } from "../platform/files/trusted_path.ts";

/** Most supervisors that a daemon looks for. */
const FOUND_MAX = 1_000;
/** Longest record, in bytes. */
const RECORD_BYTES_MAX = 8_192;
/** Longest path of a Unix socket, in bytes, with its end. */
const SOCKET_BYTES_MAX = 104;
/** Name of the file with the key of `ClaimSeal`. */
export const KEY_FILE = "key";
const ENDING = {
  record: ".json",
  socket: ".sock",
  waiting: ".waiting",
  ended: ".ended",
} as const;

/** A daemon's record of a supervisor, for itself and its successors. */
export interface SupervisorRecord {
  /** Knowing it allows taking over the commands. It is in no argv and no environment. */
  readonly secret: string;
  /** The markers of its commands begin with this and a dot; its own marker is this alone. */
  readonly token: string;
  /** Key of its commands; see `supervisorKey`. */
  readonly key: string;
  /** True if it has other rights than its daemon. */
  readonly isForeign: boolean;
  /**
   * Time for its commands to run after its daemon's end, in milliseconds, if no other daemon can
   * take them back meanwhile; null: until their leases end.
   */
  readonly graceMs: number | null;
  /** The process of its daemon, as `ProcessIdentity` names it. */
  readonly daemon: string | null;
}

/** The place of a supervisor in the folder: its path without an ending. */
export type SupervisorPlace = string;

/** Length of the part of its token that names a place: the paths of sockets are short. */
const NAME_LENGTH = 16;

/** The place of a supervisor in a folder. Its name is the beginning of the supervisor's token. */
export function placeOf(folder: string, token: string): SupervisorPlace {
  return join(folder, token.slice(0, NAME_LENGTH));
}

/** True if a supervisor with this token, or a command with a marker of it, belongs to a place. */
export function isOfPlace(place: SupervisorPlace, token: string): boolean {
  const name = basename(place);
  return name.length === NAME_LENGTH && token.startsWith(name);
}

/** Path of the Unix socket of a supervisor. */
export function socketOf(place: SupervisorPlace): string {
  return `${place}${ENDING.socket}`;
}

/** Path of the record of a supervisor. */
export function recordOf(place: SupervisorPlace): string {
  return `${place}${ENDING.record}`;
}

/** Path of the claims of commands that wait for a supervisor to start. */
export function waitingOf(place: SupervisorPlace): string {
  return `${place}${ENDING.waiting}`;
}

/** Path of a supervisor's file about commands that end while no daemon runs. */
export function endedOf(place: SupervisorPlace): string {
  return `${place}${ENDING.ended}`;
}

/**
 * Create the folder where a daemon and its supervisors find each other, if it does not exist.
 *
 * @throws JobError `permission_denied` if it belongs to others, or they may enter it;
 * `invalid_argument` if its path is too long for sockets; the system's error if it cannot be made
 */
export function openFolder(folder: string): void {
  const bytes = Buffer.byteLength(socketOf(join(folder, "0".repeat(16))));
  if (bytes > SOCKET_BYTES_MAX) {
    const problem = `the paths of sockets in it have ${bytes} bytes, at most ${SOCKET_BYTES_MAX}`;
    throw new JobError("invalid_argument", `Cannot use the folder "${folder}": ${problem}`);
  }
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  checkFolder(folder);
}

/**
 * Check that nobody else can have written into the folder.
 *
 * @throws JobError `permission_denied` if others can, or may enter it
 */
function checkFolder(folder: string): void {
  const hint = "Remove it: the daemon creates it again";
  const distrust = findDistrust(folder);
  if (distrust !== null) {
    // It may be a folder above it.
    const remedy = distrust.path === folder ? hint : distrust.remedy ?? hint;
    throw distrustError(`Cannot use the folder "${folder}"`, distrust, remedy);
  }
  if ((lstatSync(folder).mode & 0o077) === 0) return;
  throw new JobError("permission_denied", `Cannot use "${folder}": others may enter it`, { hint });
}

/**
 * Write the record of a supervisor that is about to start. A concurrent daemon sees all of it or
 * nothing. @throws the system's error
 */
export function writeRecord(place: SupervisorPlace, record: SupervisorRecord): void {
  const unfinished = `${place}.new`;
  try {
    writeFileSync(unfinished, JSON.stringify(record), { mode: PRIVATE_FILE, flag: "wx" });
    renameSync(unfinished, recordOf(place));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/**
 * Change the record of a supervisor that runs. It stays the same file: the supervisor would read a
 * new file as a removal. It is never cut short, so the old record survives a full disk.
 *
 * @throws the system's error
 */
export function updateRecord(place: SupervisorPlace, record: SupervisorRecord): void {
  const file = openSync(recordOf(place), "r+");
  try {
    const text = JSON.stringify(record).padEnd(fstatSync(file).size);
    writeSync(file, text, 0);
  } finally {
    closeSync(file);
  }
}

/**
 * Read a record. Never waits: a command of the daemon's own user may have put a pipe in its place.
 *
 * @returns null if missing or unreadable
 */
export function readRecord(place: SupervisorPlace): SupervisorRecord | null {
  try {
    const found = readRegularFile(recordOf(place), RECORD_BYTES_MAX);
    const value: unknown = found && JSON.parse(found.bytes.toString());
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * The supervisors that have a record, waiting claims, or ends of commands in a folder. Does not
 * create it.
 *
 * @throws JobError `permission_denied` if others can have written into it
 */
export function listPlaces(
  folder: string,
  what: "record" | "waiting" | "ended" = "record",
): readonly SupervisorPlace[] {
  if (!existsSync(folder)) return [];
  checkFolder(folder);
  try {
    return readdirSync(folder).filter((name) => name.endsWith(ENDING[what])).slice(0, FOUND_MAX)
      .map((name) => join(folder, name.slice(0, -ENDING[what].length)));
  } catch {
    return [];
  }
}

/** Remove the records of a supervisor that has ended. */
export function removePlace(place: SupervisorPlace): void {
  for (const path of [recordOf(place), socketOf(place)]) removeFile(path);
}

/** Forget its notes on commands that ended while no daemon ran: all of them are recorded. */
export function removeEnded(place: SupervisorPlace): void {
  removeFile(endedOf(place));
}

function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It belongs to another user, whose daemon removes it.
  }
}

/**
 * Remove the folder of supervisors if it contains no records but their key. A daemon that records
 * one meanwhile keeps its key, and makes the folder again.
 */
export function removeUnused(folder: string): void {
  try {
    if (!existsSync(folder)) return;
    checkFolder(folder);
    const names = readdirSync(folder);
    if (names.some((name) => name !== KEY_FILE)) return;
    const path = join(folder, KEY_FILE);
    const key = names.length === 0 ? null : readKey(path);
    rmSync(path, { force: true });
    try {
      rmdirSync(folder);
    } catch {
      if (key !== null) writeFileSync(path, key, { mode: PRIVATE_FILE, flag: "wx" });
    }
  } catch {
    // It belongs to others, or is gone by now.
  }
}

/**
 * Read the key without an open descriptor: in a process whose channel is closed, Deno takes another
 * descriptor for it.
 *
 * @throws the system's error; an Error if it is not a file with a key
 */
function readKey(path: string): Uint8Array {
  const found = lstatSync(path);
  if (found.isFile() && found.size <= RECORD_BYTES_MAX) return readFileSync(path);
  throw new Error("it is not a key");
}

function isRecord(value: unknown): value is SupervisorRecord {
  if (!isObject(value)) return false;
  const { secret, token, key, isForeign, graceMs, daemon } = value;
  return [secret, token, key].every((text) => typeof text === "string" && text.length > 0) &&
    typeof isForeign === "boolean" &&
    (graceMs === null || typeof graceMs === "number") &&
    (daemon === null || typeof daemon === "string");
}
