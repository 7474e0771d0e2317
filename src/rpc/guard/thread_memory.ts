import type { Clock, Timer } from "../../platform/clock.ts";
import { isMemoryLarge, releaseMemory, shrinkMemory } from "../../platform/process/memory.ts";
import { BUSY_CALLS, LEFT_BYTES_MAX, LEFT_BYTES_URGENT, RELEASE_MS, REST_MS } from "../limits.ts";

/** How memory is returned to the system. */
export interface MemorySystem {
  /** Collect unused memory. */
  release(): void;
  /** Also drop memory that only speeds up work, such as compiled code. */
  shrink(): void;
  /** True if shrinking is worth it even after little work. */
  isLarge(): boolean;
}

const SYSTEM: MemorySystem = {
  release: releaseMemory,
  shrink: shrinkMemory,
  isLarge: isMemoryLarge,
};

/**
 * Returns memory of the listeners' thread to the system: soon after much of it became unused, and
 * thoroughly once the thread has rested for three seconds.
 */
export class ThreadMemory {
  readonly #clock: Clock;
  readonly #system: MemorySystem;
  /** Estimated bytes that are no longer used, since the last release for them. */
  #leftBytes = 0;
  #releasing: Timer | null = null;
  /** Calls that ended since memory was shrunk. */
  #callCount = 0;
  /** Drops the caches of reads; null when nothing was read since the last rest. */
  #dropCaches: (() => void) | null = null;
  #workedMs = 0;
  #isArmed = false;

  constructor(clock: Clock, system: MemorySystem = SYSTEM) {
    this.#clock = clock;
    this.#system = system;
  }

  /** Note an estimate of bytes that are no longer used, but would be collected late. */
  leave(bytes: number): void {
    this.#leftBytes += bytes;
    if (this.#leftBytes < LEFT_BYTES_MAX) return;
    if (this.#leftBytes >= LEFT_BYTES_URGENT) return this.#release();
    this.#releasing ??= this.#clock.timer(RELEASE_MS, () => this.#release(), { unref: true });
  }

  #release(): void {
    this.#releasing?.cancel();
    this.#releasing = null;
    this.#leftBytes = 0;
    this.#system.release();
  }

  /** Note that the listeners have started, which takes as much memory as many calls. */
  noteStart(): void {
    this.#callCount = BUSY_CALLS;
    this.#noteWork();
  }

  /** Note that a call has ended. */
  noteCall(): void {
    this.#callCount += 1;
    this.#noteWork();
  }

  /** Note a read. @param dropCaches called at rest */
  noteRead(dropCaches: () => void): void {
    this.#dropCaches = dropCaches;
    this.#noteWork();
  }

  #noteWork(): void {
    this.#workedMs = this.#clock.now().monotonicMs;
    if (!this.#isArmed) this.#arm(REST_MS);
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#clock.timer(delayMs, () => {
      this.#isArmed = false;
      const leftMs = this.#workedMs + REST_MS - this.#clock.now().monotonicMs;
      if (leftMs > 0) this.#arm(leftMs);
      else this.#rest();
    }, { unref: true });
  }

  #rest(): void {
    if (this.#dropCaches !== null) {
      this.#dropCaches();
      this.#dropCaches = null;
      this.#system.release();
    }
    if (this.#callCount < BUSY_CALLS && !this.#system.isLarge()) return;
    this.#callCount = 0;
    this.#system.shrink();
  }
}
