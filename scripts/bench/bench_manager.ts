import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Manager } from "../../src/index.ts";

/** A started manager with a job `noop`, and how to end it with its files. */
export interface BenchManager {
  readonly manager: Manager;
  close(): Promise<void>;
}

/** Start a manager for a measurement: its database, if any, in a new temporary folder. */
export async function startBenchManager(
  options: {
    readonly store: "memory" | "sqlite";
    readonly isolation: "inline" | "process";
    readonly workers: number;
    readonly startWorkers?: boolean;
  },
): Promise<BenchManager> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const store = options.store === "memory" ? "memory:" : `sqlite:${join(dir, "bench.db")}`;
  const manager = new Manager({ store, workers: options.workers });
  const job = manager.registerJob({ kind: "noop", params: "n?: number", run: () => {} });
  if (options.isolation === "process") {
    const path = join(dir, "noop.ts");
    writeFileSync(path, "export default function noop(n?: number): void { void n; }\n");
    manager.addJob({
      ...job,
      source: { type: "module", path, entry: "noop", version: "1" },
      options: { ...job.options, isolation: "process" },
    });
  }
  if (options.startWorkers !== false) await manager.start();
  return {
    manager,
    close: async () => {
      await manager.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
