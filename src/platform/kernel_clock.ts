import { Buffer } from "node:buffer";
import { lazyLibc } from "./system/libc.ts";

/** The kernel's facts about its clock. */
export interface KernelClock {
  /** True if a time service keeps it right. */
  readonly isSynchronized: boolean;
  /** Largest error that the time service reports, in ms. */
  readonly errorMs: number;
}

/** Size of `struct timex` on 64-bit systems, with its reserve. */
const TIMEX_BYTES = 256;
const MAXERROR_AT = 24;
const STATUS_AT = 40;
/** `STA_UNSYNC`: the clock is not synchronized. */
const UNSYNCHRONIZED = 0x40;

const libc = lazyLibc("adjtimex");

/** Ask the kernel about its clock; null unless this is Bun on Linux with glibc. Changes nothing. */
export function kernelClock(): KernelClock | null {
  const library = libc();
  if (library === null) return null;
  // No bit in `modes`, its first member: nothing is set.
  const timex = Buffer.alloc(TIMEX_BYTES);
  if (library.symbols.adjtimex(timex) < 0) return null;
  return {
    isSynchronized: (timex.readInt32LE(STATUS_AT) & UNSYNCHRONIZED) === 0,
    errorMs: Number(timex.readBigInt64LE(MAXERROR_AT)) / 1_000,
  };
}
