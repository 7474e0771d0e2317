import { formatDuration } from "../../core/time/duration.ts";
import type { Schedule } from "../../rpc/gen/job_pb.ts";
import type { PlainRecord } from "../output/plain.ts";
import type { Cell } from "../output/table.ts";
import type { View } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { isoOf, msOf } from "../wire.ts";
import { textCell, timeCell } from "./instance_view.ts";

function record(schedule: Schedule): PlainRecord {
  return {
    id: schedule.id || undefined,
    kind: schedule.kind,
    origin: schedule.origin,
    crontab: schedule.cron,
    timezone: schedule.timezone,
    overlap: schedule.overlap,
    misfire: schedule.misfire,
    arguments: JSON.stringify(schedule.arguments),
    next_at: isoOf(schedule.nextAt),
    last_at: isoOf(schedule.lastAt),
    created_at: isoOf(schedule.createdAt),
    generation: Number(schedule.generation),
    status: schedule.status || undefined,
    last_run_at: isoOf(schedule.lastRunAt),
    runs: Number(schedule.runs),
    runs_max: schedule.recurrence?.runsMax || undefined,
    starts_at: isoOf(schedule.recurrence?.startsAt),
    ends_at: isoOf(schedule.recurrence?.endsAt),
    blackout: schedule.recurrence?.blackout.join(", ") || undefined,
    skip_until: isoOf(schedule.skipUntil),
    skip_next: schedule.skipNext || undefined,
    jitter: lengthOf(schedule.jitterMs),
    queue_max: schedule.recurrence?.queueMax || undefined,
    misfire_within: lengthOf(schedule.recurrence?.misfireWithinMs),
  };
}

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
export const SCHEDULE_VIEW: View<Schedule> = {
  name: (schedule) => schedule.id,
  record,
  keys: [
    "id",
    "kind",
    "origin",
    "crontab",
    "timezone",
    "overlap",
    "misfire",
    "arguments",
    "next_at",
    "last_at",
    "created_at",
    "generation",
    "status",
    "last_run_at",
    "runs",
    "runs_max",
    "starts_at",
    "ends_at",
    "blackout",
    "skip_until",
    "skip_next",
    "jitter",
    "queue_max",
    "misfire_within",
  ],
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
};
