import { JobError } from "../../../src/core/errors.ts";
import type {
  MediumChange,
  MediumCommit,
  MediumImage,
  MediumListener,
  MediumPair,
  ReplicaMedium,
} from "../../../src/store/replica/medium.ts";

/** Commits that a watch can go on from; older ones are compacted. */
const KEPT_CHANGES = 10_000;
const LOAD_PAIRS = 1_000;

/** How one connection to the medium fails; change it at any time. */
export interface MediumFaults {
  /** What becomes of the next commits: each takes one from the front. */
  readonly commits: ("refuse" | "full" | "loseBefore" | "loseAfter")[];
  /** Nothing is reached while true, and the watch hears nothing until it is false again. */
  isDown: boolean;
  /** Called before each call, and before its answer: a wait. */
  delay: (() => Promise<void>) | null;
}

/** The data of a medium in this process, for several nodes. */
export class SharedMedium {
  readonly rows = new Map<string, string>();
  version = 0;
  /** Commits that were tried and refused, as another was first. */
  conflictCount = 0;
  readonly #changes: MediumChange[] = [];
  readonly #connections = new Set<MediumConnection>();

  /** A node's way to it. @param changesMax as the engine is told it */
  connect(changesMax?: number): MediumConnection {
    const connection = new MediumConnection(this, changesMax);
    this.#connections.add(connection);
    return connection;
  }

  /** Drop everything, as a server does that is restarted without its files. */
  clear(): void {
    this.rows.clear();
    this.version = 0;
    this.#changes.length = 0;
    for (const connection of this.#connections) connection.cutWatch();
  }

  apply({ expected, next, puts, deletes }: MediumCommit): boolean {
    if (this.version !== expected) {
      this.conflictCount += 1;
      return false;
    }
    for (const key of deletes) this.rows.delete(key);
    for (const [key, value] of puts) this.rows.set(key, value);
    this.version = next;
    this.#changes.push({ version: next, puts, deletes });
    if (this.#changes.length > KEPT_CHANGES) this.#changes.shift();
    for (const connection of this.#connections) connection.tell();
    return true;
  }

  /** Commits above a version; null when they are compacted. */
  changesAfter(version: number): readonly MediumChange[] | null {
    if (version === this.version) return [];
    const first = this.#changes[0];
    if (version > this.version || !first || first.version > version + 1) return null;
    return this.#changes.slice(version + 1 - first.version);
  }
}

/** One node's connection to a {@link SharedMedium}, which fails when told to. */
export class MediumConnection implements ReplicaMedium {
  readonly type = "shared";
  readonly location = "shared:";
  readonly isDurable = false;
  readonly changesMax: number;
  readonly faults: MediumFaults = { commits: [], isDown: false, delay: null };
  commitCount = 0;
  readonly #shared: SharedMedium;
  #listener: MediumListener | null = null;
  #told = 0;
  #isTelling = false;

  constructor(shared: SharedMedium, changesMax = 1_000) {
    this.#shared = shared;
    this.changesMax = changesMax;
  }

  async load(): Promise<MediumImage> {
    await this.#reach();
    const rows = [...this.#shared.rows];
    return { version: this.#shared.version, pairs: inParts(rows) };
  }

  async version(): Promise<number> {
    await this.#reach();
    return this.#shared.version;
  }

  async commit(commit: MediumCommit): Promise<boolean> {
    this.commitCount += 1;
    const fault = this.faults.commits.shift();
    await this.#reach();
    if (fault === "refuse") return false;
    if (fault === "full") throw new JobError("resource_exhausted", "Cannot write: it is full");
    if (fault === "loseBefore") throw lost();
    const isDone = this.#shared.apply(commit);
    if (this.faults.delay) await this.faults.delay();
    if (fault === "loseAfter" || this.faults.isDown) throw lost();
    return isDone;
  }

  watch(from: number, listener: MediumListener): () => void {
    this.#listener = listener;
    this.#told = from;
    this.tell();
    return () => {
      if (this.#listener === listener) this.#listener = null;
    };
  }

  async close(): Promise<void> {
    this.#listener = null;
  }

  /** End the watch as a compaction does. */
  cutWatch(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.lost(new JobError("unavailable", "The watch was compacted"));
  }

  /**
   * Tell the listener what it was not told yet, after this turn; call it when the medium is up
   * again.
   */
  tell(): void {
    if (this.#isTelling || !this.#listener || this.faults.isDown) return;
    this.#isTelling = true;
    void this.#tellAll().finally(() => {
      this.#isTelling = false;
    });
  }

  async #tellAll(): Promise<void> {
    await (this.faults.delay?.() ?? Promise.resolve());
    for (;;) {
      if (this.faults.isDown || !this.#listener) return;
      const changes = this.#shared.changesAfter(this.#told);
      if (changes === null) return this.cutWatch();
      if (changes.length === 0) return;
      for (const change of changes) {
        this.#told = change.version;
        this.#listener?.changed(change);
      }
    }
  }

  async #reach(): Promise<void> {
    if (this.faults.delay) await this.faults.delay();
    if (this.faults.isDown) throw lost();
  }
}

async function* inParts(rows: readonly MediumPair[]): AsyncGenerator<readonly MediumPair[]> {
  for (let from = 0; from < rows.length; from += LOAD_PAIRS) {
    yield rows.slice(from, from + LOAD_PAIRS);
  }
}

function lost(): JobError {
  return new JobError("unavailable", "Cannot reach the medium");
}
