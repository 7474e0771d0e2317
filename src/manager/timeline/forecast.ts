import type { Instance } from "../../core/instance.ts";
import { clockNote } from "../../core/time/clock_notes.ts";
import { forecastTicks } from "../../core/time/forecast.ts";
import { openZone } from "../../core/time/zone.ts";
import { instanceWhy } from "./explain_text.ts";
import { tickWhy } from "./forecast_text.ts";
import {
  addTo,
  checkSpan,
  type Future,
  type Futures,
  limitsOf,
  readFutures,
  shownKinds,
  TickCounter,
  type TimelineParts,
  withDurations,
  Work,
} from "./tick_forecast.ts";
import {
  type Density,
  FORECAST_MS_MAX,
  type ForecastEntry,
  type ForecastQuery,
  type ForecastResult,
} from "../api/timeline.ts";

const DAY_MS = 86_400_000;
/** Most schedules whose frequent ticks are counted apart; the others are summed up. */
const DENSITIES_MAX = 50;

/** Forecast the probable runs of schedules and waiting instances. @throws JobError */
export async function forecast(
  query: ForecastQuery,
  parts: TimelineParts,
): Promise<ForecastResult> {
  const nowMs = parts.clock.now().wallMs;
  const { kinds } = query;
  const fromMs = Math.max(query.from ?? nowMs, nowMs);
  const toMs = query.to ?? fromMs + DAY_MS;
  checkSpan("forecast", { fromMs, toMs }, FORECAST_MS_MAX);
  const { limit, bounds } = limitsOf(query, { fromMs, toMs });
  const work = new Work(parts.clock);

  const futures = await readFutures(kinds, { fromMs, toMs }, parts, work);
  const { waiting, isEstimate } = await countWaiting([fromMs, toMs], kinds, parts);
  // Rare ticks are more informative than frequent ones, which are counted instead.
  const sorted = [...futures.all].sort((left, right) => left.count - right.count);
  const tickMax = limit - Math.min(waiting, Math.floor(limit / 2));
  const listed = firstWithin(sorted, tickMax);
  const frequent = sorted.slice(listed.length).reverse();
  const [rare, dense] = await Promise.all([
    withDurations(listed, parts),
    withDurations(frequent, parts),
  ]);
  work.resume();
  // First, because an omitted frequent schedule would be missed most.
  const { densities, leftOut } = await densitiesOf(dense, bounds, work);
  const entries: ForecastEntry[] = [];
  for (const future of rare) {
    for (const entry of entriesOf(future, futures, { fromMs, toMs })) {
      entries.push(entry);
      await work.mayGoOn();
    }
  }
  const left = Math.max(1, limit - entries.length);
  if (waiting > 0) entries.push(...await waitingEntries({ fromMs, toMs }, left, kinds, parts));
  entries.sort((left, right) => left.at - right.at);
  return {
    from: fromMs,
    to: toMs,
    entries: entries.slice(0, limit),
    bounds,
    densities,
    waiting,
    isEstimate,
    leftOut: [...futures.leftOut, ...leftOut],
  };
}

/** The number of instances that become due between two times. */
async function countWaiting(
  bounds: readonly number[],
  kinds: readonly string[] | undefined,
  { store }: TimelineParts,
): Promise<{ readonly waiting: number; readonly isEstimate: boolean }> {
  const counted = await store.countSpans({ by: "due", bounds, ...(kinds ? { kinds } : {}) });
  const isShown = shownKinds(kinds);
  const found = counted.filter(({ kind }) => isShown(kind));
  return {
    waiting: found.reduce((sum, { counts }) => sum + counts[0]!, 0),
    isEstimate: found.some(({ isEstimate }) => isEstimate),
  };
}

/** The longest prefix of the schedules with at most `max` ticks in all. */
function firstWithin(sorted: readonly Future[], max: number): readonly Future[] {
  let ticks = 0;
  const end = sorted.findIndex(({ count }) => (ticks += count) > max);
  return end < 0 ? sorted : sorted.slice(0, end);
}

