import { Buffer } from "node:buffer";
import { closeSync, constants, fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { toStoreError } from "./error.ts";
import { type FileSum, readFileSum } from "../../platform/files/file_sum.ts";

const HEAD_BYTES = 256;
const SLOT_BYTES = 128;
const DIGITS = 16;
const FILE_BYTES_MAX = HEAD_BYTES + 2 * SLOT_BYTES;
/** Shortest time between two syncs of the file, in milliseconds. */
const SYNC_MS = 1_000;

/** The commit count of a database, as recorded in the file beside it. */
export interface CommitNote {
  /** Id of the database: a replacement has another id. */
  readonly storeId: string;
  /** Boot id of the machine when they were made; null if unavailable. */
  readonly boot: string | null;
  /** True if each commit was on disk before it was counted. */
  readonly isSynced: boolean;
  readonly commits: number;
  /** Recorded time of the last one, epoch ms. */
  readonly at: number;
  /** The content of the database when it was closed; null while open, or if unknown. */
  readonly file: FileSum | null;
}

/** The file beside a database that counts its commits. */
export function counterPath(path: string): string {
  return `${path}-commits`;
}

/**
 * Counts the commits of a database in a file beside it, after each commit. The count never exceeds
 * the real number of commits, so a database with fewer has lost some. Each write reaches the system
 * at once, and the disk about once a second.
 */
export class CommitCounter {
  readonly #file: number;
  readonly #slot = Buffer.alloc(SLOT_BYTES, " ");
  readonly #note: CommitNote;
  #isSyncing = false;
  #syncedAt: number;

  /** @throws JobError when the file cannot be written */
  constructor(path: string, note: CommitNote) {
    const file = counterPath(path);
    this.#note = note;
    try {
      this.#file = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
      this.#writeHead(null);
      this.#slot.write("\n", SLOT_BYTES - 1);
      for (const slot of [0, 1]) this.#write(note.commits, note.at, slot);
    } catch (thrown) {
      throw toStoreError(thrown, "write", file);
    }
    this.#syncedAt = note.at;
  }

  /** Count some commits, the last of them with a recorded time. */
  note(commits: number, at: number): void {
    try {
      // Written alternately: if one slot is damaged, the other lacks only one commit.
      this.#write(commits, at, commits % 2);
    } catch {
      // The commit is valid. Too low a count only detects less and refuses nothing.
      return;
    }
    if (at - this.#syncedAt < SYNC_MS || this.#isSyncing) return;
    this.#syncedAt = at;
    this.#isSyncing = true;
    fdatasync(this.#file, () => this.#isSyncing = false);
  }

  /** @param file the content of the database, which has been closed */
  close(file: FileSum | null): void {
    try {
      if (file !== null) {
        this.#writeHead(file);
        fdatasyncSync(this.#file);
      }
    } catch {
      // Without it, the next opening checks less.
    }
    closeSync(this.#file);
  }

  #writeHead(file: FileSum | null): void {
    const { storeId, boot, isSynced } = this.#note;
    const head = Buffer.alloc(HEAD_BYTES, " ");
    head.write(JSON.stringify({ storeId, boot, isSynced, ...(file && { file }) }), "latin1");
    head.write("\n", HEAD_BYTES - 1);
    writeSync(this.#file, head, 0, HEAD_BYTES, 0);
  }

  #write(commits: number, at: number, slot: number): void {
    const text = `${String(commits).padStart(DIGITS)} ${String(at).padStart(DIGITS)}`;
    this.#slot.write(`${text} ${text}`, "latin1");
    writeSync(this.#file, this.#slot, 0, SLOT_BYTES, HEAD_BYTES + slot * SLOT_BYTES);
  }
}

/** Read the commit count beside a database; null if missing or unreadable. */
export function readCommitNote(path: string): CommitNote | null {
  try {
    const bytes = readRegularFile(counterPath(path), FILE_BYTES_MAX)!.bytes;
    const { storeId, boot, isSynced, file } = JSON.parse(bytes.toString("latin1", 0, HEAD_BYTES));
    const counts = [0, 1].map((slot) => readSlot(bytes.subarray(HEAD_BYTES + slot * SLOT_BYTES)))
      .filter((count) => count !== null);
    const last = counts.toSorted((left, right) => right.commits - left.commits)[0];
    if (typeof storeId !== "string" || !last) return null;
    return { storeId, boot, isSynced: isSynced === true, ...last, file: readFileSum(file) };
  } catch {
    return null;
  }
}

/** The two halves must agree, or the slot is damaged. */
function readSlot(bytes: Buffer): { readonly commits: number; readonly at: number } | null {
  const [commits, at, ...again] = bytes.toString("latin1", 0, SLOT_BYTES).trim().split(/ +/);
  if (again.join(" ") !== `${commits} ${at}`) return null;
  const found = { commits: Number(commits), at: Number(at) };
  return Number.isSafeInteger(found.commits) && Number.isSafeInteger(found.at) ? found : null;
}
