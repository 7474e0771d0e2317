import type { Schedule } from "../../rpc/gen/job_pb.ts";
import type { Cell, Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf } from "../io/wire.ts";
import { shortTime } from "./instance_view.ts";

/** Time of a status, and whether it is in a narrow table. */
interface StatusPoint {
  readonly nowMs: number;
  readonly isWide?: boolean;
}

/** The status with pending skips: `active, skips 2`. */
function statusText(schedule: Schedule, at: StatusPoint): string {
  const { status, skipNext, skipUntil } = schedule;
  const untilMs = msOf(skipUntil) ?? -Infinity;
  if (status === "finished" || (skipNext === 0 && untilMs <= at.nowMs)) return status;
  const skips = skipNext > 0 ? `skips ${skipNext}` : `skips until ${untilText(untilMs, at)}`;
  return `${status}, ${skips}`;
}

/** In a narrow table, only the time of today, or only the day. */
function untilText(atMs: number, { nowMs, isWide = true }: StatusPoint): string {
  const text = formatAbsolute(atMs);
  if (isWide) return text;
  const day = text.slice(0, 10);
  return day === formatAbsolute(nowMs).slice(0, 10) ? text.slice(11, 16) : day;
}

const STATUS_STYLES: Readonly<Record<string, Style>> = { paused: "warn", finished: "dim" };

/** The status as a field of a table. */
export function statusCell(schedule: Schedule, at: StatusPoint): Cell {
  return { text: statusText(schedule, at), style: STATUS_STYLES[schedule.status] };
}

/** View of recurring schedules. */
export const SCHEDULE_VIEW: MessageView<Schedule> = {
  message: "Schedule",
  name: (schedule) => schedule.id,
  columns: [
    { title: "ID", weight: 4, least: 16, cell: ({ id }, { shortId }) => shortId(id) },
    { title: "KIND", weight: 8, least: 12, cell: (schedule) => schedule.kind },
    { title: "SCHEDULE", weight: 9, least: 12, cell: (schedule) => schedule.cron },
    { title: "NEXT", weight: 6, cell: (schedule, at) => shortTime(schedule.nextRunAt, at) },
    { title: "LAST", weight: 4, cell: (schedule, at) => shortTime(schedule.lastAt, at) },
    { title: "STATUS", weight: 7, least: 12, cell: statusCell },
    { title: "ZONE", weight: 3, cell: (schedule) => schedule.timezone },
    { title: "OVERLAP", isWide: true, cell: (schedule) => schedule.overlap },
    { title: "MISFIRE", isWide: true, cell: (schedule) => schedule.misfire },
    { title: "ORIGIN", isWide: true, cell: (schedule) => schedule.origin },
    { title: "CREATED", isWide: true, cell: (schedule, at) => shortTime(schedule.createdAt, at) },
    { title: "ARGUMENTS", weight: 2, least: 12, cell: (schedule) => schedule.arguments.join(", ") },
  ],
};
