import type { ScheduleRecord } from "./schedule.ts";
import { blackoutSpans } from "./blackout.ts";
import { type SkipReason, skipReason } from "./tick_decision.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "./ticks.ts";

/** Most ticks before a span that are decided one by one, to know their effects. */
const WARM_UP_MAX = 1_000;

/** A schedule and its current state. Times are epoch ms. */
export interface Outlook {
  readonly record: ScheduleRecord;
  readonly nowMs: number;
  /** End of the pause of its job, Infinity if it has no end; null without a pause. */
  readonly pausedUntil: number | null;
  /** True if its job is configured but not loaded. */
  readonly isDisabled: boolean;
  /** Usual duration of a run; null if unknown. */
  readonly durationMs: number | null;
  /** When its unfinished runs are expected to end. */
  readonly openUntil: readonly number[];
}

/** Why a tick will probably not run. */
export type ExpectedSkip = SkipReason | "disabled";

/** A future tick and its expected outcome. Times are epoch ms. */
export interface ForecastTick {
  readonly at: number;
  /** Null if it runs. */
  readonly skipped: ExpectedSkip | null;
  /** Expected start of its run, without jitter: later if it waits for an earlier one. */
  readonly startsAt: number;
  /** Expected end of an unfinished run that it will probably replace; null for none. */
  readonly replaces: number | null;
}

/** Ticks of a schedule in spans of time. */
export interface TickCounts {
  /** One for each span. */
  readonly ticks: readonly number[];
  /** Number of them that will probably be skipped. */
  readonly skipped: readonly number[];
}

/** Number of ticks of a schedule in a span, without the times before its cursor and now. */
export function countFuture(
  { record, nowMs }: Outlook,
  span: { readonly fromMs: number; readonly toMs: number },
): number {
  if (!hasFuture(record)) return 0;
  const afterMs = Math.max(record.cursor, nowMs - 1, span.fromMs - 1);
  return countTicksOf(record.spec, record.startAt, { afterMs, untilMs: span.toMs - 1 });
}

/**
 * The ticks of a schedule in a span, in order, each decided as the scheduler would if nothing
 * changes and runs take their usual time. Ends with the first tick after the last run by `runsMax`.
 */
