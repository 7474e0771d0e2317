import { createRequire } from "node:module";
import { runtimeName } from "./runtime.ts";

/** The types of a function's arguments and of its result, as the runtime names them. */
interface Prototype {
  readonly args: readonly ("ptr" | "i32" | "u32" | "i64" | "u64")[];
  readonly returns: "ptr" | "i32";
}

/** The functions that we call. */
const FUNCTIONS = {
  adjtimex: { args: ["ptr"], returns: "i32" },
  chdir: { args: ["ptr"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" },
  execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  getxattr: { args: ["ptr", "ptr", "ptr", "u64"], returns: "i32" },
  gnu_get_libc_version: { args: [], returns: "ptr" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  madvise: { args: ["ptr", "u64", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  mkfifo: { args: ["ptr", "u32"], returns: "i32" },
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setcgroup_np: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  setrlimit: { args: ["i32", "ptr"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  syscall: { args: ["u64", "u64", "u64", "u64"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  wait4: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
} as const satisfies Readonly<Record<string, Prototype>>;

type FunctionName = keyof typeof FUNCTIONS;

/** A pointer is an array, an address or null; an address that a function returns is a number. */
type Arguments<Types extends Prototype["args"]> = {
  [Index in keyof Types]: Types[Index] extends "ptr" ? NodeJS.ArrayBufferView | number | null
    : number;
};

/** The C library, opened for some of its functions. */
export interface NativeLibrary<Name extends FunctionName> {
  readonly symbols: {
    readonly [Key in Name]: (...args: Arguments<typeof FUNCTIONS[Key]["args"]>) => number;
  };
  /** The memory at an address, valid while it is mapped. */
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
  /** The address of a view's memory, fixed while something holds the view. */
  addressOf(view: NodeJS.ArrayBufferView): number;
}

interface Runtime {
  dlopen(
    path: string,
    symbols: Readonly<Record<string, Prototype>>,
  ): { readonly symbols: unknown };
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
  ptr(view: NodeJS.ArrayBufferView): number;
}

/**
 * Functions of the C library, opened on first use.
 *
 * @returns a function that returns the library; null unless this is Bun on Linux with glibc
 */
export function lazyLibc<Name extends FunctionName>(
  ...names: readonly Name[]
): () => NativeLibrary<Name> | null {
  let library: NativeLibrary<Name> | null | undefined;
  return () => library === undefined ? library = open(names) : library;
}

function open<Name extends FunctionName>(names: readonly Name[]): NativeLibrary<Name> | null {
  if (runtimeName() !== "bun" || process.platform !== "linux") return null;
  const prototypes = Object.fromEntries(names.map((name) => [name, FUNCTIONS[name]]));
  try {
    const { dlopen, ptr, toArrayBuffer } = createRequire(import.meta.url)("bun:ffi") as Runtime;
    const symbols = dlopen("libc.so.6", prototypes).symbols as NativeLibrary<Name>["symbols"];
    return { symbols, toArrayBuffer, addressOf: ptr };
  } catch {
    // Another C library, or a forbidden one.
    return null;
  }
}
