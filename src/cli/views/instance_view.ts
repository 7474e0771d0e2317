import { blockRecord } from "./block_view.ts";
import { formatDuration, formatRelative } from "../../core/time/duration.ts";
import type { JobInstance } from "../../rpc/gen/job_pb.ts";
import type { PlainRecord } from "../output/plain.ts";
import type { Cell, Style } from "../output/table.ts";
import type { View, Viewpoint } from "../output/view.ts";
import { formatAbsolute } from "../output/when.ts";
import { isoOf, msOf, stateName } from "../wire.ts";
import type { Timestamp } from "../wire.ts";

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

// Of the limits that an instance can wait for, a list shows only that no node runs it.
function waitingCell(instance: JobInstance): Cell {
  const name = stateName(instance.state);
  if (instance.blockedBy?.limit !== "node") return stateCell(name);
  return { text: `${name}, unserved`, style: "warn" };
}

/** A time as a field of a table: relative, or in full if the table is wide. */
export function timeCell(timestamp: Timestamp | undefined, at: Viewpoint): Cell {
  const ms = msOf(timestamp);
  if (ms === undefined) return { text: "-" };
  return { text: at.isWide ? formatAbsolute(ms) : formatRelative(ms, at.nowMs) };
}

/** A text as a field of a table; a dash if absent. */
export function textCell(text: string | number | undefined): Cell {
  return { text: text === undefined || text === "" ? "-" : String(text) };
}

/** When the instance became final; undefined if it is not. */
export function settledAt(instance: JobInstance): Timestamp | undefined {
  return instance.completedAt ?? instance.terminatedAt ?? instance.canceledAt ??
    instance.timedOutAt;
}

// Texts of several values on one line.
function joined(values: readonly string[]): string {
  return values.join(", ");
}

/** The outcome: the error, or else the results. */
function outcomeText(instance: JobInstance): string {
  return instance.error ?? joined(instance.results);
}

/** Progress as the job reported it: "3 of 10 (30 %)"; undefined if it reported none. */
export function progressText({ progress }: JobInstance): string | undefined {
  if (!progress) return undefined;
  const { done, total } = progress;
  if (total === undefined) return String(done);
  const share = total > 0 ? ` (${Math.floor(done / total * 100)} %)` : "";
  return `${done} of ${total}${share}`;
}

function record(instance: JobInstance): PlainRecord {
  const detail = instance.errorDetail;
  return {
    kind: instance.kind,
    uuid: instance.uuid || undefined,
    state: stateName(instance.state),
    // A list as JSON text, as in go-job.
    arguments: JSON.stringify(instance.arguments),
    result_set: instance.results.length > 0 ? JSON.stringify(instance.results) : undefined,
    error: instance.error,
    reason: instance.reason,
    priority: instance.priority,
    max_retries: instance.maxRetries,
    timeout: formatDuration(Number(instance.timeoutMs)),
    progress: instance.progress &&
      { done: instance.progress.done, total: instance.progress.total },
    version: instance.codeVersion,
    attempts: instance.attempts,
    failures: instance.failures || undefined,
    crashes: instance.crashes || undefined,
    due_at: isoOf(instance.dueAt),
    created_at: isoOf(instance.createdAt),
    scheduled_at: isoOf(instance.scheduledAt),
    processed_at: isoOf(instance.processedAt),
    completed_at: isoOf(instance.completedAt),
    terminated_at: isoOf(instance.terminatedAt),
    canceled_at: isoOf(instance.canceledAt),
    timed_out_at: isoOf(instance.timedOutAt),
    cancel_requested_at: isoOf(instance.cancelRequestedAt),
    unique_key: instance.uniqueKey,
    unique_until: isoOf(instance.uniqueUntil),
    blocked_by: instance.blockedBy && blockRecord(instance.blockedBy),
    schedule_id: instance.scheduleId,
    scheduled_for: isoOf(instance.scheduledFor),
    retry_of: instance.retryOf,
    redriven_as: instance.redrivenAs,
    deadline_at: isoOf(instance.deadlineAt),
    node: instance.node,
    fence: Number(instance.fence) || undefined,
    error_detail: detail && {
      name: detail.name,
      message: detail.message,
      stack: detail.stack,
      exit_code: detail.exitCode,
      signal: detail.signal,
    },
  };
}

/** How instances are shown. */
export const INSTANCE_VIEW: View<JobInstance> = {
  name: (instance) => instance.uuid,
  record,
  keys: [
    "kind",
    "uuid",
    "state",
    "arguments",
    "result_set",
    "error",
    "reason",
    "priority",
    "max_retries",
    "timeout",
    "progress",
    "version",
    "attempts",
    "failures",
    "crashes",
    "due_at",
    "created_at",
    "scheduled_at",
    "processed_at",
    "completed_at",
    "terminated_at",
    "canceled_at",
    "timed_out_at",
    "cancel_requested_at",
    "unique_key",
    "unique_until",
    "blocked_by",
    "schedule_id",
    "scheduled_for",
    "retry_of",
    "redriven_as",
    "deadline_at",
    "node",
    "fence",
    "error_detail",
  ],
  columns: [
    { title: "ID", cell: (instance) => textCell(instance.uuid) },
    { title: "KIND", isFlexible: true, cell: (instance) => textCell(instance.kind) },
    { title: "STATE", cell: waitingCell },
    { title: "TRY", cell: (instance) => textCell(instance.attempts ?? 0) },
    { title: "CREATED", cell: (instance, at) => timeCell(instance.createdAt, at) },
    { title: "DUE", cell: (instance, at) => timeCell(instance.dueAt, at) },
    { title: "STARTED", isWide: true, cell: (instance, at) => timeCell(instance.processedAt, at) },
    { title: "ENDED", cell: (instance, at) => timeCell(settledAt(instance), at) },
    { title: "PRIORITY", isWide: true, cell: (instance) => textCell(instance.priority) },
    { title: "REASON", isWide: true, cell: (instance) => textCell(instance.reason) },
    { title: "PROGRESS", isWide: true, cell: (instance) => textCell(progressText(instance)) },
    { title: "NODE", isWide: true, cell: (instance) => textCell(instance.node) },
    {
      title: "ARGUMENTS",
      isFlexible: true,
      cell: (instance) => textCell(joined(instance.arguments)),
    },
    { title: "RESULT", isFlexible: true, cell: (instance) => textCell(outcomeText(instance)) },
  ],
};

/** How dead letters are shown. */
export const DEAD_VIEW: View<JobInstance> = {
  ...INSTANCE_VIEW,
  columns: [
    { title: "ID", cell: (instance) => textCell(instance.uuid) },
    { title: "KIND", isFlexible: true, cell: (instance) => textCell(instance.kind) },
    { title: "REASON", cell: (instance) => textCell(instance.reason) },
    { title: "TRY", cell: (instance) => textCell(instance.attempts ?? 0) },
    { title: "ENDED", cell: (instance, at) => timeCell(settledAt(instance), at) },
    { title: "CREATED", isWide: true, cell: (instance, at) => timeCell(instance.createdAt, at) },
    { title: "NODE", isWide: true, cell: (instance) => textCell(instance.node) },
    {
      title: "ARGUMENTS",
      isFlexible: true,
      cell: (instance) => textCell(joined(instance.arguments)),
    },
    { title: "ERROR", isFlexible: true, cell: (instance) => textCell(instance.error) },
  ],
};
