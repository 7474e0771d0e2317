import { type CronOptions, parseCron } from "./cron.ts";
import { cronError } from "./cron_field.ts";
import { countCronTicks, nextCronTick } from "./cron_walk.ts";
import { quoteValue } from "../text/quote_value.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { JobError } from "../errors.ts";
import { checkOptions, isText, type KeysOf, TEXT } from "../text/object_keys.ts";
import { REBOOT, type ScheduleRecord, type ScheduleSpec, type TickFate } from "./schedule.ts";
import { LAST_SECOND, openZone, splitZone } from "./zone.ts";

/** A tick served at most this late always counts as on time, in milliseconds. */
export const GRACE_MS = 60_000;
/**
 * Larger setbacks mean that the clock was wrong before, and its new time applies at once, like in
 * cron; after smaller ones, schedules wait. In milliseconds.
 */
export const CORRECTION_MS = 3 * 3_600_000;
/** Most ticks of one schedule that one step fires. */
export const FIRES_MAX = 100;
/** Shortest interval of `@every`, in milliseconds. */
export const EVERY_MS_MIN = 100;
/** Most ticks that {@link nextTicks} lists. */
const TICKS_LISTED_MAX = 10_000;

/** A schedule's text, taken apart. Exactly one of `cron` and `everyMs` is set. */
export interface ScheduleText {
  /** Cron expression with `H` and `~` resolved, or nickname. */
  readonly cron: string | null;
  readonly everyMs: number | null;
  /** IANA zone of a `CRON_TZ=` or `TZ=` prefix. */
  readonly timezone: string | null;
}

/** Result of one step of a schedule. */
export interface AdvancePlan {
  /** The last tick considered, epoch ms. */
  readonly cursor: number;
  /** The first tick after the cursor, epoch ms; null if there is none. */
  readonly nextAt: number | null;
  /** Due times of the ticks to fire, oldest first, at most {@link FIRES_MAX}. */
  readonly fires: readonly number[];
  /** Records of the other ticks. */
  readonly fates: readonly Omit<TickFate, "at" | "scheduleId">[];
}

function parseEvery(text: string): number {
  const everyMs = readInterval(text);
  if (everyMs < EVERY_MS_MIN) {
    throw new JobError(
      "invalid_argument",
      `Cannot schedule "@every ${text}": it is too often, at least ${EVERY_MS_MIN}ms`,
      { hint: "Choose a longer interval" },
    );
  }
  return everyMs;
}

function readInterval(text: string): number {
  try {
    return parseDuration(text);
  } catch (cause) {
    const found = text === "" ? "it has no interval" : `found "${text}"`;
    throw new JobError(
      "invalid_argument",
      `Cannot schedule "${`@every ${text}`.trim()}": ${found}, wanted a time with its unit`,
      {
        hint:
          'Write it like "@every 15m", "@every 1h30m" or "@every 10s"; units are w, d, h, m, s and ms',
        cause,
      },
    );
  }
}

/**
 * Read the text of a schedule: a cron expression, a nickname, `@reboot` or `@every 15m`, optionally
 * with a prefix `CRON_TZ=Zone` or `TZ=Zone`.
 *
 * @throws JobError `invalid_argument` for unreadable text, and for times that never come
 */
export function parseScheduleText(text: string, options: CronOptions = {}): ScheduleText {
  const { zone, rest } = splitZone(text);
  const timezone = zone === null ? null : openZone(zone).name;
  if (zone !== null && rest === "") throw cronError(text.trim(), "it names a zone but no time");
  const every = /^@every(?:\s+(.*))?$/.exec(rest);
  if (every !== null) return { cron: null, everyMs: parseEvery(every[1] ?? ""), timezone };
  if (rest === REBOOT) return { cron: REBOOT, everyMs: null, timezone };
  const parsed = parseCron(rest, options);
  return { cron: /[H~]/.test(rest) ? parsed.text : rest, everyMs: null, timezone };
}

/** The text of a schedule without its zone: a cron expression or `@every 15m`. */
export function formatScheduleText(spec: Pick<ScheduleSpec, "cron" | "everyMs">): string {
  return spec.everyMs === null ? spec.cron ?? "" : `@every ${formatDuration(spec.everyMs)}`;
}

/** The times of a schedule, without its policies. */
export type ScheduleTimes = Pick<
  ScheduleSpec,
  "cron" | "everyMs" | "timezone" | "startsAt" | "endsAt"
>;

/** Ticks of a schedule; times in epoch ms. */
interface Ticks {
  /** The first tick after an instant; null if there is none. */
  next(afterMs: number): number | null;
  /** Number of ticks after `afterMs`, up to and including `untilMs`. */
  count(afterMs: number, untilMs: number): number;
}