function* entriesOf(
  { outlook }: Future,
  futures: Futures,
  span: { readonly fromMs: number; readonly toMs: number },
): Generator<ForecastEntry> {
  const { record } = outlook;
  const hasChange = hasClockChange(record.spec.timezone, span);
  for (const tick of forecastTicks(outlook, span)) {
    const isUnserved = futures.unserved.has(record.kind) && tick.skipped === null;
    yield {
      at: tick.at,
      kind: record.kind,
      schedule: record,
      instance: null,
      outcome: tick.skipped !== null ? "skipped" : isUnserved ? "waits" : "runs",
      reason: tick.skipped ?? (isUnserved ? "unserved" : null),
      why: tickWhy(outlook, tick, futures),
      startsAt: tick.startsAt,
      durationMs: outlook.durationMs,
      clockChange: hasChange ? clockNote(record.spec, tick.at) : null,
    };
  }
}

/** True if clocks change around a span of time; a note costs more than a tick. */
function hasClockChange(
  timezone: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): boolean {
  const zone = openZone(timezone);
  return zone.offsetAt(Math.floor((fromMs - DAY_MS) / 1_000)) !==
    zone.offsetAt(Math.floor((toMs + DAY_MS) / 1_000));
}

async function waitingEntries(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  limit: number,
  kinds: readonly string[] | undefined,
  { store, clock, facts, histories }: TimelineParts,
): Promise<readonly ForecastEntry[]> {
  const request = { after: fromMs, before: toMs, limit, ...(kinds ? { kinds } : {}) };
  const isShown = shownKinds(kinds);
  const instances = (await store.listLater(request)).filter(({ kind }) => isShown(kind));
  const historyOf = await histories.of(instances.map(({ kind }) => kind));
  const unserved = await facts.unservedKinds(new Set(instances.map(({ kind }) => kind)));
  const nowMs = clock.now().wallMs;
  return instances.map((instance) =>
    waitingEntry(instance, {
      nowMs,
      durationMs: historyOf(instance.kind).durationMs,
      isUnserved: unserved.has(instance.kind),
    })
  );
}

function waitingEntry(
  instance: Instance,
  { nowMs, durationMs, isUnserved }: {
    readonly nowMs: number;
    readonly durationMs: number | null;
    readonly isUnserved: boolean;
  },
): ForecastEntry {
  const { kind, dueAt } = instance;
  const why = instanceWhy(instance, {
    nowMs,
    timezone: "UTC",
    ahead: null,
    pause: null,
    jitterMs: 0,
    block: null,
    waits: instance.waits ?? [],
  });
  return {
    at: dueAt,
    kind,
    schedule: null,
    instance,
    outcome: isUnserved ? "waits" : "runs",
    reason: isUnserved ? "unserved" : null,
    why: isUnserved ? `${why}; no node can run "${kind}"` : why,
    startsAt: dueAt,
    durationMs,
    clockChange: null,
  };
}

async function densitiesOf(
  dense: readonly Future[],
  bounds: readonly number[],
  work: Work,
): Promise<{ readonly densities: readonly Density[]; readonly leftOut: readonly string[] }> {
  const densities: Density[] = [];
  const rest = { ticks: [] as number[], skipped: [] as number[] };
  const counter = new TickCounter(bounds);
  const leftOut: string[] = [];
  for (const future of dense) {
    if (!await work.mayGoOn()) {
      leftOut.push(future.outlook.record.kind);
      continue;
    }
    const { ticks, skipped } = counter.count(future);
    if (densities.length < DENSITIES_MAX) {
      const { id, kind } = future.outlook.record;
      densities.push({ schedule: { id, kind }, ticks, skipped });
    } else {
      addTo(rest.ticks, ticks);
      addTo(rest.skipped, skipped);
    }
  }
  if (rest.ticks.length > 0) densities.push({ schedule: null, ...rest });
  return { densities, leftOut };
}
