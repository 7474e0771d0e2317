import type { Figures } from "./main.ts";
import { startBenchManager } from "./bench_manager.ts";

const BATCH = 1_000;
const CALLERS = 16;

/** Jobs a second: enqueued by one caller, by 16, in batches; executed; and end to end. */
export async function measureThroughput(
  options: {
    readonly jobs: number;
    readonly workers: number;
    readonly store: "memory" | "sqlite";
    readonly isolation: "inline" | "process";
  },
): Promise<Figures> {
  const bench = await startBenchManager(options);
  const { manager } = bench;
  const { jobs } = options;
  let finished = 0;
  let reached = () => {};
  let goal = Infinity;
  manager.subscribe((event) => {
    if (event.type !== "attempt") return;
    finished += 1;
    if (finished >= goal) reached();
  });
  const finish = (count: number) =>
    new Promise<void>((resolve) => {
      goal = count;
      reached = resolve;
      if (finished >= goal) resolve();
    });
  try {
    // Workers warm, statements prepared.
    await enqueueBatches(manager, 100);
    await finish(100);
    await manager.resizeWorkers(0);
    const figures: Record<string, number> = {};
    figures["enqueue_one_per_s"] = await rate(1_000, async () => {
      for (let i = 0; i < 1_000; i++) await manager.scheduleJob("noop");
    });
    figures["enqueue_16_callers_per_s"] = await rate(4_000, async () => {
      await Promise.all(Array.from({ length: CALLERS }, async () => {
        for (let i = 0; i < 4_000 / CALLERS; i++) await manager.scheduleJob("noop");
      }));
    });
    figures["enqueue_batches_per_s"] = await rate(jobs, () => enqueueBatches(manager, jobs));
    const waiting = 1_000 + 4_000 + jobs;
    const done = finish(100 + waiting);
    figures["execute_per_s"] = await rate(waiting, async () => {
      await manager.resizeWorkers(options.workers);
      await done;
    });
    const end = finish(100 + waiting + jobs);
    figures["end_to_end_per_s"] = await rate(jobs, async () => {
      await enqueueBatches(manager, jobs);
      await end;
    });
    return figures;
  } finally {
    await bench.close();
  }
}

async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return count / ((performance.now() - started) / 1_000);
}

async function enqueueBatches(
  manager: Awaited<ReturnType<typeof startBenchManager>>["manager"],
  count: number,
): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left);
    await manager.scheduleJobs(Array.from({ length: size }, () => ({ kind: "noop" })));
  }
}
