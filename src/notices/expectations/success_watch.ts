import type { Store } from "../../store/store.ts";
import type { WatchedJob } from "./watched_jobs.ts";

/** Completed instances that are read to find the last success: they may have ended in any order. */
const READ_MAX = 10;

/** The last success of a job, epoch ms. */
interface LastSuccess {
  /** Null if none is known. */
  at: number | null;
  /** When the job was first watched by this process. */
  readonly seenAt: number;
  /** When the store was last read; null for never. */
  readAt: number | null;
  /** When the job existed already, as far as the store shows. */
  existsAt: number;
}

/** When jobs last succeeded, by the store and by what this node settles. */
export class SuccessWatch {
  readonly #store: Pick<Store, "list" | "listSchedules">;
  readonly #jobs = new Map<string, LastSuccess>();

  constructor(store: Pick<Store, "list" | "listSchedules">) {
    this.#store = store;
  }

  /** A run of a job succeeded. */
  succeeded(kind: string, at: number): void {
    const last = this.#jobs.get(kind);
    if (last !== undefined) last.at = Math.max(last.at ?? -Infinity, at);
  }

  /** The last known success of a job, epoch ms; null if none is known. */
  lastOf(kind: string): number | null {
    return this.#jobs.get(kind)?.at ?? null;
  }

  /**
   * The time from which a job's next success is awaited, epoch ms: its last success, or else when
   * the job was first seen. The store is read if that is so long ago that it matters.
   */
  async sinceOf({ kind, expect, keepSuccessMs }: WatchedJob, nowMs: number): Promise<number> {
    let last = this.#jobs.get(kind);
    if (last === undefined) {
      this.#jobs.set(kind, last = { at: null, seenAt: nowMs, readAt: null, existsAt: nowMs });
    }
    const isOver = () => nowMs - (last.at ?? last.existsAt) >= expect.everyMs;
    if (last.readAt === null || isOver()) {
      last.readAt = nowMs;
      const { items } = await this.#store.list(
        { kinds: [kind], states: ["completed"] },
        { limit: READ_MAX },
      );
      for (const { settledAt } of items) this.succeeded(kind, settledAt ?? -Infinity);
      // If successes are deleted sooner, nothing stored shows that there was none.
      const isKept = keepSuccessMs >= expect.everyMs;
      if (last.at === null && isKept) last.existsAt = await this.#existsAt(kind, last.seenAt);
    }
    return last.at ?? last.existsAt;
  }

  /** Forget all jobs but these. */
  keep(kinds: ReadonlyMap<string, WatchedJob>): void {
    for (const kind of this.#jobs.keys()) {
      if ((kinds.get(kind)?.expect.everyMs ?? 0) === 0) this.#jobs.delete(kind);
    }
  }

  async #existsAt(kind: string, seenAt: number): Promise<number> {
    const { items: schedules } = await this.#store.listSchedules({ kind }, { limit: 100 });
    const { items } = await this.#store.list({ kinds: [kind] }, { limit: 1, order: "oldest" });
    const times = [...schedules, ...items].map(({ createdAt }) => createdAt);
    return Math.min(seenAt, ...times);
  }
}
