import { runtimeName } from "./process.ts";

/**
 * Collect what this thread no longer uses and give it back to the system. Other runtimes than Bun do that when they see fit; Bun
 * does so for the main thread, and for another one only while it works.
 */
export function releaseMemory(): void {
  if (runtimeName() === "bun") (globalThis as unknown as Collector).Bun.gc(true);
}

interface Collector {
  readonly Bun: { gc(isComplete: boolean): void };
}
