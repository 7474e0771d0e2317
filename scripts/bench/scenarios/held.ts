import { type BenchManager, startBenchManager } from "../bench_manager.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { rateOf, summarize } from "../statistics.ts";

/** Instances held, and the figure's name. */
const HELD = [[1_000, "at-1k"], [100_000, "at-100k"], [1_000_000, "at-1m"]] as const;
const BATCH = 1_000;
const ROUNDS = 5;
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

async function measure(settings: Settings): Promise<Figures> {
  const jobs = scaled(settings, settings.jobs, 100);
  const bench = await startBenchManager(settings);
  const figures: Record<string, number> = {};
  let held = 0;
  try {
    await hold(bench, jobs);
    held += jobs;
    for (const [full, name] of HELD) {
      const goal = scaled(settings, full, 100) / (settings.isQuick ? 10 : 1);
      if (goal > held) await hold(bench, goal - held);
      held = Math.max(held, goal);
      const rates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const ended = bench.ended(jobs);
        rates.push(
          await rateOf(jobs, async () => {
            await bench.enqueue(jobs);
            await ended;
          }),
        );
      }
      held += jobs * ROUNDS;
      figures[name] = 1_000_000 / summarize(rates).median;
    }
  } finally {
    await bench.close();
  }
  return { ...figures, ratio: figures["at-1m"]! / figures["at-1k"]! };
}

/** What a job costs end to end while the store holds many. */
export const HELD_COST: readonly Scenario[] = [{
  name: "held",
  about: "cost of a job end to end with 1 k, 100 k and 1 M instances held, half of them ended",
  usesStore: true,
  figures: [
    ...HELD.map(([, name]) => ({ name, unit: "µs/job", better: "lower" }) as const),
    { name: "ratio", unit: "× (1 M to 1 k)", better: "lower", target: { any: 1.3 } },
  ],
  run: measure,
}];
