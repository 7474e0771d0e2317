import type { PauseEntry, Schedule, TickReport } from "../../rpc/gen/job_pb.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { formatRelative } from "../../core/time/duration.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf, type Timestamp } from "../wire.ts";
import { shortTime } from "./instance_view.ts";
import { statusText } from "./schedule_view.ts";

const OUTCOME_STYLES: Readonly<Record<string, Style>> = {
  ran: "good",
  running: "active",
  missed: "bad",
  skipped: "warn",
  coalesced: "warn",
  expected: "active",
  none: "dim",
};
const OUTCOMES: Readonly<Record<string, string>> = { none: "no run" };

/** How the explanation of a tick or an instance is shown. */
export const TICK_REPORT_VIEW: MessageView<TickReport> = {
  message: "TickReport",
  name: (report) => report.instance?.uuid ?? report.outcome,
  columns: [],
  line: (report, paint) => {
    const outcome = OUTCOMES[report.outcome] ?? makeVisible(report.outcome);
    const reason = report.reason ? ` (${makeVisible(report.reason)})` : "";
    const head = `${absolute(report.at)}  ${makeVisible(report.kind)}  ${
      paint(outcome, OUTCOME_STYLES[report.outcome])
    }${reason}`;
    const around = [
      report.previousAt && `before ${absolute(report.previousAt)}`,
      report.nextAt && `after ${absolute(report.nextAt)}`,
    ].filter((text) => text);
    const fields = [
      ["Why", makeVisible(report.why)],
      ["Rule", makeVisible(report.rule)],
      ["Schedule", makeVisible(report.schedule?.id ?? "")],
      ["Instance", report.instance?.uuid ?? ""],
      ["Nearest", around.join(", ")],
    ].filter(([, text]) => text !== "");
    return [head, ...fields.map(([name, text]) => `  ${`${name}:`.padEnd(9)} ${text}`)].join("\n");
  },
};

/** How timers are shown: schedules with their next tick. */
export const TIMER_VIEW: MessageView<Schedule> = {
  message: "Schedule",
  name: (schedule) => schedule.id,
  columns: [
    { title: "NEXT", cell: (schedule) => absolute(schedule.nextAt) },
    { title: "LEFT", cell: ({ nextAt }, { nowMs }) => relative(nextAt, nowMs) },
    { title: "LAST", cell: (schedule) => absolute(schedule.lastRunAt) },
    { title: "PASSED", cell: ({ lastRunAt }, { nowMs }) => relative(lastRunAt, nowMs) },
    { title: "KIND", isFlexible: true, cell: (schedule) => schedule.kind },
    { title: "SCHEDULE", cell: (schedule) => schedule.cron },
    { title: "STATUS", cell: statusText },
    { title: "ZONE", isWide: true, cell: (schedule) => schedule.timezone },
    { title: "RUNS", isWide: true, cell: (schedule) => Number(schedule.runs) },
    { title: "ID", isWide: true, cell: (schedule) => schedule.id },
  ],
};

/** How pauses are shown. */
export const PAUSE_VIEW: MessageView<PauseEntry> = {
  message: "PauseEntry",
  name: (pause) => pause.kind ?? "",
  columns: [
    { title: "KIND", cell: (pause) => pause.kind ?? "(everything)" },
    { title: "UNTIL", cell: (pause, at) => shortTime(pause.until, at) ?? "resumed" },
    { title: "SINCE", cell: (pause, at) => shortTime(pause.at, at) },
    { title: "REASON", isFlexible: true, cell: (pause) => pause.reason },
  ],
};

function absolute(timestamp: Timestamp | undefined): string {
  const ms = msOf(timestamp);
  return ms === undefined ? "" : formatAbsolute(ms);
}

function relative(timestamp: Timestamp | undefined, nowMs: number): string {
  const ms = msOf(timestamp);
  return ms === undefined ? "" : formatRelative(ms, nowMs);
}
