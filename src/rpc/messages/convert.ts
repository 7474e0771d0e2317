import { describeSignature } from "../../core/arguments/describe.ts";
import { encodeSignature } from "../../core/arguments/signature_json.ts";
import {
  type HistoryEntry,
  type Instance,
  isElsewhere,
  type RunningProcess,
  type StoredLogEntry,
} from "../../core/instance.ts";
import { NEVER_DUE } from "../../core/wait.ts";
import type { StepInfo } from "../../core/flow/step_info.ts";
import { argumentTexts, conditionTexts, hookPathOf } from "../../core/hooks/hook.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { isSystemKind } from "../../core/job/kind.ts";
import { type Block, describeLimits } from "../../core/job/limits.ts";
import { isFinished, type ScheduleRecord } from "../../core/time/schedule.ts";
import { isFinal, type JobState } from "../../core/state.ts";
import { nextRunAt } from "../../core/time/next_run.ts";
import { formatScheduleText } from "../../core/time/ticks.ts";
import type { StoreContent } from "../../maintenance/step.ts";
import type { ManagerStatus, NodeStatus, SchedulePreview } from "../../manager/api.ts";
import type {
  GetStatusResponseSchema,
  GetStoreResponseSchema,
  HistoryEntrySchema,
  JobHookSchema,
  JobInstanceSchema,
  JobSchema,
  JobState as WireState,
  LogEntrySchema,
  NodeSchema,
  ScheduleSchema,
  StepSchema,
} from "../gen/job_pb.ts";
import type { WireRecord } from "./wire_record.ts";

/** Wire value of each state. */
export const WIRE_STATE: Readonly<Record<JobState, WireState>> = {
  created: 1,
  scheduled: 2,
  processing: 4,
  completed: 32,
  terminated: 64,
  canceled: 8,
  timedOut: 16,
};

const STATE_OF_WIRE: ReadonlyMap<WireState, JobState> = new Map(
  (Object.keys(WIRE_STATE) as JobState[]).map((state) => [WIRE_STATE[state], state]),
);

/** State of a wire value; null for "unset", undefined for an unknown value. */
export function stateOfWire(value: WireState): JobState | null | undefined {
  return value === 0 ? null : STATE_OF_WIRE.get(value);
}

/** One value as go-job's clients show it: a string unchanged, any other value as JSON text. */
function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "null";
}

/** The texts of a stored JSON array. */
export function valueTexts(json: string | null): string[] {
  if (json === null) return [];
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch {
    return [json];
  }
  return Array.isArray(values) ? values.map(valueText) : [valueText(values)];
}

/** Duration of the attempt that ended an instance; undefined if none was running then. */
function durationOf(instance: Instance): number | undefined {
  const { processedAt, settledAt, node } = instance;
  if (processedAt === null || settledAt === null) return undefined;
  // An instance that waits for another attempt is on no node.
  if (node === null && !isElsewhere(instance)) return undefined;
  return Math.max(0, settledAt - processedAt);
}

/** An instance on the wire. */
export function instanceToWire(instance: Instance): WireRecord<typeof JobInstanceSchema> {
  const { state, settledAt, error, progress } = instance;
  const { frozenAt } = progress ?? {};
  const settledIn = (final: JobState) => state === final ? settledAt : null;
  return {
    ...instance,
    uuid: instance.id,
    state: WIRE_STATE[state],
    arguments: valueTexts(instance.argumentsJson),
    results: valueTexts(instance.resultsJson),
    error: error?.message,
    errorDetail: error,
    progress: frozenAt === undefined ? progress : null,
    frozenAt: state === "processing" ? frozenAt ?? null : null,
    completedAt: settledIn("completed"),
    terminatedAt: settledIn("terminated"),
    canceledAt: settledIn("canceled"),
    timedOutAt: settledIn("timedOut"),
    attempts: instance.attempt,
    durationMs: durationOf(instance),
    maxRetries: instance.retryMax,
    codeVersion: instance.version,
    maxRssBytes: instance.usage?.maxRssBytes,
    cpuMs: instance.usage?.cpuMs,
    dueAt: instance.dueAt === NEVER_DUE ? null : instance.dueAt,
    // 0: signals alone.
    stepsAt: instance.stepsAt === 0 ? null : instance.stepsAt,
    waits: state === "scheduled" ? instance.waits ?? [] : [],
    slotKey: isFinal(state) ? null : instance.slotKey,
  };
}

/** A step of an instance on the wire. */
export function stepToWire({ error, ...step }: StepInfo): WireRecord<typeof StepSchema> {
  return { ...step, errorName: error?.name, error: error?.message };
}

/** The processes of an instance on this node; empty if unknown. */
export function processToWire(
  process: RunningProcess | undefined,
): Pick<WireRecord<typeof JobInstanceSchema>, "maxRssBytes" | "cpuMs" | "process"> {
  if (process === undefined) return {};
  const { place, usage } = process;
  const { maxRssBytes, cpuMs } = usage ?? {};
  return { maxRssBytes, cpuMs, process: { ...place, ...usage } };
}

