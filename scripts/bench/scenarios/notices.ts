import { SCHEDULE_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { Notice } from "../../../src/core/notices/notice.ts";
import type { Channel } from "../../../src/notices/channels/channel.ts";
import { type BenchManager, startBenchManager } from "../bench_manager.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { rateOf, summarize } from "../statistics.ts";

/** Measurements of each side, in turns. */
const TURNS = 15;
/** Jobs that run before, unmeasured. */
const WARM_JOBS = 20_000;

/** A channel that hears of everything, and delivers nowhere. */
const CHANNEL: Channel = {
  settings: {
    name: "bench",
    rules: {
      on: ["failed", "recovered", "late", "missed", "long", "short", "lost"],
      ...{ jobs: ["*"], after: 1, rate: null, repeatMs: null, digestMs: null, quiet: [] },
      limit: { most: 100, perMs: 600_000 },
    },
    target: { to: "syslog" },
    timeoutMs: 1_000,
  },
  deliver: (_notice: Notice) => Promise.resolve(),
  preview: (_notice: Notice) => Promise.resolve(""),
};

/** Rates of jobs that succeed, without a channel and with one, in turns. */
async function inTurns(settings: Settings): Promise<Figures> {
  const plain = await startBenchManager(settings);
  try {
    const watched = await startBenchManager(settings);
    try {
      await watched.manager.reload({
        jobs: watched.manager.listJobs().filter(({ source }) => source.type !== "system"),
        disabled: new Map(),
        scheduleDefaults: { ...SCHEDULE_DEFAULTS, timezone: "UTC" },
        keepsUnknown: true,
        channels: [CHANNEL],
      });
      return await compare(plain, watched, settings);
    } finally {
      await watched.close();
    }
  } finally {
    await plain.close();
  }
}

async function compare(
  plain: BenchManager,
  watched: BenchManager,
  settings: Settings,
): Promise<Figures> {
  const jobs = scaled(settings, settings.jobs, 200);
  for (const bench of [plain, watched]) await run(bench, scaled(settings, WARM_JOBS, 200));
  const rates: number[] = [];
  const shares: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    // The second of a pair may profit from the first.
    const isFirst = turn % 2 === 0;
    const first = await run(isFirst ? plain : watched, jobs);
    const second = await run(isFirst ? watched : plain, jobs);
    const [without, withChannel] = isFirst ? [first, second] : [second, first];
    rates.push(withChannel);
    shares.push(withChannel / without);
  }
  return { rate: summarize(rates).median, share: summarize(shares).median };
}

async function run(bench: BenchManager, jobs: number): Promise<number> {
  const ended = bench.ended(jobs);
  return await rateOf(jobs, async () => {
    await bench.enqueue(jobs);
    await ended;
  });
}

/** The cost of notices for jobs that succeed. */
export const NOTICES_COST: readonly Scenario[] = [{
  name: "notices",
  about: "the same as end-to-end, with a channel for all jobs, beside a manager without any",
  usesStore: true,
  figures: [
    { name: "rate", unit: "jobs/s", better: "higher" },
    { name: "share", unit: "× without", better: "higher", target: { sqlite: 0.97, memory: 0.97 } },
  ],
  run: inTurns,
}];
