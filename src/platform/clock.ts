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

/** Settings of a timer; see {@link Clock.timer}. */
export interface TimerOptions {
  readonly unref?: boolean;
  readonly isExact?: boolean;
}

/** The clock and the event loop as everything above `platform/` sees them. */
export interface Clock {
  now(): Instant;
  /**
   * Run `callback` once, `delayMs` from now on the monotonic clock. Any length works. The timer
   * keeps the process alive unless `unref` is set.
   *
   * With `isExact`, `callback` runs at the start of the wall-clock millisecond that lies `delayMs`
   * ahead, at most 1 ms early on the monotonic clock. The last millisecond is a busy wait.
   */
  timer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
  /** Run `callback` after everything that this turn of the event loop brought. */
  defer(callback: () => void): void;
}

// A delay of 2^31 ms or more would fire at once.
const CHUNK_MS = 2 ** 30;

function startTimer(delayMs: number, callback: () => void, unref: boolean): Timer {
  const dueMs = monotonicMs() + delayMs;
  let handle: ReturnType<typeof setTimeout>;
  const wait = (leftMs: number) => {
    handle = setTimeout(look, Math.min(Math.ceil(leftMs), CHUNK_MS));
    if (unref) handle.unref();
  };
  const look = () => {
    // Node's timers fire up to a millisecond early.
    const leftMs = dueMs - monotonicMs();
    if (leftMs <= 0) callback();
    else wait(leftMs);
  };
  wait(Math.max(0, delayMs));
  return { cancel: () => clearTimeout(handle) };
}

// The runtime's timers fire up to 1 ms late, and a truncated time adds up to 1 ms more.
function startExactTimer(delayMs: number, callback: () => void, unref: boolean): Timer {
  const dueWallMs = Date.now() + delayMs;
  const dueMs = monotonicMs() + delayMs;
  let timeout: ReturnType<typeof setTimeout> | undefined;
  let immediate: ReturnType<typeof setImmediate> | undefined;
  // The monotonic clock ends the wait also when the wall clock was set back.
  const leftMs = () => Math.min(dueWallMs - Date.now(), dueMs - monotonicMs());
  const arm = (left: number) => {
    // Never at once: who waits has the timer first.
    if (left <= 1) {
      immediate = setImmediate(look);
      return;
    }
    timeout = setTimeout(look, Math.min(Math.floor(left - 1), CHUNK_MS));
    if (unref) timeout.unref();
  };
  const look = () => {
    const left = leftMs();
    if (left <= 0) callback();
    else arm(left);
  };
  arm(leftMs());
  return {
    cancel() {
      clearTimeout(timeout);
      clearImmediate(immediate);
    },
  };
}

// The runtime's own: job code may replace them, and a worker does, to see which timers it begins.
const runLater = setImmediate;
const monotonicMs: () => number = performance.now.bind(performance);

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => ({ wallMs: Date.now(), monotonicMs: monotonicMs() }),
  timer: (delayMs, callback, { unref = false, isExact = false } = {}) =>
    (isExact ? startExactTimer : startTimer)(delayMs, callback, unref),
  defer: (callback) => void runLater(callback),
};

/** Wait `delayMs` on `clock`. Resolves early, without an error, when `signal` aborts. */
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

/** The result of a promise, or of `late` after `limitMs`. The promise's work is not ended. */
export async function inTime<T>(
  promise: Promise<T>,
  limitMs: number,
  { clock, late }: { readonly clock: Clock; readonly late: () => T },
): Promise<T> {
  const end = Promise.withResolvers<T>();
  const timer = clock.timer(limitMs, () => end.resolve(late()));
  try {
    return await Promise.race([promise, end.promise]);
  } finally {
    timer.cancel();
  }
}