/** An instance of a list; blocked if no live node can run its kind. */
export function listedToWire(
  instance: Instance,
  unserved: ReadonlyMap<string, Block>,
): WireRecord<typeof JobInstanceSchema> {
  const wire = instanceToWire(instance);
  const blockedBy = instance.state === "scheduled" ? unserved.get(instance.kind) : undefined;
  return blockedBy === undefined ? wire : { ...wire, blockedBy };
}

/** The instance that a dry run would queue, without a UUID. */
export function previewToWire(preview: SchedulePreview): WireRecord<typeof JobInstanceSchema> {
  return {
    ...preview,
    state: WIRE_STATE.created,
    arguments: valueTexts(preview.argumentsJson),
  };
}

function sourceText(job: JobDefinition): string {
  return job.source.type === "module" ? job.source.path : job.source.type;
}

/** A job on the wire. */
export function jobToWire(job: JobDefinition): WireRecord<typeof JobSchema> {
  const cronSpecs = job.schedules.map(({ spec }) => formatScheduleText(spec));
  return {
    kind: job.kind,
    description: job.description,
    registeredAt: job.registeredAt,
    cronSpec: cronSpecs[0],
    cronSpecs,
    priority: job.options.priority,
    timeoutMs: job.options.timeoutMs,
    maxRetries: job.options.retry.max,
    signatureJson: encodeSignature(job.signature),
    usage: describeSignature(job.kind, job.signature),
    source: sourceText(job),
    isolation: job.options.isolation,
    limits: describeLimits(job.options),
    needs: job.options.needs,
    timezone: job.timezone,
  };
}

/**
 * The hook of a job on the wire, without its secrets; undefined without a hook.
 *
 * @param siteUrl URL of the HTTP server; null if it is off
 */
export function hookToWire(
  { kind, hook }: JobDefinition,
  siteUrl: string | null,
): WireRecord<typeof JobHookSchema> | undefined {
  if (!hook) return undefined;
  const path = hookPathOf(kind);
  return {
    path,
    url: siteUrl && siteUrl.replace(/\/$/, "") + path,
    verify: hook.form,
    passes: argumentTexts(hook),
    only: conditionTexts(hook),
  };
}

/**
 * A schedule on the wire.
 *
 * @param pauseEnd when the pause of its job ends, Infinity if it has no end; null for no pause
 */
export function scheduleToWire(
  record: ScheduleRecord,
  pauseEnd: number | null = null,
): WireRecord<typeof ScheduleSchema> {
  const { spec, cursor, startAt } = record;
  return {
    ...record,
    ...spec,
    cron: formatScheduleText(spec),
    recurrence: spec,
    arguments: valueTexts(record.argumentsJson),
    // The cursor of a schedule without a tick is its start.
    lastAt: cursor > startAt ? cursor : null,
    status: isFinished(record) ? "finished" : pauseEnd === null ? "active" : "paused",
    nextRunAt: nextRunAt(record, pauseEnd),
  };
}

/** One line of an instance's history on the wire. */
export function historyToWire(entry: HistoryEntry): WireRecord<typeof HistoryEntrySchema> {
  return { ...entry, uuid: entry.instanceId, state: WIRE_STATE[entry.state] };
}

/** One line of an instance's log on the wire. */
export function logToWire(entry: StoredLogEntry): WireRecord<typeof LogEntrySchema> {
  return { ...entry, uuid: entry.instanceId };
}

/** A node on the wire. */
export function nodeToWire(node: NodeStatus): WireRecord<typeof NodeSchema> {
  const jobs = [...node.kinds, ...node.idle].filter((kind) => !isSystemKind(kind));
  return { ...node, kindCount: jobs.length, storeFormat: node.format };
}

/** The daemon's status on the wire. @param reasonLengthMax longest reason of a disabled job */
export function statusToWire(
  status: ManagerStatus,
  reasonLengthMax: number,
): WireRecord<typeof GetStatusResponseSchema> {
  return {
    ...status,
    storeType: status.store.type,
    storeLocation: status.store.location,
    kinds: [...status.stats.kinds].map(([kind, counts]) => ({
      ...counts,
      kind,
      scheduled: counts.created + counts.scheduled,
    })),
    schedules: status.stats.schedules,
    nextScheduleAt: status.nextRunAt,
    disabled: [...status.disabled].map(([kind, reason]) => ({
      kind,
      reason: reason.slice(0, reasonLengthMax),
    })),
    nodes: status.nodes.length,
  };
}

/** The content of the store. */
export function storeToWire(
  { states: { timed_out: timedOut, ...states }, ...content }: StoreContent,
): WireRecord<typeof GetStoreResponseSchema> {
  return {
    ...content,
    isDurable: content.is_durable,
    totals: { ...states, timedOut, kind: "", scheduled: states.created + states.scheduled },
    oldestAt: readTimeText(content.oldest_at),
    backupAt: readTimeText(content.backup_at),
    bytes: content.bytes ?? undefined,
    freeBytes: content.free_bytes ?? undefined,
    walBytes: content.wal_bytes ?? undefined,
  };
}

function readTimeText(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(text);
}
