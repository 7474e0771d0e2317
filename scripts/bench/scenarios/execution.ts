import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { selfCommand } from "../../../src/platform/system/runtime.ts";
import type { Executor } from "../../../src/worker/executor.ts";
import { createProcessExecutor } from "../../../src/worker/process/process_executor.ts";
import { isAlive, makeJob, makeTask, RecordingSink } from "../../../test/support/attempts.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";

const WARM_RUNS = 3_000;
const COLD_RUNS = 15;
const TIMEOUT_MS = 100;
const KILL_AFTER_MS = 500;
const JOBCTL = fileURLToPath(new URL("../../../dist/jobctl", import.meta.url));

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

async function measure(settings: Settings): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const path = join(dir, "bench.ts");
  writeFileSync(path, MODULE);
  const job = (kind: string, options: Partial<JobDefinition["options"]> = {}) =>
    makeJob(kind, { type: "module", path, entry: kind, version: "1" }, options);
  try {
    const warm = await withExecutor({}, async (executor) => {
      const count = scaled(settings, WARM_RUNS, 20);
      for (let index = 0; index < count / 6; index++) await once(executor, job("noop"));
      const times = [];
      for (let index = 0; index < count; index++) times.push(await once(executor, job("noop")));
      return times;
    });
    const cold = await coldRuns(settings, job("noop"), 0);
    const spare = await coldRuns(settings, job("noop"), 1);
    const spinMs = await withExecutor({}, async (executor) => {
      await once(executor, job("noop"));
      return await once(
        executor,
        job("spin", { timeoutMs: TIMEOUT_MS, killAfterMs: KILL_AFTER_MS }),
      );
    });
    return {
      "warm-p50": quantile(warm, 0.5),
      "warm-p99": quantile(warm, 0.99),
      "cold-p99": quantile(cold, 0.99),
      "spare-p99": quantile(spare, 0.99),
      "spin-end": spinMs - TIMEOUT_MS,
      "descendants-left": await withExecutor({}, (executor) => {
        return descendantsLeft(executor, job("brood"));
      }),
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

async function coldRuns(
  settings: Settings,
  job: JobDefinition,
  spare: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < scaled(settings, COLD_RUNS, 2); index++) {
    await withExecutor({ spare }, async (executor) => {
      // A spare worker is one that had the time to start.
      if (spare > 0) await wait(300);
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

/** One execution in a worker process of the compiled file, beside its own work. */
export const EXECUTION: readonly Scenario[] = [{
  name: "execution",
  about:
    "one execution by a warm worker, without one, with a spare one; how long a spinning one outlives its timeout",
  usesStore: false,
  figures: [
    { name: "warm-p50", unit: "ms", better: "lower" },
    { name: "warm-p99", unit: "ms", better: "lower" },
    { name: "cold-p99", unit: "ms", better: "lower" },
    { name: "spare-p99", unit: "ms", better: "lower" },
    { name: "spin-end", unit: "ms", better: "lower", target: { any: KILL_AFTER_MS } },
    { name: "descendants-left", unit: "processes", better: "lower", target: { any: 0 } },
  ],
  run: measure,
}];
