import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { CommitCounter } from "./commit_counter.ts";
import { noteOf } from "./lost_commits.ts";
import { makeDirectory, openDatabase, type Salvages } from "./open_database.ts";
import { OwnerLock } from "./owner_lock.ts";
import { toStoreError } from "./error.ts";
import { checkStoreTrust, warnOfOpenFiles } from "./store_files.ts";

/** How a SQLite file is used. */
export interface SqliteOptions {
  /** Most pages of 4 KiB in the file; beyond that the store is full. */
  readonly pagesMax?: number | undefined;
  /**
   * "normal": acknowledged when the system has it, not the disk; a power loss takes the last
   * transactions.
   */
  readonly fsync?: "full" | "normal" | undefined;
  /** Which losses to accept instead of refusing. */
  readonly salvages?: Salvages | undefined;
  /** Warns about accepted losses. */
  readonly warn?: ((message: string) => void) | undefined;
  /**
   * Runs a callback some seconds later. The pages that SQLite keeps in memory are then released;
   * without it they are kept.
   */
  readonly later?: ((callback: () => void) => void) | undefined;
}

/**
 * The database of a file that this process owns, opened for another epoch. The process owns the
 * file until it is released.
 */
export class OwnedDatabase {
  readonly db: DatabaseSync;
  readonly #lock: OwnerLock;
  readonly #counter: CommitCounter;
  #commits: number;

  /**
   * @throws JobError `conflict` when it has another owner, `unavailable` when the file is refused
   */
  constructor(location: string, node: string, options: SqliteOptions) {
    const { salvages = null, warn = () => {}, pagesMax, fsync } = options;
    const isSynced = fsync !== "normal";
    makeDirectory(location);
    const path = realPath(location);
    checkStoreTrust(path);
    this.#lock = new OwnerLock(path, node);
    let db: DatabaseSync | null = null;
    try {
      this.db = db = openDatabase(path, { isSynced, salvages, warn });
      if (pagesMax) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
      db.exec("UPDATE meta SET epoch = epoch + 1, commits = commits + 1");
      const note = noteOf(db, { isSynced });
      this.#commits = note.commits;
      this.#counter = new CommitCounter(path, note);
      warnOfOpenFiles(path, warn);
    } catch (error) {
      db?.close();
      this.#lock.release();
      throw toStoreError(error, "open", path);
    }
  }

  /**
   * Note a committed transaction, which raised the count in the database by one. @param at its
   * recorded time, epoch ms
   */
  noteCommit(at: number): void {
    this.#commits += 1;
    this.#counter.note(this.#commits, at);
  }

  /** Release the file, once the database is closed. */
  release(): void {
    this.#counter.close();
    this.#lock.release();
  }
}

/** The file behind links, so that two names of one database find the same owner. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return join(realpathSync(dirname(path)), basename(path));
  }
}
