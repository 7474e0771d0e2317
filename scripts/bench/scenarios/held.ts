import { type BenchManager, startBenchManager } from "../bench_manager.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { rateOf, summarize } from "../statistics.ts";

/** Instances held by the store beside, at first. */
const FEW = 1_000;
/** Instances held, and the figure's name. */
const HELD = [[1_000, "at-1k"], [100_000, "at-100k"], [1_000_000, "at-1m"]] as const;
const BATCH = 1_000;
const ROUNDS = 9;
const YEAR_MS = 365 * 86_400_000;

/** Let the store hold `count` more: half of them wait for next year, half have ended. */
async function hold({ manager, ...bench }: BenchManager, count: number): Promise<void> {
  const dueAt = Date.now() + YEAR_MS;
  for (let left = count / 2; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left);
    const requests = Array.from({ length: size }, () => ({ kind: "noop", at: dueAt }));
    await manager.scheduleJobs(requests);
  }
  const ended = bench.ended(Math.ceil(count / 2));
  await bench.enqueue(Math.ceil(count / 2));
  await ended;
}

/** Time of a job end to end, in µs. */
async function costOf(bench: BenchManager, jobs: number): Promise<number> {
  const ended = bench.ended(jobs);
  const rate = await rateOf(jobs, async () => {
    await bench.enqueue(jobs);
    await ended;
  });
  return 1_000_000 / rate;
}

/** What a job costs on a store that holds few. */
async function costOfFew(settings: Settings, jobs: number): Promise<number> {
  const few = await startBenchManager(settings);
  try {
    await hold(few, FEW);
    return await costOf(few, jobs);
  } finally {
    await few.close();
  }
}

/**
 * The costs of `many`, and their ratios to those of a store that holds few. In turns, so that both
 * meet the same machine: what else runs on it changes by the minute.
 */
async function inTurns(settings: Settings, many: BenchManager, jobs: number) {
  const costs: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < scaled(settings, ROUNDS, 1); round++) {
    const few = await costOfFew(settings, jobs);
    const cost = await costOf(many, jobs);
    costs.push(cost);
    ratios.push(cost / few);
  }
  return { cost: summarize(costs).median, ratio: summarize(ratios).median };
}

async function measure(settings: Settings): Promise<Figures> {
  const jobs = scaled(settings, settings.jobs, 100);
  const many = await startBenchManager(settings);
  const figures: Record<string, number> = {};
  let held = jobs;
  try {
    await costOf(many, jobs);
    for (const [full, name] of HELD) {
      const goal = scaled(settings, full, 100) / (settings.isQuick ? 10 : 1);
      if (goal > held) await hold(many, goal - held);
      held = Math.max(held, goal) + jobs * ROUNDS;
      const { cost, ratio } = await inTurns(settings, many, jobs);
      figures[name] = cost;
      figures["ratio"] = ratio;
    }
  } finally {
    await many.close();
  }
  return figures;
}

/** What a job costs end to end while the store holds many. */
export const HELD_COST: readonly Scenario[] = [{
  name: "held",
  about: "cost of a job end to end with 1 k, 100 k and 1 M instances held, half of them ended",
  usesStore: true,
  figures: [
    ...HELD.map(([, name]) => ({ name, unit: "µs/job", better: "lower" }) as const),
    { name: "ratio", unit: "× (1 M to 1 k, in turns)", better: "lower", target: { any: 1.3 } },
  ],
  run: measure,
}];
