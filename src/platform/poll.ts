import { createRequire } from "node:module";
import { runtimeName } from "./process.ts";

const POLLIN = 1;

interface Library {
  readonly symbols: { poll(list: Int32Array, count: number, timeoutMs: number): number };
}

type Open = (path: string, symbols: Readonly<Record<string, unknown>>) => Library;

let library: Library | null | undefined;

/**
 * A look whether any of these descriptors can be read from at this moment, without reading from it; of a pipe: whether it holds
 * anything or has ended. It takes less than a microsecond.
 *
 * @returns null where the runtime has no such look
 */
export function readableCheck(descriptors: readonly number[]): (() => boolean) | null {
  library ??= openLibrary();
  if (library === null) return null;
  const { poll } = library.symbols;
  // Rows of `struct pollfd`: the descriptor, then what is asked and what is answered in 16 bits each.
  const list = Int32Array.from(descriptors.flatMap((descriptor) => [descriptor, POLLIN]));
  return () => poll(list, descriptors.length, 0) !== 0;
}

function openLibrary(): Library | null {
  if (runtimeName() !== "bun" || process.platform !== "linux") return null;
  try {
    const { dlopen } = createRequire(import.meta.url)("bun:ffi") as { readonly dlopen: Open };
    return dlopen("libc.so.6", { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });
  } catch {
    // Another library of C, or none that may be loaded.
    return null;
  }
}
