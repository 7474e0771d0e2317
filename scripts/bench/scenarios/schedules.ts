import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Manager } from "../../../src/index.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";
import { REST_MS } from "../wait.ts";

const SCHEDULES = 10_000;
/** After the manager is ready: what is due later is due when the schedules are read again. */
const LEAD_MS = 4_000;
const PROGRAM = fileURLToPath(new URL("../schedules_process.ts", import.meta.url));

interface Costs {
  readonly firstMs: number;
  readonly againMs: number;
  readonly rssMb: number;
  readonly cpuMsAMinute: number;
}

async function costsOf(settings: Settings, count: number): Promise<Costs> {
  const scratch = await scratchStore(settings.store);
  const [settle, idle] = [scaled(settings, REST_MS, 50), scaled(settings, 20_000, 100)];
  const { JOBCTL_STORE_URL: store, JOBCTL_STORE_PREFIX: prefix } = scratch.env;
  const options = { store, prefix, count, settle, idle };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const { stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: "utf8",
  });
  await scratch.clean();
  if (status !== 0) throw new Error(`Cannot measure ${count} schedules: ${stderr}`);
  return JSON.parse(stdout);
}

async function costs(settings: Settings): Promise<Figures> {
  const none = await costsOf(settings, 0);
  const many = await costsOf(settings, scaled(settings, SCHEDULES, 50));
  return {
    first: many.firstMs,
    again: many.againMs,
    memory: many.rssMb - none.rssMb,
    cpu: many.cpuMsAMinute,
  };
}

/**
 * All schedules due at one instant: how long until the last has started, and how many started
 * before a more urgent one.
 */
async function instant(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const count = scaled(settings, SCHEDULES, 50);
  const startsAt = Date.now() + (settings.isQuick ? 500 : LEAD_MS + count / 2);
  const manager = new Manager({ store: scratch.options, workers: settings.workers });
  const job = manager.registerJob({ kind: "noop", run: () => {} });
  const base = { cron: null, timezone: "UTC", overlap: "skip", misfire: "latest" } as const;
  const spec = { ...base, everyMs: 86_400_000, startsAt, misfireWithinMs: 86_400_000, jitterMs: 0 };
  for (let index = 0; index < count; index++) {
    manager.addJob({
      ...job,
      kind: `noop-${index}`,
      options: { ...job.options, priority: index % 3 },
      schedules: [{ spec, arguments: [] }],
    });
  }
  const late: number[] = [];
  let outOfOrder = 0;
  let last = -1;
  const all = new Promise<void>((resolve) => {
    manager.subscribe((event) => {
      if (event.type !== "state" || event.state !== "processing") return;
      const { processedAt, scheduledFor, priority } = event.instance;
      late.push(processedAt! - scheduledFor!);
      if (priority < last) outOfOrder += 1;
      last = priority;
      if (late.length === count) resolve();
    });
  });
  await manager.start();
  await all;
  await manager.stop();
  await scratch.clean();
  return { all: quantile(late, 1), "out-of-order": outOfOrder };
}

/** What many schedules cost. */
export const SCHEDULES_COST: readonly Scenario[] = [
  {
    name: "schedules-10000",
    about: "10,000 jobs with a cron schedule in process: ready, memory more, idle processor time",
    usesStore: true,
    figures: [
      { name: "first", unit: "ms", better: "lower", target: { sqlite: 500 } },
      { name: "again", unit: "ms", better: "lower", target: { sqlite: 500 } },
      { name: "memory", unit: "MB more", better: "lower", target: { sqlite: 20 } },
      { name: "cpu", unit: "ms/min", better: "lower", target: { sqlite: 100 } },
    ],
    run: costs,
  },
  {
    name: "instant-10000",
    about: "10,000 schedules due at one instant: until the last has started",
    usesStore: true,
    figures: [
      { name: "all", unit: "ms", better: "lower" },
      { name: "out-of-order", unit: "runs", better: "lower" },
    ],
    run: instant,
  },
];
