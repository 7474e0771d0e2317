import type { DatabaseSync } from "node:sqlite";
import { type CommitNote, readCommitNote } from "./commit_counter.ts";
import { bootId } from "../../platform/process/process_identity.ts";
import { scanWal, type WalScan } from "./wal_file.ts";

/** Acknowledged commits that a database has lost. */
export interface LostCommits {
  /** Their number, at least. */
  readonly count: number;
  /** Description of the loss, for messages. */
  readonly found: string;
  /**
   * True for an allowed loss: only the last commits can be missing, after a machine failure, in a
   * store that does not wait for its disk.
   */
  readonly isExpected: boolean;
}

/**
 * Find commits that a database lost in a crash without SQLite noticing: SQLite reads its
 * write-ahead log up to the first damaged frame, and treats an empty file as a new database. Writes
 * nothing.
 *
 * The count beside the database is the best evidence. It is exact while the machine stays up. After
 * a power loss it may be out of date; then the log itself is the evidence. Each commit is synced
 * before the next one begins, so only the last one can be torn: two or more commits behind a
 * damaged frame were once complete.
 *
 * @param db a read-only connection; null if the file is missing or empty
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
  if (inside.isOpen && note === null && log === null) {
    const found = "it was in use, and both its write-ahead log (-wal) and the count of its " +
      "commits (-commits) are missing: the newest instances may be lost";
    return { count: 1, found, isExpected: false };
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
  // The last one may not have been acknowledged.
  const count = log.commitsBehind - 1;
  const found = `at least ${commitsUpTo(count, null)} missing${stateOf(log)}`;
  return { count, found, isExpected: false };
}

/** The commit count that a database records about itself; null if it is still empty. */
function readInside(db: DatabaseSync): Inside | null {
  const has = (table: string) =>
    db.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) !== undefined;
  if (!has("meta")) return null;
  const { store_id, commits = 0, at } = db.prepare("SELECT * FROM meta").get()!;
  const isOpen = has("note") && db.prepare(`SELECT 1 ${OPEN_MARK}`).get() !== undefined;
  return { storeId: String(store_id), commits: Number(commits), at: Number(at), isOpen };
}

/** The commit count of a database, and whether it is open or its owner was killed. */
type Inside = Pick<CommitNote, "storeId" | "commits" | "at"> & { readonly isOpen: boolean };

const OPEN_MARK = "FROM note WHERE name = 'open'";

/** Mark a database as open, in the file itself: without its log, it would look closed. */
export function markOpen(db: DatabaseSync): void {
  db.exec(`
    BEGIN IMMEDIATE;
    UPDATE meta SET epoch = epoch + 1, commits = commits + 1;
    INSERT OR REPLACE INTO note (name, value) VALUES ('open', 'true');
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE);`);
}

/** Mark a database as closed. */
export function markClosed(db: DatabaseSync): void {
  try {
    db.exec(`DELETE ${OPEN_MARK}`);
  } catch {
    // The disk is full. The next opening then needs the count of its commits.
  }
}

/** The initial note for a database. */
export function noteOf(db: DatabaseSync, options: { readonly isSynced: boolean }): CommitNote {
  const { storeId, commits, at } = readInside(db)!;
  return { storeId, commits, at, ...options, boot: bootId(), file: null };
}

function commitsUpTo(count: number, at: number | null): string {
  const until = at === null || at === 0 ? "" : ` up to ${new Date(at).toISOString()}`;
  return `${count} commit${count === 1 ? "" : "s"}${until} ${count === 1 ? "is" : "are"}`;
}

/** The visible damage of the log. */
function stateOf(log: WalScan | null): string {
  if (log === null) return ", and its write-ahead log is gone";
  const { brokenFrame, commitsBehind } = log;
  if (brokenFrame === null) return "";
  if (commitsBehind === 0) return `, and its write-ahead log ends at frame ${brokenFrame}`;
  const what = brokenFrame === 0 ? "the header" : `frame ${brokenFrame}`;
  return `, and ${what} of its write-ahead log is damaged, with ${commitsBehind} commits behind it`;
}
