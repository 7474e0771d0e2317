import type { Pause } from "../../store/store.ts";

/** The pauses when they were last looked at, and when those before ended. */
export class PauseWatch {
  #pauses: ReadonlyMap<string | null, Pause> = new Map();
  readonly #endedAt = new Map<string | null, number>();

  /** @param pauses those of the store now */
  update(pauses: readonly Pause[], nowMs: number): void {
    const live = pauses.filter(({ until }) => until === null || until > nowMs);
    const next = new Map(live.map((pause) => [pause.kind, pause]));
    for (const [kind, { until }] of this.#pauses) {
      if (!next.has(kind)) this.#endedAt.set(kind, Math.min(until ?? nowMs, nowMs));
    }
    for (const kind of next.keys()) this.#endedAt.delete(kind);
    this.#pauses = next;
  }

  /** A run of a kind began: it is not paused any more. */
  began(kind: string, nowMs: number): void {
    this.#endedAt.set(kind, nowMs);
  }

  /** True if a kind was paused when the pauses were last looked at. */
  isPaused(kind: string): boolean {
    return this.#pauses.size > 0 && (this.#pauses.has(kind) || this.#pauses.has(null));
  }

  /** When the last known pause of a kind ended, epoch ms; -Infinity if none is known. */
  endOf(kind: string): number {
    const at = (of: string | null) => this.#endedAt.get(of) ?? -Infinity;
    return Math.max(at(kind), at(null));
  }
}
