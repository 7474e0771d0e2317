import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { JobError } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type FileChange, FilePlace } from "../../platform/files/file_place.ts";
import type { Timer } from "../../platform/clock.ts";
import { CommitCounter } from "./commit_counter.ts";
import { sumOfFile } from "../../platform/files/file_sum.ts";
import { markClosed, markOpen, noteOf } from "./lost_commits.ts";
import { makeDirectory, openDatabase, type Salvages } from "./open_database.ts";
import { OwnerLock } from "./owner_lock.ts";
import { toStoreError } from "./error.ts";
import { checkStoreTrust, warnOfOpenFiles } from "./store_files.ts";

/** Settings of a SQLite file. */
export interface SqliteOptions {
  /** Most pages of 4 KiB in the file; beyond that the store is full. */
  readonly pagesMax?: number | undefined;
  /** "normal": acknowledged once the system has it; a power loss takes the last transactions. */
  readonly fsync?: "full" | "normal" | undefined;
  /** Losses to accept instead of refusing. */
  readonly salvages?: Salvages | undefined;
  /** Warns about accepted losses. */
  readonly warn?: ((message: string) => void) | undefined;
  /**
   * Runs a callback some seconds later, which releases the pages that SQLite keeps in memory;
   * without it they are kept.
   */
  readonly later?: ((callback: () => void) => Timer) | undefined;
}

/** Files beside a database; without them, commits are lost or it may get two owners. */
const BESIDE = ["-wal", "-shm", "-owner"];

/** Changes of a file, in words for people. */
const CHANGES: Readonly<Record<FileChange, string>> = {
  missing: "was removed or renamed",
  replaced: "was replaced by another file",
  linked: "was given a second name (hard link)",
};

/**
 * Databases whose names other files have taken. They stay open until the process exits: closing one
 * would delete the other file's log.
 */
const abandoned: DatabaseSync[] = [];

/**
 * The database of a file that this process owns, opened for another epoch. The process owns the
 * file until it is released.
 */
export class OwnedDatabase {
  readonly db: DatabaseSync;
  readonly #lock: OwnerLock;
  readonly #counter: CommitCounter;
  readonly #place: FilePlace;
  readonly #beside: readonly FilePlace[];
  #commits: number;
  #isSaved = false;

  /** @throws JobError `conflict` if it has another owner, `unavailable` if the file is refused */
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
      markOpen(db);
      const note = noteOf(db, { isSynced });
      this.#commits = note.commits;
      this.#counter = new CommitCounter(path, note);
      warnOfOpenFiles(path, warn);
      this.#place = new FilePlace(path);
      this.#beside = BESIDE.map((suffix) => new FilePlace(`${path}${suffix}`));
    } catch (error) {
      db?.close();
      this.#lock.release();
      throw toStoreError(error, "open", path);
    }
  }

  /** Note a commit, which raised the database's count by one. @param at its recorded time */
  noteCommit(at: number): void {
    this.#commits += 1;
    this.#counter.note(this.#commits, at);
  }

  /** Why nothing may be written: a file was removed, replaced or linked; null if all are there. */
  get problem(): JobError | null {
    const changed = this.#changed();
    if (changed === null) {
      this.#isSaved = false;
      return null;
    }
    this.#save();
    const { path, change } = changed;
    const until = change === "linked" ? "that name is removed" : "the same file is back";
    return new JobError(
      "unavailable",
      `Cannot write to the store: "${path}" ${
        CHANGES[change]
      } while this daemon uses it; nothing ` +
        `is accepted until ${until}`,
      {
        hint: change === "linked"
          ? `Remove the other name. To find it: find DIRECTORY -xdev -samefile ${shellWord(path)}`
          : "Put it back; or save the daemon's data (jobctl store backup FILE), stop the daemon and " +
            "restore the backup",
      },
    );
  }

  /** Close the database and release its files. */
  close(): void {
    const isChanged = this.#changed() !== null;
    if (!isChanged) markClosed(this.db);
    if (this.#beside[0]!.look() === "replaced") {
      this.#save();
      abandoned.push(this.db);
    } else this.db.close();
    this.#counter.close(isChanged ? null : sumOfFile(this.#place.path));
    this.#lock.release();
  }

  #changed(): { readonly path: string; readonly change: FileChange } | null {
    const change = this.#place.look();
    if (change !== null) return { path: this.#place.path, change };
    for (const file of this.#beside) {
      const change = file.look();
      // A second name of these does no harm.
      if (change !== null && change !== "linked") return { path: file.path, change };
    }
    return null;
  }

  /** Copy the log into the database: a log without a name ends with this process. */
  #save(): void {
    if (this.#isSaved) return;
    this.#isSaved = true;
    try {
      this.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Commits stay in the log, which this process keeps open.
    }
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
