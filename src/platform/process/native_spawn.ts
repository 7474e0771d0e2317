import { Buffer } from "node:buffer";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type { AttemptUsage } from "../../core/instance.ts";
import { peakRssBytes } from "./descendants.ts";
import { lazyLibc, type NativeLibrary } from "../system/libc.ts";
import { openFilesOfChildren, withOpenFiles } from "./process_control.ts";

/** A program to start in a separate session. */
export interface SpawnRequest {
  /** Path of the program. */
  readonly program: string;
  readonly argv: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number | null;
  /** Our descriptors, which become 0, 1, 2, … of the program. It gets no others. */
  readonly descriptors: readonly number[];
  /** Descriptor of the control group that it begins in; null for ours. */
  readonly cgroup: number | null;
}

/** The exit of a process. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Resource use of it and the children that it waited for; null if the runtime hides it. */
  readonly usage: AttemptUsage | null;
}

/** Room for the structures of every C library that we run with. */
const STRUCTURE_BYTES = 512;
const SIGNALS_BYTES = 128;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const SETCGROUP = 0x100;
const FLAGS = SETSID | SETSIGDEF | SETSIGMASK;
const WNOHANG = 1;
const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const POLLIN = 1;
/** Size of `struct rusage`, and the places of its first members in words of 32 bits. */
const USAGE_BYTES = 144;
const USAGE = { userS: 0, userUs: 2, systemS: 4, systemUs: 6, maxRssKib: 8 } as const;
/** The kernel counts memory in steps of this many bytes for each processor. */
const RSS_STEP_BYTES = 1_048_576;

const FUNCTIONS = [
  "chdir",
  "fcntl",
  "gnu_get_libc_version",
  "pipe2",
  "poll",
  "posix_spawn",
  "posix_spawn_file_actions_adddup2",
  "posix_spawn_file_actions_destroy",
  "posix_spawn_file_actions_init",
  "posix_spawnattr_init",
  "posix_spawnattr_setflags",
  "posix_spawnattr_setsigdefault",
  "posix_spawnattr_setsigmask",
  "wait4",
] as const;

type Library = NativeLibrary<typeof FUNCTIONS[number]>;

const openLibc = lazyLibc(...FUNCTIONS);
/** Since glibc 2.39. */
const openLaterLibc = lazyLibc("posix_spawnattr_setcgroup_np");

const SIGNAL_NAMES = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);

/**
 * Starts programs through the C library, at a fraction of the runtime's cost. A process that uses
 * it must start no children in any other way, since it waits for all of them.
 */
export class NativeSpawner {
  readonly #symbols: Library["symbols"];
  readonly #addressOf: Library["addressOf"];
  readonly #attributes = Buffer.alloc(STRUCTURE_BYTES);
  readonly #actions = Buffer.alloc(STRUCTURE_BYTES);
  readonly #pid = new Int32Array(1);
  readonly #status = new Int32Array(1);
  readonly #usage = new Uint32Array(USAGE_BYTES / 4);
  /** The peak memory of this process, when last read. */
  #ownBytes = 0;
  readonly #pipe = new Int32Array(2);
  /** `struct pollfd`: a descriptor, then requested and returned events in 16 bits each. */
  readonly #poll = new Int32Array(2);
  /** Data that the C library reads through pointers must not be collected meanwhile. */
  readonly #held: Uint8Array[] = [];
  readonly #setCgroup = openLaterLibc()?.symbols.posix_spawnattr_setcgroup_np;
  #entersCgroups = this.#setCgroup !== undefined;

