import type { DatabaseSync } from "node:sqlite";
import { type CommitNote, readCommitNote } from "./commit_counter.ts";
import { bootId } from "../../platform/process_identity.ts";
import { scanWal, type WalScan } from "./wal_file.ts";

/** Commits that a database acknowledged and no longer has. */
export interface LostCommits {
  /** At least so many. */
  readonly count: number;
  /** What is missing and how that was seen, for people. */
  readonly found: string;
  /** Whether only the last ones can be missing, and may be: the machine ended, and the store does not wait for its disk. */
  readonly isExpected: boolean;
}

/** What a database says of itself; null for one that has nothing yet. */
interface Inside {
  readonly storeId: string;
  readonly commits: number;
  readonly at: number;
}

/**
 * Look for commits that are missing from a database after a crash, where SQLite itself sees nothing wrong: it reads its write-ahead
 * log to the first frame that is not whole, and takes an empty file for a new database. Nothing is written.
 *
 * The count beside the database proves most. It is exact while the machine stays up. After a power loss it may be older, and then the
 * log itself tells: each commit is synced before the next is begun, so only the last one can be torn, and two or more commits behind
 * a frame that is not whole were whole once.
 *
 * @param db a connection that only reads; null when the file is missing or empty
 */
export function findLostCommits(
  db: DatabaseSync | null,
  path: string,
  options: { readonly isSynced: boolean },
): LostCommits | null {
  const note = readCommitNote(path);
  const inside = db && readInside(db);
  const log = scanWal(`${path}-wal`);
  if (inside === null) {
    if (note === null || note.commits === 0) return null;
    const state = db === null ? "" : stateOf(log);
    const found = `${commitsUpTo(note.commits, note.at)} missing: there is no data in it${state}`;
    return { count: note.commits, found, isExpected: false };
  }
  const isNoted = note !== null && note.storeId === inside.storeId;
  const isSameBoot = isNoted && note.boot !== null && note.boot === bootId();
  const isSynced = isNoted ? note.isSynced : options.isSynced;
  if (isNoted && note.commits > inside.commits) {
    const count = note.commits - inside.commits;
    const found = `${commitsUpTo(count, note.at)} missing: it has ${inside.commits} of ` +
      `${note.commits}${stateOf(log)}`;
    return { count, found, isExpected: !isSynced && !isSameBoot };
  }
  if (isSameBoot || !isSynced || log === null || log.commitsBehind < 2) return null;
  // The last one need not have been acknowledged.
  const count = log.commitsBehind - 1;
  const found = `at least ${commitsUpTo(count, null)} missing${stateOf(log)}`;
  return { count, found, isExpected: false };
}

/** How many commits a database has by its own count. */
function readInside(db: DatabaseSync): Inside | null {
  const hasMeta = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get();
  if (!hasMeta) return null;
  const { store_id, commits = 0, at } = db.prepare("SELECT * FROM meta").get()!;
  return { storeId: String(store_id), commits: Number(commits), at: Number(at) };
}

/** The note that a database begins with. */
export function noteOf(db: DatabaseSync, options: { readonly isSynced: boolean }): CommitNote {
  return { ...readInside(db)!, ...options, boot: bootId() };
}

function commitsUpTo(count: number, at: number | null): string {
  const until = at === null || at === 0 ? "" : ` up to ${new Date(at).toISOString()}`;
  return `${count} commit${count === 1 ? "" : "s"}${until} ${count === 1 ? "is" : "are"}`;
}

/** What is wrong with the log, as far as it shows. */
function stateOf(log: WalScan | null): string {
  if (log === null) return ", and its write-ahead log is gone";
  const { brokenFrame, commitsBehind } = log;
  if (brokenFrame === null) return "";
  if (commitsBehind === 0) return `, and its write-ahead log ends at frame ${brokenFrame}`;
  const what = brokenFrame === 0 ? "the header" : `frame ${brokenFrame}`;
  return `, and ${what} of its write-ahead log is damaged, with ${commitsBehind} commits behind it`;
}
