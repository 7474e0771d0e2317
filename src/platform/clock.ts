import { hrtime } from "node:process";

/** A moment on both clocks of a node, in milliseconds. */
export interface Instant {
  /** Epoch ms, UTC; may jump. */
  readonly wallMs: number;
  /** Milliseconds since boot or process start; never jumps back. */
  readonly monotonicMs: number;
}

/** A pending timer. */
export interface Timer {
  cancel(): void;
}

/** The clock and the event loop as everything above `platform/` sees them. */
export interface Clock {
  now(): Instant;
  /** Run `callback` once, `delayMs` from now on the monotonic clock; any length works. It holds the process unless `unref`. */
  timer(delayMs: number, callback: () => void, options?: { readonly unref?: boolean }): Timer;
  /** Run `callback` after everything that this turn of the event loop brought. */
  defer(callback: () => void): void;
}

// A delay of 2^31 ms or more would fire at once.
const CHUNK_MS = 2 ** 30;

function startTimer(delayMs: number, callback: () => void, unref: boolean): Timer {
  const dueMs = monotonicMs() + delayMs;
  let handle: ReturnType<typeof setTimeout> | undefined;
  const arm = () => {
    const leftMs = dueMs - monotonicMs();
    // Node's timers fire up to a millisecond early.
    if (leftMs <= 0) {
      handle = undefined;
      callback();
      return;
    }
    handle = setTimeout(arm, Math.min(Math.ceil(leftMs), CHUNK_MS));
    if (unref) handle.unref();
  };
  handle = setTimeout(arm, Math.min(Math.max(0, Math.ceil(delayMs)), CHUNK_MS));
  if (unref) handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

function monotonicMs(): number {
  return Number(hrtime.bigint()) / 1e6;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => ({ wallMs: Date.now(), monotonicMs: monotonicMs() }),
  timer: (delayMs, callback, options) => startTimer(delayMs, callback, options?.unref ?? false),
  defer: (callback) => void setImmediate(callback),
};

/**
 * Wait `delayMs` on `clock`.
 *
 * Resolves early, without an error, when `signal` aborts.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      timer.cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.timer(delayMs, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
