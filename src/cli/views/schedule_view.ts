import { formatDuration } from "../../core/time/duration.ts";
import type { Schedule } from "../../rpc/gen/job_pb.ts";
import type { Cell } from "../output/table.ts";
import { type View, viewOf } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { isoOf, msOf } from "../wire.ts";
import { textCell, timeCell } from "./instance_view.ts";

function lengthOf(ms: bigint | undefined): string | undefined {
  return ms === undefined || ms === 0n ? undefined : formatDuration(Number(ms));
}

/** The status with what is still to be skipped: `active, skips 2`. */
export function statusCell(schedule: Schedule, { nowMs }: { readonly nowMs: number }): Cell {
  const { status, skipNext, skipUntil } = schedule;
  const untilMs = msOf(skipUntil) ?? -Infinity;
  if (status === "finished" || (skipNext === 0 && untilMs <= nowMs)) return textCell(status);
  const skips = skipNext > 0 ? `skips ${skipNext}` : `skips until ${formatAbsolute(untilMs)}`;
  return textCell(`${status}, ${skips}`);
}

/** How recurring schedules are shown. */
export const SCHEDULE_VIEW: View<Schedule> = viewOf({
  name: (schedule) => schedule.id,
  fields: {
    id: (schedule) => schedule.id || undefined,
    kind: (schedule) => schedule.kind,
    origin: (schedule) => schedule.origin,
    crontab: (schedule) => schedule.cron,
    timezone: (schedule) => schedule.timezone,
    overlap: (schedule) => schedule.overlap,
    misfire: (schedule) => schedule.misfire,
    arguments: (schedule) => JSON.stringify(schedule.arguments),
    next_at: (schedule) => isoOf(schedule.nextAt),
    last_at: (schedule) => isoOf(schedule.lastAt),
    created_at: (schedule) => isoOf(schedule.createdAt),
    generation: (schedule) => Number(schedule.generation),
    status: (schedule) => schedule.status || undefined,
    last_run_at: (schedule) => isoOf(schedule.lastRunAt),
    runs: (schedule) => Number(schedule.runs),
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
    { title: "ID", cell: (schedule) => textCell(schedule.id) },
    { title: "KIND", isFlexible: true, cell: (schedule) => textCell(schedule.kind) },
    { title: "SCHEDULE", cell: (schedule) => textCell(schedule.cron) },
    { title: "ZONE", cell: (schedule) => textCell(schedule.timezone) },
    { title: "NEXT", cell: (schedule, at) => timeCell(schedule.nextAt, at) },
    { title: "LAST", cell: (schedule, at) => timeCell(schedule.lastAt, at) },
    { title: "STATUS", cell: statusCell },
    { title: "OVERLAP", isWide: true, cell: (schedule) => textCell(schedule.overlap) },
    { title: "MISFIRE", isWide: true, cell: (schedule) => textCell(schedule.misfire) },
    { title: "ORIGIN", isWide: true, cell: (schedule) => textCell(schedule.origin) },
    { title: "CREATED", isWide: true, cell: (schedule, at) => timeCell(schedule.createdAt, at) },
    {
      title: "ARGUMENTS",
      isFlexible: true,
      cell: (schedule) => textCell(schedule.arguments.join(", ")),
    },
  ],
});
