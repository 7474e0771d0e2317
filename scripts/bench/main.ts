import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { measureExecution } from "./execution.ts";
import { measureBlockedKey } from "./blocked.ts";
import { measureGrpc } from "./grpc.ts";
import { measurePickUp } from "./latency.ts";
import { measureSchedules } from "./schedules.ts";
import { measureSimulation } from "./simulation.ts";
import { measureThroughput } from "./throughput.ts";

/** How a scenario is to be run. */
export interface BenchOptions {
  readonly jobs: number;
  readonly workers: number;
}

/** One run's figures, by name; the unit ends the name. */
export type Figures = Readonly<Record<string, number>>;

type Scenario = (options: BenchOptions) => Promise<Figures>;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "throughput-memory-inline": (options) =>
    measureThroughput({ ...options, store: "memory", isolation: "inline" }),
  "throughput-sqlite-inline": (options) =>
    measureThroughput({ ...options, store: "sqlite", isolation: "inline" }),
  "throughput-memory-process": (options) =>
    measureThroughput({ ...options, store: "memory", isolation: "process" }),
  "throughput-sqlite-process": (options) =>
    measureThroughput({ ...options, store: "sqlite", isolation: "process" }),
  "pick-up-sqlite-inline": () => measurePickUp("inline"),
  "pick-up-sqlite-process": () => measurePickUp("process"),
  "blocked-key-sqlite": (options) => measureBlockedKey(options),
  "grpc": () => measureGrpc(),
  "exec-4-workers": (options) => measureExecution(options.jobs),
  "schedules-10000-sqlite": () => measureSchedules(),
  "simulate-year-200-jobs": async () => measureSimulation(),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: "string", default: "10000" },
    workers: { type: "string", default: "16" },
    runs: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const options = { jobs: Number(values.jobs), workers: Number(values.workers) };
const names = Object.keys(SCENARIOS).filter((name) =>
  positionals.length === 0 || positionals.some((wanted) => name.includes(wanted))
);
if (names.length === 0) {
  console.error(
    `No scenario "${positionals.join(" ")}"; there are: ${Object.keys(SCENARIOS).join(", ")}`,
  );
  process.exit(2);
}
console.error(
  `${cpus().length} cores, Bun ${process.versions.bun}, ${options.jobs} jobs, ${options.workers} workers`,
);
for (const name of names) {
  const runs: Figures[] = [];
  for (let run = 0; run < Number(values.runs); run++) runs.push(await SCENARIOS[name]!(options));
  print(name, runs);
}
process.exit(0);

function print(name: string, runs: readonly Figures[]): void {
  const keys = Object.keys(runs[0]!);
  const summary = Object.fromEntries(keys.map((key) => {
    const sorted = runs.map((run) => run[key]!).sort((a, b) => a - b);
    const middle = sorted[Math.floor(sorted.length / 2)]!;
    return [key, { median: round(middle), min: round(sorted[0]!), max: round(sorted.at(-1)!) }];
  }));
  if (values.json) {
    console.log(JSON.stringify({ scenario: name, runs: runs.length, ...options, ...summary }));
    return;
  }
  for (const [key, { median, min, max }] of Object.entries(summary)) {
    console.log(
      `${name.padEnd(28)} ${key.padEnd(24)} ${String(median).padStart(10)}  (${min} – ${max})`,
    );
  }
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 1_000) / 1_000;
}
