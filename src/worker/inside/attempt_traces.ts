import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { intactCheck } from "./intact_globals.ts";
import { recordTimers, type TimerRecord } from "./timer_record.ts";

/** What an attempt left behind in its worker, and what is to become of the worker. */
export interface Traces {
  /**
   * "clean": it serves the next attempt. "grace": it may serve for a while, since what is open may be meant to be used again. Null:
   * the next attempt would meet what was left, so it is replaced.
   */
  readonly reuse: "clean" | "grace" | null;
  /** In words; null for nothing. */
  readonly left: string | null;
}

const CLEAN: Traces = { reuse: "clean", left: null };

/**
 * Tells whether an attempt left its worker as it found it: directory, mask, variables, listeners of the process, globals and
 * prototypes, timers, connections and files. One look takes some microseconds.
 */
export class AttemptTraces {
  readonly #timers: TimerRecord;
  #base: Baseline;
  #seenDescriptor = -1;
  #seenTraces = CLEAN;

  constructor() {
    this.#timers = recordTimers(createRequire(import.meta.url));
    this.#base = takeBaseline();
  }

  /** Take the state that a module's load left as the one to compare with; tells whether it changed anything. */
  rebase(): boolean {
    if (this.look() === CLEAN) return false;
    this.#base = takeBaseline();
    this.#timers.forget();
    this.#seenDescriptor = -1;
    return true;
  }

  /** Whether something goes on, or was changed, that the next attempt would meet at once. A small part of {@link look}. */
  hasLeftWork(): boolean {
    return this.#timers.hasLeft() || process.cwd() !== this.#base.cwd ||
      process.exitCode !== undefined;
  }

  look(): Traces {
    const left = this.#change();
    return left === null ? this.#descriptors() : { reuse: null, left };
  }

  #change(): string | null {
    const base = this.#base;
    if (this.#timers.hasLeft()) return "a timer that has yet to fire";
    if (process.cwd() !== base.cwd) return "another working directory";
    if (process.umask() !== base.umask) return "another umask";
    if (process.exitCode !== undefined) return "an exit code of the process";
    if (!sameVariables(base.variables)) return "another variable of the environment";
    if (!sameListeners(base)) return "a listener of the process";
    if (countGlobals() !== base.globals || !base.isIntact()) return "a changed global or prototype";
    return null;
  }

  /** The lowest free descriptor rises when one was left open; only then they are looked at. */
  #descriptors(): Traces {
    const free = freeDescriptor();
    if (free <= this.#base.freeDescriptor) return CLEAN;
    if (free !== this.#seenDescriptor) {
      this.#seenDescriptor = free;
      const left = [...openDescriptors()].filter((name) => !this.#base.descriptors.has(name));
      this.#seenTraces = left.length === 0
        ? CLEAN
        : isListening(new Set(left))
        ? { reuse: null, left: "a socket that takes connections" }
        : { reuse: "grace", left: null };
    }
    return this.#seenTraces;
  }
}

interface Baseline {
  readonly cwd: string;
  readonly umask: number;
  readonly variables: ReadonlyMap<string, string | undefined>;
  readonly listeners: ReadonlyMap<string | symbol, number>;
  readonly globals: number;
  readonly freeDescriptor: number;
  readonly descriptors: ReadonlySet<string>;
  readonly isIntact: () => boolean;
}

function takeBaseline(): Baseline {
  return {
    cwd: process.cwd(),
    umask: process.umask(),
    variables: new Map(Object.entries(process.env)),
    listeners: new Map(process.eventNames().map((name) => [name, process.listenerCount(name)])),
    globals: countGlobals(),
    freeDescriptor: freeDescriptor(),
    descriptors: openDescriptors(),
    isIntact: intactCheck(),
  };
}

function sameVariables(variables: Baseline["variables"]): boolean {
  let count = 0;
  for (const name in process.env) {
    if (process.env[name] !== variables.get(name)) return false;
    count += 1;
  }
  return count === variables.size;
}

function sameListeners({ listeners }: Baseline): boolean {
  const names = process.eventNames();
  return names.length === listeners.size &&
    names.every((name) => process.listenerCount(name) === listeners.get(name));
}

// What was assigned to prototypes is counted by "for in", which takes twice the time of "keys".
function countGlobals(): number {
  let count = Object.keys(globalThis).length;
  for (const _ in Object.getPrototypeOf(globalThis)) count += 1;
  for (const _ in []) count += 1;
  return count;
}

function freeDescriptor(): number {
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    // None is free: everything that can be open is.
    return Infinity;
  }
}

/** What is open, by name, but for what the runtime opens for itself: its event loop, and its standard streams again. */
function openDescriptors(): Set<string> {
  const own = new Set([0, 1, 2].map((descriptor) => linkOf(`/proc/self/fd/${descriptor}`)));
  let names: readonly string[] = [];
  try {
    names = readdirSync("/proc/self/fd").map((name) => linkOf(`/proc/self/fd/${name}`));
  } catch {
    // Linux only.
  }
  return new Set(
    names.filter((name) => !own.has(name) && !/^(?:$|anon_inode:|\/proc\/)/.test(name)),
  );
}

/** Whether one of these sockets takes connections: others could still call the attempt's code. */
function isListening(descriptors: ReadonlySet<string>): boolean {
  const tcp = ["tcp", "tcp6"].flatMap(tableOf).filter((row) => row[3] === "0A")
    .map((row) => row[9]);
  const unix = tableOf("unix").filter((row) => row[3] === "00010000").map((row) => row[6]);
  return [...tcp, ...unix].some((inode) => descriptors.has(`socket:[${inode}]`));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function tableOf(name: string): string[][] {
  try {
    return readFileSync(`/proc/self/net/${name}`, "latin1").split("\n").slice(1)
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
