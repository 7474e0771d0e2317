import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BurstLog } from "../platform/burst_log.ts";
import type { Clock } from "../platform/clock.ts";
import type { LogFields, Logger } from "../platform/logger.ts";
import type { Caller } from "./auth.ts";
import {
  JobService,
  type Query,
  type WorkOnStoreRequest,
  WorkOnStoreRequestSchema,
} from "./gen/job_pb.ts";
import type { MethodName } from "./handlers.ts";

type Methods = typeof JobService["method"];
type Line = readonly [message: string, fields: LogFields];

/** Most characters of one field. */
const FIELD_CHARS = 200;

/** The record of each method that changes more than one new instance; null if nothing changed. */
type Lines = {
  readonly [Name in MethodName]?: (
    request: MessageShape<Methods[Name]["input"]>,
    answer: MessageShape<Methods[Name]["output"]>,
  ) => Line | null;
};

const LINES: Lines = {
  cancelInstances: ({ query }, { count }) => [
    "Canceled instances",
    { count: Number(count), ...queryFields(query) },
  ],
  retryInstance: ({ uuid }, { instance }) => [
    "Retried an instance",
    { of: uuid, kind: instance?.kind, instance: instance?.uuid },
  ],
  redriveInstances: ({ query }, { count }) => [
    "Ran dead letters again",
    { count: Number(count), ...queryFields(query) },
  ],
  runSchedule: (_, { instance }) => [
    "Ran a schedule now",
    { kind: instance?.kind, instance: instance?.uuid },
  ],
  skipTicks: ({ kind, scheduleId, count, until }) => [
    "Skipped ticks",
    { kind, schedule: scheduleId, count, until: timeText(until) },
  ],
  backfill: ({ kind, scheduleId, from, to, dryRun }, { count }) =>
    dryRun === true ? null : [
      "Ran missed ticks",
      {
        ...{ kind, schedule: scheduleId, count: Number(count) },
        ...{ from: timeText(from), to: timeText(to) },
      },
    ],
  pause: ({ kind, until, reason }) => [
    kind === undefined ? "Paused all jobs" : "Paused a job",
    { kind, until: timeText(until), reason },
  ],
  resume: ({ kind }, { wasPaused }) =>
    wasPaused ? [kind === undefined ? "Resumed all jobs" : "Resumed a job", { kind }] : null,
  updateSchedule: ({ id }, { schedule }) => [
    "Changed a schedule",
    { kind: schedule?.kind, schedule: id },
  ],
  deleteSchedule: ({ id }) => ["Deleted a schedule", { schedule: id }],
  resizeWorkers: ({ count, node }) => ["Resized the worker pool", { workers: count, node }],
  reloadConfig: ({ force }) => ["Requested a reload", { force }],
};

/** Logs in the daemon's log what callers have changed, and who they are. */
export class Audit {
  readonly #log: BurstLog;

  constructor(logger: Logger, clock: Clock) {
    this.#log = new BurstLog(logger, clock, "changes by callers", "jobctl list instances");
  }

  /** True if calls of a method are logged. */
  static has(method: MethodName): boolean {
    return method in LINES;
  }

  /** Log one completed call of a method for which {@link has} is true. */
  tell(
    method: MethodName,
    call: {
      readonly caller: Caller | null;
      readonly peer: string;
      readonly request: Uint8Array;
      readonly answer: Uint8Array;
    },
  ): void {
    const { input, output }: DescMethod = JobService.method[method];
    const line = LINES[method] as ((request: unknown, answer: unknown) => Line | null) | undefined;
    const told = line?.(fromBinary(input, call.request), fromBinary(output, call.answer));
    if (told) this.#write(told, call);
  }

  /** Log a call of WorkOnStore when its work begins. One that cannot be read is refused later. */
  tellWork(
    { request, ...call }: {
      readonly caller: Caller | null;
      readonly peer: string;
      readonly request: Uint8Array;
    },
  ): void {
    let work: WorkOnStoreRequest;
    try {
      work = fromBinary(WorkOnStoreRequestSchema, request);
    } catch {
      return;
    }
    const { to, compact } = work;
    this.#write(["Started work on the store", { work: work.work, to, compact }], call);
  }

  #write(
    [message, fields]: Line,
    { caller, peer }: { readonly caller: Caller | null; readonly peer: string },
  ): void {
    const short = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? value.slice(0, FIELD_CHARS) : value,
    ]);
    const by = { by: caller?.name ?? "nobody", from: peer };
    this.#log.tell("info", message, { ...Object.fromEntries(short), ...by });
  }
}

function timeText(time: Timestamp | undefined): string | undefined {
  return time && timestampDate(time).toISOString();
}

function queryFields(query: Query | undefined): LogFields {
  if (!query) return {};
  const kinds = [...(query.kind === undefined ? [] : [query.kind]), ...query.kinds];
  const ids = [...(query.uuid === undefined ? [] : [query.uuid]), ...query.uuids];
  return {
    kind: kinds.length > 0 ? kinds.join(",") : undefined,
    instance: ids.length > 0 ? ids.join(",") : undefined,
    schedule: query.scheduleId,
  };
}
