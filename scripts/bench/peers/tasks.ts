import { exactNow } from "../exact_clock.ts";
import type { Figures } from "../scenario.ts";
import { quantile, rateOf } from "../statistics.ts";
import { wait } from "../wait.ts";
import type { Contender } from "./contender.ts";

/** Sizes of what is measured. */
export interface TaskSizes {
  readonly jobs: number;
  readonly calls: number;
  readonly delayed: number;
}

/** Most jobs of one call that enqueues many. */
const BATCH = 1_000;
const ENQUEUE_CALLERS = 16;
const DELAYED_STEP_MS = 8;
const DELAYED_LEAD_MS = 1_000;
/** Between two calls of pick-up: the product is idle again. */
const PAUSE_MS = 5;

/** Resolves when a number of ends is reached. */
class Ends {
  #count = 0;
  #goal = Infinity;
  #reached = () => {};

  readonly add = (count: number): void => {
    this.#count += count;
    if (this.#count >= this.#goal) this.#reached();
  };

  more(count: number): Promise<void> {
    this.#goal = this.#count + count;
    return new Promise((resolve) => this.#reached = resolve);
  }
}

async function addBatches(contender: Contender, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) await contender.addMany(Math.min(BATCH, left));
}

async function endToEnd(contender: Contender, { jobs }: TaskSizes): Promise<Figures> {
  const ends = new Ends();
  await contender.startWorkers({ run: () => {}, ended: ends.add });
  const round = async () => {
    const all = ends.more(jobs);
    await addBatches(contender, jobs);
    await all;
  };
  // As many unmeasured first.
  await round();
  const rate = await rateOf(jobs, round);
  await contender.stopWorkers();
  return { rate };
}

async function enqueue(contender: Contender, { jobs, calls }: TaskSizes): Promise<Figures> {
  await addBatches(contender, jobs / 5);
  for (let call = 0; call < calls / 5; call++) await contender.addOne(0);
  const one = await rateOf(calls, async () => {
    for (let call = 0; call < calls; call++) await contender.addOne(0);
  });
  const each = Math.ceil(jobs / 2 / ENQUEUE_CALLERS);
  const callers = await rateOf(
    each * ENQUEUE_CALLERS,
    () =>
      Promise.all(Array.from({ length: ENQUEUE_CALLERS }, async () => {
        for (let call = 0; call < each; call++) await contender.addOne(0);
      })),
  );
  const batches = await rateOf(jobs, () => addBatches(contender, jobs));
  return { one, callers, batches };
}

async function pickUp(contender: Contender, { calls }: TaskSizes): Promise<Figures> {
  const times: number[] = [];
  let sentAt = 0;
  const ends = new Ends();
  await contender.startWorkers({
    run: () => void times.push(performance.now() - sentAt),
    ended: ends.add,
  });
  for (let call = 0; call < calls * 1.2; call++) {
    // The workers have had the time to ask for the next job.
    await wait(PAUSE_MS);
    const one = ends.more(1);
    sentAt = performance.now();
    await contender.addOne(0);
    await one;
  }
  await contender.stopWorkers();
  const measured = times.slice(-calls);
  return { p50: quantile(measured, 0.5), p99: quantile(measured, 0.99) };
}

async function delayed(contender: Contender, { delayed: count }: TaskSizes): Promise<Figures> {
  const late: number[] = [];
  let early = 0;
  const ends = new Ends();
  await contender.startWorkers({
    run(dueAt) {
      if (Date.now() < dueAt) early += 1;
      late.push(exactNow() - dueAt);
    },
    ended: ends.add,
  });
  const all = ends.more(count);
  const first = Date.now() + DELAYED_LEAD_MS;
  await Promise.all(Array.from({ length: count }, (_, index) => {
    return contender.addAt(first + index * DELAYED_STEP_MS);
  }));
  await all;
  await contender.stopWorkers();
  return { p50: quantile(late, 0.5), p99: quantile(late, 0.99), early };
}

/** What can be measured of a queue, by name. */
export const TASKS = { "end-to-end": endToEnd, enqueue, "pick-up": pickUp, delayed };