function everyTicks(everyMs: number, startAt: number): Ticks {
  const passed = (ms: number) => Math.max(0, Math.floor((ms - startAt) / everyMs));
  return {
    next: (afterMs) => {
      const tick = startAt + (passed(afterMs) + 1) * everyMs;
      return tick > LAST_SECOND * 1_000 ? null : tick;
    },
    count: (afterMs, untilMs) => Math.max(0, passed(untilMs) - passed(afterMs)),
  };
}

/** `@reboot` has no ticks by the clock: the scheduler creates one at its start. */
const NO_TICKS: Ticks = { next: () => null, count: () => 0 };

function ticksOf(spec: ScheduleTimes, startAt: number): Ticks {
  const { startsAt = -Infinity, endsAt = Infinity, everyMs } = spec;
  // The first tick of an interval with a start is the start itself.
  const anchor = spec.startsAt === undefined || everyMs === null ? startAt : startsAt - everyMs;
  const ticks = endlessTicks(spec, anchor);
  if (startsAt === -Infinity && endsAt === Infinity) return ticks;
  return {
    next: (afterMs) => {
      const tick = ticks.next(Math.max(afterMs, startsAt - 1));
      return tick === null || tick >= endsAt ? null : tick;
    },
    count: (afterMs, untilMs) => {
      const [from, to] = [Math.max(afterMs, startsAt - 1), Math.min(untilMs, endsAt - 1)];
      return to <= from ? 0 : ticks.count(from, to);
    },
  };
}

function endlessTicks(spec: ScheduleTimes, startAt: number): Ticks {
  if (spec.everyMs !== null) return everyTicks(spec.everyMs, startAt);
  if (spec.cron === REBOOT) return NO_TICKS;
  if (spec.cron === null) {
    throw new JobError("invalid_argument", "Cannot compute ticks: the schedule has no times", {
      hint: "Give it a cron expression or an interval",
    });
  }
  const expression = parseCron(spec.cron);
  const zone = openZone(spec.timezone);
  return {
    next: (afterMs) => nextCronTick(expression, zone, afterMs),
    count: (afterMs, untilMs) => countCronTicks(expression, zone, afterMs, untilMs),
  };
}

/**
 * The first tick after an instant, epoch ms; null if there is none before the year 10000.
 * `@every` starts one interval after its anchor, `startAt`.
 *
 * @throws JobError `invalid_argument` for an unreadable spec
 */
export function nextTickOf(spec: ScheduleTimes, startAt: number, afterMs: number): number | null {
  return ticksOf(spec, startAt).next(afterMs);
}

/** Number of ticks after `afterMs`, up to and including `untilMs`, without listing them. */
export function countTicksOf(
  spec: ScheduleSpec,
  startAt: number,
  span: { readonly afterMs: number; readonly untilMs: number },
): number {
  return ticksOf(spec, startAt).count(span.afterMs, span.untilMs);
}

/** The last tick after `afterMs`, up to and including `untilMs`; null if there is none. */
export function lastTickOf(
  spec: ScheduleSpec,
  startAt: number,
  span: { readonly afterMs: number; readonly untilMs: number },
): number | null {
  return lastTick(ticksOf(spec, startAt), span.afterMs, span.untilMs);
}

const NEXT_TICKS_KEYS: KeysOf<Parameters<typeof nextTicks>[1]> = {
  timezone: ["the name of a zone", isText],
  after: ["a Date", (value) => value instanceof Date],
  count: ["a number", (value) => typeof value === "number"],
  seed: TEXT,
};

/**
 * The next ticks of a schedule's text.
 *
 * @param options.timezone IANA zone; a prefix of the expression overrides it; default UTC
 * @param options.after the ticks come after it; also the start of `@every`
 * @param options.seed determines `H` and `~`: the kind of the job
 * @returns an empty list for `@reboot`, which has no times
 * @throws JobError `invalid_argument` for unreadable text, and unless `count` is from 0 to 10,000
 */
