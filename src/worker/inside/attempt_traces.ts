import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { readSystemFile } from "../../platform/files/read_file.ts";
import { intactCheck } from "./intact_globals.ts";
import { recordTimers, type TimerRecord } from "./timer_record.ts";

/** Leftovers of an attempt in its worker, and if the worker may be used again. */
export interface Traces {
  /**
   * "clean": it runs the next attempt. "grace": it may run attempts for a while, since something
   * open may be meant for reuse. Null: it is replaced, so that leftovers affect no other attempt.
   */
  readonly reuse: "clean" | "grace" | null;
  /** A description; null for nothing. */
  readonly left: string | null;
}

const CLEAN: Traces = { reuse: "clean", left: null };

/**
 * Checks if an attempt left its worker as it found it: directory, umask, variables, listeners,
 * globals and prototypes, timers, connections and files. Takes some microseconds.
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

  /** Take the state after loading a module as the new baseline. @returns true if it changed */
  rebase(): boolean {
    if (this.check() === CLEAN) return false;
    this.#base = takeBaseline();
    this.#timers.forget();
    this.#seenDescriptor = -1;
    return true;
  }

  /** True if leftovers would affect the next attempt at once. A part of {@link check}. */
  hasLeftWork(): boolean {
    return this.#timers.hasLeft() || process.cwd() !== this.#base.cwd ||
      process.exitCode !== undefined;
  }

  check(): Traces {
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

  /** An open descriptor raises the lowest free one: only then list them. */
  #descriptors(): Traces {
    const free = freeDescriptor();
    if (free <= this.#base.freeDescriptor) return CLEAN;
    if (free !== this.#seenDescriptor) {
      this.#seenDescriptor = free;
      const left = [...openDescriptors()].filter((name) => !this.#base.descriptors.has(name));
      this.#seenTraces = left.length === 0
        ? CLEAN
        : isListening(new Set(left))
        ? { reuse: null, left: "a socket that accepts connections" }
        : { reuse: "grace", left: null };
    }
    return this.#seenTraces;
  }
}

type Baseline = Readonly<ReturnType<typeof takeBaseline>>;

function takeBaseline() {
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

// "for in" also counts properties assigned to prototypes, and takes twice as long as "keys".
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
    // None is free: all are open.
    return Infinity;
  }
}

/** Names of open descriptors, except the runtime's event loop and standard streams. */
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

/** True if one of these sockets accepts connections: clients could still call job code. */
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
  const [, ...lines] = readSystemFile(`/proc/self/net/${name}`)?.split("\n") ?? [];
  return lines.map((line) => line.trim().split(/\s+/));
}
