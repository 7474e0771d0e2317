import type { TickCounts } from "../api/nodes.ts";

/** Counts the ticks without a run that this node has recorded since its start, by kind. */
export class TickCounter {
  readonly #counts = new Map<string, { missed: number; skipped: number }>();

  get counts(): ReadonlyMap<string, TickCounts> {
    return this.#counts;
  }

  add(kind: string, { missed = 0, skipped = 0 }: Partial<TickCounts>): void {
    if (missed === 0 && skipped === 0) return;
    const counts = this.#counts.get(kind) ?? { missed: 0, skipped: 0 };
    counts.missed += missed;
    counts.skipped += skipped;
    this.#counts.set(kind, counts);
  }
}
