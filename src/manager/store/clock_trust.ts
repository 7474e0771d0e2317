import type { Instant } from "../../platform/clock.ts";

/** A jump ahead by more than this may be a mistake, in milliseconds. */
const JUMP_MS = 3_600_000;
/** Time for which a jumped clock must keep its time before it is believed, in milliseconds. */
const BELIEVED_MS = 600_000;

/**
 * Decides whether the clock may be trusted to delete old data. A clock that has jumped ahead, while
 * this daemon ran or since the store was last used, is trusted only after a while: by then a
 * mistake has usually been corrected.
 */
export class ClockTrust {
  #last: Instant | null = null;
  /** From when on the clock is believed, monotonic ms. */
  #fromMs = -Infinity;

  /**
   * Begin with the time of the newest row in the store, to compare the clock with.
   *
   * @param newestAt epoch ms
   */
  begin(newestAt: number, monotonicMs: number): void {
    this.#last = { wallMs: newestAt, monotonicMs };
  }

  /**
   * Distance by which the clock has jumped ahead since the last call, in milliseconds; 0 for small
   * jumps.
   *
   * @param now the time by the deciding clock
   */
  jumped(now: Instant): number {
    const last = this.#last ?? now;
    this.#last = now;
    const jumpMs = now.wallMs - last.wallMs - (now.monotonicMs - last.monotonicMs);
    if (jumpMs <= JUMP_MS) return 0;
    this.#fromMs = now.monotonicMs + BELIEVED_MS;
    return jumpMs;
  }

  /** True if the clock is believed. */
  isTrusted({ monotonicMs }: Pick<Instant, "monotonicMs">): boolean {
    return monotonicMs >= this.#fromMs;
  }
}
