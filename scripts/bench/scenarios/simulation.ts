import { SCHEDULE_DEFAULTS } from "../../../src/core/job/option_table.ts";
import { parseScheduleText } from "../../../src/core/time/ticks.ts";
import type { SimulatedJob } from "../../../src/tools/simulation/engine.ts";
import { report } from "../../../src/tools/simulation/report.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";

const JOBS = 200;

/** A busy server: 120 daily jobs, 60 hourly, 15 every quarter of an hour, 5 every five minutes. */
async function measure(settings: Settings): Promise<Figures> {
  const fromMs = Date.UTC(2026, 0, 1);
  const started = performance.now();
  const { ticks } = report({
    jobs: Array.from({ length: JOBS }, (_, index) => jobOf(index)),
    workers: 16,
    node: "bench",
    fromMs,
    toMs: fromMs + scaled(settings, 365, 1) * 86_400_000,
  });
  return { rate: ticks / ((performance.now() - started) / 1_000) };
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

/** `jobctl simulate`. */
export const SIMULATION: readonly Scenario[] = [{
  name: "simulation",
  about: "ticks a second of a simulated year of 200 jobs (1.6 million ticks)",
  usesStore: false,
  figures: [{ name: "rate", unit: "ticks/s", better: "higher" }],
  run: measure,
}];
