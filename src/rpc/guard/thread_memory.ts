import type { Clock, Timer } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { isMemoryLarge, releaseMemory, shrinkMemory } from "../../platform/process/memory.ts";
import { BUSY_CALLS, LEFT_BYTES_MAX, LEFT_BYTES_URGENT, RELEASE_MS, REST_MS } from "../limits.ts";

/** Calls that return memory to the system. */
const SYSTEM = { release: releaseMemory, shrink: shrinkMemory, isLarge: isMemoryLarge };

/**
 * Returns memory of the listeners' thread to the system: soon after much of it became unused, and
 * thoroughly once the thread has rested for three seconds.
 */
export class ThreadMemory {
  readonly #clock: Clock;
  readonly #system: typeof SYSTEM;
  /** Estimated number of unused bytes since their last release. */
  #leftBytes = 0;
  #releasing: Timer | null = null;
  /** Calls that ended since memory was shrunk. */
  #callCount = 0;
  /** Drops the caches of reads; null when nothing was read since the last rest. */
  #dropCaches: (() => void) | null = null;
  readonly #resting: LazyTimer;

  constructor(clock: Clock, system = SYSTEM) {
    this.#clock = clock;
    this.#system = system;
    this.#resting = new LazyTimer(clock, () => this.#rest());
  }

  /** Note an estimate of unused bytes that would be collected late. */
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

  /** Note that the listeners have started, which takes the memory of many calls. */
  noteStart(): void {
    this.#callCount = BUSY_CALLS;
    this.#resting.setIn(REST_MS);
  }

  noteCall(): void {
    this.#callCount += 1;
    this.#resting.setIn(REST_MS);
  }

  /** Note a read. @param dropCaches called at rest */
  noteRead(dropCaches: () => void): void {
    this.#dropCaches = dropCaches;
    this.#resting.setIn(REST_MS);
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
