import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  HistoryEntrySchema,
  JobInstanceSchema,
  JobSchema,
  JobState,
  LogEntrySchema,
  ScheduleSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { NOW } from "./cli_world.ts";

/** Id of {@link instance}. */
export const ID = "01938f2c-7d3e-7000-8000-000000000001";

/** An instance that completed a minute ago. */
export function instance(changes: Parameters<typeof create<typeof JobInstanceSchema>>[1] = {}) {
  return create(JobInstanceSchema, {
    kind: "sum",
    uuid: ID,
    state: JobState.COMPLETED,
    arguments: ["1", "2"],
    argumentsJson: "[1,2]",
    results: ["3"],
    resultsJson: "[3]",
    createdAt: timestampFromMs(NOW - 61_000),
    scheduledAt: timestampFromMs(NOW - 61_000),
    dueAt: timestampFromMs(NOW - 61_000),
    processedAt: timestampFromMs(NOW - 60_500),
    completedAt: timestampFromMs(NOW - 60_000),
    attempts: 1,
    reason: "ok",
    priority: 5,
    fence: 7n,
    maxRetries: 2,
    timeoutMs: 3_600_000n,
    ...changes as object,
  });
}

/** An instance that waits. */
export function waiting(id = ID) {
  return instance({
    uuid: id,
    state: JobState.SCHEDULED,
    results: [],
    resultsJson: undefined,
    processedAt: undefined,
    completedAt: undefined,
    attempts: 0,
    reason: undefined,
    fence: 0n,
  });
}

/** A registered job. */
export function job() {
  return create(JobSchema, {
    kind: "sum",
    description: "Adds two numbers",
    registeredAt: timestampFromMs(NOW - 3_600_000),
    cronSpec: "0 6 * * *",
    priority: 5,
    timeoutMs: 0n,
    maxRetries: 0,
    signatureJson: '{"parameters":[]}',
    usage: "sum <x: number> <y: number>",
    source: "/srv/jobs/sum.ts",
    isolation: "process",
  });
}

/** A schedule that was made at run time. */
export function schedule(id = "0193aaaa-0000-7000-8000-000000000001") {
  return create(ScheduleSchema, {
    id,
    kind: "sum",
    origin: "runtime",
    cron: "0 6 * * *",
    timezone: "UTC",
    overlap: "skip",
    misfire: "latest",
    nextAt: timestampFromMs(NOW + 3_600_000),
    nextRunAt: timestampFromMs(NOW + 3_600_000),
    createdAt: timestampFromMs(NOW - 86_400_000),
    arguments: ["1", "2"],
    argumentsJson: "[1,2]",
    generation: 1n,
  });
}

/** A line of the log of {@link instance}. */
export function logEntry(seq: number, message: string) {
  return create(LogEntrySchema, {
    uuid: ID,
    kind: "sum",
    at: timestampFromMs(NOW - 60_000 + seq),
    level: "info",
    message,
    source: "stdout",
    attempt: 1,
    seq: BigInt(seq),
  });
}

/** A state that {@link instance} went through. */
export function historyEntry(state: JobState, atMs: number) {
  return create(HistoryEntrySchema, {
    uuid: ID,
    kind: "sum",
    state,
    at: timestampFromMs(atMs),
    attempt: 1,
    fence: 7n,
    node: "n1",
  });
}
