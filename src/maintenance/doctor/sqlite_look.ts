import { closeSync, constants, openSync, readSync } from "node:fs";
import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { errorCode, isJobError, messageOf } from "../../core/errors.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { readRegularFile, readSystemFile } from "../../platform/files/read_file.ts";
import { checkClosedFiles } from "../../store/sqlite/open_database.ts";
import { APPLICATION_ID, FILE_FORMAT } from "../../store/sqlite/schema.ts";

/** Findings about a SQLite file for which no daemon of ours answered. */
export type SqliteLook =
  | { readonly type: "missing" }
  /** Another process has it open. */
  | { readonly type: "owned"; readonly pid: number | null }
  | { readonly type: "unreadable"; readonly why: string }
  /** It was not closed: its last commits are in its log, which only an owner may read. */
  | { readonly type: "unclosed"; readonly logBytes: number }
  | { readonly type: "foreign" }
  /** Written by a newer version. */
  | { readonly type: "newer"; readonly format: number }
  | { readonly type: "damaged"; readonly why: string }
  /** A start would refuse its files. */
  | { readonly type: "refused"; readonly why: string; readonly remedy: string | null }
  | {
    readonly type: "whole";
    readonly format: number;
    readonly bytes: number;
    /** True if all its pages were checked. */
    readonly isChecked: boolean;
  };

const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
/** A larger file takes too long to check. */
const CHECK_BYTES_MAX = 16 * 2 ** 20;
const NOTE_BYTES_MAX = 4_096;

/**
 * Look at a SQLite file without changing anything: it is read without locks and without its log,
 * and only if no process owns it.
 */
export async function lookAtSqlite(path: string): Promise<SqliteLook> {
  const look = await lookAtFile(path);
  if (look.type !== "missing" && look.type !== "unclosed" && look.type !== "whole") return look;
  try {
    checkClosedFiles(path);
    return look;
  } catch (error) {
    const remedy = isJobError(error) ? error.hint ?? null : null;
    return { type: "refused", why: messageOf(error), remedy };
  }
}

async function lookAtFile(path: string): Promise<SqliteLook> {
  let bytes = 0;
  try {
    const found = await stat(path);
    if (!found.isFile()) return { type: "unreadable", why: "it is not a regular file" };
    bytes = found.size;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") return { type: "unreadable", why: wordsOf(error) };
  }
  const owner = await sqliteOwner(path);
  if (owner !== null) return { type: "owned", pid: owner.pid };
  const logBytes = await sizeOf(`${path}-wal`);
  if (logBytes > 0) return { type: "unclosed", logBytes };
  if (bytes === 0) return { type: "missing" };
  try {
    return read(path, bytes);
  } catch (error) {
    const isForbidden = ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
    return isForbidden
      ? { type: "unreadable", why: wordsOf(error) }
      : { type: "damaged", why: messageOf(error) };
  }
}

function read(path: string, bytes: number): SqliteLook {
  const header = readHeader(path);
  if (header.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    return { type: "damaged", why: "it is not a SQLite database" };
  }
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const wanted = header.readUInt32BE(28) * pageBytes;
  if (bytes < wanted) {
    return { type: "damaged", why: `it is truncated to ${bytes} bytes of ${wanted}` };
  }
  const format = header.readInt32BE(60);
  const application = header.readInt32BE(68);
  if (application !== APPLICATION_ID && (application !== 0 || format !== 0)) {
    return { type: "foreign" };
  }
  if (format > FILE_FORMAT) return { type: "newer", format };
  const isChecked = bytes <= CHECK_BYTES_MAX;
  if (!isChecked) return { type: "whole", format, bytes, isChecked };
  // Immutable: no lock is taken, and no log is created beside it.
  const url = pathToFileURL(path);
  url.search = "?immutable=1";
  const db = new DatabaseSync(url, { readOnly: true });
  try {
    const found = String(db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
    return found === "ok"
      ? { type: "whole", format, bytes, isChecked }
      : { type: "damaged", why: found.split("\n").at(-1)! };
  } finally {
    db.close();
  }
}

function readHeader(path: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  // The file may have been replaced: opening a pipe must not wait for a writer.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    readSync(file, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  return header;
}

/**
 * The process that owns the file, by the kernel's list of locks.
 *
 * @returns null without an owner; its id is null if unknown here
 */
export async function sqliteOwner(path: string): Promise<{ readonly pid: number | null } | null> {
  const lock = await stat(`${path}-owner`).catch(() => null);
  if (lock === null) return null;
  const pid = notedOwner(`${path}-owner.json`);
  const locks = readSystemFile("/proc/locks");
  if (locks !== null) {
    const row = locks.split("\n").find((line) => line.includes(`:${lock.ino} `));
    if (row === undefined) return null;
    const [, locker] = /\bWRITE\s+(\d+)\s/.exec(row) ?? [];
    return { pid: locker === undefined || locker === "0" ? pid : Number(locker) };
  }
  return pid !== null && isAlive(pid) ? { pid } : null;
}

function notedOwner(path: string): number | null {
  try {
    const text = readRegularFile(path, NOTE_BYTES_MAX)?.bytes.toString("utf8") ?? "";
    const note: unknown = JSON.parse(text);
    if (!isObject(note) || note["host"] !== hostname()) return null;
    return Number.isSafeInteger(note["pid"]) ? note["pid"] as number : null;
  } catch {
    // The file is missing, or is being written.
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

function wordsOf(error: unknown): string {
  const isForbidden = ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
  return isForbidden ? "permission denied" : messageOf(error);
}
