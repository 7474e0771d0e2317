import type { Instance } from "../../core/instance.ts";
import type { Clock } from "../../platform/clock.ts";
import type { StoreReads } from "../../store/store.ts";

/** Number of last successful runs of a kind that are read for durations. */
const RUNS_READ = 10;
/** Time for which a result is reused, in milliseconds. */
const USED_MS = 60_000;
/** Most kinds that one call reads. */
const KINDS_MAX = 300;
/** Kinds that are read at the same time. */
const READ_AT_ONCE = 16;
const KINDS_KNOWN_MAX = 5_000;

/** Statistics of a kind's last successful runs. */
export interface KindHistory {
  /** Usual (median) duration of a run; null without runs. */
  readonly durationMs: number | null;
  /** Retention of a successful run; null without runs. */
  readonly keepMs: number | null;
}

const NOTHING: KindHistory = { durationMs: null, keepMs: null };

/** Reads statistics of the last runs of kinds, and remembers them for a minute. */
export class KindHistories {
  readonly #store: Pick<StoreReads, "list">;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly atMs: number; readonly history: KindHistory }>();

  constructor(store: Pick<StoreReads, "list">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The histories of kinds; if there are too many, the last ones are unknown. */
  async of(kinds: Iterable<string>): Promise<(kind: string) => KindHistory> {
    const nowMs = this.#clock.now().monotonicMs;
    const isFresh = (kind: string) => nowMs - (this.#known.get(kind)?.atMs ?? -Infinity) < USED_MS;
    const wanted = [...new Set(kinds)].filter((kind) => !isFresh(kind)).slice(0, KINDS_MAX);
    if (this.#known.size + wanted.length > KINDS_KNOWN_MAX) this.#known.clear();
    for (let from = 0; from < wanted.length; from += READ_AT_ONCE) {
      const part = wanted.slice(from, from + READ_AT_ONCE);
      await Promise.all(part.map(async (kind) => {
        const query = { kinds: [kind], states: ["completed"] } as const;
        const { items } = await this.#store.list(query, { limit: RUNS_READ });
        this.#known.set(kind, { atMs: nowMs, history: historyOf(items) });
      }));
    }
    return (kind) => this.#known.get(kind)?.history ?? NOTHING;
  }
}

function historyOf(runs: readonly Instance[]): KindHistory {
  const durations = runs
    .filter(({ processedAt }) => processedAt !== null)
    .map(({ processedAt, settledAt }) => Math.max(0, settledAt! - processedAt!))
    .sort((left, right) => left - right);
  return {
    durationMs: durations[Math.floor(durations.length / 2)] ?? null,
    keepMs: runs[0]?.keepSuccessMs ?? null,
  };
}
