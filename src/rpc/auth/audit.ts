import type { MessageShape } from "@bufbuild/protobuf";
import { BurstLog } from "../../platform/burst_log.ts";
import type { Clock } from "../../platform/clock.ts";
import { timeOfId } from "../../platform/ids.ts";
import type { LogFields, Logger } from "../../platform/logger.ts";
import { type Requester, requesterName } from "./requester.ts";
import type { JobService, Query } from "../gen/job_pb.ts";
import { REQUEST_ITEMS_MAX } from "../limits.ts";
import { decodeMessage } from "../model/message_codec.ts";
import { msOfTime, type Time } from "../model/time.ts";
import { METHOD_OF } from "../model/methods.ts";
import type { MethodName } from "../backend.ts";

type Methods = typeof JobService["method"];
type Line = readonly [message: string, fields: LogFields];

/** Most characters of one field; the rest becomes an ellipsis. */
const FIELD_CHARS = 200;
/** Most sessions that one line names. */
const SESSIONS_LOGGED_MAX = 5;
/** First byte of a ScheduleJob response with an instance: field 1, with a length. */
const INSTANCE_TAG = (1 << 3) | 2;

/**
 * The log line of each method that changes more than one new instance; null if nothing changed.
 * `since` is the start of the call, in epoch ms.
 */
type Lines = {
  readonly [Name in MethodName]?: (
    request: MessageShape<Methods[Name]["input"]>,
    response: MessageShape<Methods[Name]["output"]>,
    since: number,
  ) => Line | null;
};

const LINES: Lines = {
  scheduleJob: ({ dryRun }, { schedule }) =>
    dryRun === true || schedule === undefined ? null : [
      "Created a schedule",
      { kind: schedule.kind, schedule: schedule.id, cron: schedule.cron },
    ],
  cancelInstances: ({ query }, { count }) => ofMany("Canceled instances", Number(count), query),
  retryInstance: ({ uuid, fromStep, setJson }, { instance }) => [
    "Retried an instance",
    { of: uuid, kind: instance?.kind, instance: instance?.uuid, from: fromStep, set: setJson },
  ],
  signalInstance: ({ name }, { instance, status }) => [
    "Sent a signal",
    { name, fate: status, kind: instance?.kind, instance: instance?.uuid },
  ],
  freezeInstance: ({ uuid, thaw, reason }, { instance, changed }) =>
    changed
      ? [
        thaw ? "Let a frozen command continue" : "Froze a running command",
        { kind: instance?.kind, instance: instance?.uuid ?? uuid, reason },
      ]
      : null,
  redriveInstances({ query }, { count, instances }, since) {
    // Includes dead letters that an earlier call has run again.
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
      { kind, schedule: scheduleId, count: Number(count), from: timeText(from), to: timeText(to) },
    ],
  pause: ({ kind, until, reason }) => [
    kind === undefined ? "Paused all jobs" : "Paused a job",
    { kind, until: timeText(until), reason },
  ],
  resume: ({ kind }, { wasPaused }) =>
    wasPaused ? [kind === undefined ? "Resumed all jobs" : "Resumed a job", { kind }] : null,
  acknowledgeIncident: ({ type, name, undo, close }, { incident, changed }) =>
    changed
      ? [
        close
          ? "Closed an incident"
          : undo
          ? "Took back the acknowledgment of an incident"
          : "Acknowledged an incident",
        { incident: incident?.id, of: `${type}:${name}` },
      ]
      : null,
  setSilence: ({ kind, all, until, reason }) => [
    all ? "Silenced everything" : "Silenced a job",
    { kind, until: timeText(until), reason },
  ],
  removeSilence: ({ kind, all }, { wasSilenced }) =>
    wasSilenced ? [`Ended the silence of ${all ? "everything" : "a job"}`, { kind }] : null,
  updateSchedule: ({ id }, { schedule }) => [
    "Changed a schedule",
    { kind: schedule?.kind, schedule: id },
  ],
  deleteSchedule: ({ id }) => ["Deleted a schedule", { schedule: id }],
  createLoginCode: () => ["Created a code for a session", {}],
  revokeSessions: (_, { sessions }) =>
    sessions.length === 0 ? null : ["Ended sessions of browsers", {
      count: sessions.length,
      sessions: listText(sessions.slice(0, SESSIONS_LOGGED_MAX).map(({ id }) => id.slice(0, 12))),
    }],
  getConfig: () => ["Showed the configuration", {}],
  getPingKey: ({ kind }) => ["Showed the keys of pings", { kind }],
  resizeWorkers: ({ count, node }) => ["Resized the worker pool", { workers: count, node }],
};

