import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobDefinition } from "../../src/core/job.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { selfCommand } from "../../src/platform/process.ts";
import type { Executor } from "../../src/worker/executor.ts";
import { createProcessExecutor } from "../../src/worker/process_executor.ts";
import { isAlive, makeJob, makeTask, RecordingSink } from "../../test/support/attempts.ts";
import { quantile } from "./latency.ts";
import type { Figures } from "./main.ts";
import { measureThroughput } from "./throughput.ts";

const WARM_RUNS = 3_000;
const COLD_RUNS = 15;
const KILL_AFTER_MS = 500;
const JOBCTL = fileURLToPath(new URL("../../dist/jobctl", import.meta.url));

const MODULE = `
import { spawn } from "node:child_process";
export default [
  { kind: "noop", run: () => {} },
  { kind: "spin", run: () => { for (;;); } },
  {
    kind: "brood",
    run: () => {
      const pids = [];
      for (let index = 0; index < 20; index++) {
        const child = spawn("/bin/sh", ["-c", "setsid sleep 60 & sleep 60"], { detached: index % 2 === 0, stdio: "ignore" });
        pids.push(child.pid);
      }
      return pids;
    },
  },
];
`;

/**
 * Executions in worker processes of the compiled file, where it is built: a second end to end with 4 workers and the memory store,
 * what one costs beside its own work with a warm worker, without one, and with a spare one, and how long a spinning one lives.
 */
export async function measureExecution(jobs: number): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const path = join(dir, "bench.ts");
  writeFileSync(path, MODULE);
  const job = (kind: string, options: Partial<JobDefinition["options"]> = {}) =>
    makeJob(kind, { type: "module", path, entry: kind, version: "1" }, options);
  try {
    const rates = await measureThroughput({
      jobs,
      workers: 4,
      store: "memory",
      isolation: "process",
    });
    const warm = await withExecutor({}, async (executor) => {
      for (let index = 0; index < 500; index++) await once(executor, job("noop"));
      const times = [];
      for (let index = 0; index < WARM_RUNS; index++) times.push(await once(executor, job("noop")));
      return times;
    });
    const cold = await coldRuns(job("noop"), 0);
    const spare = await coldRuns(job("noop"), 1);
    const spinMs = await withExecutor({}, async (executor) => {
      await once(executor, job("noop"));
      return await once(executor, job("spin", { timeoutMs: 100, killAfterMs: KILL_AFTER_MS }));
    });
    return {
      end_to_end_per_s: rates.end_to_end_per_s!,
      execute_per_s: rates.execute_per_s!,
      warm_p50_ms: quantile(warm, 0.5),
      warm_p99_ms: quantile(warm, 0.99),
      cold_p50_ms: quantile(cold, 0.5),
      cold_p99_ms: quantile(cold, 0.99),
      cold_with_spare_p99_ms: quantile(spare, 0.99),
      spin_beyond_kill_after_ms: spinMs - 100 - KILL_AFTER_MS,
      descendants_left: await withExecutor(
        {},
        (executor) => descendantsLeft(executor, job("brood")),
      ),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function withExecutor<T>(
  options: { readonly spare?: number },
  action: (executor: Executor) => Promise<T>,
): Promise<T> {
  const executor = createProcessExecutor({
    clock: systemClock,
    logger: silentLogger,
    count: 4,
    idleMs: 60_000,
    command: existsSync(JOBCTL) ? [JOBCTL] : selfCommand(),
    environment: "minimal",
    ...options,
  });
  await executor.start();
  try {
    return await action(executor);
  } finally {
    await executor.stop();
  }
}

/** Milliseconds of one attempt, from its start to its outcome. */
async function once(executor: Executor, job: JobDefinition): Promise<number> {
  const task = makeTask(job);
  const startMs = performance.now();
  await executor.run(task, new RecordingSink()).outcome;
  return performance.now() - startMs;
}

async function coldRuns(job: JobDefinition, spare: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < COLD_RUNS; index++) {
    await withExecutor({ spare }, async (executor) => {
      // A spare worker is one that had the time to start.
      if (spare > 0) await new Promise((resolve) => systemClock.timer(300, () => resolve(null)));
      times.push(await once(executor, job));
    });
  }
  return times;
}

async function descendantsLeft(executor: Executor, job: JobDefinition): Promise<number> {
  const outcome = await executor.run(makeTask(job), new RecordingSink()).outcome;
  if (outcome.type !== "ok") throw new Error(JSON.stringify(outcome));
  const [pids] = JSON.parse(outcome.resultsJson) as [number[]];
  return pids.filter(isAlive).length;
}
