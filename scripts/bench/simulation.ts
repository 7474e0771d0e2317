import { SCHEDULE_DEFAULTS } from "../../src/core/schedule.ts";
import { parseScheduleText } from "../../src/core/ticks.ts";
import type { SimulatedJob } from "../../src/tools/simulation/engine.ts";
import { report } from "../../src/tools/simulation/report.ts";
import type { Figures } from "./main.ts";

const JOBS = 200;

/** A year of a busy server: 120 daily jobs, 60 hourly, 15 every quarter of an hour, 5 every five minutes. */
export function measureSimulation(): Figures {
  const started = performance.now();
  const { ticks } = report({
    jobs: Array.from({ length: JOBS }, (_, index) => jobOf(index)),
    workers: 16,
    node: "bench",
    fromMs: Date.UTC(2026, 0, 1),
    toMs: Date.UTC(2027, 0, 1),
  });
  const elapsedMs = performance.now() - started;
  return { ticks, elapsedMs, ticksPerSecond: ticks / (elapsedMs / 1_000) };
}

function jobOf(index: number): SimulatedJob {
  const [minute, hour] = [(index * 7) % 60, (index * 5) % 24];
  const kind = `job${index}`;
  const { cron, everyMs } = parseScheduleText(textOf(index, minute, hour));
  const timezone = index % 2 === 0 ? "UTC" : "Europe/Berlin";
  const spec = { ...SCHEDULE_DEFAULTS, cron, everyMs, timezone };
  return {
    kind,
    durationMs: 10_000 + 1_000 * index,
    schedules: [{ id: `config:${kind}:0`, spec, priority: 5, limits: [] }],
  };
}

function textOf(index: number, minute: number, hour: number): string {
  if (index < 120) return `${minute} ${hour} * * *`;
  if (index < 180) return `${minute} * * * *`;
  return index < 195 ? "*/15 * * * *" : "*/5 * * * *";
}
