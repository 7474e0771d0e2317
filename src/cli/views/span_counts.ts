import type { JobClient } from "../../rpc/client/client.ts";
import type {
  JobInstance,
  LookupTimelineResponse,
  TimelineCounts,
  TimelineRun,
} from "../../rpc/gen/job_pb.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import type { Printer } from "../output/printer.ts";
import type { Style } from "../output/table.ts";
import type { Column, PlainRecord } from "../output/view.ts";
import { timeText } from "../output/when.ts";
import type { QueryInit } from "../parsing/query.ts";
import { finalStates, isoOf, msOf, stateName, type Timestamp, timestampOf } from "../io/wire.ts";

/** Instances inspected for a page of instances that ended in another span. */
const LOOK_MAX = 20_000;
const PAGE_SIZE = 1_000;
const PAGES_MAX = 5;

const NONE = { completed: 0, terminated: 0, timedOut: 0, canceled: 0 };
const FINAL: Readonly<Record<string, keyof typeof NONE>> = {
  Completed: "completed",
  Terminated: "terminated",
  TimedOut: "timedOut",
  Cancelled: "canceled",
};

/** Instances of a kind by state; without a kind, of all further kinds. */
type Counts = { readonly kind: string | undefined } & typeof NONE;

/** The instances that ended in a span of time. */
export interface SpanCounts extends Pick<LookupTimelineResponse, "from" | "to" | "isEstimate"> {
  /** True if the span ends in the past. */
  readonly hasEnd: boolean;
  /** Start of the counted instances by creation; absent: all are counted. */
  readonly createdFrom: Timestamp | undefined;
  /** Kinds with the most failures first, then with the most instances. */
  readonly kinds: readonly Counts[];
}

const COLUMNS: readonly Column<Counts>[] = [
  { title: "KIND", weight: 9, least: 12, cell: ({ kind }) => kind ?? "(other kinds)" },
  {
    title: "FAILED",
    weight: 8,
    isNumber: true,
    cell: (counts) => countCell(failedOf(counts), "bad"),
  },
  { title: "DONE", weight: 6, isNumber: true, cell: ({ completed }) => countCell(completed) },
  { title: "CANCELED", weight: 3, isNumber: true, cell: ({ canceled }) => countCell(canceled) },
];

function countCell(count: number, style?: Style) {
  return count > 0 ? { text: String(count), style } : { text: "" };
}

/**
 * Count instances that ended in a span of time. The store counts by the time of creation, so
 * instances that ended in another span than they were created in are looked up.
 */
export async function countSpan(
  client: JobClient,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number | undefined },
): Promise<SpanCounts> {
  const [since, until] = [timestampOf(sinceMs), timestampOf(untilMs)];
  const [created, earlier, later] = await Promise.all([
    // With one span and at most one run listed, everything else is counted.
    client.lookupTimeline({ from: since, to: until, limit: 1, spans: 1 }),
    lookUpEnded(client, { before: since, endedAfter: since, endedBefore: until }),
    until === undefined
      ? { found: [], createdFrom: undefined }
      : lookUpEnded(client, { after: since, before: until, endedAfter: until }),
  ]);
  const { from, to, isEstimate, counts, runs } = created;
  const listed = runs.filter(({ createdAt }) => msOf(createdAt)! >= sinceMs);
  const sums = new Sums(counts.length > 0 ? counts.map(countsOf) : listed.map(countOf));
  for (const instance of earlier.found) sums.add(instance, 1);
  for (const instance of later.found) sums.add(instance, -1);
  return {
    from,
    to,
    hasEnd: untilMs !== undefined,
    kinds: sums.sorted(),
    isEstimate: isEstimate || later.createdFrom !== undefined,
    createdFrom: earlier.createdFrom,
  };
}

