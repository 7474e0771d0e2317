import type { JobFunction } from "../../../src/core/stored_types.ts";
import { Manager, type RecurringOptions } from "../../../src/index.ts";
import { exactNow } from "../exact_clock.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { type ScratchStore, scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";

/** Delayed instances of one run, due in turn. */
const DELAYED = 1_000;
const DELAYED_STEP_MS = 8;
/** Between the last enqueue and the first that is due. */
const LEAD_MS = 1_000;
/** All of 10,000 schedules that are due in turn are due once in this time. */
const SPREAD_MS = 100_000;
const SPREAD_STEP_MS = 10;
/** How long runs of schedules are watched. */
const WATCH_MS = 15_000;

/** When each run started against when it was due. */
class Lateness {
  readonly #late: number[] = [];
  #early = 0;
  #goal = Infinity;
  #reached = () => {};

  started(dueAt: number): void {
    // Early by the clock that decides is early; the finer one only says by how much.
    if (Date.now() < dueAt) this.#early += 1;
    this.#late.push(Math.max(0, exactNow() - dueAt));
    if (this.#late.length === this.#goal) this.#reached();
  }

  count(goal: number): Promise<void> {
    this.#goal = goal;
    return new Promise((resolve) => this.#reached = resolve);
  }

  figures(): Figures {
    return {
      p50: quantile(this.#late, 0.5),
      p99: quantile(this.#late, 0.99),
      early: this.#early,
      started: this.#late.length,
    };
  }
}

async function withManager(
  settings: Settings,
  run: JobFunction,
  action: (manager: Manager) => Promise<void>,
): Promise<void> {
  const scratch: ScratchStore = await scratchStore(settings.store);
  const manager = new Manager({ store: scratch.options, workers: settings.workers });
  manager.registerJob({ kind: "tick", params: "context: Context, due?: number", run });
  try {
    await action(manager);
  } finally {
    await manager.stop();
    await scratch.clean();
  }
}

/** Instances that are due one after the other, each told by `when` of its due time. */
async function delayed(
  settings: Settings,
  when: (dueAt: number) => { readonly at: number } | { readonly afterMs: number },
): Promise<Figures> {
  const lateness = new Lateness();
  const count = scaled(settings, DELAYED, 20);
  await withManager(
    settings,
    (context) => lateness.started(context.scheduledFor.getTime()),
    async (manager) => {
      await manager.start();
      const all = lateness.count(count);
      const first = Date.now() + scaled(settings, LEAD_MS, 100);
      await Promise.all(Array.from({ length: count }, (_, index) => {
        return manager.scheduleJob("tick", when(first + index * DELAYED_STEP_MS));
      }));
      await all;
    },
  );
  return lateness.figures();
}

/** Runs of `count` schedules that `recurrenceOf` gives. */
async function recurring(
  settings: Settings,
  count: number,
  recurrenceOf: (index: number) => Pick<RecurringOptions, "cron" | "startsAt">,
): Promise<Figures> {
  const lateness = new Lateness();
  let isWatched = false;
  const started = (dueAt: number) => {
    if (isWatched) lateness.started(dueAt);
  };
  await withManager(
    settings,
    (context) => started(context.scheduledFor.getTime()),
    async (manager) => {
      await manager.start();
      const schedules = scaled(settings, count, 10);
      for (let from = 0; from < schedules; from += 500) {
        const some = Array.from({ length: Math.min(500, schedules - from) }, (_, at) => at + from);
        await Promise.all(some.map((index) => {
          return manager.scheduleJob("tick", { ...recurrenceOf(index), overlap: "allow" });
        }));
      }
      await wait(scaled(settings, LEAD_MS * 2, 100));
      isWatched = true;
      await wait(scaled(settings, WATCH_MS, 1_200));
      isWatched = false;
    },
  );
  return lateness.figures();
}

/** Every ten minutes each, spread so that as many are due at each second. */
function everyTenMinutes(index: number): { readonly cron: string } {
  return { cron: `${index % 60} ${Math.floor(index / 60) % 10}-59/10 * * * *` };
}

/** One after the other from now on, a hundred in a second. */
function inTurn(): (index: number) => { readonly cron: string; readonly startsAt: number } {
  const cron = `@every ${SPREAD_MS / 1_000}s`;
  const firstAt = Date.now() + LEAD_MS;
  return (index) => ({ cron, startsAt: firstAt + index * SPREAD_STEP_MS });
}

const everySecond = () => ({ cron: "* * * * * *" });

function scenario(
  name: string,
  about: string,
  run: (settings: Settings) => Promise<Figures>,
): Scenario {
  return {
    ...{ name, group: "lateness", about, usesStore: true, run },
    figures: [
      { name: "p50", unit: "ms", better: "lower", target: { sqlite: 1, memory: 1 } },
      { name: "p99", unit: "ms", better: "lower", target: { sqlite: 5, memory: 5 } },
      { name: "early", unit: "runs", better: "lower", target: { any: 0 } },
      { name: "started", unit: "runs", better: "higher" },
    ],
  };
}

/** How late the job's code starts, inline; never early. */
export const LATENESS: readonly Scenario[] = [
  scenario(
    "late-at",
    "lateness of 1,000 instances for a time, one each 8 ms",
    (settings) => delayed(settings, (dueAt) => ({ at: dueAt })),
  ),
  scenario(
    "late-after",
    "lateness of 1,000 instances after a delay, one each 8 ms",
    (settings) => delayed(settings, (dueAt) => ({ afterMs: Math.max(0, dueAt - Date.now()) })),
  ),
  scenario(
    "late-cron-10",
    "lateness of 10 cron schedules, each every second",
    (settings) => recurring(settings, 10, everySecond),
  ),
  scenario(
    "late-cron-10000",
    "lateness with 10,000 cron schedules, each every 10 minutes, 17 due at each second",
    (settings) => recurring(settings, 10_000, settings.isQuick ? everySecond : everyTenMinutes),
  ),
  scenario(
    "late-every-10000",
    "lateness with 10,000 schedules, each every 100 seconds, one due each 10 ms",
    (settings) => recurring(settings, 10_000, settings.isQuick ? everySecond : inTurn()),
  ),
];
