import type { Schedule } from "../../rpc/gen/job_pb.ts";
import type { Cell, Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf } from "../wire.ts";
import { shortTime } from "./instance_view.ts";

/** The status with what is still to be skipped: `active, skips 2`. */
function statusText(schedule: Schedule, { nowMs }: { readonly nowMs: number }): string {
  const { status, skipNext, skipUntil } = schedule;
  const untilMs = msOf(skipUntil) ?? -Infinity;
  if (status === "finished" || (skipNext === 0 && untilMs <= nowMs)) return status;
  const skips = skipNext > 0 ? `skips ${skipNext}` : `skips until ${formatAbsolute(untilMs)}`;
  return `${status}, ${skips}`;
}

const STATUS_STYLES: Readonly<Record<string, Style>> = { paused: "warn", finished: "dim" };

/** The status as a field of a table. */
export function statusCell(schedule: Schedule, at: { readonly nowMs: number }): Cell {
  return { text: statusText(schedule, at), style: STATUS_STYLES[schedule.status] };
}

/** How recurring schedules are shown. */
export const SCHEDULE_VIEW: MessageView<Schedule> = {
  message: "Schedule",
  name: (schedule) => schedule.id,
  columns: [
    { title: "ID", weight: 7, least: 16, cell: ({ id }, { shortId }) => shortId(id) },
    { title: "KIND", weight: 8, least: 12, cell: (schedule) => schedule.kind },
    { title: "SCHEDULE", weight: 9, least: 12, cell: (schedule) => schedule.cron },
    { title: "NEXT", weight: 6, cell: (schedule, at) => shortTime(schedule.nextRunAt, at) },
    { title: "LAST", weight: 4, cell: (schedule, at) => shortTime(schedule.lastAt, at) },
    { title: "STATUS", cell: statusCell },
    { title: "ZONE", weight: 3, cell: (schedule) => schedule.timezone },
    { title: "OVERLAP", isWide: true, cell: (schedule) => schedule.overlap },
    { title: "MISFIRE", isWide: true, cell: (schedule) => schedule.misfire },
    { title: "ORIGIN", isWide: true, cell: (schedule) => schedule.origin },
    { title: "CREATED", isWide: true, cell: (schedule, at) => shortTime(schedule.createdAt, at) },
    { title: "ARGUMENTS", weight: 2, least: 12, cell: (schedule) => schedule.arguments.join(", ") },
  ],
};
