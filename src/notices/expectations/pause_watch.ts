import type { Pause } from "../../store/store.ts";

/** The pauses at the last look, and the ends of earlier ones. */
export class PauseWatch {
  #pauses: ReadonlyMap<string | null, Pause> = new Map();
  readonly #endedAt = new Map<string | null, number>();

  /** @param pauses current ones of the store */
  update(pauses: readonly Pause[], nowMs: number): void {
    const live = pauses.filter(({ until }) => until === null || until > nowMs);
    const next = new Map(live.map((pause) => [pause.kind, pause]));
    for (const [kind, { until }] of this.#pauses) {
      if (!next.has(kind)) this.#endedAt.set(kind, Math.min(until ?? nowMs, nowMs));
    }
    for (const kind of next.keys()) this.#endedAt.delete(kind);
    this.#pauses = next;
  }

  /** A run of a kind began: it is no longer paused. */
  began(kind: string, nowMs: number): void {
    this.#endedAt.set(kind, nowMs);
  }

  /** True if a kind was paused when the pauses were last looked at. */
  isPaused(kind: string): boolean {
    return this.#pauses.size > 0 && (this.#pauses.has(kind) || this.#pauses.has(null));
  }

  /** End of the last known pause of a kind, epoch ms; -Infinity if unknown. */
  endOf(kind: string): number {
    const at = (of: string | null) => this.#endedAt.get(of) ?? -Infinity;
    return Math.max(at(kind), at(null));
  }
}
