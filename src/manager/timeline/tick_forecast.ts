import { JobError } from "../../core/errors.ts";
import { QUEUE_MAX, type ScheduleRecord } from "../../core/time/schedule.ts";
import {
  countForecast,
  countFuture,
  forecastTicks,
  type Outlook,
  type TickCounts,
} from "../../core/time/forecast.ts";
import { pausedUntil } from "../../core/time/next_run.ts";
import { isNoticeKind } from "../../notices/context/notice_kinds.ts";
import type { Clock } from "../../platform/clock.ts";
import { Slices } from "../../platform/slices.ts";
import type { Pause, StoreReads } from "../../store/store.ts";
import { schedulePages } from "../schedules/stored_schedules.ts";
import type { KindHistories } from "./kind_history.ts";
import type { LiveFacts } from "../api/reads.ts";
import { type ForecastQuery, ITEMS_MAX, SPANS_MAX } from "../api/timeline.ts";

const LIMIT_DEFAULT = 500;
const SPANS_DEFAULT = 60;
/** Computing time of one call, without waits; ticks beyond it are left out. */
const WORK_MS_MAX = 1_000;
/** Steps between two looks at the clock. */
const STEPS = 8;
/** Most schedules whose queued runs are considered. */
const QUEUES_MAX = 50;
/** Most running instances that are considered. */
const RUNNING_MAX = 1_000;

/** Sources of the reads about past and future. */
export interface TimelineParts {
  readonly store: StoreReads;
  readonly clock: Clock;
  readonly facts: LiveFacts;
  readonly histories: KindHistories;
}

/** Bounds the work of one call, and lets other work run in between. */
export class Work {
  readonly #clock: Clock;
  readonly #slices: Slices;
  #resumedMs: number;
  #usedMs = 0;
  #steps = 0;
  #hasTime = true;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#slices = new Slices(clock);
    this.#resumedMs = clock.now().monotonicMs;
  }

  /** Await this at every step. Returns false if its time is over. */
  async mayGoOn(): Promise<boolean> {
    // Most steps take less than reading the clock.
    if (++this.#steps % STEPS !== 0) return this.#hasTime;
    this.#usedMs += this.#clock.now().monotonicMs - this.#resumedMs;
    this.#hasTime = this.#usedMs < WORK_MS_MAX;
    await this.#slices.pause();
    this.resume();
    return this.#hasTime;
  }

  /** Call this after a wait for the store, which does not count. */
  resume(): void {
    this.#resumedMs = this.#clock.now().monotonicMs;
  }
}

/** A schedule with future ticks, and its known state. */
export interface Future {
  readonly outlook: Outlook;
  /** The number of its ticks in the span. */
  readonly count: number;
}

/** The schedules with ticks in a span of time. */
export interface Futures {
  readonly all: readonly Future[];
  /** All schedules, of all kinds, by id. */
  readonly records: ReadonlyMap<string, ScheduleRecord>;
  readonly pauses: readonly Pause[];
  /** Kinds that no node can run, with the reason for disabled jobs. */
  readonly unserved: ReadonlyMap<string, string | null>;
  /** The kinds of unchecked schedules, one per schedule. */
  readonly leftOut: readonly string[];
}

/** Read the schedules of the given kinds that have future ticks in a span. */
export async function readFutures(
  kinds: readonly string[] | undefined,
  span: { readonly fromMs: number; readonly toMs: number },
  { store, clock, facts }: TimelineParts,
  work: Work,
): Promise<Futures> {
  const nowMs = clock.now().wallMs;
  const wanted = kinds && new Set(kinds);
  const pauses = await facts.listPauses();
  const found: { readonly record: ScheduleRecord; readonly count: number }[] = [];
  const leftOut: string[] = [];
  const records = new Map<string, ScheduleRecord>();
  for await (const page of schedulePages(store, {})) {
    work.resume();
    for (const record of page) {
      records.set(record.id, record);
      if (wanted && !wanted.has(record.kind)) continue;
      const count = await work.mayGoOn()
        ? countFuture(outlookOf(record, { nowMs, pauses }), span)
        : null;
      if (count === null) leftOut.push(record.kind);
      else if (count > 0) found.push({ record, count });
    }
  }
  const unserved = await unservedOf(found.map(({ record }) => record.kind), facts);
  const all = found.map(({ record, count }) => {
    const isDisabled = (unserved.get(record.kind) ?? null) !== null;
    return { count, outlook: { ...outlookOf(record, { nowMs, pauses }), isDisabled } };
  });
  return { all, records, pauses, unserved, leftOut };
}

