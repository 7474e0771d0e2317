/** A limit on the runs of a schedule: slots in use at once, or starts within a span. */
export interface SimulatedLimit {
  /** Limits with one key count together. */
  readonly key: string;
  readonly max: number;
  /** Null for slots in use. */
  readonly perMs: number | null;
}

/** Slots of a key in use, and the runs that wait for them. */
interface Slot<T> {
  used: number;
  /** Starts that still count, oldest first. */
  starts: number[];
  waiting: T[];
}

/** The slots and rates that runs take. */
export class Slots<T> {
  readonly #slots = new Map<string, Slot<T>>();

  /**
   * Returns null if a run may start. Otherwise the time when its rate limit opens, epoch ms, or
   * Infinity if it has to wait for a slot; it is then queued there.
   */
  block(limits: readonly SimulatedLimit[], run: T, now: number): number | null {
    for (const limit of limits) {
      const slot = this.#slot(limit);
      if (limit.perMs === null) {
        if (slot.used < limit.max) continue;
        slot.waiting.push(run);
        return Infinity;
      }
      const from = now - limit.perMs;
      slot.starts = slot.starts.filter((at) => at > from);
      const excess = slot.starts.length - limit.max;
      if (excess >= 0) return slot.starts[excess]! + limit.perMs;
    }
    return null;
  }

  take(limits: readonly SimulatedLimit[], now: number): void {
    for (const limit of limits) {
      const slot = this.#slot(limit);
      if (limit.perMs === null) slot.used += 1;
      else slot.starts.push(now);
    }
  }

  /** Count an end. Returns the runs that may try again. */
  free(limits: readonly SimulatedLimit[]): readonly T[] {
    return limits.filter(({ perMs }) => perMs === null).flatMap((limit) => {
      const slot = this.#slot(limit);
      slot.used -= 1;
      return slot.waiting.splice(0);
    });
  }

  #slot({ key, perMs }: SimulatedLimit): Slot<T> {
    const name = `${perMs} ${key}`;
    let slot = this.#slots.get(name);
    if (!slot) this.#slots.set(name, slot = { used: 0, starts: [], waiting: [] });
    return slot;
  }
}
