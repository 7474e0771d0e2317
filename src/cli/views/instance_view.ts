import { blockWords } from "../../core/job/limits.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Printer } from "../output/printer.ts";
import type { MessageView, Viewpoint } from "../output/view.ts";
import type { Block, JobInstance } from "../../rpc/gen/job_pb.ts";
import { formatAbsolute, timeText } from "../output/when.ts";
import { formatRelative } from "../../core/time/duration.ts";
import type { Cell, Style } from "../output/table.ts";
import { msOf, stateName, type Timestamp } from "../wire.ts";

const STATE_STYLES: Readonly<Record<string, Style>> = {
  Processing: "active",
  Completed: "good",
  Terminated: "bad",
  TimedOut: "bad",
  Cancelled: "warn",
};

/** Style of a state's name. */
export function stateStyle(name: string | undefined): Style | undefined {
  return name === undefined ? undefined : STATE_STYLES[name];
}

/** A state as a field of a table. */
export function stateCell(name: string | undefined): Cell {
  return { text: name ?? "-", style: stateStyle(name) };
}

// A list shows only one of the limits that an instance can wait for: that no node runs it.
function waitingCell(instance: JobInstance): Cell {
  const name = stateName(instance.state);
  if (instance.blockedBy?.limit !== "node") return stateCell(name);
  return { text: `${name}, unserved`, style: "warn" };
}

/** A time as a field of a table: relative, or in full if the table is wide. */
export function shortTime(timestamp: Timestamp | undefined, at: Viewpoint): string | undefined {
  const ms = msOf(timestamp);
  if (ms === undefined) return undefined;
  return at.isWide ? formatAbsolute(ms) : formatRelative(ms, at.nowMs);
}

/** When the instance became final; undefined if it is not. */
export function settledAt(instance: JobInstance): Timestamp | undefined {
  return instance.completedAt ?? instance.terminatedAt ?? instance.canceledAt ??
    instance.timedOutAt;
}

/** The outcome: the error, or else the results. */
function outcomeText(instance: JobInstance): string {
  return instance.error ?? instance.results.join(", ");
}

/** The arguments; of a notice only its title, as the rest is long. */
function argumentsText({ kind, arguments: all }: JobInstance): string {
  return (kind.startsWith(`${NOTICE_KINDS}.`) ? all.slice(0, 1) : all).join(", ");
}

/** Progress as the job reported it: "3 of 10 (30 %)"; undefined if it reported none. */
export function progressText({ progress }: JobInstance): string | undefined {
  if (!progress) return undefined;
  const { done, total } = progress;
  if (total === undefined) return String(done);
  const share = total > 0 ? ` (${Math.floor(done / total * 100)} %)` : "";
  return `${done} of ${total}${share}`;
}

/** The limit that instances wait for, for people: `concurrency of mail (2 of 2)`. */
export function blockText(block: Block, printer: Printer): string {
  const text = makeVisible(blockWords(block));
  return block.opensAt ? `${text}, until ${timeText(block.opensAt, printer.nowMs)}` : text;
}

/** How instances are shown. */
export const INSTANCE_VIEW: MessageView<JobInstance> = {
  message: "JobInstance",
  name: (instance) => instance.uuid,
  columns: [
    { title: "ID", cell: (instance) => instance.uuid },
    { title: "KIND", isFlexible: true, cell: (instance) => instance.kind },
    { title: "STATE", cell: waitingCell },
    { title: "TRY", cell: (instance) => instance.attempts ?? 0 },
    { title: "CREATED", cell: (instance, at) => shortTime(instance.createdAt, at) },
    { title: "DUE", cell: (instance, at) => shortTime(instance.dueAt, at) },
    { title: "STARTED", isWide: true, cell: (instance, at) => shortTime(instance.processedAt, at) },
    { title: "ENDED", cell: (instance, at) => shortTime(settledAt(instance), at) },
    { title: "PRIORITY", isWide: true, cell: (instance) => instance.priority },
    { title: "REASON", isWide: true, cell: (instance) => instance.reason },
    { title: "PROGRESS", isWide: true, cell: progressText },
    { title: "NODE", isWide: true, cell: (instance) => instance.node },
    { title: "ARGUMENTS", isFlexible: true, cell: argumentsText },
    { title: "RESULT", isFlexible: true, cell: outcomeText },
  ],
};

/** How dead letters are shown. */
export const DEAD_VIEW: MessageView<JobInstance> = {
  ...INSTANCE_VIEW,
  columns: [
    { title: "ID", cell: (instance) => instance.uuid },
    { title: "KIND", isFlexible: true, cell: (instance) => instance.kind },
    { title: "REASON", cell: (instance) => instance.reason },
    { title: "TRY", cell: (instance) => instance.attempts ?? 0 },
    { title: "ENDED", cell: (instance, at) => shortTime(settledAt(instance), at) },
    { title: "CREATED", isWide: true, cell: (instance, at) => shortTime(instance.createdAt, at) },
    { title: "NODE", isWide: true, cell: (instance) => instance.node },
    { title: "ARGUMENTS", isFlexible: true, cell: argumentsText },
    { title: "ERROR", isFlexible: true, cell: (instance) => instance.error },
  ],
};
