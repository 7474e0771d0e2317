import { type ErrorCode, JobError, messageOf } from "../../core/errors.ts";

const FREE = "End the program that keeps the file locked";
/** Primary result codes of a file that another connection has locked. */
const BUSY_CODES = [5, 6];

/** Meanings of SQLite's primary result codes, with the remedy. */
const MEANINGS: readonly (readonly [number, text: string, ErrorCode, hint: string])[] = [
  [5, "database is locked", "unavailable", FREE],
  [6, "database table is locked", "unavailable", FREE],
  [8, "readonly database", "unavailable", "Make the file and its directory writable for this user"],
  [10, "disk I/O error", "unavailable", "Check the disk and the kernel's log"],
  [
    11,
    "disk image is malformed",
    "unavailable",
    "Stop, keep a copy of the file, and restore the last backup",
  ],
  [13, "database or disk is full", "resource_exhausted", "Free space on the disk"],
  [
    14,
    "unable to open database file",
    "unavailable",
    "Check that the directory exists and that this user may write to it",
  ],
  [26, "file is not a database", "unavailable", "Name another file, or move this one away"],
];

/** The meaning of an error of SQLite; undefined for any other error. */
function meaningOf(thrown: unknown) {
  if (!(thrown instanceof Error)) return undefined;
  const code = (thrown as { errcode?: unknown }).errcode;
  if (typeof code === "number") return MEANINGS.find(([known]) => known === (code & 0xff));
  // Deno sets no code on some errors; SQLite's own texts have been the same for twenty years.
  return MEANINGS.find(([, text]) => thrown.message.includes(text));
}

/** True if another connection has locked the file for the moment. */
export function isBusy(thrown: unknown): boolean {
  return BUSY_CODES.includes(meaningOf(thrown)?.[0] ?? 0);
}

/** An error of SQLite as JobError, naming the file. */
export function toStoreError(thrown: unknown, action: string, path: string): JobError {
  if (thrown instanceof JobError) return thrown;
  const [, , code = "internal", hint] = meaningOf(thrown) ?? [];
  return new JobError(code, `Cannot ${action} "${path}": ${messageOf(thrown)}`, {
    hint,
    cause: thrown,
  });
}

/** Read JSON of a row, given its table and key. @throws JobError `unavailable` if it is damaged */
export function readStored<T>(text: string, row: readonly [what: string, key: string]): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new JobError("unavailable", `Cannot read ${row[0]} "${row[1]}": its row is damaged`, {
      hint: "Check the store with jobctl store verify, and restore the last backup",
      cause,
    });
  }
}
