import process from "node:process";
import { exactNow } from "../exact_clock.ts";
import { cpuBetween, processCost } from "../machine.ts";
import type { Figures } from "../scenario.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";
import { loadPeer } from "./contender.ts";

const SCHEDULES = 10_000;
const WATCH_MS = 15_000;
const SETTLE_MS = 5_000;

/** Start schedules; `run` is told of each run when it begins. */
type StartSchedules = (texts: readonly string[], run: () => void) => Promise<void>;

const LIBRARIES: Readonly<Record<string, () => Promise<StartSchedules>>> = {
  "croner": async () => {
    const { Cron } = loadPeer("croner");
    return async (texts, run) => {
      for (const text of texts) new Cron(text, { timezone: "UTC" }, run);
    };
  },
  "node-cron": async () => {
    const cron = loadPeer("node-cron");
    return async (texts, run) => {
      for (const text of texts) cron.schedule(text, run, { timezone: "UTC" });
    };
  },
  "ours-inline": async () => {
    const { startSchedules } = await import("./our_schedules.ts");
    return startSchedules;
  },
};

/** Every ten minutes each, as many due at each second; see the scenario late-cron-10000. */
function everyTenMinutes(index: number): string {
  return `${index % 60} ${Math.floor(index / 60) % 10}-59/10 * * * *`;
}

/**
 * 10,000 cron entries in this process: ready, memory more, processor time and lateness of their
 * runs.
 */
export async function measureCron(name: string): Promise<Figures> {
  const start = await LIBRARIES[name]!();
  const late: number[] = [];
  let early = 0;
  let isWatched = false;
  const run = () => {
    if (!isWatched) return;
    // Runs are due at whole seconds; nobody is half a second late or early here.
    const now = exactNow();
    const dueAt = Math.round(now / 1_000) * 1_000;
    if (Date.now() < dueAt) early += 1;
    late.push(Math.abs(now - dueAt));
  };
  const before = processCost(process.pid);
  const begunAt = performance.now();
  await start(Array.from({ length: SCHEDULES }, (_, index) => everyTenMinutes(index)), run);
  const ready = performance.now() - begunAt;
  await wait(SETTLE_MS);
  const settled = processCost(process.pid);
  isWatched = true;
  await wait(WATCH_MS);
  const after = processCost(process.pid);
  return {
    ready,
    memory: after.rssMb - before.rssMb,
    cpu: cpuBetween(settled, after) * (60_000 / WATCH_MS),
    p50: quantile(late, 0.5),
    p99: quantile(late, 0.99),
    early,
    started: late.length,
  };
}
