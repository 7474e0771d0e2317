import type { Schedule } from "../../rpc/gen/job_pb.ts";
import type { MessageView } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf } from "../wire.ts";
import { shortTime } from "./instance_view.ts";

/** The status with what is still to be skipped: `active, skips 2`. */
export function statusText(schedule: Schedule, { nowMs }: { readonly nowMs: number }): string {
  const { status, skipNext, skipUntil } = schedule;
  const untilMs = msOf(skipUntil) ?? -Infinity;
  if (status === "finished" || (skipNext === 0 && untilMs <= nowMs)) return status;
  const skips = skipNext > 0 ? `skips ${skipNext}` : `skips until ${formatAbsolute(untilMs)}`;
  return `${status}, ${skips}`;
}

/** How recurring schedules are shown. */
export const SCHEDULE_VIEW: MessageView<Schedule> = {
  message: "Schedule",
  name: (schedule) => schedule.id,
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
};
