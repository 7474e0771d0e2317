import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { JobError, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { makePrivate, PRIVATE_FOLDER } from "../../platform/files/private_files.ts";
import { newerFormat } from "../newer_format.ts";
import { impossibleValues, missingParts, restoreIndexes } from "./check_content.ts";
import { readCommitNote } from "./commit_counter.ts";
import { sumOfFile } from "../../platform/files/file_sum.ts";
import { findLostCommits } from "./lost_commits.ts";
import { APPLICATION_ID, FILE_FORMAT, madeBy, migrate } from "./schema.ts";
import { toStoreError } from "./error.ts";

const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
/** A database up to this size is checked in full at opening, in less than 200 ms. */
const CHECK_BYTES_MAX = 24 * 2 ** 20;
/** Up to this size, everything but the indexes is checked, which takes equally long. */
const QUICK_CHECK_BYTES_MAX = 64 * 2 ** 20;
/** Blocking time of one try for a busy file; retried between turns of the event loop. */
const BUSY_TRY_MS = 3;
const CACHE_KIB = 32_768;
const READER_CACHE_KIB = 4_096;
/** Pages of the write-ahead log at which it is copied into the database. */
const CHECKPOINT_PAGES = 1_000;
/** Up to this size all values are checked, which is slow; in larger files only small tables. */
const VALUES_BYTES_MAX = 4 * 2 ** 20;
/** Most impossible values reported at opening. */
const TOLD_MAX = 10;
/** The remedy for a damaged file. */
const RESTORE = "Keep a copy of the file and restore the last backup";
/** The command that continues without lost commits. */
const SALVAGE = "jobctl serve --salvage";
const IF_UNEXPECTED = "If you did not change it, restore the last backup: " +
  "jobctl store verify finds damage, but no value that has changed";

/** Make the directory of a database file. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  } catch (thrown) {
    throw refusal(path, `its directory cannot be made (${messageOf(thrown)})`, {
      hint: "Make the directory, writable for this user",
      cause: thrown,
    });
  }
}

/**
 * Accepted loss of acknowledged commits: the loss of all, for a file that is filled on purpose, or
 * any loss. Otherwise opening is refused.
 */
export type Salvages = "empty" | "any";

/** Options for opening a database. */
export interface OpenOptions {
  /** True if a commit is on disk when it returns. */
  readonly isSynced: boolean;
  readonly salvages: Salvages | null;
  /** Warns about accepted losses. */
  readonly warn: (message: string) => void;
}

/**
 * Open the database that this process owns, check it, and migrate it to the newest format. A
 * refused file is not written: the checks use a read-only connection.
 *
 * A closed file is compared with its checksum. Up to {@link CHECK_BYTES_MAX} it is checked in full
 * (`integrity_check`), a larger one without its indexes (`quick_check`), the largest by header,
 * size and schema; other damaged pages fail the operation that reads them.
 *
 * @throws JobError `unavailable` with the file, the failed check and the remedy
 */
export function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  const isEmpty = checkFiles(path, options);
  if (isEmpty) checkLoss(null, path, options);
  else {
    const reader = connect(path, { readOnly: !existsSync(`${path}-journal`) });
    try {
      checkIdentity(reader, path);
      checkParts(reader, path);
      checkLoss(reader, path, options);
      checkWhole(reader, path);
      checkValues(reader, path, options);
    } catch (thrown) {
      throw toStoreError(thrown, "open", path);
    } finally {
      reader.close();
    }
  }
  const db = connect(path, { readOnly: false });
  try {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`PRAGMA synchronous = ${options.isSynced ? "FULL" : "NORMAL"}`);
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    db.exec("PRAGMA temp_store = MEMORY");
    db.exec("PRAGMA foreign_keys = OFF");
    migrate(db, pragma(db, "user_version"));
    for (const name of restoreIndexes(db, FILE_FORMAT)) {
      options.warn(`The index "${name}" of "${path}" was missing and has been recreated`);
    }
    return db;
  } catch (thrown) {
    db.close();
    throw toStoreError(thrown, "open", path);
  }
}

/**
 * Check the files of a database that no process owns, as a start does before it opens them.
 *
 * @throws JobError `unavailable` with the file, the failed check and the remedy
 */
export function checkClosedFiles(path: string): void {
  const options = { isSynced: true, salvages: null, warn: () => {} };
  if (checkFiles(path, options)) checkLoss(null, path, options);
}

