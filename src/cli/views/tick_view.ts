import type { PauseEntry, Schedule, TickReport } from "../../rpc/gen/job_pb.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { absoluteTime, relativeTime, zoneTime } from "../output/when.ts";
import type { Timestamp } from "../io/wire.ts";
import { fieldLines } from "./details.ts";
import { shortTime } from "./instance_view.ts";
import { statusCell } from "./schedule_view.ts";

const OUTCOME_STYLES: Readonly<Record<string, Style>> = {
  ran: "good",
  running: "active",
  missed: "bad",
  skipped: "warn",
  coalesced: "warn",
  expected: "active",
  none: "dim",
};
/** Indentation of the lines about a tick. */
const INDENT = "  ";
const OUTCOMES: Readonly<Record<string, string>> = { none: "no run" };

/** View of the explanation of a tick or an instance. */
export const TICK_REPORT_VIEW: MessageView<TickReport> = {
  message: "TickReport",
  name: (report) => report.instance?.uuid ?? report.outcome,
  columns: [],
  line: (report, { paint, columns }) => {
    const outcome = OUTCOMES[report.outcome] ?? makeVisible(report.outcome);
    const { reason: why } = report;
    const reason = why && why !== "ok" ? ` (${makeVisible(why)})` : "";
    // Like the rule: one answer has one zone.
    const time = (at: Timestamp | undefined) => zoneTime(at, report.timezone);
    const head = `${time(report.at)}  ${makeVisible(report.kind)}  ${
      paint(outcome, OUTCOME_STYLES[report.outcome])
    }${reason}`;
    const around = [
      report.previousAt && `before ${time(report.previousAt)}`,
      report.nextAt && `after ${time(report.nextAt)}`,
    ].filter((text) => text);
    const fields = fieldLines([
      ["Why", makeVisible(report.why)],
      ["Rule", makeVisible(report.rule)],
      ["Schedule", makeVisible(report.schedule?.id ?? "")],
      ["Instance", report.instance?.uuid],
      ["Nearest", around.join(", ")],
    ], columns === null ? null : columns - INDENT.length);
    return [head, ...fields.map((line) => INDENT + line)].join("\n");
  },
};

/** View of timers: schedules with their next tick. */
export const TIMER_VIEW: MessageView<Schedule> = {
  message: "Schedule",
  name: (schedule) => schedule.id,
  columns: [
    { title: "NEXT", weight: 6, cell: (schedule) => absoluteTime(schedule.nextRunAt) },
    {
      title: "LEFT",
      weight: 8,
      cell: ({ nextRunAt }, { nowMs }) => relativeTime(nextRunAt, nowMs),
    },
    { title: "KIND", weight: 9, least: 12, cell: (schedule) => schedule.kind },
    { title: "SCHEDULE", weight: 7, least: 12, cell: (schedule) => schedule.cron },
    { title: "STATUS", weight: 5, least: 12, cell: statusCell },
    {
      title: "PASSED",
      weight: 4,
      cell: ({ lastRunAt }, { nowMs }) => relativeTime(lastRunAt, nowMs),
    },
    { title: "LAST", weight: 3, cell: (schedule) => absoluteTime(schedule.lastRunAt) },
    { title: "ZONE", isWide: true, cell: (schedule) => schedule.timezone },
    { title: "RUNS", isWide: true, isNumber: true, cell: (schedule) => Number(schedule.runs) },
    { title: "ID", isWide: true, cell: (schedule) => schedule.id },
  ],
};

/** View of pauses. */
export const PAUSE_VIEW: MessageView<PauseEntry> = {
  message: "PauseEntry",
  name: (pause) => pause.kind ?? "",
  columns: [
    { title: "KIND", weight: 9, least: 12, cell: (pause) => pause.kind ?? "(everything)" },
    {
      title: "UNTIL",
      weight: 8,
      cell: ({ until }) => until === undefined ? "jobctl resume" : absoluteTime(until),
    },
    { title: "LEFT", weight: 6, cell: ({ until }, { nowMs }) => relativeTime(until, nowMs) },
    { title: "SINCE", weight: 4, cell: (pause, at) => shortTime(pause.at, at) },
    { title: "REASON", least: 16, cell: (pause) => pause.reason },
  ],
};
