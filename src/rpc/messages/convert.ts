import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { describeSignature } from "../../core/arguments/convert.ts";
import type { HistoryEntry, Instance, StoredLogEntry } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { type Block, describeLimits, unservedBlock } from "../../core/job/limits.ts";
import { isFinished, type ScheduleRecord, type ScheduleSpec } from "../../core/job/schedule.ts";
import type { JobState } from "../../core/state.ts";
import { formatScheduleText } from "../../core/time/ticks.ts";
import type { ManagerStatus, SchedulePreview, WorkerStatus } from "../../manager/api.ts";
import { JobState as WireState } from "../gen/job_pb.ts";
import type {
  BlockSchema,
  GetStatusResponseSchema,
  HistoryEntrySchema,
  JobInstanceSchema,
  JobSchema,
  KindCountsSchema,
  LogEntrySchema,
  RecurrenceSchema,
  ScheduleSchema,
  WorkersSchema,
} from "../gen/job_pb.ts";

/** Wire value of each state. */
export const WIRE_STATE: Readonly<Record<JobState, WireState>> = {
  created: WireState.CREATED,
  scheduled: WireState.SCHEDULED,
  processing: WireState.PROCESSING,
  completed: WireState.COMPLETED,
  terminated: WireState.TERMINATED,
  canceled: WireState.CANCELLED,
  timedOut: WireState.TIMED_OUT,
};

const STATE_OF_WIRE: ReadonlyMap<WireState, JobState> = new Map(
  (Object.keys(WIRE_STATE) as JobState[]).map((state) => [WIRE_STATE[state], state]),
);

/** State of a wire value; null for "unset", undefined for an unknown value. */
export function stateOfWire(value: WireState): JobState | null | undefined {
  return value === WireState.UNSET ? null : STATE_OF_WIRE.get(value);
}

