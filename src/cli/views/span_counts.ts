import type { JobClient } from "../../rpc/client/client.ts";
import type { LookupTimelineResponse, TimelineCounts, TimelineRun } from "../../rpc/gen/job_pb.ts";
import type { Printer } from "../output/printer.ts";
import type { Style } from "../output/table.ts";
import type { Column, PlainRecord } from "../output/view.ts";
import { timeText } from "../output/when.ts";
import { isoOf, msOf, stateName, timestampOf } from "../wire.ts";

/** Instances of a kind by state; without a kind, those of all further kinds. */
interface Counts {
  readonly kind: string | undefined;
  readonly completed: number;
  readonly terminated: number;
  readonly timedOut: number;
  readonly canceled: number;
  readonly unfinished: number;
}

/** The instances that were created in a span of time. */
export interface SpanCounts extends Pick<LookupTimelineResponse, "from" | "to" | "isEstimate"> {
  /** True if the span ends in the past. */
  readonly hasEnd: boolean;
  /** The kinds with the most first. */
  readonly kinds: readonly Counts[];
}

const NONE = { completed: 0, terminated: 0, timedOut: 0, canceled: 0, unfinished: 0 };
const FINAL: Readonly<Record<string, keyof typeof NONE>> = {
  Completed: "completed",
  Terminated: "terminated",
  TimedOut: "timedOut",
  Cancelled: "canceled",
};

const COLUMNS: readonly Column<Counts>[] = [
  { title: "KIND", weight: 9, least: 12, cell: ({ kind }) => kind ?? "(other kinds)" },
  {
    ...{ title: "NOT ENDED", weight: 7, isNumber: true },
    cell: ({ unfinished }) => countCell(unfinished, "active"),
  },
  {
    ...{ title: "FAILED", weight: 8, isNumber: true },
    cell: ({ terminated, timedOut }) => countCell(terminated + timedOut, "bad"),
  },
  { title: "DONE", weight: 6, isNumber: true, cell: ({ completed }) => countCell(completed) },
  { title: "CANCELED", weight: 3, isNumber: true, cell: ({ canceled }) => countCell(canceled) },
];

function countCell(count: number, style?: Style) {
  return count > 0 ? { text: String(count), style } : { text: "" };
}

/** Count what was created in a span of time. */
export async function countSpan(
  client: JobClient,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number | undefined },
): Promise<SpanCounts> {
  // With one span and at most one run listed, everything else is counted.
  const span = { from: timestampOf(sinceMs), to: timestampOf(untilMs), limit: 1, spans: 1 };
  const { from, to, isEstimate, counts, runs } = await client.lookupTimeline(span);
  const listed = runs.filter(({ createdAt }) => msOf(createdAt)! >= msOf(from)!);
  return {
    from,
    to,
    isEstimate,
    hasEnd: untilMs !== undefined,
    kinds: counts.length > 0 ? counts.map(countsOf) : listed.map(countOf),
  };
}

function countsOf({ kind, ...counts }: TimelineCounts): Counts {
  const first = ([count = 0n]: readonly bigint[]) => Number(count);
  return {
    kind,
    completed: first(counts.completed),
    terminated: first(counts.terminated),
    timedOut: first(counts.timedOut),
    canceled: first(counts.canceled),
    unfinished: first(counts.unfinished),
  };
}

function countOf({ kind, state }: TimelineRun): Counts {
  return { kind, ...NONE, [FINAL[stateName(state) ?? ""] ?? "unfinished"]: 1 };
}

/** The counts as data; what is not of a kind of its own has none. */
export function spanRecord({ from, to, isEstimate, kinds }: SpanCounts): PlainRecord {
  return {
    ...{ from: isoOf(from), to: isoOf(to), is_estimate: isEstimate },
    kinds: kinds.map(({ kind, completed, terminated, timedOut, canceled, unfinished }) => ({
      ...{ kind, completed, terminated, timed_out: timedOut, canceled, unfinished },
    })),
  };
}

/** The counts as lines for people. */
export function spanLines(
  { from, to, hasEnd, isEstimate, kinds }: SpanCounts,
  printer: Printer,
): string[] {
  const start = timeText(from, printer.nowMs);
  const end = hasEnd ? ` until ${timeText(to, printer.nowMs)}` : "";
  const about = isEstimate ? ", estimated" : "";
  const title = `Created since ${start}${end}${about}:`;
  return kinds.length === 0 ? [`${title} nothing`] : [title, ...printer.tableLines(COLUMNS, kinds)];
}
