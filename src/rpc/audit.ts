import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BurstLog } from "../platform/burst_log.ts";
import type { Clock } from "../platform/clock.ts";
import { timeOfId } from "../platform/ids.ts";
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

/**
 * The record of each method that changes more than one new instance; null if nothing changed.
 * `since` is the time at which the call began, in epoch ms.
 */
type Lines = {
  readonly [Name in MethodName]?: (
    request: MessageShape<Methods[Name]["input"]>,
    answer: MessageShape<Methods[Name]["output"]>,
    since: number,
  ) => Line | null;
};

const LINES: Lines = {
  cancelInstances: ({ query }, { count }) => ofMany("Canceled instances", Number(count), query),
  retryInstance: ({ uuid }, { instance }) => [
    "Retried an instance",
    { of: uuid, kind: instance?.kind, instance: instance?.uuid },
  ],
  redriveInstances({ query }, { count, instances }, since) {
    // The answer also has instances of an earlier call, for dead letters that were run again then.
    const earlier = instances.filter(({ uuid }) => timeOfId(uuid) < since).length;
    return ofMany("Ran dead letters again", Number(count) - earlier, query);
  },
  runSchedule: (_, { instance }) => [
    "Ran a schedule now",
    { kind: instance?.kind, instance: instance?.uuid },
  ],
  skipTicks: ({ kind, scheduleId, count, until }) => [
    "Skipped ticks",
    { kind, schedule: scheduleId, count, until: timeText(until) },
  ],
  backfill: ({ kind, scheduleId, from, to, dryRun }, { count }) =>
    dryRun === true || count === 0n ? null : [
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
  readonly #clock: Clock;

  constructor(logger: Logger, clock: Clock) {
    this.#clock = clock;
    this.#log = new BurstLog(logger, clock, "changes by callers", "jobctl list instances");
  }

  /** True if calls of a method are logged. */
  static has(method: MethodName): boolean {
    return method in LINES;
  }

  /** The current time in epoch ms, for the `since` of {@link tell}. */
  now(): number {
    return this.#clock.now().wallMs;
  }

  /** Log one completed call of a method for which {@link has} is true. */
  tell(
    method: MethodName,
    call: {
      /** When it began, in epoch ms. */
      readonly since: number;
      readonly caller: Caller | null;
      readonly peer: string;
      readonly request: Uint8Array;
      readonly answer: Uint8Array;
    },
  ): void {
    const { input, output }: DescMethod = JobService.method[method];
    const { request, answer, since } = call;
    const line = LINES[method] as
      | ((request: unknown, answer: unknown, since: number) => Line | null)
      | undefined;
    const told = line?.(fromBinary(input, request), fromBinary(output, answer), since);
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

function ofMany(message: string, count: number, query: Query | undefined): Line | null {
  return count > 0 ? [message, { count, ...queryFields(query) }] : null;
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
