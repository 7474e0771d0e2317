import { formatDuration } from "../../core/time/duration.ts";
import type { Job, JobInstance } from "../../rpc/gen/job_pb.ts";
import type { Printer } from "../output/printer.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { displayWidth } from "../output/table.ts";
import { stateName, type Timestamp } from "../wire.ts";
import { blockText, progressText, settledAt, stateStyle } from "./instance_view.ts";
import { schedulesText } from "./job_view.ts";
import { timeText } from "../output/when.ts";

type Field = readonly [string, string | undefined];

/** Fields, one per line, without those that have no value. Values are already safe. */
export function fieldLines(fields: readonly Field[]): string[] {
  const shown = fields.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([label]) => displayWidth(label) + 1));
  return shown.flatMap(([label, value]) => {
    const [first, ...rest] = value!.split("\n");
    return [
      `${`${label}:`.padEnd(width)}  ${first}`,
      ...rest.map((line) => `${" ".repeat(width)}  ${line}`),
    ];
  });
}

function numbered(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.map(makeVisible).join("\n");
}

function retriesText(count: number): string {
  return count === -1 ? "for ever" : String(count);
}

function limitText(ms: bigint): string {
  return ms === 0n ? "none" : formatDuration(Number(ms));
}

function safe(text: string | undefined): string | undefined {
  return text === undefined ? undefined : makeVisible(text);
}

/** An instance as lines for people. */
export function instanceLines(instance: JobInstance, printer: Printer): string[] {
  const state = stateName(instance.state);
  const reason = instance.reason === undefined ? "" : ` (${makeVisible(instance.reason)})`;
  const time = (timestamp: Timestamp | undefined) => timeText(timestamp, printer.nowMs);
  const detail = instance.errorDetail;
  return fieldLines([
    ["Instance", instance.uuid],
    ["Kind", makeVisible(instance.kind)],
    ["State", state && `${printer.paint(state, stateStyle(state))}${reason}`],
    ["Arguments", numbered(instance.arguments)],
    ["Results", numbered(instance.results)],
    ["Error", instance.error === undefined ? undefined : makeLinesVisible(instance.error)],
    ["Stack", detail?.stack === undefined ? undefined : makeLinesVisible(detail.stack)],
    ["Exit code", detail?.exitCode?.toString()],
    ["Signal", safe(detail?.signal)],
    ["Created", time(instance.createdAt)],
    ["Due", time(instance.dueAt)],
    ["Waiting for", instance.blockedBy && blockText(instance.blockedBy, printer)],
    ["Started", time(instance.processedAt)],
    ["Cancel asked", time(instance.cancelRequestedAt)],
    ["Ended", time(settledAt(instance))],
    ["Progress", progressText(instance)],
    ["Attempts", instance.attempts?.toString()],
    ["Failures", instance.failures ? String(instance.failures) : undefined],
    ["Crashes", instance.crashes ? String(instance.crashes) : undefined],
    ["Priority", String(instance.priority)],
    ["Retries", retriesText(instance.maxRetries)],
    ["Timeout", limitText(instance.timeoutMs)],
    ["Deadline", time(instance.deadlineAt)],
    ["Unique key", safe(instance.uniqueKey)],
    ["Unique until", time(instance.uniqueUntil)],
    ["Schedule", safe(instance.scheduleId)],
    ["Scheduled for", time(instance.scheduledFor)],
    ["Retry of", instance.retryOf],
    ["Redriven as", instance.redrivenAs],
    ["Node", safe(instance.node)],
    ["Code version", safe(instance.codeVersion)],
  ]);
}

/** A job as lines for people. @param more further fields */
export function jobLines(job: Job, printer: Printer, more: readonly Field[] = []): string[] {
  return fieldLines([
    ["Job", makeVisible(job.kind)],
    ["Description", job.description === "" ? undefined : makeLinesVisible(job.description)],
    ["Usage", job.usage === "" ? undefined : makeLinesVisible(job.usage)],
    ["Schedule", safe(schedulesText(job) || undefined)],
    ["Priority", String(job.priority)],
    ["Retries", retriesText(job.maxRetries)],
    ["Timeout", limitText(job.timeoutMs)],
    ["Isolation", safe(job.isolation)],
    ["Limits", job.limits.length === 0 ? undefined : makeVisible(job.limits.join("; "))],
    ["Needs", job.needs.length === 0 ? undefined : makeVisible(job.needs.join(", "))],
    ["Source", safe(job.source)],
    ["Registered", timeText(job.registeredAt, printer.nowMs)],
    ...more,
  ]);
}