/**
 * Check that this program knows the format of a database, which another process may own.
 *
 * @throws JobError `unavailable` if it has a newer one, or is not ours
 */
export function checkFormat(path: string): void {
  const db = connect(path, { readOnly: true });
  try {
    checkIdentity(db, path);
  } catch (thrown) {
    throw toStoreError(thrown, "open", path);
  } finally {
    db.close();
  }
}

/** A database of this process alone, gone when it closes. */
export function openInMemory(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec("PRAGMA foreign_keys = OFF");
  migrate(db, 0);
  return db;
}

/** Another connection to a file that this process owns. @throws JobError `unavailable` */
export function openReadOnly(path: string): DatabaseSync {
  const db = connect(path, { readOnly: true });
  try {
    db.exec(`PRAGMA cache_size = -${READER_CACHE_KIB}`);
    db.exec("PRAGMA temp_store = MEMORY");
    return db;
  } catch (thrown) {
    db.close();
    throw toStoreError(thrown, "open", path);
  }
}

function connect(path: string, { readOnly }: { readonly readOnly: boolean }): DatabaseSync {
  try {
    // Its log and the log's index inherit its mode.
    if (!readOnly) makePrivate(path);
    return new DatabaseSync(path, { timeout: BUSY_TRY_MS, readOnly });
  } catch (thrown) {
    throw toStoreError(thrown, "open", path);
  }
}

/** Check the files before SQLite opens them. @returns whether they contain no data */
function checkFiles(path: string, options: OpenOptions): boolean {
  const { salvages } = options;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isFile()) {
    throw refusal(path, "it is not a regular file", { hint: "Name a file" });
  }
  if (stats !== undefined && stats.nlink > 1) {
    throw refusal(path, `it has ${stats.nlink} names (hard links), each with a log of its own`, {
      hint: `Remove the others. To find them: find DIRECTORY -xdev -samefile ${shellWord(path)}`,
    });
  }
  const size = stats?.size ?? 0;
  const walSize = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 && walSize > 0 && salvages === null) {
    throw refusal(path, `it is empty but has a write-ahead log of ${walSize} bytes`, {
      hint: `Restore the file; to start with an empty store: ${SALVAGE}`,
    });
  }
  if (size > 0) checkHeader(path, size, walSize);
  if (size > 0 && walSize === 0) checkSum(path, options);
  return size === 0;
}

/** @throws JobError `unavailable` if commits are missing and the loss is not accepted */
function checkLoss(db: DatabaseSync | null, path: string, options: OpenOptions): void {
  const { salvages, warn } = options;
  const lost = findLostCommits(db, path, options);
  if (lost === null) {
    if (salvages === "any") {
      warn(`No commit is missing from "${path}": start without --salvage from now on`);
    }
    return;
  }
  if (lost.isExpected) {
    warn(
      `"${path}" lost its last commits in a power loss or system crash (store.fsync is "normal"): ${lost.found}`,
    );
    return;
  }
  if (salvages !== "any" && !(salvages === "empty" && db === null)) {
    throw refusal(path, lost.found, {
      hint: db === null
        ? `Restore the file, or a backup (jobctl store restore); to start with an empty store: ${SALVAGE}`
        : `Keep a copy of "${path}" and "${path}-wal"; restore what is missing, or continue without ` +
          `it: ${SALVAGE}`,
    });
  }
  const kept = keepLog(path);
  warn(
    `Continuing without what "${path}" lost: ${lost.found}${
      kept ? `; the log is in "${kept}"` : ""
    }`,
  );
}

/** Keep the log of a damaged store, which SQLite would delete. @returns its path, or null */
function keepLog(path: string): string | null {
  if (!existsSync(`${path}-wal`) || statSync(`${path}-wal`).size === 0) return null;
  const kept = `${path}-wal.damaged`;
  try {
    if (existsSync(path) && statSync(path).size > 0) copyFileSync(`${path}-wal`, kept);
    else renameSync(`${path}-wal`, kept);
  } catch (thrown) {
    throw toStoreError(thrown, "keep a copy of", `${path}-wal`);
  }
  return kept;
}