/** The same schedules, with the durations of their runs and the ends of current runs. */
export async function withDurations(
  futures: readonly Future[],
  { store, clock, histories }: TimelineParts,
): Promise<readonly Future[]> {
  const historyOf = await histories.of(futures.map(({ outlook }) => outlook.record.kind));
  const nowMs = clock.now().wallMs;
  const openUntil = new Map<string, number[]>();
  const { items } = await store.list({ states: ["processing"] }, { limit: RUNNING_MAX });
  for (const { scheduleId, kind, processedAt } of items) {
    const { durationMs } = historyOf(kind);
    if (scheduleId === null || processedAt === null || durationMs === null) continue;
    const ends = openUntil.get(scheduleId) ?? [];
    // A run that takes longer than usual may end at any time.
    openUntil.set(scheduleId, [...ends, Math.max(nowMs, processedAt + durationMs)]);
  }
  let lookups = 0;
  for (const { outlook: { record: { id, kind, spec } } } of futures) {
    const ends = openUntil.get(id);
    if (spec.overlap !== "queue" || ends === undefined || ++lookups > QUEUES_MAX) continue;
    // Queued ones run one after another.
    const query = { scheduleId: id, states: ["scheduled"] } as const;
    const { items: held } = await store.list(query, { limit: spec.queueMax ?? QUEUE_MAX });
    for (const _ of held) ends.push(Math.max(...ends) + (historyOf(kind).durationMs ?? 0));
  }
  return futures.map(({ outlook, count }) => ({
    count,
    outlook: {
      ...outlook,
      durationMs: historyOf(outlook.record.kind).durationMs,
      openUntil: openUntil.get(outlook.record.id) ?? [],
    },
  }));
}

/** Counts the ticks of schedules in spans. Those of the same times are counted once. */
export class TickCounter {
  readonly #bounds: readonly number[];
  readonly #known = new Map<string, TickCounts>();

  /** @param bounds epoch ms in order: span i is from `bounds[i]` to before the next */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  count(future: Future): TickCounts {
    const name = sameTimes(future.outlook);
    const known = name === null ? undefined : this.#known.get(name);
    if (known !== undefined) return known;
    const counts = countIn(future, this.#bounds);
    if (name !== null) this.#known.set(name, counts);
    return counts;
  }
}

/** A text shared by schedules with the same outlook; null for a unique outlook. */
function sameTimes(outlook: Outlook): string | null {
  const { record: { spec, startAt, cursor, skipUntil, skipNext = 0 }, ...rest } = outlook;
  const { nowMs, pausedUntil, isDisabled, durationMs, openUntil } = rest;
  if (skipNext > 0 || spec.runsMax !== undefined || openUntil.length > 0) return null;
  if (cursor > nowMs) return null;
  const anchor = spec.everyMs === null ? null : startAt;
  return JSON.stringify([spec, anchor, skipUntil, pausedUntil, isDisabled, durationMs]);
}

// Counts ticks in the cheaper of two ways.
function countIn({ outlook, count }: Future, bounds: readonly number[]): TickCounts {
  if (count > bounds.length) return countForecast(outlook, bounds);
  const ticks = Array<number>(bounds.length - 1).fill(0);
  const skipped = [...ticks];
  let span = 0;
  const range = { fromMs: bounds[0]!, toMs: bounds.at(-1)! };
  for (const tick of forecastTicks(outlook, range)) {
    if (tick.skipped === "runs_max") break;
    while (tick.at >= bounds[span + 1]!) span += 1;
    ticks[span]! += 1;
    if (tick.skipped !== null) skipped[span]! += 1;
  }
  return { ticks, skipped };
}

/** Returns a test for shown kinds: the named ones, otherwise all but notices to people. */
export function shownKinds(kinds: readonly string[] | undefined): (kind: string) => boolean {
  return kinds === undefined ? (kind) => !isNoticeKind(kind) : () => true;
}

/** Add up numbers place by place. */
export function addTo(sums: number[], added: readonly number[]): void {
  for (const [place, value] of added.entries()) sums[place] = (sums[place] ?? 0) + value;
}

/**
 * The most items that a query lists, and the ends of the equal spans in which it counts.
 *
 * @throws JobError `invalid_argument` for a number out of range
 */
export function limitsOf(
  { limit = LIMIT_DEFAULT, spans = SPANS_DEFAULT }: Pick<ForecastQuery, "limit" | "spans">,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
) {
  checkCount("limit", limit, ITEMS_MAX);
  checkCount("spans", spans, SPANS_MAX);
  const count = Math.min(spans, toMs - fromMs);
  const ends = Array.from({ length: count + 1 }, (_, place) => {
    return Math.round(fromMs + (toMs - fromMs) * place / count);
  });
  return { limit, bounds: ends as readonly number[] };
}

/** @throws JobError `invalid_argument` for an empty or too long span */
export function checkSpan(
  action: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  msMax: number,
): void {
  if (toMs > fromMs && toMs - fromMs <= msMax) return;
  const problem = toMs > fromMs
    ? `the span has ${Math.ceil((toMs - fromMs) / 86_400_000)} days, at most ${
      msMax / 86_400_000
    } are allowed`
    : "the span is empty";
  throw new JobError("invalid_argument", `Cannot ${action}: ${problem}`, { options: ["to"] });
}

function checkCount(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new JobError("invalid_argument", `Cannot use "${name}" ${value}: wanted 1 to ${max}`, {
    options: [name],
  });
}

function outlookOf(
  record: ScheduleRecord,
  { nowMs, pauses }: { readonly nowMs: number; readonly pauses: readonly Pause[] },
): Outlook {
  const facts = { isDisabled: false, durationMs: null, openUntil: [] };
  return { record, nowMs, pausedUntil: pausedUntil(record.kind, pauses), ...facts };
}

async function unservedOf(
  kinds: readonly string[],
  facts: LiveFacts,
): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  for (const kind of (await facts.unservedKinds(new Set(kinds))).keys()) {
    const reason = await facts.disabledBecause(kind);
    // A job that runs elsewhere, or on a node that is away for a while, is known.
    if (reason !== null || !await facts.isKnown(kind)) found.set(kind, reason);
  }
  return found;
}