/** A time on the wire; null is not sent. */
export function timestamp(ms: number | null): Timestamp | undefined {
  return ms === null ? undefined : timestampFromMs(ms);
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

/** An instance on the wire. */
export function instanceToWire(instance: Instance): MessageInitShape<typeof JobInstanceSchema> {
  const settledIn = (state: JobState) =>
    instance.state === state ? timestamp(instance.settledAt) : undefined;
  return {
    kind: instance.kind,
    uuid: instance.id,
    state: WIRE_STATE[instance.state],
    arguments: valueTexts(instance.argumentsJson),
    results: valueTexts(instance.resultsJson),
    error: instance.error?.message,
    createdAt: timestamp(instance.createdAt),
    scheduledAt: timestamp(instance.scheduledAt),
    processedAt: timestamp(instance.processedAt),
    completedAt: settledIn("completed"),
    terminatedAt: settledIn("terminated"),
    canceledAt: settledIn("canceled"),
    timedOutAt: settledIn("timedOut"),
    attempts: instance.attempt,
    reason: instance.reason ?? undefined,
    priority: instance.priority,
    dueAt: timestamp(instance.dueAt),
    uniqueKey: instance.uniqueKey ?? undefined,
    uniqueUntil: timestamp(instance.uniqueUntil),
    scheduleId: instance.scheduleId ?? undefined,
    scheduledFor: timestamp(instance.scheduledFor),
    fence: BigInt(instance.fence),
    failures: instance.failures,
    crashes: instance.crashes,
    node: instance.node ?? undefined,
    retryOf: instance.retryOf ?? undefined,
    cancelRequestedAt: timestamp(instance.cancelRequestedAt),
    maxRetries: instance.retryMax,
    timeoutMs: BigInt(instance.timeoutMs),
    errorDetail: instance.error ?? undefined,
    codeVersion: instance.version ?? undefined,
    progress: instance.progress
      ? { done: instance.progress.done, total: instance.progress.total ?? undefined }
      : undefined,
    deadlineAt: timestamp(instance.deadlineAt),
    redrivenAs: instance.redrivenAs ?? undefined,
  };
}

/** An instance with the limit that keeps it from running. */
export function blockedToWire(
  instance: Instance,
  block: Block | null,
): MessageInitShape<typeof JobInstanceSchema> {
  const blockedBy = block ? blockToWire(block) : undefined;
  return { ...instanceToWire(instance), blockedBy } as MessageInitShape<typeof JobInstanceSchema>;
}

/** An instance of a list; blocked if no live node can run its kind. */
export function listedToWire(
  instance: Instance,
  unserved: ReadonlySet<string>,
): MessageInitShape<typeof JobInstanceSchema> {
  const isUnserved = instance.state === "scheduled" && unserved.has(instance.kind);
  return isUnserved
    ? blockedToWire(instance, unservedBlock(instance.kind))
    : instanceToWire(instance);
}

/** The limit that keeps an instance from running. */
function blockToWire(block: Block): MessageInitShape<typeof BlockSchema> {
  return {
    limit: block.limit,
    name: block.name,
    used: BigInt(block.used),
    max: BigInt(block.max),
    opensAt: timestamp(block.opensAt),
  };
}

/** The instance that a dry run would queue, without a UUID. */
export function previewToWire(
  preview: SchedulePreview,
): MessageInitShape<typeof JobInstanceSchema> {
  return {
    kind: preview.kind,
    state: WireState.CREATED,
    arguments: valueTexts(preview.argumentsJson),
    priority: preview.priority,
    dueAt: timestamp(preview.dueAt),
  };
}

function sourceText(job: JobDefinition): string {
  return job.source.type === "module" ? job.source.path : job.source.type;
}

/** A job on the wire. */
export function jobToWire(job: JobDefinition): MessageInitShape<typeof JobSchema> {
  const cronSpecs = job.schedules.map(({ spec }) => formatScheduleText(spec));
  return {
    kind: job.kind,
    description: job.description,
    registeredAt: timestamp(job.registeredAt),
    cronSpec: cronSpecs[0],
    cronSpecs,
    priority: job.options.priority,
    timeoutMs: BigInt(job.options.timeoutMs),
    maxRetries: job.options.retry.max,
    signatureJson: JSON.stringify(job.signature),
    usage: describeSignature(job.kind, job.signature),
    source: sourceText(job),
    isolation: job.options.isolation,
    limits: [...describeLimits(job.options)],
    needs: [...job.options.needs],
    timezone: job.timezone,
  };
}

/** A schedule on the wire. */
export function scheduleToWire(
  record: ScheduleRecord,
  isPaused = false,
): MessageInitShape<typeof ScheduleSchema> {
  return {
    id: record.id,
    kind: record.kind,
    origin: record.origin,
    cron: formatScheduleText(record.spec),
    timezone: record.spec.timezone,
    overlap: record.spec.overlap,
    misfire: record.spec.misfire,
    nextAt: timestamp(record.nextAt),
    createdAt: timestamp(record.createdAt),
    arguments: valueTexts(record.argumentsJson),
    generation: BigInt(record.generation),
    // The cursor of a schedule without a tick is its start.
    lastAt: record.cursor > record.startAt ? timestamp(record.cursor) : undefined,
    lastRunAt: timestamp(record.lastRunAt ?? null),
    runs: BigInt(record.runs ?? 0),
    status: isFinished(record) ? "finished" : isPaused ? "paused" : "active",
    recurrence: recurrenceToWire(record.spec),
    jitterMs: BigInt(record.spec.jitterMs),
    skipUntil: timestamp(record.skipUntil ?? null),
    skipNext: record.skipNext ?? 0,
  };
}

function recurrenceToWire(spec: ScheduleSpec): MessageInitShape<typeof RecurrenceSchema> {
  return {
    startsAt: timestamp(spec.startsAt ?? null),
    endsAt: timestamp(spec.endsAt ?? null),
    blackout: [...spec.blackout ?? []],
    runsMax: spec.runsMax,
    queueMax: spec.queueMax,
    misfireWithinMs: BigInt(spec.misfireWithinMs),
  };
}

/** One line of an instance's history on the wire. */
export function historyToWire(entry: HistoryEntry): MessageInitShape<typeof HistoryEntrySchema> {
  return {
    uuid: entry.instanceId,
    kind: entry.kind,
    state: WIRE_STATE[entry.state],
    at: timestamp(entry.at),
    reason: entry.reason ?? undefined,
    attempt: entry.attempt,
    fence: BigInt(entry.fence),
    node: entry.node ?? undefined,
  };
}

/** One line of an instance's log on the wire. */
export function logToWire(entry: StoredLogEntry): MessageInitShape<typeof LogEntrySchema> {
  return {
    uuid: entry.instanceId,
    kind: entry.kind,
    at: timestamp(entry.at),
    level: entry.level,
    message: entry.message,
    source: entry.source,
    attempt: entry.attempt,
    seq: BigInt(entry.seq),
  };
}

/** The workers on the wire. */
export function workersToWire(workers: WorkerStatus): MessageInitShape<typeof WorkersSchema> {
  return { count: workers.count, busy: workers.busy, alive: workers.alive };
}

/** The daemon's status on the wire. */
export function statusToWire(
  status: ManagerStatus,
): MessageInitShape<typeof GetStatusResponseSchema> {
  const kinds: MessageInitShape<typeof KindCountsSchema>[] = [];
  for (const [kind, counts] of status.stats.kinds) {
    kinds.push({
      kind,
      scheduled: BigInt(counts.created + counts.scheduled),
      processing: BigInt(counts.processing),
      completed: BigInt(counts.completed),
      terminated: BigInt(counts.terminated),
      canceled: BigInt(counts.canceled),
      timedOut: BigInt(counts.timedOut),
    });
  }
  return {
    node: status.node,
    version: status.version,
    startedAt: timestamp(status.startedAt),
    isDraining: status.isDraining,
    storeType: status.store.type,
    storeLocation: status.store.location,
    storeProblem: status.storeProblem ?? undefined,
    workers: workersToWire(status.workers),
    kinds,
    schedules: BigInt(status.stats.schedules),
    nextScheduleAt: timestamp(status.nextScheduleAt),
    blocks: status.blocks.map(blockToWire),
    disabled: [...status.disabled].map(([kind, reason]) => ({ kind, reason })),
    nodes: status.nodes.length,
    reloadProblem: status.reloadProblem ?? undefined,
  };
}
