import type { Store } from "../../store/store.ts";
import type { WatchedJob } from "./watched_jobs.ts";

/** Completed instances read to find the last success: their ends may be in any order. */
const READ_MAX = 10;

/** The last success of a job, epoch ms. */
interface LastSuccess {
  /** Null if unknown. */
  at: number | null;
  /** When the job was first watched by this process. */
  readonly seenAt: number;
  /** When the store was last read; null for never. */
  readAt: number | null;
  /** Time at which the job already existed, according to the store. */
  existsAt: number;
}

/** Last successes of jobs, by the store and by this node's results. */
export class SuccessWatch {
  readonly #store: Pick<Store, "list" | "listSchedules">;
  readonly #jobs = new Map<string, LastSuccess>();

  constructor(store: Pick<Store, "list" | "listSchedules">) {
    this.#store = store;
  }

  succeeded(kind: string, at: number): void {
    const last = this.#jobs.get(kind);
    if (last !== undefined) last.at = Math.max(last.at ?? -Infinity, at);
  }

  /** The last known success of a job, epoch ms; null if unknown. */
  lastOf(kind: string): number | null {
    return this.#jobs.get(kind)?.at ?? null;
  }

  /**
   * The time from which a job's next success is awaited, epoch ms: its last success, or else when
   * the job was first seen. The store is read if that is long enough ago to matter.
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
      // If successes are deleted earlier, the store cannot prove their absence.
      const isKept = keepSuccessMs >= expect.everyMs;
      if (last.at === null && isKept) last.existsAt = await this.#existsAt(kind, last.seenAt);
    }
    return last.at ?? last.existsAt;
  }

  /** Forget all other jobs. */
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