/** The newest final instances of a query, and their start if they are not all. */
async function lookUpEnded(client: JobClient, query: QueryInit) {
  const found: JobInstance[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const asked = { ...query, states: finalStates(), pageSize: PAGE_SIZE, pageToken };
    const request = { query: asked, brief: true, lookMax: LOOK_MAX };
    const { instances, nextPageToken, lookedTo } = await client.lookupInstances(request);
    found.push(...instances);
    if (lookedTo !== undefined) return { found, createdFrom: lookedTo };
    if (!nextPageToken) return { found, createdFrom: undefined };
    pageToken = nextPageToken;
  }
  return { found, createdFrom: found.at(-1)?.createdAt };
}

class Sums {
  readonly #kinds: Map<string | undefined, Counts>;

  constructor(counted: readonly Counts[]) {
    this.#kinds = new Map(counted.map((counts) => [counts.kind, counts]));
  }

  add({ kind, state }: JobInstance, count: 1 | -1): void {
    // If there are other kinds, unknown kinds are among them.
    const name = this.#kinds.has(kind) || !this.#kinds.has(undefined) ? kind : undefined;
    const counts = this.#kinds.get(name) ?? { kind: name, ...NONE };
    const field = FINAL[stateName(state)!]!;
    this.#kinds.set(name, { ...counts, [field]: Math.max(0, counts[field] + count) });
  }

  /** Kinds with counts: most failures first, then most instances, the others last. */
  sorted(): readonly Counts[] {
    const counted = [...this.#kinds.values()].filter((counts) => totalOf(counts) > 0);
    const others = counted.filter(({ kind }) => kind === undefined);
    const named = counted.filter(({ kind }) => kind !== undefined);
    return [
      ...named.sort((left, right) =>
        failedOf(right) - failedOf(left) || totalOf(right) - totalOf(left)
      ),
      ...others,
    ];
  }
}

function failedOf({ terminated, timedOut }: Counts): number {
  return terminated + timedOut;
}

function totalOf({ completed, terminated, timedOut, canceled }: Counts): number {
  return completed + terminated + timedOut + canceled;
}

function countsOf({ kind, ...counts }: TimelineCounts): Counts {
  const first = ([count = 0n]: readonly bigint[]) => Number(count);
  return {
    kind,
    completed: first(counts.completed),
    terminated: first(counts.terminated),
    timedOut: first(counts.timedOut),
    canceled: first(counts.canceled),
  };
}

function countOf({ kind, state }: TimelineRun): Counts {
  const field = FINAL[stateName(state) ?? ""];
  return { kind, ...NONE, ...(field === undefined ? {} : { [field]: 1 }) };
}

/** The counts as data; the sum of further kinds has no kind. */
export function spanRecord(
  { from, to, isEstimate, createdFrom, kinds }: SpanCounts,
): PlainRecord {
  return {
    from: isoOf(from),
    to: isoOf(to),
    is_estimate: isEstimate,
    created_from: isoOf(createdFrom),
    kinds: kinds.map(({ kind, completed, terminated, timedOut, canceled }) => ({
      kind,
      completed,
      terminated,
      timed_out: timedOut,
      canceled,
    })),
  };
}

/** The counts as lines for people. */
export function spanLines(
  { from, to, hasEnd, isEstimate, createdFrom, kinds }: SpanCounts,
  printer: Printer,
): string[] {
  const time = (at: Timestamp | undefined) => timeText(at, printer.nowMs);
  const end = hasEnd ? ` until ${time(to)}` : "";
  const about = isEstimate ? ", estimated" : "";
  // Notices matter only if they cannot be delivered.
  const shown = kinds.filter((counts) =>
    !counts.kind?.startsWith(NOTICE_KINDS) || failedOf(counts) > 0
  );
  const title = `Ended since ${time(from)}${end}${about}:`;
  const lines = shown.length === 0 ? [`${title} nothing`] : [
    title,
    ...printer.tableLines(COLUMNS, shown),
  ];
  if (createdFrom === undefined) return lines;
  return [...lines, `Instances created before ${time(createdFrom)} are not counted`];
}
