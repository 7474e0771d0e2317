import type { RateLimit } from "../../../core/job/limits.ts";
import { AHEAD_MS_MAX } from "../../store.ts";
import type { RateWindow, Tables } from "../tables/tables.ts";

/** Most times kept of one window. Close starts share their last time: none expires early. */
const TIMES_MAX = 64;
/** Most windows kept in memory between transactions. */
const KEPT_MAX = 10_000;

/** The starts of one window, to be written. */
interface Kept {
  readonly window: RateWindow;
  starts: [at: number, count: number][];
}

/** Starts that rate limits count: read once, written with the transaction that made them. */
export class Rates {
  readonly #tables: Tables;
  readonly #kept = new Map<string, Kept>();
  readonly #dirty = new Set<Kept>();

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Number of starts that count in a window. */
  used(window: RateWindow, wallMs: number): number {
    return this.#current(window, wallMs).starts.reduce((sum, [, count]) => sum + count, 0);
  }

  /** When the window has room for a start under `max`, epoch ms; `wallMs` if it has now. */
  opensAt(window: RateWindow, max: number, wallMs: number): number {
    let excess = this.used(window, wallMs) - max + 1;
    if (excess <= 0) return wallMs;
    for (const [at, count] of this.#current(window, wallMs).starts) {
      excess -= count;
      if (excess <= 0) return at + window.perMs;
    }
    return Infinity;
  }

  /** Count a start at `wallMs`, or at most {@link AHEAD_MS_MAX} later for an early claim. */
  add(
    window: RateWindow,
    limit: Pick<RateLimit, "max" | "perMs">,
    { wallMs, startAt }: { readonly wallMs: number; readonly startAt: number },
  ): void {
    const kept = this.#current(window, wallMs);
    const { starts } = kept;
    const widthMs = limit.max <= TIMES_MAX ? 1 : Math.ceil(limit.perMs / TIMES_MAX);
    const spanOf = (at: number) => Math.floor(at / widthMs);
    // Starts of early claims may follow.
    const index = starts.findLastIndex(([at]) => spanOf(at) <= spanOf(startAt));
    const [at, count] = starts[index] ?? [-Infinity, 0];
    if (spanOf(at) === spanOf(startAt)) starts[index] = [Math.max(at, startAt), count + 1];
    else starts.splice(index + 1, 0, [startAt, 1]);
    this.#dirty.add(kept);
  }

  /** Write what changed. */
  save(): void {
    for (const kept of this.#dirty) {
      const lastAt = kept.starts.at(-1)?.[0] ?? 0;
      this.#tables.limits.saveStarts(kept.window, kept.starts, lastAt + kept.window.perMs);
    }
    this.#dirty.clear();
    if (this.#kept.size > KEPT_MAX) this.#kept.clear();
  }

  /** Read them again when next needed. */
  clear(): void {
    this.#kept.clear();
    this.#dirty.clear();
  }

  /** The window without expired starts. */
  #current(window: RateWindow, wallMs: number): Kept {
    const name = `${window.perMs} ${window.kind} ${window.queueKey}`;
    let kept = this.#kept.get(name);
    if (!kept) {
      const starts = this.#tables.limits.starts(window).map((
        [at, count],
      ): [number, number] => [at, count]);
      this.#kept.set(name, kept = { window, starts });
    }
    // Early claims start in the future. A start further ahead means that the clock was set back.
    // Such starts count as now, and block for one window.
    if ((kept.starts.at(-1)?.[0] ?? 0) > wallMs + AHEAD_MS_MAX) {
      kept.starts = kept.starts.map(([at, count]) => [Math.min(at, wallMs), count]);
    }
    const isPast = ([at]: readonly [number, number]) => at + window.perMs <= wallMs;
    const [first] = kept.starts;
    if (first && isPast(first)) kept.starts = kept.starts.filter((start) => !isPast(start));
    return kept;
  }
}
