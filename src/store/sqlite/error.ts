import { type ErrorCode, JobError, messageOf } from "../../core/errors.ts";

/** Primary result codes of SQLite. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

// Deno sets no code on some errors; SQLite's own texts have been the same for twenty years.
const CODE_BY_TEXT: readonly (readonly [string, number])[] = [
  ["database is locked", BUSY],
  ["database table is locked", LOCKED],
  ["readonly database", READONLY],
  ["disk I/O error", IOERR],
  ["disk image is malformed", CORRUPT],
  ["database or disk is full", FULL],
  ["unable to open database file", CANTOPEN],
  ["file is not a database", NOTADB],
];

const MEANING: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [BUSY]: ["unavailable", "End the program that keeps the file locked"],
  [LOCKED]: ["unavailable", "End the program that keeps the file locked"],
  [READONLY]: ["unavailable", "Make the file and its directory writable for this user"],
  [IOERR]: ["unavailable", "Check the disk and the kernel's log"],
  [CORRUPT]: ["unavailable", "Stop, keep a copy of the file, and restore the last backup"],
  [FULL]: ["resource_exhausted", "Free space on the disk"],
  [CANTOPEN]: ["unavailable", "Check that the directory exists and that this user may write to it"],
  [NOTADB]: ["unavailable", "Name another file, or move this one away"],
};

/** SQLite's primary result code of an error; null for any other. */
function sqliteCode(thrown: unknown): number | null {
  if (!(thrown instanceof Error)) return null;
  const code = (thrown as { errcode?: unknown }).errcode;
  if (typeof code === "number") return code & 0xff;
  return CODE_BY_TEXT.find(([text]) => thrown.message.includes(text))?.[1] ?? null;
}

/** True if another connection has locked the file for the moment. */
export function isBusy(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code === BUSY || code === LOCKED;
}

/** An error of SQLite as JobError, naming the file. */
export function toStoreError(thrown: unknown, action: string, path: string): JobError {
  if (thrown instanceof JobError) return thrown;
  const [code, hint] = MEANING[sqliteCode(thrown) ?? -1] ?? ["internal", undefined];
  return new JobError(code, `Cannot ${action} "${path}": ${messageOf(thrown)}`, {
    hint,
    cause: thrown,
  });
}

/**
 * Read JSON that a row has.
 *
 * @param row what the row is, and its key
 * @throws JobError `unavailable` if the text is damaged
 */
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
