import { atPath } from "../errors.ts";
import type { ScheduleDefaults, ScheduleSpec } from "../time/schedule.ts";
import type { ScheduleText } from "../time/ticks.ts";
import { parseZonedTime } from "../time/wall_time.ts";
import { withoutUndefined } from "../text/object_keys.ts";

/** Settings of a job's schedules, except their expressions. Absent ones are inherited. */
export interface ScheduleSettings
  extends Partial<Omit<ScheduleSpec, "cron" | "everyMs" | "startsAt" | "endsAt">> {
  /** Without an offset in the zone of the schedule. */
  readonly startsAt?: string;
  /** Likewise. */
  readonly endsAt?: string;
}

/** Values for unset settings of a job. */
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
  return texts.map(({ cron, everyMs, timezone: own }) => {
    const timezone = own ?? settings.timezone ?? inherited.timezone;
    // Absent ones are omitted, because a schedule's hash covers existing members.
    return withoutUndefined({
      ...inherited.defaults,
      ...withoutUndefined(settings),
      cron,
      everyMs,
      timezone,
      startsAt: timeOf("startsAt", settings.startsAt, timezone),
      endsAt: timeOf("endsAt", settings.endsAt, timezone),
    });
  });
}

/** True if a schedule ends before it could run. */
export function isEmptySpan({ startsAt, endsAt }: ScheduleSpec): boolean {
  return endsAt !== undefined && (startsAt ?? -Infinity) >= endsAt;
}

function timeOf(path: string, text: string | undefined, timezone: string): number | undefined {
  return text === undefined ? undefined : atPath(path, () => parseZonedTime(text, timezone));
}
