import { type BenchManager, startBenchManager } from "../bench_manager.ts";
import {
  type Figures,
  type FigureSpec,
  scaled,
  type Scenario,
  type Settings,
} from "../scenario.ts";
import { rateOf } from "../statistics.ts";

const CALLERS = 16;
/**
 * So many times as many jobs go unmeasured before: until then code is compiled, statements
 * prepared, workers started.
 */
const WARM_TIMES = 3;

type Isolation = "inline" | "process";

function scenario(
  name: string,
  about: string,
  target: FigureSpec["target"],
  measure: (bench: BenchManager, settings: Settings) => Promise<number>,
  isolation: Isolation = "inline",
): Scenario {
  const run = async (settings: Settings): Promise<Figures> => {
    const small = { ...settings, jobs: scaled(settings, settings.jobs, 200) };
    const bench = await startBenchManager(small, isolation);
    try {
      const warmJobs = small.jobs * WARM_TIMES;
      const warm = bench.ended(warmJobs);
      await bench.enqueue(warmJobs);
      await warm;
      return { rate: await measure(bench, small) };
    } finally {
      await bench.close();
    }
  };
  return {
    ...{ name, group: "throughput", about, usesStore: true, run },
    figures: [{ name: "rate", unit: "jobs/s", better: "higher", target }],
  };
}

async function enqueueByCallers(
  { manager }: BenchManager,
  { jobs }: Settings,
  callers: number,
): Promise<number> {
  // Nothing is claimed meanwhile.
  await manager.resizeWorkers(0);
  const calls = Math.floor(jobs / callers);
  return await rateOf(
    calls * callers,
    () =>
      Promise.all(Array.from({ length: callers }, async () => {
        for (let call = 0; call < calls; call++) await manager.scheduleJob("noop");
      })),
  );
}

async function enqueueBatches(bench: BenchManager, { jobs }: Settings): Promise<number> {
  await bench.manager.resizeWorkers(0);
  return await rateOf(jobs, () => bench.enqueue(jobs));
}

async function process(bench: BenchManager, { jobs, workers }: Settings): Promise<number> {
  await bench.manager.resizeWorkers(0);
  await bench.enqueue(jobs);
  const ended = bench.ended(jobs);
  return await rateOf(jobs, async () => {
    await bench.manager.resizeWorkers(workers);
    await ended;
  });
}

async function endToEnd(bench: BenchManager, { jobs }: Settings): Promise<number> {
  const ended = bench.ended(jobs);
  return await rateOf(jobs, async () => {
    await bench.enqueue(jobs);
    await ended;
  });
}

/** Jobs a second: accepted, executed, and both at once. */
export const THROUGHPUT: readonly Scenario[] = [
  scenario(
    "enqueue-one",
    "accepted a second: one caller that awaits each",
    { sqlite: 5_000 },
    (bench, settings) => enqueueByCallers(bench, settings, 1),
  ),
  scenario(
    "enqueue-callers",
    "accepted a second: 16 callers that await each",
    { sqlite: 30_000 },
    (bench, settings) => enqueueByCallers(bench, settings, CALLERS),
  ),
  scenario(
    "enqueue-batches",
    "accepted a second: batches of 1,000",
    { sqlite: 150_000 },
    enqueueBatches,
  ),
  scenario("process", "executed a second of what waits, inline", undefined, process),
  scenario(
    "end-to-end",
    "enqueued in batches and executed at once, inline",
    { sqlite: 40_000, memory: 100_000, etcd: 2_000 },
    endToEnd,
  ),
  scenario(
    "process-workers",
    "executed a second of what waits, in worker processes",
    undefined,
    process,
    "process",
  ),
  scenario(
    "end-to-end-workers",
    "enqueued in batches and executed at once, in worker processes",
    { sqlite: 15_000 },
    endToEnd,
    "process",
  ),
];
