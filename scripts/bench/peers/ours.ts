import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Manager } from "../../../src/index.ts";
import type { Contender, ContenderOptions, WorkHandlers } from "./contender.ts";

const BATCH = 1_000;

/** ts-job's library on the store of `url`, its jobs in this process or in worker processes. */
export async function startOurs(
  { url, concurrency }: ContenderOptions,
  isolation: "inline" | "process",
): Promise<Contender> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const store = url === "sqlite:" ? `sqlite:${join(dir, "bench.db")}` : url;
  const manager = new Manager({ store, workers: concurrency });
  let handlers: WorkHandlers | null = null;
  const run = (sentAt: number) => handlers?.run(sentAt);
  const job = manager.registerJob({ kind: "noop", params: "sentAt: number", run });
  if (isolation === "process") {
    const path = join(dir, "noop.ts");
    writeFileSync(path, "export default function noop(_sentAt: number): void {}\n");
    manager.addJob({
      ...job,
      source: { type: "module", path, entry: "noop", version: "1" },
      options: { ...job.options, isolation: "process" },
    });
  }
  manager.subscribe((event) => {
    if (event.type === "attempt") handlers?.ended(1);
  });
  await manager.start();
  await manager.resizeWorkers(0);
  return {
    addOne: (sentAt) => manager.scheduleJob("noop", { arguments: [sentAt] }),
    async addMany(count) {
      for (let left = count; left > 0; left -= BATCH) {
        const length = Math.min(BATCH, left);
        const request = { kind: "noop", arguments: [0] };
        await manager.scheduleJobs(Array.from({ length }, () => request));
      }
    },
    addAt: (dueAt) => manager.scheduleJob("noop", { arguments: [dueAt], at: dueAt }),
    async startWorkers(given) {
      handlers = given;
      await manager.resizeWorkers(concurrency);
    },
    async stopWorkers() {
      await manager.resizeWorkers(0);
    },
    async close() {
      await manager.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
