import type { Instant } from "../../platform/clock.ts";

/** A jump ahead by more than this may be a mistake, in milliseconds. */
const JUMP_MS = 3_600_000;
/** How long such a clock must be kept before it is believed, in milliseconds. */
const BELIEVED_MS = 600_000;

/**
 * Says whether the clock may decide that something is old enough to be deleted. A clock that has
 * jumped ahead, while this daemon ran or since the store was last used, is believed only after a
 * while: by then a mistake has mostly been corrected.
 */
export class ClockTrust {
  #last: Instant | null = null;
  /** From when on the clock is believed, monotonic ms. */
  #fromMs = -Infinity;

  /**
   * Begin with the time of the newest row in the store: what the clock shows is compared with it.
   *
   * @param newestAt epoch ms
   */
  begin(newestAt: number, monotonicMs: number): void {
    this.#last = { wallMs: newestAt, monotonicMs };
  }

  /**
   * How far the clock has jumped ahead since the last call, in milliseconds; 0 if it has not, or by
   * too little to matter.
   *
   * @param now the time by the clock that decides
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
