import process from "node:process";
import { type Context, Manager } from "../../../src/index.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";

const STEPS = 1_000;
const CHILDREN = 10_000;
/** Attempts at once, if the settings say fewer: each waits for a commit after each step. */
const WORKERS = 64;
const SIGNALS = 500;
const PARKED = 100_000;
/** Most instances of one call. */
const BATCH = 1_000;
/** How long an idle daemon with parked instances is watched, in milliseconds. */
const IDLE_MS = 3_000;

type Run = (ctx: Context, ...args: never[]) => unknown;

/** Run `body` with a manager that has these functions as jobs. */
async function withJobs<T>(
  settings: Settings,
  jobs: Readonly<Record<string, Run>>,
  body: (manager: Manager) => Promise<T>,
): Promise<T> {
  const scratch = await scratchStore(settings.store);
  const manager = new Manager({ store: scratch.options, workers: settings.workers });
  for (const [kind, run] of Object.entries(jobs)) {
    const params = "ctx: Context, count?: number";
    manager.registerJob({ kind, params, run: run as (ctx: Context, count?: number) => unknown });
  }
  await manager.start();
  try {
    return await body(manager);
  } finally {
    await manager.stop();
    await scratch.clean();
  }
}

async function enqueue(manager: Manager, kind: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left);
    await manager.scheduleJobs(Array.from({ length: size }, () => ({ kind })));
  }
}

async function allParked(manager: Manager, count: number): Promise<void> {
  for (;;) {
    const { stats } = await manager.status();
    const { scheduled = 0 } = stats.kinds.get("waiting") ?? {};
    const open = await manager.lookupInstances({ kind: "waiting", state: "processing" }, {
      limit: 1,
    });
    if (scheduled === count && open.items.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Time of a function in milliseconds. */
async function msOf(run: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  await run();
  return performance.now() - beganAt;
}

function threeSteps(settings: Settings): Promise<Figures> {
  const run: Run = async (ctx) => {
    for (const name of ["a", "b", "c"]) await ctx.step(name, () => name);
  };
  const workers = Math.max(settings.workers, WORKERS);
  return withJobs({ ...settings, workers }, { run }, async (manager) => {
    const count = scaled(settings, settings.jobs, 50);
    const ms = await msOf(async () => {
      await enqueue(manager, "run", count);
      await manager.idle();
    });
    return { rate: count / ms * 1_000 };
  });
}

function oneStep(settings: Settings): Promise<Figures> {
  const steps: Run = async (ctx, count: number) => {
    for (let index = 0; index < count; index++) await ctx.step("s", () => index);
  };
  return withJobs(settings, { steps }, async (manager) => {
    const count = scaled(settings, STEPS, 20);
    const time = (n: number) =>
      msOf(async () =>
        void await manager.wait(await manager.scheduleJob("steps", { arguments: [n] }))
      );
    await time(10);
    const without = await time(0);
    return { ms: (await time(count) - without) / count };
  });
}

function replay(settings: Settings): Promise<Figures> {
  let beganAt = 0;
  let reachedAt = 0;
  const run: Run = async (ctx, count: number) => {
    beganAt = performance.now();
    for (let index = 0; index < count; index++) await ctx.step("s", () => index);
    reachedAt = performance.now();
    await ctx.waitFor("go");
  };
  return withJobs(settings, { waiting: run }, async (manager) => {
    const count = scaled(settings, STEPS, 20);
    const instance = await manager.scheduleJob("waiting", { arguments: [count] });
    await allParked(manager, 1);
    await manager.signalInstance({ id: instance.id }, "go");
    await manager.wait(instance);
    return { ms: reachedAt - beganAt };
  });
}

function fanOut(settings: Settings): Promise<Figures> {
  const jobs: Readonly<Record<string, Run>> = {
    child: () => 1,
    parent: async (ctx, count: number) =>
      (await ctx.callAll("child", Array.from({ length: count }, () => []))).length,
  };
  return withJobs(settings, jobs, async (manager) => {
    const count = scaled(settings, CHILDREN, 100);
    const ms = await msOf(async () =>
      void await manager.wait(await manager.scheduleJob("parent", { arguments: [count] }))
    );
    return { ms };
  });
}

function signals(settings: Settings): Promise<Figures> {
  let wokenAt = 0;
  const waiting: Run = async (ctx) => {
    const { timedOut } = await ctx.waitFor("go");
    if (!timedOut) wokenAt = performance.now();
  };
  return withJobs(settings, { waiting }, async (manager) => {
    const times: number[] = [];
    for (let index = 0; index < scaled(settings, SIGNALS, 10); index++) {
      const { id } = await manager.scheduleJob("waiting");
      await allParked(manager, 1);
      const sentAt = performance.now();
      await manager.signalInstance({ id }, "go");
      await manager.wait(id);
      times.push(wokenAt - sentAt);
    }
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  });
}

function parked(settings: Settings): Promise<Figures> {
  const waiting: Run = async (ctx) => void await ctx.waitFor("go");
  return withJobs(settings, { waiting }, async (manager) => {
    const count = scaled(settings, PARKED, 500);
    const before = memoryMb();
    await enqueue(manager, "waiting", count);
    await allParked(manager, count);
    const spent = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, settings.isQuick ? 200 : IDLE_MS));
    const { user, system } = process.cpuUsage(spent);
    return { memory: memoryMb() - before, idle: (user + system) / 1_000 };
  });
}

function memoryMb(): number {
  (globalThis as { Bun?: { gc(isNow: boolean): void } }).Bun?.gc(true);
  return process.memoryUsage().rss / 2 ** 20;
}

/** Steps, waits and children of functions, inline. */
export const FLOWS: readonly Scenario[] = [
  {
    name: "flow-steps",
    about: "instances of three steps each, inline, 64 at once",
    usesStore: true,
    figures: [{
      name: "rate",
      unit: "jobs/s",
      better: "higher",
      target: { sqlite: 5_000, valkey: 3_000 },
    }],
    run: threeSteps,
  },
  {
    name: "flow-step",
    about: "time that each step adds to an instance",
    usesStore: true,
    figures: [{ name: "ms", unit: "ms", better: "lower", target: { sqlite: 0.5 } }],
    run: oneStep,
  },
  {
    name: "flow-replay",
    about: "time until an instance of 1,000 finished steps is where it was",
    usesStore: true,
    figures: [{ name: "ms", unit: "ms", better: "lower", target: { any: 50 } }],
    run: replay,
  },
  {
    name: "flow-fan-out",
    about: "10,000 children called, run and joined, inline",
    usesStore: true,
    figures: [{ name: "ms", unit: "ms", better: "lower", target: { sqlite: 2_000 } }],
    run: fanOut,
  },
  {
    name: "flow-signal",
    about: "from the call that sends a signal to the code that waits for it",
    usesStore: true,
    figures: [
      { name: "p50", unit: "ms", better: "lower" },
      { name: "p99", unit: "ms", better: "lower", target: { any: 5 } },
    ],
    run: signals,
  },
  {
    name: "flow-parked",
    about: "100,000 parked instances: memory, and processor time of three seconds",
    usesStore: true,
    figures: [
      { name: "memory", unit: "MB", better: "lower" },
      { name: "idle", unit: "ms", better: "lower" },
    ],
    run: parked,
  },
];
