import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Manager } from "../../src/index.ts";
import type { JobDefinition } from "../../src/core/job.ts";
import type { ScheduleSpec } from "../../src/core/schedule.ts";
import type { Figures } from "./main.ts";

const SCHEDULES = 10_000;
/** All of them fire once in this time: 100 a second. */
const SPREAD_MS = 100_000;
/** How long lateness is measured. */
const FIRING_MS = 15_000;
const IDLE_MS = 20_000;
/** What the start left behind is collected meanwhile. */
const SETTLE_MS = 10_000;
/** After the manager is ready: what is due later is due when the schedules are read again. */
const LEAD_MS = 4_000;

/**
 * A manager with 10,000 schedules of 10,000 jobs on durable SQLite: how long it takes to be ready, what it weighs and takes
 * when nothing is due, how late runs start when 100 a second fire, and how long it takes when all are due at one instant.
 */
export async function measureSchedules(): Promise<Figures> {
  const first = await idle();
  const spread = await fire((index) => index * (SPREAD_MS / SCHEDULES), FIRING_MS);
  const instant = await fire(() => 0, 0);
  return {
    ...first,
    late_p50_ms: quantile(spread.late, 0.5),
    late_p99_ms: quantile(spread.late, 0.99),
    late_max_ms: quantile(spread.late, 1),
    late_runs: spread.late.length,
    instant_all_started_ms: quantile(instant.late, 1),
    instant_started: instant.late.length,
    instant_out_of_order: instant.outOfOrder,
  };
}

async function idle(): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const specOf = (): Partial<ScheduleSpec> => ({ cron: "0 3 1 1 *" });
  const empty = await open(join(dir, "empty.db"), 0, specOf);
  const emptyBytes = memory();
  await empty.stop();
  const begun = performance.now();
  const manager = await open(join(dir, "bench.db"), SCHEDULES, specOf);
  const readyMs = performance.now() - begun;
  await wait(SETTLE_MS);
  const bytes = memory();
  const cpu = process.cpuUsage();
  await wait(IDLE_MS);
  const { user, system } = process.cpuUsage(cpu);
  await manager.stop();
  const again = performance.now();
  const second = await open(join(dir, "bench.db"), SCHEDULES, specOf);
  const readyAgainMs = performance.now() - again;
  await second.stop();
  rmSync(dir, { recursive: true, force: true });
  return {
    ready_first_ms: readyMs,
    ready_again_ms: readyAgainMs,
    memory_more_mb: (bytes - emptyBytes) / 2 ** 20,
    idle_cpu_percent: (user + system) / 10 / IDLE_MS,
    idle_cpu_ms_a_minute: (user + system) / 1_000 * (60_000 / IDLE_MS),
  };
}

async function fire(
  offsetOf: (index: number) => number,
  forMs: number,
): Promise<{ readonly late: readonly number[]; readonly outOfOrder: number }> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const startsAt = Date.now() + LEAD_MS + SCHEDULES / 2;
  const manager = await open(join(dir, "bench.db"), SCHEDULES, (index) => ({
    everyMs: SPREAD_MS,
    startsAt: Math.round(startsAt + offsetOf(index)),
  }));
  const late: number[] = [];
  let outOfOrder = 0;
  let last = -1;
  const done = new Promise<void>((resolve) => {
    manager.subscribe((event) => {
      if (event.type !== "state" || event.state !== "processing") return;
      const { processedAt, scheduledFor, priority } = event.instance;
      late.push(processedAt! - scheduledFor!);
      if (forMs === 0 && priority < last) outOfOrder += 1;
      last = priority;
      if (forMs === 0 && late.length === SCHEDULES) resolve();
    });
  });
  const limitMs = startsAt - Date.now() + (forMs === 0 ? 30_000 : forMs);
  await Promise.race([done, wait(limitMs)]);
  await manager.stop();
  rmSync(dir, { recursive: true, force: true });
  return { late, outOfOrder };
}

async function open(
  path: string,
  count: number,
  specOf: (index: number) => Partial<ScheduleSpec>,
): Promise<Manager> {
  const manager = new Manager({ store: `sqlite:${path}`, workers: 16 });
  const job = manager.registerJob({ kind: "noop", run: () => {} });
  for (let index = 0; index < count; index++) manager.addJob(jobOf(job, index, specOf(index)));
  await manager.start();
  return manager;
}

function jobOf(job: JobDefinition, index: number, spec: Partial<ScheduleSpec>): JobDefinition {
  const base = { cron: null, everyMs: null, timezone: "UTC", overlap: "skip" } as const;
  const more = { misfire: "latest", misfireWithinMs: 86_400_000, jitterMs: 0 } as const;
  return {
    ...job,
    kind: `noop-${index}`,
    options: { ...job.options, priority: index % 3 },
    schedules: [{ spec: { ...base, ...more, ...spec }, arguments: [] }],
  };
}

function memory(): number {
  (globalThis as { Bun?: { gc(force: boolean): void } }).Bun?.gc(true);
  return process.memoryUsage().rss;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
