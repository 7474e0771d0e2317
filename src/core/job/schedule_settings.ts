import { atPath } from "../errors.ts";
import type { Misfire, Overlap, ScheduleDefaults, ScheduleSpec } from "./schedule.ts";
import type { ScheduleText } from "../time/ticks.ts";
import { parseZonedTime } from "../time/wall_time.ts";
import { withoutUndefined } from "../object_keys.ts";

/** Settings of a job's schedules, except their expressions. Absent ones are inherited. */
export interface ScheduleSettings {
  /** IANA zone of expressions that name none. */
  readonly timezone?: string;
  readonly overlap?: Overlap;
  readonly misfire?: Misfire;
  readonly misfireWithinMs?: number;
  readonly jitterMs?: number;
  /** Without an offset in the zone of the schedule. */
  readonly startsAt?: string;
  /** Likewise. */
  readonly endsAt?: string;
  readonly blackout?: readonly string[];
  readonly runsMax?: number;
  readonly queueMax?: number;
}

/** Values for settings that a job does not have. */
export interface InheritedSchedule {
  readonly timezone: string;
  readonly defaults: ScheduleDefaults;
}

/**
 * The schedules of a job: its expressions with its settings.
 *
 * @throws JobError `invalid_argument` with the path `startsAt` or `endsAt` for a text that is not a
 * time
 */
export function specsOf(
  texts: readonly ScheduleText[],
  settings: ScheduleSettings,
  inherited: InheritedSchedule,
): ScheduleSpec[] {
  const { defaults } = inherited;
  return texts.map((text) => {
    const timezone = text.timezone ?? settings.timezone ?? inherited.timezone;
    const rare = {
      startsAt: timeOf("startsAt", settings.startsAt, timezone),
      endsAt: timeOf("endsAt", settings.endsAt, timezone),
      blackout: settings.blackout,
      runsMax: settings.runsMax,
      queueMax: settings.queueMax,
    };
    return {
      cron: text.cron,
      everyMs: text.everyMs,
      timezone,
      overlap: settings.overlap ?? defaults.overlap,
      misfire: settings.misfire ?? defaults.misfire,
      misfireWithinMs: settings.misfireWithinMs ?? defaults.misfireWithinMs,
      jitterMs: settings.jitterMs ?? defaults.jitterMs,
      // Absent ones are left out, because a schedule's hash covers the members that it has.
      ...withoutUndefined(rare),
    };
  });
}

/** True if a schedule ends before it could run. */
export function isEmptySpan({ startsAt, endsAt }: ScheduleSpec): boolean {
  return endsAt !== undefined && (startsAt ?? -Infinity) >= endsAt;
}

/** The settings of `own` over those of `base`. */
export function mergeSettings(base: ScheduleSettings, own: ScheduleSettings): ScheduleSettings {
  return { ...base, ...withoutUndefined(own) };
}

function timeOf(path: string, text: string | undefined, timezone: string): number | undefined {
  return text === undefined ? undefined : atPath(path, () => parseZonedTime(text, timezone));
}
