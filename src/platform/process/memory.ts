import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { runtimeName } from "./process.ts";

// Not every version of Bun can shrink.
declare const Bun: { gc(isComplete: boolean): void; shrink?(): void };

/**
 * Collect this thread's garbage and return the memory to the system. Only Bun needs it: it collects
 * other threads than the main one only while they work.
 */
export function releaseMemory(): void {
  if (runtimeName() === "bun") Bun.gc(true);
}

/**
 * Drop caches such as compiled code once this thread is idle. What it runs next is slower at first.
 */
export function dropCaches(): void {
  if (runtimeName() === "bun") Bun.shrink?.();
}

/** As {@link dropCaches} and {@link releaseMemory}. For a thread that was busy and is now idle. */
export function shrinkMemory(): void {
  dropCaches();
  releaseMemory();
}

/** Process memory above which an idle thread shrinks: more than after ordinary work. */
const LARGE_BYTES = 110 * 1024 * 1024;

/**
 * True if this process holds more memory than after ordinary work, and this thread could shrink:
 * the main one may hold data of its own, and collecting that takes long.
 */
export function isMemoryLarge(): boolean {
  return !isMainThread && process.memoryUsage.rss() > LARGE_BYTES;
}