/** Compare a file that was closed with its content at that time. */
function checkSum(path: string, { salvages, warn }: OpenOptions): void {
  const closed = readCommitNote(path)?.file ?? null;
  const now = closed && sumOfFile(path);
  if (closed === null || now === null) return;
  if (now.bytes === closed.bytes && now.crc === closed.crc) return;
  const isWritten = now.modifiedAt !== closed.modifiedAt;
  const found = isWritten
    ? "it has changed since it was closed: another program wrote to it, or it is damaged"
    : "it is damaged: its content has changed since it was closed, but nothing wrote to it";
  // It may have been edited or restored: other faults are found below.
  if (isWritten || salvages === "any") return warn(`"${path}": ${found}. ${IF_UNEXPECTED}`);
  throw refusal(path, found, { hint: `${RESTORE}; to use it as it is: ${SALVAGE}` });
}

function checkHeader(path: string, size: number, walSize: number): void {
  const header = Buffer.alloc(HEADER_BYTES);
  let readBytes = 0;
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    readBytes = readSync(file, header, 0, HEADER_BYTES, 0);
  } catch (thrown) {
    throw refusal(path, `it cannot be read (${messageOf(thrown)})`, {
      hint: "Make it readable for this user",
      cause: thrown,
    });
  } finally {
    if (file !== null) closeSync(file);
  }
  if (readBytes < HEADER_BYTES || header.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw refusal(path, "it is not a SQLite database", {
      hint: "Name another file, or move this one away",
    });
  }
  // With a log, the file may rightly be shorter than its header claims.
  if (walSize > 0) return;
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expectedBytes = header.readUInt32BE(28) * pageBytes;
  if (size >= expectedBytes) return;
  throw refusal(path, `it is truncated to ${size} bytes of ${expectedBytes}`, { hint: RESTORE });
}

function checkIdentity(db: DatabaseSync, path: string): void {
  const applicationId = pragma(db, "application_id");
  const format = pragma(db, "user_version");
  if (applicationId !== APPLICATION_ID) {
    const tables = db.prepare("SELECT count(*) AS count FROM sqlite_master").get();
    if (applicationId === 0 && format === 0 && tables?.count === 0) return;
    throw refusal(path, "it is the database of another program", {
      hint: "Name another file",
    });
  }
  if (format > FILE_FORMAT) {
    const what = `Cannot open "${path}"`;
    const about = { what, format, known: FILE_FORMAT, madeBy: madeBy(db) };
    throw newerFormat(about, "unavailable");
  }
}

function checkWhole(db: DatabaseSync, path: string): void {
  const size = sizeOf(db);
  if (size > QUICK_CHECK_BYTES_MAX) return;
  const check = size > CHECK_BYTES_MAX ? "quick_check" : "integrity_check";
  const found = db.prepare(`PRAGMA ${check}(1)`).get()?.[check];
  if (found === "ok") return;
  throw refusal(path, `it is damaged (${check}: ${found})`, { hint: RESTORE });
}

/** @throws JobError `unavailable` with the missing parts */
function checkParts(db: DatabaseSync, path: string): void {
  const format = pragma(db, "user_version");
  if (format === 0) return;
  const [missing] = missingParts(db, format);
  if (missing !== undefined) {
    throw refusal(path, missing, {
      hint: `${RESTORE}; \`jobctl store backup --salvage\` reads what is left`,
    });
  }
}

/** Warn about impossible values. @throws JobError `unavailable` if the others depend on one */
function checkValues(db: DatabaseSync, path: string, { warn }: OpenOptions): void {
  if (pragma(db, "user_version") !== FILE_FORMAT) return;
  const problems = impossibleValues((sql) => db.prepare(sql).get()!, {
    all: sizeOf(db) <= VALUES_BYTES_MAX,
  });
  const meta = problems.find(({ check }) => check === "table meta");
  if (meta !== undefined) {
    throw refusal(path, `${meta.check}: ${meta.message}`, { hint: RESTORE });
  }
  for (const { check, message } of problems.slice(0, TOLD_MAX)) {
    warn(`"${path}" is damaged, ${check}: ${message}; check it with: jobctl store verify`);
  }
}

function sizeOf(db: DatabaseSync): number {
  return pragma(db, "page_count") * pragma(db, "page_size");
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function refusal(
  path: string,
  found: string,
  options: { readonly hint: string; readonly cause?: unknown },
): JobError {
  return new JobError("unavailable", `Cannot open "${path}": ${found}`, options);
}