export function* forecastTicks(
  outlook: Outlook,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Generator<ForecastTick> {
  const { record } = outlook;
  if (!hasFuture(record)) return;
  const { spec, startAt } = record;
  const state = new Expectation(outlook);
  let at = nextTickOf(spec, startAt, state.begin(fromMs));
  while (at !== null && at < toMs) {
    const tick = state.decide(at);
    if (at >= fromMs) yield tick;
    if (tick.skipped === "runs_max") return;
    at = nextTickOf(spec, startAt, at);
  }
}

/**
 * The ticks of a schedule in spans, counted without listing them. Skips for overlaps are estimated
 * from the usual duration of a run and the mean distance of ticks.
 *
 * @param bounds epoch ms in order: span i is from `bounds[i]` to before the next
 */
export function countForecast(outlook: Outlook, bounds: readonly number[]): TickCounts {
  const { record, nowMs, isDisabled } = outlook;
  const { spec } = record;
  const spans = bounds.length - 1;
  const ticks = Array<number>(spans).fill(0);
  const skipped = Array<number>(spans).fill(0);
  if (!hasFuture(record)) return { ticks, skipped };
  const begin = Math.max(record.cursor, nowMs - 1);
  // Runs before the first span count for `runsMax`, as a separate span.
  const hasBefore = spec.runsMax !== undefined && bounds[0]! > begin + 1;
  const all = hasBefore ? [begin + 1, ...bounds] : bounds;
  const closed = isDisabled ? [] : closedSpans(outlook, begin, all);
  let runsLeft = (spec.runsMax ?? Infinity) - (record.runs ?? 0);
  for (let place = 0; place < all.length - 1 && runsLeft > 0; place++) {
    const range = { afterMs: Math.max(begin, all[place]! - 1), untilMs: all[place + 1]! - 1 };
    const count = countIn(record, range.afterMs, range.untilMs);
    if (count === 0) continue;
    const without = isDisabled ? count : closed.reduce((sum, [from, to]) => {
      const [afterMs, untilMs] = [
        Math.max(range.afterMs, from - 1),
        Math.min(range.untilMs, to - 1),
      ];
      return sum + countIn(record, afterMs, untilMs);
    }, 0);
    const share = runShare(outlook, range);
    const runs = Math.min(runsLeft, Math.round((count - without) * share));
    runsLeft -= runs;
    const span = hasBefore ? place - 1 : place;
    if (span < 0) continue;
    // A finished schedule has no ticks.
    ticks[span] = runsLeft > 0 ? count : without + runs;
    skipped[span] = ticks[span]! - runs;
  }
  return { ticks, skipped };
}

function countIn({ spec, startAt }: ScheduleRecord, afterMs: number, untilMs: number): number {
  return untilMs > afterMs ? countTicksOf(spec, startAt, { afterMs, untilMs }) : 0;
}

function hasFuture(record: ScheduleRecord): boolean {
  return record.removedAt === undefined && record.nextAt !== null;
}

/** Spans in which no tick runs, in order and disjoint. */
function closedSpans(
  { record, pausedUntil }: Outlook,
  begin: number,
  bounds: readonly number[],
): readonly (readonly [from: number, to: number])[] {
  const { spec, startAt, skipUntil = -Infinity, skipNext = 0 } = record;
  const [from, to] = [bounds[0]!, bounds.at(-1)!];
  // The next ticks are skipped in any case.
  let tick: number | null = begin;
  for (let left = skipNext; left > 0 && tick !== null && tick < to; left--) {
    tick = nextTickOf(spec, startAt, tick);
  }
  const skippedUntil = skipNext > 0 ? (tick ?? to) + 1 : -Infinity;
  const until = Math.min(to, Math.max(pausedUntil ?? -Infinity, skipUntil, skippedUntil));
  const first: [number, number][] = until > from ? [[from, until]] : [];
  const windows = blackoutSpans(spec.blackout ?? [], spec.timezone, Math.max(from, until), to);
  return [...first, ...windows];
}

/** The share of ticks that run, given the usual duration of runs. */
function runShare(
  { record: { spec, startAt }, durationMs }: Outlook,
  span: { readonly afterMs: number; readonly untilMs: number },
): number {
  const isLimited = spec.overlap === "skip" || spec.overlap === "queue";
  if (!isLimited || durationMs === null) return 1;
  const first = nextTickOf(spec, startAt, span.afterMs)!;
  const last = lastTickOf(spec, startAt, span) ?? first;
  if (last === first) return 1;
  const distanceMs = (last - first) / (countTicksOf(spec, startAt, span) - 1);
  return 1 / (1 + Math.floor(durationMs / distanceMs));
}

/** The effects of the ticks so far. */
class Expectation {
  readonly #outlook: Outlook;
  #runs: number;
  #skipNext: number;
  /** When unfinished runs will probably end, in order. */
  #openUntil: number[];

  constructor(outlook: Outlook) {
    const { record, openUntil } = outlook;
    this.#outlook = outlook;
    this.#runs = record.runs ?? 0;
    this.#skipNext = record.skipNext ?? 0;
    this.#openUntil = [...openUntil].sort((left, right) => left - right);
  }

  /** The instant after which to decide on ticks, so that ticks from `fromMs` on are known. */
  begin(fromMs: number): number {
    const { record: { spec, startAt, cursor }, nowMs } = this.#outlook;
    const afterMs = Math.max(cursor, nowMs - 1);
    const span = { afterMs, untilMs: fromMs - 1 };
    const passed = fromMs - 1 > afterMs ? countTicksOf(spec, startAt, span) : 0;
    if (passed <= WARM_UP_MAX) return afterMs;
    this.#runs += Math.max(0, passed - this.#skipNext);
    this.#skipNext = Math.max(0, this.#skipNext - passed);
    return fromMs - 1;
  }

  decide(at: number): ForecastTick {
    const { record, pausedUntil, isDisabled, durationMs } = this.#outlook;
    const { overlap } = record.spec;
    this.#openUntil = this.#openUntil.filter((until) => until >= at);
    const isBusy = overlap !== "allow" && this.#openUntil.length > 0;
    const reason = skipReason(record, at, {
      overlap,
      runs: this.#runs,
      skipNext: this.#skipNext,
      isPaused: pausedUntil !== null && at < pausedUntil,
      isBusy,
      queuedCount: Math.max(0, this.#openUntil.length - 1),
      isCatchUp: false,
    });
    const tick = { at, startsAt: at, replaces: null };
    if (reason === "skip requested" && this.#skipNext > 0) this.#skipNext -= 1;
    if (reason !== null) return { ...tick, skipped: reason };
    if (isDisabled) return { ...tick, skipped: "disabled" };
    this.#runs += 1;
    const lastUntil = this.#openUntil.at(-1) ?? at;
    const startsAt = isBusy && overlap === "queue" ? lastUntil : at;
    const replaces = isBusy && overlap === "replace" ? lastUntil : null;
    if (replaces !== null) this.#openUntil = [];
    if (durationMs !== null) this.#openUntil.push(startsAt + durationMs);
    return { at, skipped: null, startsAt, replaces };
  }
}
