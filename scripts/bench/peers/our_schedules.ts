import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Manager } from "../../../src/index.ts";

/** Schedules of the library on durable SQLite, each of a job of its own. */
export async function startSchedules(texts: readonly string[], run: () => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const manager = new Manager({ store: `sqlite:${join(dir, "bench.db")}`, workers: 16 });
  const job = manager.registerJob({ kind: "noop", run });
  const base = { everyMs: null, timezone: "UTC", overlap: "skip", misfire: "latest" } as const;
  for (const [index, cron] of texts.entries()) {
    const spec = { ...base, cron, misfireWithinMs: 86_400_000, jitterMs: 0 };
    manager.addJob({ ...job, kind: `noop-${index}`, schedules: [{ spec, arguments: [] }] });
  }
  await manager.start();
}
