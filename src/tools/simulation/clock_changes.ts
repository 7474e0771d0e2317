import { parseCron } from "../../core/time/cron.ts";
import { hasSkippedTick } from "../../core/time/cron_walk.ts";
import type { ScheduleSpec } from "../../core/time/schedule.ts";
import { nextTickOf } from "../../core/time/ticks.ts";
import { openZone } from "../../core/time/zone.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import type { SimulatedJob } from "./engine.ts";

/** Most ticks listed for one schedule and day. */
const TIMES_LISTED_MAX = 5;
/** Most ticks counted for one day: one a second. */
const TICKS_COUNTED_MAX = 90_000;
const DAY_MS = 86_400_000;

/** The effect of a clock change on a schedule. */
export interface ClockChange {
  readonly kind: string;
  readonly scheduleId: string;
  readonly timezone: string;
  /** When the clock changes, epoch ms. */
  readonly at: number;
  /** Amount by which the clock goes forward; negative if it goes back. */
  readonly shiftMs: number;
  /** Ticks of the local day. */
  readonly count: number;
  /** The ticks nearest to the change, in local time with the offset. */
  readonly times: readonly string[];
  /**
   * moved: the clock skips its time, so it runs at the change; once: its time occurs twice and it
   * runs the first time; follows: it runs by the clock through the change; null: no effect.
   */
  readonly effect: "moved" | "once" | "follows" | null;
}

/** Every clock change in a span, for each affected cron schedule, in order of time. */
export function clockChanges(
  jobs: readonly SimulatedJob[],
  span: { readonly fromMs: number; readonly toMs: number },
): ClockChange[] {
  const changes: ClockChange[] = [];
  for (const { kind, schedules } of jobs) {
    for (const { id, spec } of schedules) {
      if (spec.cron === null || spec.cron.startsWith("@reboot")) continue;
      for (const change of changesOf(spec.timezone, span)) {
        const { timezone } = spec;
        changes.push({ kind, scheduleId: id, timezone, ...change, ...ticksAround(spec, change) });
      }
    }
  }
  return changes.sort((left, right) => left.at - right.at);
}

type Change = Pick<ClockChange, "at" | "shiftMs"> & { readonly offsetBefore: number };

function changesOf(
  timezone: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Change[] {
  const zone = openZone(timezone);
  const found: Change[] = [];
  let second = Math.floor(fromMs / 1_000);
  let offset = zone.segmentAt(second).offset;
  while (second * 1_000 < toMs) {
    const segment = zone.segmentAt(second);
    if (segment.offset !== offset) {
      const shiftMs = (segment.offset - offset) * 1_000;
      found.push({ at: second * 1_000, shiftMs, offsetBefore: offset });
      offset = segment.offset;
    }
    second = segment.until;
  }
  return found;
}

function ticksAround(
  spec: ScheduleSpec,
  change: Change,
): Pick<ClockChange, "count" | "times" | "effect"> {
  const { at, shiftMs, offsetBefore } = change;
  const wallAt = at + offsetBefore * 1_000;
  const dayStart = Math.floor(wallAt / DAY_MS) * DAY_MS - offsetBefore * 1_000;
  const dayEnd = dayStart + DAY_MS - shiftMs;
  const ticks: number[] = [];
  let tick = nextTickOf(spec, dayStart, dayStart - 1);
  while (tick !== null && tick < dayEnd && ticks.length < TICKS_COUNTED_MAX) {
    ticks.push(tick);
    tick = nextTickOf(spec, dayStart, tick);
  }
  const near = [...ticks]
    .sort((left, right) => Math.abs(left - at) - Math.abs(right - at))
    .slice(0, TIMES_LISTED_MAX)
    .sort((left, right) => left - right);
  return {
    count: ticks.length,
    times: near.map((one) => formatLocal(one, spec.timezone)),
    effect: effectOf(spec, change, ticks),
  };
}

function effectOf(
  spec: ScheduleSpec,
  { at, shiftMs }: Change,
  ticks: readonly number[],
): ClockChange["effect"] {
  const expression = parseCron(spec.cron!);
  if (shiftMs > 0) {
    const segment = openZone(spec.timezone).segmentAt(at / 1_000);
    if (ticks.includes(at) && hasSkippedTick(expression, segment)) return "moved";
    return !expression.isFixed && isTouched(ticks, at - shiftMs, at + shiftMs) ? "follows" : null;
  }
  const [from, until] = [at + shiftMs, at - shiftMs];
  if (!isTouched(ticks, from, until)) return null;
  if (!expression.isFixed) return "follows";
  return isTouched(ticks, from, at) ? "once" : null;
}

function isTouched(ticks: readonly number[], from: number, until: number): boolean {
  return ticks.some((tick) => tick >= from && tick < until);
}
