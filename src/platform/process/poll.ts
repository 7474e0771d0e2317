import { lateLibc } from "./libc.ts";

const POLLIN = 1;

interface Symbols {
  poll(list: Int32Array, count: number, timeoutMs: number): number;
}

const openLibc = lateLibc<Symbols>({ poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });

/**
 * A look whether any of these descriptors can be read from at this moment, without reading from it; of a pipe: whether it holds
 * anything or has ended. It takes less than a microsecond.
 *
 * @returns null where the runtime has no such look
 */
export function readableCheck(descriptors: readonly number[]): (() => boolean) | null {
  const libc = openLibc();
  if (libc === null) return null;
  const { poll } = libc.symbols;
  // Rows of `struct pollfd`: the descriptor, then what is asked and what is answered in 16 bits each.
  const list = Int32Array.from(descriptors.flatMap((descriptor) => [descriptor, POLLIN]));
  return () => poll(list, descriptors.length, 0) !== 0;
}
