import {
  bandOf,
  type DurationBand,
  LEARNT_RUNS,
  SHORT_FROM_MS,
} from "../../core/notices/expectations.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Store } from "../../store/store.ts";

/** Interval of reading durations again: other nodes may run the job, too. */
const READ_AGAIN_MS = 3_600_000;

/** The last successes of one job. */
interface Learnt {
  /** Durations in ms; the oldest at {@link oldest} once there are {@link LEARNT_RUNS}. */
  readonly durations: number[];
  oldest: number;
  /** Number of them that are at least {@link SHORT_FROM_MS}. */
  slow: number;
  band: DurationBand | null;
  isChanged: boolean;
  /** Monotonic ms of the last reading; null before the first has succeeded. */
  readMs: number | null;
  reading: Promise<void> | null;
}

/**
 * The durations of the last successes of jobs that learn. Read from the store when a job is first
 * seen, and then kept in memory: a success costs no sorting and no write.
 */
export class LearntDurations {
  readonly #store: Pick<Store, "list">;
  readonly #clock: Clock;
  readonly #jobs = new Map<string, Learnt>();

  constructor(options: { readonly store: Pick<Store, "list">; readonly clock: Clock }) {
    this.#store = options.store;
    this.#clock = options.clock;
  }

  /** The durations of a job are about to be needed. Resolves when they have been read. */
  async load(kind: string): Promise<void> {
    const learnt = this.#of(kind);
    if (isNew(learnt, this.#clock.now().monotonicMs)) return;
    await (learnt.reading ??= this.#read(kind, learnt).finally(() => learnt.reading = null));
  }

  /** True if the durations of a job were read not long ago, or are being read. */
  isFresh(kind: string, nowMs: number): boolean {
    const learnt = this.#jobs.get(kind);
    if (learnt === undefined) return false;
    return learnt.reading !== null || isNew(learnt, nowMs);
  }

  isLoaded(kind: string): boolean {
    return (this.#jobs.get(kind)?.readMs ?? null) !== null;
  }

  /** Usual durations; null if too little is known. */
  bandOf(kind: string): DurationBand | null {
    const learnt = this.#jobs.get(kind);
    if (learnt === undefined) return null;
    if (learnt.isChanged) {
      learnt.band = bandOf(learnt.durations);
      learnt.isChanged = false;
    }
    return learnt.band;
  }

  /** Usual durations, if long enough that a success can be too short: at least half were. */
  bandOfSlow(kind: string): DurationBand | null {
    const learnt = this.#jobs.get(kind);
    const isSlow = learnt !== undefined && learnt.slow * 2 >= learnt.durations.length;
    return isSlow ? this.bandOf(kind) : null;
  }

  add(kind: string, durationMs: number): void {
    add(this.#of(kind), durationMs);
  }

  /** Forget all other jobs. */
  keep(kinds: ReadonlyMap<string, unknown>): void {
    for (const kind of this.#jobs.keys()) if (!kinds.has(kind)) this.#jobs.delete(kind);
  }

  #of(kind: string): Learnt {
    let learnt = this.#jobs.get(kind);
    if (learnt === undefined) {
      const empty = { durations: [], oldest: 0, slow: 0, band: null, isChanged: false };
      this.#jobs.set(kind, learnt = { ...empty, readMs: null, reading: null });
    }
    return learnt;
  }

  async #read(kind: string, learnt: Learnt): Promise<void> {
    const query = { kinds: [kind], states: ["completed"] } as const;
    const { items } = await this.#store.list(query, { limit: LEARNT_RUNS });
    learnt.readMs = this.#clock.now().monotonicMs;
    // With a short retention the store knows less than this node.
    if (items.length < learnt.durations.length) return;
    learnt.durations.length = 0;
    learnt.oldest = 0;
    learnt.slow = 0;
    for (const { processedAt, settledAt } of items.toReversed()) {
      if (processedAt !== null && settledAt !== null) add(learnt, settledAt - processedAt);
    }
  }
}

function isNew({ readMs }: Learnt, nowMs: number): boolean {
  return readMs !== null && nowMs - readMs < READ_AGAIN_MS;
}

function add(learnt: Learnt, durationMs: number): void {
  const { durations } = learnt;
  if (durationMs >= SHORT_FROM_MS) learnt.slow += 1;
  learnt.isChanged = true;
  if (durations.length < LEARNT_RUNS) {
    durations.push(durationMs);
    return;
  }
  if (durations[learnt.oldest]! >= SHORT_FROM_MS) learnt.slow -= 1;
  durations[learnt.oldest] = durationMs;
  learnt.oldest = (learnt.oldest + 1) % LEARNT_RUNS;
}
