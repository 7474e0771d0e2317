import { runText } from "../../core/time/duration.ts";
import type { HistoryEntry, JobInstance, LogEntry } from "../../rpc/gen/job_pb.ts";
import type { Cell } from "../output/table.ts";
import type { Column } from "../output/view.ts";
import type { Printer } from "../output/printer.ts";
import { formatAbsolute } from "../output/when.ts";
import { errorLine, firstLine } from "./instance_view.ts";
import { failedCell, stateCell } from "./state_words.ts";
import { msOf, stateName } from "../io/wire.ts";

/** Most attempts shown: the last ones. */
const ATTEMPTS_SHOWN = 10;

/** One attempt, from the history and the log of its instance. */
interface Attempt {
  readonly number: number;
  readonly startedAt: number;
  /** Epoch ms; null while it runs. */
  readonly endedAt: number | null;
  readonly node: string | undefined;
  readonly outcome: Cell;
  readonly error: string;
}

const COLUMNS: readonly Column<Attempt>[] = [
  { title: "#", weight: 8, isNumber: true, cell: ({ number }) => number },
  { title: "STARTED", weight: 6, cell: ({ startedAt }) => formatAbsolute(startedAt) },
  {
    title: "TOOK",
    weight: 4,
    cell: ({ startedAt, endedAt }, { nowMs }) =>
      runText(Math.max(0, (endedAt ?? nowMs) - startedAt)),
  },
  { title: "STATE", weight: 9, least: 16, cell: ({ outcome }) => outcome },
  { title: "NODE", weight: 3, least: 8, cell: ({ node }) => node },
  { title: "ERROR", weight: 7, least: 12, cell: ({ error }) => error },
];

/** The history and the last lines of the log of an instance, each the oldest first. */
export interface Past {
  readonly history: readonly HistoryEntry[];
  readonly log: readonly LogEntry[];
}

/**
 * The last attempts of an instance as the lines of a table, if there were several. Only the last
 * error is stored: for earlier attempts, the last logged error or warning is shown.
 */
export function attemptLines(instance: JobInstance, past: Past, printer: Printer): string[] {
  const attempts = attemptsOf(instance, past).slice(-ATTEMPTS_SHOWN);
  return attempts.length < 2 ? [] : printer.tableLines(COLUMNS, attempts);
}

function attemptsOf(instance: JobInstance, { history, log }: Past): readonly Attempt[] {
  const starts = history.flatMap((entry, index) =>
    stateName(entry.state) === "Processing" ? [{ entry, ended: history[index + 1] }] : []
  );
  const lastEnded = starts.findLastIndex(({ ended }) => ended !== undefined);
  return starts.map(({ entry, ended }, index) => {
    const isLast = index === lastEnded;
    const logged = log.findLast(({ attempt, level }) =>
      attempt === entry.attempt && (level === "error" || level === "warn")
    );
    return {
      number: entry.attempt,
      startedAt: msOf(entry.at) ?? 0,
      endedAt: msOf(ended?.at) ?? null,
      node: entry.node,
      outcome: outcomeCell(instance, ended, isLast),
      error: isLast ? errorLine(instance) : firstLine(logged?.message ?? ""),
    };
  });
}

/** The end of an attempt. If another one follows, the instance itself waits. */
function outcomeCell(
  instance: JobInstance,
  ended: HistoryEntry | undefined,
  isLast: boolean,
): Cell {
  if (ended === undefined) return stateCell(instance);
  const { state, reason } = ended;
  if (stateName(state) !== "Scheduled") return stateCell(isLast ? instance : ended);
  if (reason === "snoozed" || reason === "released") return { text: reason };
  return failedCell({ reason });
}
