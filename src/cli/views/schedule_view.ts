import { formatDuration } from "../../core/time/duration.ts";
import type { Schedule } from "../../rpc/gen/job_pb.ts";
import { membersOf, type View, viewOf } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { isoOf, msOf } from "../wire.ts";
import { shortTime } from "./instance_view.ts";

function lengthOf(ms: bigint | undefined): string | undefined {
  return ms === undefined || ms === 0n ? undefined : formatDuration(Number(ms));
}

/** The status with what is still to be skipped: `active, skips 2`. */
export function statusText(schedule: Schedule, { nowMs }: { readonly nowMs: number }): string {
  const { status, skipNext, skipUntil } = schedule;
  const untilMs = msOf(skipUntil) ?? -Infinity;
  if (status === "finished" || (skipNext === 0 && untilMs <= nowMs)) return status;
  const skips = skipNext > 0 ? `skips ${skipNext}` : `skips until ${formatAbsolute(untilMs)}`;
  return `${status}, ${skips}`;
}

/** How recurring schedules are shown. */
export const SCHEDULE_VIEW: View<Schedule> = viewOf({
  name: (schedule) => schedule.id,
  fields: {
    id: (schedule) => schedule.id || undefined,
    ...membersOf<Schedule>("kind", "origin"),
    crontab: (schedule) => schedule.cron,
    ...membersOf<Schedule>("timezone", "overlap", "misfire"),
    arguments: (schedule) => JSON.stringify(schedule.arguments),
    ...membersOf<Schedule>("nextAt", "lastAt", "createdAt", "generation"),
    status: (schedule) => schedule.status || undefined,
    ...membersOf<Schedule>("lastRunAt", "runs"),
    runs_max: (schedule) => schedule.recurrence?.runsMax || undefined,
    starts_at: (schedule) => isoOf(schedule.recurrence?.startsAt),
    ends_at: (schedule) => isoOf(schedule.recurrence?.endsAt),
    blackout: (schedule) => schedule.recurrence?.blackout.join(", ") || undefined,
    skip_until: (schedule) => isoOf(schedule.skipUntil),
    skip_next: (schedule) => schedule.skipNext || undefined,
    jitter: (schedule) => lengthOf(schedule.jitterMs),
    queue_max: (schedule) => schedule.recurrence?.queueMax || undefined,
    misfire_within: (schedule) => lengthOf(schedule.recurrence?.misfireWithinMs),
  },
  columns: [
    { title: "ID", cell: (schedule) => schedule.id },
    { title: "KIND", isFlexible: true, cell: (schedule) => schedule.kind },
    { title: "SCHEDULE", cell: (schedule) => schedule.cron },
    { title: "ZONE", cell: (schedule) => schedule.timezone },
    { title: "NEXT", cell: (schedule, at) => shortTime(schedule.nextAt, at) },
    { title: "LAST", cell: (schedule, at) => shortTime(schedule.lastAt, at) },
    { title: "STATUS", cell: statusText },
    { title: "OVERLAP", isWide: true, cell: (schedule) => schedule.overlap },
    { title: "MISFIRE", isWide: true, cell: (schedule) => schedule.misfire },
    { title: "ORIGIN", isWide: true, cell: (schedule) => schedule.origin },
    { title: "CREATED", isWide: true, cell: (schedule, at) => shortTime(schedule.createdAt, at) },
    { title: "ARGUMENTS", isFlexible: true, cell: (schedule) => schedule.arguments.join(", ") },
  ],
});
