import type { Clock } from "../../platform/clock.ts";

/** Pace of {@link Paced}: a burst, and one more computation each time this passes. */
export interface Pace {
  readonly burst: number;
  readonly everyMs: number;
}

/**
 * Computes a value at a limited rate: by default ten times a second. Every request gets a result
 * that was computed after it.
 */
export class Paced<T> {
  readonly #clock: Clock;
  readonly #compute: () => Promise<T>;
  readonly #pace: Pace;
  #next: Promise<T> | null = null;
  /** When the whole burst will be allowed again, in monotonic ms. Each computation moves it. */
  #fullMs = -Infinity;

  constructor(
    clock: Clock,
    compute: () => Promise<T>,
    pace: Pace = { burst: 1, everyMs: 100 },
  ) {
    this.#clock = clock;
    this.#compute = compute;
    this.#pace = pace;
  }

  /** @throws errors of the computation */
  get(): Promise<T> {
    return this.#next ??= this.#pause().then(() => {
      this.#next = null;
      this.#fullMs = Math.max(this.#fullMs, this.#nowMs()) + this.#pace.everyMs;
      return this.#compute();
    });
  }

  async #pause(): Promise<void> {
    const { burst, everyMs } = this.#pace;
    const leftMs = this.#fullMs - (burst - 1) * everyMs - this.#nowMs();
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => this.#clock.timer(leftMs, resolve, { unref: true }));
  }

  #nowMs(): number {
    return this.#clock.now().monotonicMs;
  }
}