/** The log line of each method that is logged before it begins, even if it then fails. */
const FIRST_LINES: {
  readonly [Name in MethodName]?: (request: MessageShape<Methods[Name]["input"]>) => Line;
} = {
  reloadConfig: ({ force, dryRun }) => ["Requested a reload", { force, dryRun }],
  stopDaemon: ({ now }) => ["Requested a stop of the daemon", { now }],
  upgradeDaemon: () => ["Requested an upgrade of the daemon", {}],
  testNotice: ({ channel, dryRun, event }) => [
    "Requested a test of a channel",
    { channel, dryRun, event },
  ],
  workOnStore: ({ work, to, compact }) => ["Started work on the store", { work, to, compact }],
};

/** Logs callers and their changes in the daemon's log. */
export class Audit {
  readonly #log: BurstLog;
  readonly #clock: Clock;

  constructor(logger: Logger, clock: Clock) {
    this.#clock = clock;
    this.#log = new BurstLog(logger, clock, "changes by callers", "jobctl list instances");
  }

  static has(method: MethodName): boolean {
    return method in LINES || method in FIRST_LINES;
  }

  /** True if a ScheduleJob response needs a log line. A new instance does not: the store has it. */
  static hasSchedule(response: Uint8Array): boolean {
    return response[0] !== INSTANCE_TAG;
  }

  /** The current time in epoch ms, for the `since` of {@link log}. */
  now(): number {
    return this.#clock.now().wallMs;
  }

  /** Log one completed call of a method for which {@link has} is true. */
  log(
    method: MethodName,
    call: Requester & {
      /** When it began, in epoch ms. */
      readonly since: number;
      readonly request: Uint8Array;
      readonly response: Uint8Array;
    },
  ): void {
    const { input, output } = METHOD_OF[method];
    const { request, response, since } = call;
    const line = LINES[method] as
      | ((request: unknown, response: unknown, since: number) => Line | null)
      | undefined;
    const found = line?.(decodeMessage(input, request), decodeMessage(output, response), since);
    if (found) this.#write(found, call);
  }

  /** Log a call before its work begins. A request that cannot be decoded is refused later. */
  noteStart(method: MethodName, call: Requester & { readonly request: Uint8Array }): void {
    const line = FIRST_LINES[method] as ((request: unknown) => Line) | undefined;
    if (!line) return;
    let request: unknown;
    try {
      request = decodeMessage(METHOD_OF[method].input, call.request, REQUEST_ITEMS_MAX);
    } catch {
      return;
    }
    this.#write(line(request), call);
  }

  #write([message, fields]: Line, requester: Requester): void {
    const short = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? shortened(value) : value,
    ]);
    this.#log.tell("info", message, {
      ...Object.fromEntries(short),
      ...requesterFields(requester),
    });
  }
}

function shortened(text: string): string {
  return text.length > FIELD_CHARS ? `${text.slice(0, FIELD_CHARS)}…` : text;
}

function requesterFields(requester: Requester): LogFields {
  const { peer, from = peer, uid } = requester;
  return { by: requesterName(requester), ...(uid === null ? {} : { uid }), from };
}

function ofMany(message: string, count: number, query: Query | undefined): Line | null {
  return count > 0 ? [message, { count, ...queryFields(query) }] : null;
}

function timeText(time: Time | undefined): string | undefined {
  return time && new Date(msOfTime(time)).toISOString();
}

/** Values separated by commas. A comma in a value becomes `\\,`, a backslash `\\\\`. */
function listText(values: readonly string[]): string | undefined {
  return values.length === 0
    ? undefined
    : values.map((value) => value.replace(/[\\,]/g, "\\$&")).join(",");
}

function queryFields(query: Query | undefined): LogFields {
  if (!query) return {};
  const kinds = [...(query.kind === undefined ? [] : [query.kind]), ...query.kinds];
  const ids = [...(query.uuid === undefined ? [] : [query.uuid]), ...query.uuids];
  return {
    kind: listText(kinds),
    instance: listText(ids),
    schedule: query.scheduleId,
  };
}
