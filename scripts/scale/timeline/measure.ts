import process from "node:process";
import { setInterval, setTimeout } from "node:timers";
import type { LiveFacts } from "../../../src/manager/api.ts";
import { Timeline } from "../../../src/manager/timeline/timeline.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { Store } from "../../../src/store/store.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const IDLE_WAIT_MS = 500;
const IDLE_WAITS_MAX = 120;

/** How long one read takes, in milliseconds. */
export interface Figure {
  readonly name: string;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Processor time of this process, on average: the rest was waiting, also for a processor. */
  readonly processorMs: number;
  /** The longest time that nothing else in this process could run. */
  readonly blockedMs: number;
}

/** Measure each read on an open, filled store. @param times how often each is repeated */
export async function measure(
  store: Store,
  { nowMs: now, times }: { readonly nowMs: number; readonly times: number },
): Promise<readonly Figure[]> {
  const facts: LiveFacts = {
    kinds: async () => [...(await store.stats()).kinds.keys()],
    ownKinds: async () => [],
    isKnown: async () => true,
    assertKnown: async () => {},
    timezoneOf: async () => "UTC",
    disabledBecause: async () => null,
    blockOf: async () => null,
    processesOf: async () => new Map(),
    unservedKinds: async () => new Map(),
    kindsOfTag: async () => [],
    listPauses: () => store.listPauses(),
  };
  const timeline = new Timeline({ store, clock: systemClock, facts });
  const past = (ms: number) => ({ from: now - ms, to: now });
  const future = (ms: number) => ({ from: now, to: now + ms });
  const reads: Readonly<Record<string, () => Promise<unknown>>> = {
    "calendar, 31 days": () =>
      timeline.calendar({ from: now - 30 * DAY_MS, to: now + DAY_MS, timezone: "Asia/Kolkata" }),
    "calendar, hours of a day": () =>
      timeline.calendar({ ...past(HOUR_MS), timezone: "Europe/Berlin", hours: true }),
    "calendar, one job": () => timeline.calendar({ kinds: ["k3"] }),
    "timeline, a minute": () => timeline.lookupTimeline(past(60_000)),
    "timeline, a day": () => timeline.lookupTimeline(past(DAY_MS)),
    "timeline, a month": () => timeline.lookupTimeline(past(31 * DAY_MS)),
    "timeline, one job, a month": () =>
      timeline.lookupTimeline({ ...past(31 * DAY_MS), kinds: ["k3"] }),
    "forecast, an hour": () => timeline.forecast(future(HOUR_MS)),
    "forecast, a day": () => timeline.forecast(future(DAY_MS)),
    "forecast, a month": () => timeline.forecast(future(31 * DAY_MS)),
  };
  await untilIdle();
  const figures: Figure[] = [];
  for (const [name, read] of Object.entries(reads)) {
    figures.push(await figureOf(name, read, times));
  }
  return figures;
}

/** Wait until this process has nothing left to do of the filling: etcd's rows are still folded. */
async function untilIdle(): Promise<void> {
  for (let wait = 0; wait < IDLE_WAITS_MAX; wait++) {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, IDLE_WAIT_MS));
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1_000 < IDLE_WAIT_MS * 0.05) return;
  }
  throw new Error("The store is still at work a minute after it was opened");
}

async function figureOf(
  name: string,
  read: () => Promise<unknown>,
  times: number,
): Promise<Figure> {
  let blockedMs = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    blockedMs = Math.max(blockedMs, now - last - 1);
    last = now;
  }, 1);
  const took: number[] = [];
  const usageBefore = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    const begin = performance.now();
    await read();
    took.push(performance.now() - begin);
  }
  clearInterval(watch);
  const { user, system } = process.cpuUsage(usageBefore);
  const sorted = [...took].sort((left, right) => left - right);
  return {
    name,
    firstMs: took[0]!,
    medianMs: sorted[Math.floor(sorted.length / 2)]!,
    maxMs: sorted.at(-1)!,
    processorMs: (user + system) / 1_000 / times,
    blockedMs,
  };
}
