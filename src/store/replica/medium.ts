/**
 * A row as a medium keeps it: a key of printable ASCII without spaces, at most some hundred characters long, and a value that is
 * JSON text. Keys are compared as bytes; a medium needs no order of them.
 */
export type MediumPair = readonly [key: string, value: string];

/** What one commit changed. No key is in both. */
export interface MediumChanges {
  readonly puts: readonly MediumPair[];
  readonly deletes: readonly string[];
}

/** A commit to make. */
export interface MediumCommit extends MediumChanges {
  /** The version that must be the medium's. */
  readonly expected: number;
  /** The version that it then has: `expected + 1`. */
  readonly next: number;
}

/** A commit that was made, by whomever. */
export interface MediumChange extends MediumChanges {
  readonly version: number;
}

/** Everything that a medium holds, of one moment. */
export interface MediumImage {
  /** 0 when nothing was ever committed. */
  readonly version: number;
  /** In any order, in parts of any size. */
  readonly pairs: AsyncIterable<readonly MediumPair[]>;
}

/** Who watches a medium. */
export interface MediumListener {
  /** One commit: each once, in the order of versions, without a gap. Those of this medium object too, before or after their answer. */
  changed(change: MediumChange): void;
  /**
   * The watch has ended, for instance as what it would go on from was compacted: the engine loads everything and watches again.
   * A lost connection that the medium can resume from the last version is none of the engine's business.
   */
  lost(error: unknown): void;
}

/**
 * Where a replicated ledger keeps its rows: anything that several nodes reach and that has one compare-and-set. Each node holds
 * all rows in memory, runs operations there and commits what they changed, expecting the version that it has seen; when another
 * was first it takes that one's changes and runs them again. So a medium knows nothing of jobs.
 *
 * Calls may overlap, though there is never more than one commit of an engine at a time. What it throws becomes a JobError: of
 * code `unavailable` or anything unknown for a commit whose outcome is not known (the engine repeats it as it is, and finds out),
 * of any other code, such as `resource_exhausted`, for one of which nothing was and will be written.
 */
export interface ReplicaMedium {
  /** One word for `jobctl` and the logs, such as "etcd". */
  readonly type: string;
  /** Where the data is, without secrets. */
  readonly location: string;
  /** Whether what was committed survives the loss of power. */
  readonly isDurable: boolean;
  /**
   * How many puts and deletes one commit should have at most: the engine gathers no more operations then. One operation is never
   * split, so a commit may have more: some thousand, of any size up to some megabytes. Absent: 1,000.
   */
  readonly changesMax?: number;
  /** How many characters of keys and values one commit should have at most, in the same way. Absent: 1,000,000. */
  readonly charactersMax?: number;

  /**
   * How long answers took of late, in milliseconds, without what was asked in vain: operations wait three times as long, 15 s
   * at least, 4 s once it has failed, and 30 s at most. Absent: 0.
   */
  readonly answerMs?: number;

  /** Reach the medium, once, before everything else. @throws JobError `unavailable` when it cannot be reached, `conflict` when another owns it */
  open?(request: { readonly node: string }): Promise<void>;
  /** Read everything; within 30 s when it can be reached. */
  load(): Promise<MediumImage>;
  /** The version of the last commit of anybody that was answered before this call, or of a later one. */
  version(): Promise<number>;
  /**
   * Make all changes and set the version, if it still is `expected`; otherwise nothing.
   *
   * @param isWanted false once nobody waits for it any more: it need not be tried again then
   * @returns whether it was done: durable to the medium's guarantee
   */
  commit(commit: MediumCommit, isWanted: () => boolean): Promise<boolean>;
  /** Tell of every commit with a version above `from`; answers how to stop. */
  watch(from: number, listener: MediumListener): () => void;
  close(): Promise<void>;
}