  private constructor({ symbols, addressOf }: Library) {
    this.#symbols = symbols;
    this.#addressOf = addressOf;
    symbols.posix_spawnattr_init(this.#attributes);
    symbols.posix_spawnattr_setflags(this.#attributes, FLAGS);
    // The runtime ignores some signals, and a program would inherit that.
    symbols.posix_spawnattr_setsigdefault(this.#attributes, Buffer.alloc(SIGNALS_BYTES, 0xff));
    symbols.posix_spawnattr_setsigmask(this.#attributes, Buffer.alloc(SIGNALS_BYTES));
  }

  /** Null unless this is Bun on Linux with glibc 2.26 or later. */
  static open(): NativeSpawner | null {
    const library = openLibc();
    if (library === null) return null;
    const address = library.symbols.gnu_get_libc_version();
    const text = Buffer.from(library.toArrayBuffer(address, 0, 8)).toString("latin1");
    const [major = 0, minor = 0] = text.split("\0")[0]!.split(".").map(Number);
    return major > 2 || minor >= 26 ? new NativeSpawner(library) : null;
  }

  /** True if programs begin in the control group of their request; false after a failure. */
  get entersCgroups(): boolean {
    return this.#entersCgroups;
  }

  /**
   * Create a pipe. Reading from it does not block, and writing to it does.
   *
   * @throws Error with the code of the system
   */
  pipe(): { readonly reader: number; readonly writer: number } {
    if (this.#symbols.pipe2(this.#pipe, O_CLOEXEC) !== 0) {
      // The only possible reason: too many descriptors.
      throw systemError(constants.errno.EMFILE, "pipe2");
    }
    const [reader, writer] = this.#pipe as unknown as readonly [number, number];
    this.#symbols.fcntl(reader, F_SETFL, O_NONBLOCK);
    return { reader, writer };
  }

  /** True if a pipe contains data or has ended. */
  isReadable(reader: number): boolean {
    this.#poll[0] = reader;
    this.#poll[1] = POLLIN;
    return this.#symbols.poll(this.#poll, 1, 0) !== 0;
  }

  /**
   * Start a program.
   *
   * @returns its process id
   * @throws Error with the code of the system
   */
  spawn(request: SpawnRequest): number {
    const { program, argv, env, cwd, umask, descriptors } = request;
    const list = this.#strings(argv);
    const variables = this.#strings(Object.entries(env).map(([name, value]) => `${name}=${value}`));
    this.#held.push(list.bytes, variables.bytes);
    const symbols = this.#symbols;
    symbols.posix_spawn_file_actions_init(this.#actions);
    for (const [index, descriptor] of descriptors.entries()) {
      symbols.posix_spawn_file_actions_adddup2(this.#actions, descriptor, index);
    }
    const outer = umask === null ? null : process.umask(umask);
    try {
      if (symbols.chdir(cString(cwd)) !== 0) throw systemError(constants.errno.EACCES, "chdir");
      const start = () =>
        symbols.posix_spawn(
          this.#pid,
          cString(program),
          this.#actions,
          this.#attributes,
          list.table,
          variables.table,
        );
      const error = withOpenFiles(openFilesOfChildren(), () => {
        return request.cgroup === null ? start() : this.#startIn(request.cgroup, start);
      });
      if (error !== 0) throw systemError(error, "spawn");
      return this.#pid[0]!;
    } finally {
      if (outer !== null) process.umask(outer);
      symbols.chdir(ROOT);
      symbols.posix_spawn_file_actions_destroy(this.#actions);
      this.#held.length = 0;
    }
  }

  /**
   * Start in a control group. The kernel does both in one step, so the program is never outside of
   * it. An error may come from the group or the program, so it is tried again without the group.
   */
  #startIn(cgroup: number, start: () => number): number {
    if (!this.#entersCgroups) return start();
    this.#setCgroup!(this.#attributes, cgroup);
    this.#symbols.posix_spawnattr_setflags(this.#attributes, FLAGS | SETCGROUP);
    const first = start();
    this.#symbols.posix_spawnattr_setflags(this.#attributes, FLAGS);
    if (first === 0) return 0;
    const error = start();
    // The group is at fault: start without groups from now on.
    if (error === 0) this.#entersCgroups = false;
    return error;
  }

  /** Call back for every child that has ended, our own and adopted ones. */
  reap(ended: (pid: number, exit: ProcessExit) => void): void {
    for (;;) {
      const pid = this.#symbols.wait4(-1, this.#status, WNOHANG, this.#usage);
      if (pid <= 0) return;
      const status = this.#status[0]!;
      const number = status & 0x7f;
      const usage = this.#readUsage();
      const exit = number === 0
        ? { code: status >> 8 & 0xff, signal: null, usage }
        : { code: null, signal: SIGNAL_NAMES.get(number) ?? `signal ${number}`, usage };
      ended(pid, exit);
    }
  }

  #readUsage(): AttemptUsage {
    const words = this.#usage;
    const seconds = words[USAGE.userS]! + words[USAGE.systemS]!;
    const us = words[USAGE.userUs]! + words[USAGE.systemUs]!;
    const maxRssBytes = words[USAGE.maxRssKib]! * 1_024;
    return {
      maxRssBytes: this.#isOwn(maxRssBytes) ? null : maxRssBytes,
      cpuMs: Math.round(seconds * 1_000 + us / 1_000),
    };
  }

  /**
   * True if memory may belong to this process. A child shares it until it executes its program, and
   * the kernel counts it as the child's.
   */
  #isOwn(bytes: number): boolean {
    if (bytes <= this.#ownBytes) return true;
    this.#ownBytes = (peakRssBytes(process.pid) ?? 0) + RSS_STEP_BYTES;
    return bytes <= this.#ownBytes;
  }

  /** An array of C strings, ended by a null pointer. The bytes must live as long as it is used. */
  #strings(
    texts: readonly string[],
  ): { readonly table: BigUint64Array; readonly bytes: Uint8Array } {
    if (texts.some((text) => text.includes("\0"))) {
      throw new TypeError("an argument or a variable contains a NUL character");
    }
    const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(""));
    const table = new BigUint64Array(texts.length + 1);
    let at = bytes.length === 0 ? 0 : this.#addressOf(bytes);
    for (const [index, text] of texts.entries()) {
      table[index] = BigInt(at);
      at += Buffer.byteLength(text) + 1;
    }
    return { table, bytes };
  }
}

const ROOT = cString("/");

function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

function systemError(number: number, call: string): Error {
  const code = getSystemErrorName(-number);
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -number, syscall: call });
}
