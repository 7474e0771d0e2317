// deno-lint-ignore-file no-explicit-any
/** The timers that job code started. */
export interface TimerRecord {
  /** True if one of them has not fired yet. */
  hasLeft(): boolean;
  /** Ignore the timers started so far. */
  forget(): void;
}

/** Ended timers are removed from the record when it has this many. */
const KEPT_MAX = 1_000;

interface Handle {
  readonly _destroyed?: boolean;
}

/**
 * Record every timer started from now on by the global functions, `node:timers` and
 * `node:timers/promises`, because no runtime lists them.
 *
 * @param require returns the modules' own objects, the source of import statements
 */
export function recordTimers(require: (name: string) => any): TimerRecord {
  let handles: Handle[] = [];
  let pending = new Set<Promise<unknown>>();
  const prune = () => {
    handles = handles.filter((handle) => handle._destroyed === false);
  };
  const keep = (handle: Handle) => {
    handles.push(handle);
    if (handles.length >= KEPT_MAX) prune();
    return handle;
  };
  const promise = (waiting: Promise<unknown>) => {
    pending.add(waiting);
    const done = () => void pending.delete(waiting);
    waiting.then(done, done);
    return waiting;
  };
  for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
    wrap(globalThis, name, keep);
    wrap(require("node:timers"), name, keep);
  }
  for (const name of ["setTimeout", "setImmediate"]) {
    wrap(require("node:timers/promises"), name, promise);
  }
  return {
    hasLeft() {
      if (pending.size > 0) return true;
      if (handles.length === 0) return false;
      prune();
      return handles.length > 0;
    },
    forget() {
      handles = [];
      pending = new Set();
    },
  };
}

function wrap(holder: any, name: string, record: (result: any) => any): void {
  const begin = holder[name];
  const wrapped = { [name]: (...args: any[]) => record(begin(...args)) }[name]!;
  // For example the symbol that util.promisify looks for.
  for (const symbol of Object.getOwnPropertySymbols(begin)) {
    Object.defineProperty(wrapped, symbol, Object.getOwnPropertyDescriptor(begin, symbol)!);
  }
  holder[name] = wrapped;
}
