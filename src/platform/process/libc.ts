import { createRequire } from "node:module";
import { runtimeName } from "./process.ts";

/** The types of a function's arguments and of its result, as the runtime names them. */
interface Prototype {
  readonly args: readonly ("ptr" | "i32" | "u32" | "i64" | "u64")[];
  readonly returns: "ptr" | "i32";
}

/** An open native library. */
export interface NativeLibrary<Symbols> {
  readonly symbols: Symbols;
  /** The memory at an address, as long as it is mapped. */
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
}

interface Runtime {
  dlopen(
    path: string,
    symbols: Readonly<Record<string, Prototype>>,
  ): { readonly symbols: unknown };
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
}

/**
 * Functions of the C library, opened on first use.
 *
 * @returns a function that returns the library; null unless this is Bun on Linux with glibc
 */
export function lateLibc<Symbols>(
  prototypes: Readonly<Record<keyof Symbols & string, Prototype>>,
): () => NativeLibrary<Symbols> | null {
  let library: NativeLibrary<Symbols> | null | undefined;
  return () => library === undefined ? library = open(prototypes) : library;
}

function open<Symbols>(
  prototypes: Readonly<Record<keyof Symbols & string, Prototype>>,
): NativeLibrary<Symbols> | null {
  if (runtimeName() !== "bun" || process.platform !== "linux") return null;
  try {
    const { dlopen, toArrayBuffer } = createRequire(import.meta.url)("bun:ffi") as Runtime;
    const symbols = dlopen("libc.so.6", prototypes).symbols as Symbols;
    return { symbols, toArrayBuffer };
  } catch {
    // Another C library, or none that may be loaded.
    return null;
  }
}
