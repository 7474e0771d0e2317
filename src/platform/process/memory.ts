import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { runtimeName } from "./process.ts";

/**
 * Collect what this thread no longer uses and give it back to the system. Other runtimes than Bun do that when they see fit; Bun
 * does so for the main thread, and for another one only while it works.
 */
export function releaseMemory(): void {
  if (runtimeName() === "bun") (globalThis as unknown as Collector).Bun.gc(true);
}

/**
 * As {@link releaseMemory}, and also give up what only speeds up work, such as compiled code: for a
 * thread that was busy and now rests. What runs next is slower at first.
 */
export function shrinkMemory(): void {
  if (runtimeName() === "bun") (globalThis as unknown as Collector).Bun.shrink?.();
  releaseMemory();
}

/** Memory of the process above which a thread at rest shrinks: more than after ordinary work. */
const LARGE_BYTES = 110 * 1024 * 1024;

/**
 * Whether this process holds more memory than after ordinary work, and this thread could shrink: the
 * main one may hold data of its own, and collecting that takes long.
 */
export function isMemoryLarge(): boolean {
  return !isMainThread && process.memoryUsage.rss() > LARGE_BYTES;
}

interface Collector {
  // Not every version of Bun can shrink.
  readonly Bun: { gc(isComplete: boolean): void; shrink?(): void };
}
