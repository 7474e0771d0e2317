import { countText } from "../../core/text/count_text.ts";
import { roughSize } from "../../core/text/size.ts";
import { runText } from "../../core/time/duration.ts";
import type { JobInstance } from "../../rpc/gen/job_pb.ts";
import type { Cell } from "../output/table.ts";
import type { Column } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { msOf } from "../io/wire.ts";
import { tookText } from "./instance_view.ts";

/** Memory of the last attempt: "10.1 MiB at most"; of a running one "8.0 MiB, 10.1 MiB at most". */
export function memoryText({ maxRssBytes, process }: JobInstance): string | undefined {
  const most = maxRssBytes === undefined ? [] : [`${roughSize(Number(maxRssBytes))} at most`];
  const rssBytes = process?.rssBytes;
  const now = rssBytes === undefined ? [] : [roughSize(Number(rssBytes))];
  return [...now, ...most].join(", ") || undefined;
}

/** Processor time of the last attempt: "1.9s". */
export function cpuText({ cpuMs }: JobInstance): string | undefined {
  return cpuMs === undefined ? undefined : runText(Number(cpuMs));
}

/** Processes of a running attempt: "3, with 12 open files". */
export function processesText({ process }: JobInstance): string | undefined {
  const { processes, openFiles } = process ?? {};
  if (processes === undefined) return undefined;
  const files = openFiles === undefined
    ? ""
    : `, with ${countText(Number(openFiles), "open file")}`;
  return `${processes}${files}`;
}

/** Location of a running command: "4711 (supervisor 4700, adopted 2026-11-28 12:03:00Z)". */
export function placeText({ process }: JobInstance): string | undefined {
  const { pid, supervisorPid, adoptedAt } = process ?? {};
  if (pid === undefined) return undefined;
  const adoptedMs = msOf(adoptedAt);
  const details = [
    supervisorPid === undefined ? "" : `supervisor ${supervisorPid}`,
    adoptedMs === undefined ? "" : `adopted ${formatAbsolute(adoptedMs)}`,
  ].filter((text) => text !== "");
  return details.length === 0 ? String(pid) : `${pid} (${details.join(", ")})`;
}

/** A rounded size: "10.1 MiB". */
export function sizeText(bytes: bigint | undefined): string | undefined {
  return bytes === undefined ? undefined : roughSize(Number(bytes));
}

/** Special state of a running instance. */
function standCell({ frozenAt, cancelRequestedAt }: JobInstance): Cell {
  if (cancelRequestedAt !== undefined) return { text: "canceling", style: "warn" };
  return { text: frozenAt === undefined ? "" : "frozen", style: "warn" };
}

/** Resource use of running instances. */
export const RUNNING_COLUMNS: readonly Column<JobInstance>[] = [
  {
    title: "ID",
    weight: 9,
    cell: ({ uuid }, { shortId }) => ({ text: shortId(uuid), style: "dim" }),
  },
  { title: "KIND", weight: 8, least: 12, cell: ({ kind }) => kind },
  { title: "TOOK", weight: 3, cell: (instance, { nowMs }) => tookText(instance, nowMs) },
  {
    title: "MEMORY",
    weight: 7,
    isNumber: true,
    cell: ({ process }) => sizeText(process?.rssBytes),
  },
  {
    title: "PEAK",
    weight: 5,
    isNumber: true,
    cell: ({ maxRssBytes }) => sizeText(maxRssBytes),
  },
  { title: "CPU", weight: 6, isNumber: true, cell: cpuText },
  { title: "PROCESSES", weight: 4, isNumber: true, cell: ({ process }) => process?.processes },
  {
    title: "FILES",
    weight: 3,
    isNumber: true,
    cell: ({ process }) => process?.openFiles?.toString(),
  },
  { title: "PID", weight: 2, isNumber: true, cell: ({ process }) => process?.pid },
  // Empty, and so omitted, if all of them simply run.
  { title: "STATE", weight: 5, cell: standCell },
];