export function nextTicks(
  expression: string,
  options: CronOptions & {
    readonly timezone?: string;
    readonly after: Date;
    readonly count: number;
  },
): Date[] {
  if (!isText(expression)) {
    throw new JobError("invalid_argument", `Cannot list ticks: found ${quoteValue(expression)}`, {
      path: "expression",
      hint: 'Give a cron expression as text, such as "0 9 * * 1-5"',
    });
  }
  checkOptions(options, NEXT_TICKS_KEYS, { failure: `Cannot list the ticks of "${expression}"` });
  const { cron, everyMs, timezone } = parseScheduleText(expression, options);
  const { count } = options;
  if (!Number.isInteger(count) || count < 0 || count > TICKS_LISTED_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot list "${count}" ticks: wanted 0 to ${TICKS_LISTED_MAX}`,
    );
  }
  const start = options.after.getTime();
  if (Number.isNaN(start)) {
    throw new JobError("invalid_argument", 'Cannot list ticks after "Invalid Date": wanted a time');
  }
  const zone = openZone(timezone ?? options.timezone ?? "UTC");
  const ticks = ticksOf({ cron, everyMs, timezone: zone.name }, start);
  const found: Date[] = [];
  let after: number | null = start;
  while (found.length < count) {
    after = ticks.next(after);
    if (after === null) break;
    found.push(new Date(after));
  }
  return found;
}

function lastTick(ticks: Ticks, afterMs: number, untilMs: number): number | null {
  // Find a short span with a tick, then halve it: few steps for any span and any ticks.
  let low = afterMs;
  for (let span = 1_000; span < untilMs - afterMs; span *= 2) {
    const tick = ticks.next(untilMs - span);
    if (tick === null || tick > untilMs) continue;
    low = untilMs - span;
    break;
  }
  let found: number | null = null;
  let high = untilMs;
  while (low < high) {
    const middle = found === null ? low : Math.floor((low + high) / 2);
    const tick = ticks.next(middle);
    if (tick !== null && tick <= untilMs) {
      found = tick;
      low = tick;
    } else if (found === null) return null;
    else high = middle;
  }
  return found;
}

/** The last ticks of the span, oldest first, at most {@link FIRES_MAX}. */
function lastTicks(ticks: Ticks, afterMs: number, untilMs: number): number[] {
  const found: number[] = [];
  let until = untilMs;
  while (found.length < FIRES_MAX) {
    const tick = lastTick(ticks, afterMs, until);
    if (tick === null) break;
    found.push(tick);
    until = tick - 1;
  }
  return found.reverse();
}

/** One record for all ticks of the span; may be empty. */
function fatesOf(
  ticks: Ticks,
  span: { readonly afterMs: number; readonly untilMs: number },
  fate: "coalesced" | "missed",
): AdvancePlan["fates"] {
  const from = ticks.next(span.afterMs);
  if (from === null || from > span.untilMs) return [];
  const to = lastTick(ticks, span.afterMs, span.untilMs) ?? from;
  const count = ticks.count(span.afterMs, span.untilMs);
  return [{ from, to, count, fate, reason: "misfire", instanceId: null }];
}

// After the clock was set back by hours and passed its old time again, these ticks are recorded.
function plannedFrom({ cursor, correction }: ScheduleRecord, nowMs: number): number {
  if (correction === undefined || nowMs - cursor <= CORRECTION_MS) return cursor;
  return nowMs < correction.cursor ? cursor : Math.max(cursor, correction.cursor);
}

/**
 * Decide on the due ticks of a schedule: after its cursor, up to and including now. The work is
 * bounded for any number of ticks.
 *
 * - `skip`: ticks at most {@link GRACE_MS} late fire; older ones are missed.
 * - `latest`: the last tick fires and earlier ones are coalesced, except that ticks more than
 *   `misfireWithinMs` late are missed.
 * - `all`: ticks at most `misfireWithinMs` late fire, the last {@link FIRES_MAX} of them; the
 *   others are missed.
 *
 * A tick at most {@link GRACE_MS} late is never too late. Nothing is due while the clock is behind
 * the cursor.
 *
 * @throws JobError `invalid_argument` for an unreadable spec
 */
export function planAdvance(record: ScheduleRecord, nowMs: number): AdvancePlan {
  const { spec } = record;
  const cursor = plannedFrom(record, nowMs);
  const ticks = ticksOf(spec, record.startAt);
  const first = ticks.next(cursor);
  if (first === null || first > nowMs) return { cursor, nextAt: first, fires: [], fates: [] };

  const second = ticks.next(first);
  // The ordinary case: one tick is due, and on time.
  if ((second === null || second > nowMs) && nowMs - first <= GRACE_MS) {
    return { cursor: first, nextAt: second, fires: [first], fates: [] };
  }
  const last = lastTick(ticks, cursor, nowMs) ?? first;
  const nextAt = ticks.next(last);
  const withinMs = spec.misfire === "skip" ? GRACE_MS : Math.max(spec.misfireWithinMs, GRACE_MS);
  // Ticks up to this instant are too late.
  const lateMs = Math.max(cursor, Math.min(nowMs - withinMs - 1, last));

  if (spec.misfire === "latest") {
    const fates = [
      ...fatesOf(ticks, { afterMs: cursor, untilMs: lateMs }, "missed"),
      ...fatesOf(ticks, { afterMs: lateMs, untilMs: last - 1 }, "coalesced"),
    ];
    return { cursor: last, nextAt, fires: last > lateMs ? [last] : [], fates };
  }
  const fires = lastTicks(ticks, lateMs, last);
  const untilMs = fires.length === 0 ? last : fires[0]! - 1;
  return {
    cursor: last,
    nextAt,
    fires,
    fates: fatesOf(ticks, { afterMs: cursor, untilMs }, "missed"),
  };
}
