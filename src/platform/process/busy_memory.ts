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

/** Processor time in that time, in ms, of a process that does not rest: it serves requests. */
const BUSY_MS = 1_000;
/** Interval between reads of the processor time while there is work: each takes a microsecond. */
const READ_EVERY_MS = 100;

/** System calls that return memory, and measure the process. */
const SYSTEM = {
  dropCaches,
  heapBytes: () => process.memoryUsage().heapUsed,
  /** Processor time of all threads since the start, in ms. */
  usedMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
};

/**
 * Returns memory to the system when a thread rests after a busy time: its start, or a thousand
 * pieces of work without a pause of some seconds. After less work, or while the process is
 * otherwise busy, compiled code is kept.
 */
export class BusyMemory {
  readonly #clock: Clock;
  readonly #system: typeof SYSTEM;
  readonly #resting: LazyTimer;
  #count = 0;
  #lastMs = -Infinity;
  /** The processor time when the rest may have begun, and the time of its reading. */
  #usedMs = 0;
  #usedAtMs = -Infinity;

  constructor(clock: Clock, system: typeof SYSTEM = SYSTEM) {
    this.#clock = clock;
    this.#system = system;
    this.#resting = new LazyTimer(clock, () => this.#rest());
  }

  /** For a thread that starts, and only then compiles its code. */
  static fromStart(clock: Clock, system: typeof SYSTEM = SYSTEM): BusyMemory {
    const memory = new BusyMemory(clock, system);
    memory.#restFrom(clock.now().monotonicMs);
    return memory;
  }

  /** Note a piece of work. */
  note(): void {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#lastMs >= REST_MS) this.#count = 0;
    this.#lastMs = nowMs;
    this.#count += 1;
    const isBusyTime = this.#count >= BUSY_COUNT || this.#resting.dueMs !== null;
    if (isBusyTime) this.#restFrom(nowMs);
  }

  #restFrom(nowMs: number): void {
    if (nowMs - this.#usedAtMs >= READ_EVERY_MS) {
      this.#usedMs = this.#system.usedMs();
      this.#usedAtMs = nowMs;
    }
    this.#resting.set(nowMs + REST_MS);
  }

  #rest(): void {
    if (this.#system.usedMs() - this.#usedMs >= BUSY_MS) {
      return this.#restFrom(this.#clock.now().monotonicMs);
    }
    this.#count = 0;
    if (this.#system.heapBytes() <= HEAP_BYTES_MAX) this.#system.dropCaches();
  }
}
