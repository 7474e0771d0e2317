import { isBlackedOut } from "../core/time/blackout.ts";
import { formatRelative } from "../core/time/duration.ts";
import { clockNote } from "../core/time/clock_notes.ts";
import { formatLocal } from "../core/time/local_time.ts";
import type { ScheduleSpec } from "../core/time/schedule.ts";
import { nextTickOf } from "../core/time/ticks.ts";

/** A future run: its time in several forms. */
export interface RunTime {
  /** Epoch ms. */
  readonly at: number;
  readonly timezone: string;
  /** Wall time in the schedule's zone with its offset, such as `2026-03-29 03:30:00 +02:00`. */
  readonly local: string;
  /** ISO text in UTC, to the second. */
  readonly utc: string;
  /** Distance from now, such as `in 3h20m`. */
  readonly relative: string;
  /** Note about a blackout, or a clock change; null without either. */
  readonly note: string | null;
}

/**
 * The next runs of a schedule, without jitter.
 *
 * `@every` counts from `nowMs`: a running daemon counts from when it first saw the schedule.
 *
 * @param options.afterMs runs are later than this, epoch ms
 */
export function runTimes(
  spec: ScheduleSpec,
  options: { readonly afterMs: number; readonly nowMs: number; readonly count: number },
): RunTime[] {
  const { nowMs, count } = options;
  const times: RunTime[] = [];
  let cursor = options.afterMs;
  while (times.length < count) {
    const at = nextTickOf(spec, nowMs, cursor);
    if (at === null) break;
    times.push(runTime(at, spec, nowMs));
    cursor = at;
  }
  return times;
}

function runTime(at: number, spec: ScheduleSpec, nowMs: number): RunTime {
  const { timezone } = spec;
  return {
    at,
    timezone,
    local: formatLocal(at, timezone),
    utc: `${new Date(at).toISOString().slice(0, 19)}Z`,
    relative: formatRelative(at, nowMs),
    note: noteOf(spec, at),
  };
}

function noteOf(spec: ScheduleSpec, at: number): string | null {
  const window = spec.blackout?.find((text) => isBlackedOut([text], spec.timezone, at));
  const skipped = window === undefined ? null : `skipped: in the blackout "${window}"`;
  const notes = [skipped, clockNote(spec, at)].filter((note) => note !== null);
  return notes.length === 0 ? null : notes.join("; ");
}
