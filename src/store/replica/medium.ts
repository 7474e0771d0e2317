/**
 * A row of a medium: a key of printable ASCII without spaces, at most some hundred characters long,
 * and a value that is JSON text. Keys are compared as bytes; a medium need not order them.
 */
export type MediumPair = readonly [key: string, value: string];

/** The changes of one commit. No key is in both lists. */
export interface MediumChanges {
  readonly puts: readonly MediumPair[];
  readonly deletes: readonly string[];
}

/** A commit to make. */
export interface MediumCommit extends MediumChanges {
  /** The version that the medium must have. */
  readonly expected: number;
  /** The version that it has afterwards: `expected + 1`. */
  readonly next: number;
}

/** A commit that was made by anyone. */
export interface MediumChange extends MediumChanges {
  readonly version: number;
}

/** Everything in a medium, at one moment. */
export interface MediumImage {
  /** 0 if nothing was ever committed. */
  readonly version: number;
  /** In any order, in parts of any size. */
  readonly pairs: AsyncIterable<readonly MediumPair[]>;
}

/** Called by a medium that is watched. */
export interface MediumListener {
  /**
   * One commit. Each comes once, in the order of versions, without gaps. Commits of this medium
   * object are included, before or after their result.
   */
  changed(change: MediumChange): void;
  /**
   * The watch has ended, for instance because its next version was compacted: the engine loads
   * everything and watches again. If the medium can resume a lost connection from the last version,
   * it does so without calling this.
   */
  lost(error: unknown): void;
}

/**
 * The storage of a replicated ledger's rows: anything that several nodes can reach and that has one
 * compare-and-set. Each node has all rows in memory, runs operations there and commits their
 * changes, expecting the version that it has seen. If another node was first, it applies that
 * node's changes and runs the operations again. So a medium knows nothing of jobs.
 *
 * Calls may overlap, but an engine makes one commit at a time. An error becomes a JobError. Code
 * `unavailable`, or any unknown error, means that the outcome of a commit is unknown: the engine
 * repeats it unchanged, and finds out. Any other code, such as `resource_exhausted`, means that
 * nothing was or will be written.
 */
export interface ReplicaMedium {
  /** One word for `jobctl` and the logs, such as "etcd". */
  readonly type: string;
  /** Location of the data, without secrets. */
  readonly location: string;
  /** True if commits survive a power loss. */
  readonly isDurable: boolean;
  /**
   * Number of puts and deletes at which the engine adds no more operations to a commit. It never
   * splits an operation, so a commit may have more: some thousands, of up to some megabytes.
   * Absent: 1,000.
   */
  readonly changesMax?: number;
  /** Most characters of keys and values in one commit, in the same way. Absent: 1,000,000. */
  readonly charactersMax?: number;

  /**
   * Recent duration of successful calls, in milliseconds. Operations wait three times this: at
   * least 15 s (4 s after a failure), at most 30 s. Absent: 0.
   */
  readonly answerMs?: number;

  /**
   * Connect, once, before everything else.
   *
   * @throws JobError `unavailable` if the medium cannot be reached, `conflict` if another process
   * owns it
   */
  open?(request: { readonly node: string }): Promise<void>;
  /** Read everything, within 30 s if the medium can be reached. */
  load(): Promise<MediumImage>;
  /** The version of the last commit acknowledged to anyone before this call, or a later one. */
  version(): Promise<number>;
  /**
   * Make all changes and set the version if it is still `expected`; otherwise nothing.
   *
   * @param isWanted false once nobody waits for it: it need not be retried then
   * @returns true if it was made: durable to the medium's guarantee
   */
  commit(commit: MediumCommit, isWanted: () => boolean): Promise<boolean>;
  /** Report every commit with a version above `from`. @returns a function that ends it */
  watch(from: number, listener: MediumListener): () => void;
  close(): Promise<void>;
}
