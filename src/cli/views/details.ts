import { formatDuration } from "../../core/time/duration.ts";
import type { Job, JobInstance, Node, Schedule } from "../../rpc/gen/job_pb.ts";
import type { Printer } from "../output/printer.ts";
import { makeLinesVisible, makeVisible } from "../../core/text/safe_text.ts";
import { displayWidth } from "../output/table.ts";
import { wrap } from "../output/wrap.ts";
import { msOf, type Timestamp } from "../io/wire.ts";
import { blockText, progressText, settledAt, tookText } from "./instance_view.ts";
import { schedulesText } from "./job_view.ts";
import { busyText, nodeStyle } from "./node_view.ts";
import { statusCell } from "./schedule_view.ts";
import { waitsShown } from "./step_view.ts";
import { stateCell } from "./state_words.ts";
import { timeText } from "../output/when.ts";
import { cpuText, memoryText, placeText, processesText } from "./usage_view.ts";

type Field = readonly [string, string | undefined];

/**
 * Fields with values, one per line. Values are already safe.
 *
 * @param columns width to which values are wrapped; null for no limit
 */
export function fieldLines(fields: readonly Field[], columns: number | null = null): string[] {
  const shown = fields.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([label]) => displayWidth(label) + 1));
  const room = columns === null ? Infinity : columns - width - 2;
  return shown.flatMap(([label, value]) => {
    const [first, ...rest] = value!.split("\n").flatMap((line) => wrap(line, room));
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
  return count === -1 ? "forever" : String(count);
}

function spanText(ms: bigint): string {
  return formatDuration(Number(ms));
}

function limitText(ms: bigint): string {
  return ms === 0n ? "none" : spanText(ms);
}

function safe(text: string | undefined): string | undefined {
  return text === undefined ? undefined : makeVisible(text);
}

/** An instance as lines for people. */
export function instanceLines(instance: JobInstance, printer: Printer): string[] {
  const { text, style } = stateCell(instance);
  const time = (timestamp: Timestamp | undefined) => timeText(timestamp, printer.nowMs);
  return fieldLines([
    ["Instance", instance.uuid],
    ["Kind", makeVisible(instance.kind)],
    ["State", printer.paint(makeVisible(text), style)],
    ["Error", instance.error === undefined ? undefined : makeLinesVisible(instance.error)],
    ["Waiting for", instance.blockedBy && blockText(instance.blockedBy, printer)],
    ["Parked on", instance.waits.length === 0 ? undefined : waitsShown(instance, printer)],
    ["Resumes", instance.resumes === 0 ? undefined : String(instance.resumes)],
    ["Results", numbered(instance.results)],
    ["Arguments", numbered(instance.arguments)],
    ["Progress", progressText(instance)],
    ["Created", time(instance.createdAt)],
    ["Due", time(instance.dueAt)],
    [instance.resumes > 0 ? "Continued" : "Started", time(instance.processedAt)],
    ["Cancel asked", time(instance.cancelRequestedAt)],
    ["Frozen", time(instance.frozenAt)],
    ["Ended", time(settledAt(instance))],
    ["Took", tookText(instance, printer.nowMs)],
    ["Memory", memoryText(instance)],
    ["Processor time", cpuText(instance)],
    ["Process", placeText(instance)],
    ["Processes", processesText(instance)],
    ["Attempts", attemptsText(instance)],
    ["Crashes", instance.crashes ? String(instance.crashes) : undefined],
    ["Priority", String(instance.priority)],
    ["Timeout", limitText(instance.timeoutMs)],
    ["Deadline", instance.canceledAt === undefined ? time(instance.deadlineAt) : undefined],
    ["Unique key", safe(instance.uniqueKey)],
    ["Unique until", time(instance.uniqueUntil)],
    ["Schedule", safe(instance.scheduleId)],
    ["Scheduled for", time(instance.scheduledFor)],
    ["Scheduled by", instance.parentId],
    ["Flow", instance.flowId],
    ["Keeps slot", safe(instance.slotKey)],
    ["Node", safe(instance.node)],
    ["Code version", safe(instance.codeVersion)],
    ["Stack", stackText(instance)],
  ], printer.columns);
}

/** The stack of the error without its message, which is already shown. */
function stackText({ errorDetail }: JobInstance): string | undefined {
  const lines = errorDetail?.stack?.split("\n") ?? [];
  const frames = lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
  return frames.length === 0 ? undefined : makeLinesVisible(frames.join("\n"));
}

/** Number and limit of attempts: `3, 2 failed (up to 5 retries)`. */
function attemptsText({ attempts = 0, failures, maxRetries }: JobInstance): string {
  if (attempts === 0) return "none yet";
  const failed = failures === 0 ? "" : `, ${failures} failed`;
  const retries = maxRetries === -1
    ? "any number of"
    : maxRetries === 0
    ? "no"
    : `up to ${maxRetries}`;
  return `${attempts}${failed} (${retries} ${maxRetries === 1 ? "retry" : "retries"})`;
}

/** A job as lines for people. @param more further fields */
export function jobLines(job: Job, printer: Printer, more: readonly Field[] = []): string[] {
  return fieldLines([
    ["Job", makeVisible(job.kind)],
    ["Description", job.description === "" ? undefined : makeLinesVisible(job.description)],
    ["Usage", job.usage === "" ? undefined : makeLinesVisible(job.usage)],
    ["Schedule", safe(schedulesText(job) || undefined)],
    ...more,
    ["Priority", String(job.priority)],
    ["Retries", retriesText(job.maxRetries)],
    ["Timeout", limitText(job.timeoutMs)],
    ["Isolation", safe(job.isolation)],
    ["Limits", job.limits.length === 0 ? undefined : makeVisible(job.limits.join("; "))],
    ["Needs", job.needs.length === 0 ? undefined : makeVisible(job.needs.join(", "))],
    ["Source", safe(job.source)],
    ["Registered", timeText(job.registeredAt, printer.nowMs)],
  ], printer.columns);
}

/** A recurring schedule as lines for people. */
export function scheduleLines(schedule: Schedule, printer: Printer): string[] {
  const { nowMs, columns } = printer;
  const { recurrence, jitterMs } = schedule;
  const { text, style } = statusCell(schedule, printer);
  return fieldLines([
    ["Schedule", makeVisible(schedule.id)],
    ["Job", makeVisible(schedule.kind)],
    ["Times", makeVisible(`${schedule.cron} (${schedule.timezone})`)],
    ["Status", printer.paint(makeVisible(text), style)],
    ["Next", timeText(schedule.nextRunAt, nowMs)],
    ["Skips", skippedText(schedule, nowMs)],
    ["Last run", timeText(schedule.lastRunAt, nowMs)],
    ["Last tick", timeText(schedule.lastAt, nowMs)],
    ["Runs", String(schedule.runs)],
    ["Arguments", numbered(schedule.arguments)],
    ["Overlap", safe(schedule.overlap)],
    ["Queue", recurrence?.queueMax ? `at most ${recurrence.queueMax}` : undefined],
    ["Misfire", safe(schedule.misfire)],
    [
      "Misfire within",
      recurrence?.misfireWithinMs ? spanText(recurrence.misfireWithinMs) : undefined,
    ],
    ["Jitter", jitterMs > 0n ? spanText(jitterMs) : undefined],
    ["Blackout", recurrence && safe(recurrence.blackout.join("; "))],
    ["Starts", timeText(recurrence?.startsAt, nowMs)],
    ["Ends", timeText(recurrence?.endsAt, nowMs)],
    ["Most runs", recurrence?.runsMax?.toString()],
    ["Origin", safe(schedule.origin)],
    ["Created", timeText(schedule.createdAt, nowMs)],
  ], columns);
}

/** The next tick if it will be skipped. */
function skippedText({ nextAt, nextRunAt }: Schedule, nowMs: number): string | undefined {
  return msOf(nextAt) === msOf(nextRunAt) ? undefined : timeText(nextAt, nowMs);
}

/** One of the daemons on the store as lines for people. */
export function nodeLines(node: Node, printer: Printer): string[] {
  const { nowMs, columns } = printer;
  return fieldLines([
    ["Node", makeVisible(node.id)],
    ["State", printer.paint(makeVisible(node.state), nodeStyle(node))],
    ["Busy", busyText(node)],
    ["Workers set to", node.wantedWorkers?.toString()],
    ["Seen", timeText(node.seenAt, nowMs)],
    ["Started", timeText(node.startedAt, nowMs)],
    ["Host", makeVisible(node.host)],
    ["Process", String(node.pid)],
    ["Version", makeVisible(node.version)],
    ["Tags", makeVisible(node.tags.join(", "))],
    ["Clock", node.skewMs === undefined ? undefined : `${node.skewMs} ms from the store's`],
    ["Time zones", makeVisible(node.tzVersion)],
    ["Jobs", String(node.kindCount)],
    ["Kinds", makeVisible(node.kinds.join(", "))],
  ], columns);
}
