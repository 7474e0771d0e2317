import process from "node:process";
import type { Clock } from "../clock.ts";
import { LazyTimer } from "../lazy_timer.ts";
import { dropCaches } from "./memory.ts";

/** Pieces of work after which a thread has compiled much: starts and ends of commands. */
const BUSY_COUNT = 1_000;
/** Time without work that ends a busy time. */
const REST_MS = 5_000;
/** Largest heap that is collected for this: that takes some ten milliseconds. */
const HEAP_BYTES_MAX = 64 * 1_024 * 1_024;

/** How memory is returned to the system. */
const SYSTEM = { dropCaches, heapBytes: () => process.memoryUsage().heapUsed };

/**
 * Returns memory to the system when a thread rests after a busy time: its start, or a thousand
 * pieces of work without a pause of some seconds. After less work, what was compiled is kept.
 */
export class BusyMemory {
  readonly #clock: Clock;
  readonly #system: typeof SYSTEM;
  readonly #resting: LazyTimer;
  #count = 0;
  #lastMs = -Infinity;

  constructor(clock: Clock, system: typeof SYSTEM = SYSTEM) {
    this.#clock = clock;
    this.#system = system;
    this.#resting = new LazyTimer(clock, () => this.#rest());
  }

  /** For a thread that starts: it compiles what it needs only then. */
  static fromStart(clock: Clock, system: typeof SYSTEM = SYSTEM): BusyMemory {
    const memory = new BusyMemory(clock, system);
    memory.#resting.setIn(REST_MS);
    return memory;
  }

  /** Note a piece of work. */
  note(): void {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#lastMs >= REST_MS) this.#count = 0;
    this.#lastMs = nowMs;
    this.#count += 1;
    const isBusyTime = this.#count >= BUSY_COUNT || this.#resting.dueMs !== null;
    if (isBusyTime) this.#resting.set(nowMs + REST_MS);
  }

  #rest(): void {
    this.#count = 0;
    if (this.#system.heapBytes() <= HEAP_BYTES_MAX) this.#system.dropCaches();
  }
}
