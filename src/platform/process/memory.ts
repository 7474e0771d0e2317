import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { lazyLibc } from "../system/libc.ts";
import { runtimeName } from "../system/runtime.ts";

// Not every version of Bun can shrink.
declare const Bun: { gc(isComplete: boolean): void; shrink?(): void };

const libc = lazyLibc("madvise");
const MADV_DONTNEED = 4;

/** Process memory above which an idle thread shrinks: more than after ordinary work. */
const LARGE_BYTES = 110 * 1024 * 1024;

/**
 * Collect this thread's garbage and return the memory to the system. Only Bun needs it: it collects
 * other threads than the main one only while they work.
 */
export function releaseMemory(): void {
  if (runtimeName() === "bun") Bun.gc(true);
}

/**
 * Drop caches such as compiled code once this thread is idle, and the pages of the program's own
 * code. The next work is slower at first.
 */
export function dropCaches(): void {
  if (runtimeName() === "bun") Bun.shrink?.();
  releaseProgramCode();
}

/** Calls {@link dropCaches} and {@link releaseMemory}, for a thread that is idle after work. */
export function shrinkMemory(): void {
  dropCaches();
  releaseMemory();
}

/**
 * True if this process holds more memory than after ordinary work, and this thread could shrink:
 * the main one may hold much data, and collecting that takes long.
 */
export function isMemoryLarge(): boolean {
  return !isMainThread && process.memoryUsage.rss() > LARGE_BYTES;
}

/**
 * Return the pages of the program's code, half of the memory mapped by a start. Used pages are
 * mapped again from the system's cache of the file: a millisecond for all of them.
 */
function releaseProgramCode(): void {
  const library = libc();
  if (library === null) return;
  try {
    const program = readlinkSync("/proc/self/exe");
    for (const { address, bytes } of codeRanges(program, readFileSync("/proc/self/maps", "utf8"))) {
      library.symbols.madvise(address, bytes, MADV_DONTNEED);
    }
  } catch {
    // Without /proc they stay.
  }
}

/**
 * Address ranges of a program's code, by the text of `/proc/PID/maps`. Nothing is ever written
 * there, so every page equals the file's; any other mapping may have changed pages.
 */
export function codeRanges(
  program: string,
  maps: string,
): readonly { readonly address: number; readonly bytes: number }[] {
  return maps.split("\n").flatMap((line) => {
    const [, from, to, path] = /^([0-9a-f]+)-([0-9a-f]+) r-xp (?:\S+ +){3}(.*)$/.exec(line) ?? [];
    if (path !== program) return [];
    const address = parseInt(from!, 16);
    return [{ address, bytes: parseInt(to!, 16) - address }];
  });
}
