import type { HistoryEntry, LogEntry, Workers } from "../../rpc/gen/job_pb.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { formatRelative } from "../../core/time/duration.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf, stateName } from "../io/wire.ts";
import { stateCell } from "./state_words.ts";

const LEVEL_STYLES: Readonly<Record<string, Style>> = { debug: "dim", warn: "warn", error: "bad" };

/** View of the history of instances. */
export const HISTORY_VIEW: MessageView<HistoryEntry> = {
  message: "HistoryEntry",
  name: (entry) => stateName(entry.state) ?? "",
  columns: [
    { title: "AT", weight: 6, cell: (entry) => formatAbsolute(msOf(entry.at) ?? 0) },
    {
      title: "AGE",
      weight: 4,
      cell: (entry, { nowMs }) => formatRelative(msOf(entry.at) ?? 0, nowMs),
    },
    { title: "STATE", weight: 9, cell: (entry) => stateCell(entry) },
    { title: "ATTEMPT", isNumber: true, cell: ({ attempt }) => attempt || undefined },
    { title: "NODE", weight: 3, least: 12, cell: (entry) => entry.node },
    { title: "FENCE", isWide: true, isNumber: true, cell: (entry) => Number(entry.fence) },
  ],
};

/** View of the log of instances. */
export const LOG_VIEW: MessageView<LogEntry> = {
  message: "LogEntry",
  name: (entry) => entry.message,
  columns: [],
  line: (entry, { paint }) => {
    const at = paint(formatAbsolute(msOf(entry.at) ?? 0), "dim");
    const level = paint(
      makeVisible(entry.level.toUpperCase()).padEnd(5),
      LEVEL_STYLES[entry.level],
    );
    // Tabs are harmless, and programs use them for tables.
    const message = entry.message.split("\t").map(makeVisible).join("\t");
    return `${at} ${level} ${message}`;
  },
};

/** View of the logs of several instances: each line names its instance. */
export const LOGS_VIEW: MessageView<LogEntry> = {
  ...LOG_VIEW,
  line: (entry, paper) => {
    const whose = paper.paint(`${makeVisible(entry.kind)} ${entry.uuid.slice(-8)}`, "dim");
    return `${whose} ${LOG_VIEW.line!(entry, paper)}`;
  },
};

/** View of the workers. */
export const WORKERS_VIEW: MessageView<Workers> = {
  message: "Workers",
  name: (workers) => String(workers.count),
  columns: [
    { title: "WORKERS", isNumber: true, cell: (workers) => workers.count },
    { title: "BUSY", isNumber: true, cell: (workers) => workers.busy },
    { title: "PROCESSES", isNumber: true, cell: (workers) => workers.alive },
  ],
};

/** Warning about attempts that seem to run without a process; undefined without any. */
export function missingText(workers: Workers | undefined): string | undefined {
  const { missing = 0 } = workers ?? {};
  return missing === 0 ? undefined : `${missing} running without a process`;
}

/** Warning about unresponsive supervisors of commands; undefined without any. */
export function silentText(workers: Workers | undefined): string | undefined {
  const { silent = 0 } = workers ?? {};
  return silent === 0 ? undefined : `${silent} not responding`;
}
