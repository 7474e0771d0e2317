import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Manager } from "../../src/index.ts";
import { scratchStore } from "./scratch_store.ts";
import type { Settings } from "./scenario.ts";

/** Most jobs of one call. */
const BATCH = 1_000;

/** A started manager on an empty store, with a job `noop`. */
export interface BenchManager {
  readonly manager: Manager;
  /** Enqueue in batches of 1,000. */
  enqueue(count: number): Promise<void>;
  /** Resolves when `count` more attempts have ended than at the call. */
  ended(count: number): Promise<void>;
  /** Stop, and take the store away. */
  close(): Promise<void>;
}

/** Start a manager for a measurement. */
export async function startBenchManager(
  settings: Settings,
  isolation: "inline" | "process" = "inline",
): Promise<BenchManager> {
  const scratch = await scratchStore(settings.store);
  const manager = new Manager({ store: scratch.options, workers: settings.workers });
  const job = manager.registerJob({ kind: "noop", params: "n?: number", run: () => {} });
  if (isolation === "process") {
    const path = join(scratch.dir, "noop.ts");
    writeFileSync(path, "export default function noop(n?: number): void { void n; }\n");
    manager.addJob({
      ...job,
      source: { type: "module", path, entry: "noop", version: "1" },
      options: { ...job.options, isolation: "process" },
    });
  }
  const ends = new EndCounter();
  manager.subscribe((event) => {
    if (event.type === "attempt") ends.count();
  });
  try {
    await manager.start();
  } catch (error) {
    await scratch.clean();
    throw error;
  }
  return {
    manager,
    async enqueue(count) {
      for (let left = count; left > 0; left -= BATCH) {
        const size = Math.min(BATCH, left);
        await manager.scheduleJobs(Array.from({ length: size }, () => ({ kind: "noop" })));
      }
    },
    ended: (count) => ends.more(count),
    async close() {
      await manager.stop();
      await scratch.clean();
    },
  };
}

/** Counts ends and resolves when some number is reached. */
class EndCounter {
  #ended = 0;
  #goal = Infinity;
  #reached = () => {};

  count(): void {
    this.#ended += 1;
    if (this.#ended === this.#goal) this.#reached();
  }

  more(count: number): Promise<void> {
    this.#goal = this.#ended + count;
    return new Promise((resolve) => this.#reached = resolve);
  }
}
