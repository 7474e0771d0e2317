import { createHash } from "node:crypto";
import type { ArgumentInput } from "../../core/arguments/signature.ts";
import { checkCommandArguments } from "../../core/job/command_arguments.ts";
import { convertArguments } from "../../core/arguments/convert.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { encodeJson } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import { assertRunsHere, RUN_TIMEOUT_MS } from "../../core/job/external.ts";
import { type JobDefinition, PRIORITY_MAX } from "../../core/job/job.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { kindWord } from "../../core/job/kind.ts";
import {
  argumentsText,
  keptSlots,
  keyText,
  queuePathsOf,
  type UniqueRule,
} from "../../core/job/limits.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { NEVER_DUE, TURN_KEY, type Wait } from "../../core/wait.ts";
import { TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import { BATCH_MAX, type NewInstance } from "../../store/store.ts";
import { TIME_MAX } from "../../core/job/run_options.ts";
import { checkValues, inMilliseconds, unusable } from "../../core/job/schedule_options.ts";
import { jitterOf } from "../../core/time/tick_decision.ts";
import type { TickKey } from "../../core/time/tick_of_run.ts";
import type { Context } from "../context/context.ts";
import type { ScheduleOptions } from "../../core/job/gen/run_options.ts";
import type { ParentInstance } from "../api/instances.ts";

/** Longest readable key, in characters; a longer one is hashed. */
const READABLE_LENGTH_MAX = 300;
const UNIQUE_KEY_LENGTH_MAX = TEXT_LENGTH_MAX.uniqueKey;

/** Id, time, chance and parent of a new instance. */
export interface Seed {
  readonly id: string;
  readonly nowMs: number;
  /** A number in [0, 1) for jitter. */
  readonly random: number;
  readonly parent?: ParentInstance | undefined;
  /** Its place among the requests of a batch; absent: the first. */
  readonly index?: number | undefined;
}

/** The seed of a new instance. @param nowMs the current time by default */
export function seedOf(
  { ids, clock, random }: Pick<Context, "ids" | "clock" | "random">,
  nowMs = clock.now().wallMs,
): Seed {
  return { id: ids(), nowMs, random: random.next() };
}

/**
 * A new instance with the given options, with its arguments converted and encoded.
 *
 * @throws JobError `invalid_argument` naming the option or the parameter, or for a job that runs
 * elsewhere
 */
export function newInstance(job: JobDefinition, given: ScheduleOptions, seed: Seed): NewInstance {
  assertRunsHere(job);
  const { parent } = seed;
  const options = inMilliseconds(given);
  checkValues(options);
  const argumentsJson = argumentsFor(job, options.arguments ?? []);
  const dueAt = dueTime(options, seed);
  const deadlineMs = options.deadlineMs ?? job.options.deadlineMs;
  const parentStep = parent?.steps?.[seed.index ?? 0];
  if (parentStep !== undefined) checkSlot(job, argumentsJson, parent!);
  const waits = parent?.takesTurns === true ? [turnWait(job.kind, deadlineMs)] : undefined;
  // A due time in the past counts as now. Before its turn, only its parent's deadline counts.
  const deadlineAt = waits ? null : deadlineOf(deadlineMs, Math.max(dueAt ?? 0, seed.nowMs));
  return completeInstance(job, {
    id: options.id == null ? seed.id : ownId(options.id, parentStep !== undefined),
    priority: options.priority ?? usualPriority(job, parent),
    argumentsJson,
    // Its parent waits for this child, not for another one that has the key.
    keys: parentStep === undefined ? uniqueKeyOf(job, argumentsJson, options) : undefined,
    dueAt: waits ? NEVER_DUE : dueAt,
    deadlineAt: parentStep === undefined ? deadlineAt : earliest(deadlineAt, parent!.deadlineAt),
    retryMax: options.retries ?? job.options.retry.max,
    timeoutMs: options.timeoutMs ?? job.options.timeoutMs,
    parentId: parent?.id,
    flowId: parent && (parent.flowId ?? parent.id),
    parentStep,
    waits,
  });
}

/** A child never gets the only slot that its parent keeps while it waits for the child. */
function checkSlot(job: JobDefinition, argumentsJson: string, parent: ParentInstance): void {
  const { kind } = job;
  if (parent.kind !== kind || parent.slotKey === null || keptSlots(job.options)?.max !== 1) return;
  if (queueKeyOf(job, argumentsJson) !== parent.slotKey) return;
  throw new JobError(
    "invalid_argument",
    `Cannot call job "${kind}" from itself: it would wait for the slot "${parent.slotKey}", which its caller keeps until its own end`,
    { hint: 'Call another job, or leave out hold = "instance" in its concurrency' },
  );
}

function turnWait(kind: string, deadlineMs: number): Wait {
  const wait = { key: TURN_KEY, type: "turn", name: kind, until: null } as const;
  return deadlineMs === 0 ? wait : { ...wait, deadlineMs };
}

function earliest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.min(one, other);
}

/** The job's priority. Children wait behind other work of it: a fan-out delays no other run. */
function usualPriority({ options: { priority } }: JobDefinition, parent: Seed["parent"]): number {
  return parent === undefined ? priority : Math.min(priority + 1, PRIORITY_MAX);
}

function ownId(given: unknown, isOfStep: boolean): string {
  const id = String(given).toLowerCase();
  if (!isUuid(id)) {
    throw unusable("id", id, "is not a UUID", "Leave it out, and the daemon makes one");
  }
  if (isOfStep || !OWN_VERSIONS.has(id[VERSION_PLACE]!)) return id;
  throw unusable(
    "id",
    id,
    `is a UUID of version ${
      id[VERSION_PLACE]
    }, which the daemon makes for notices, hooks and children of steps`,
    "Use another version, such as 4, 5 or 7",
  );
}

/**
 * Versions of UUIDs derived from the subject of a notice, from a delivery to a hook, or from a
 * step that calls a child. With a guessed id, someone could keep the notice from being sent, the
 * job from starting, or the step from ending.
 */
const OWN_VERSIONS: ReadonlySet<string> = new Set(["8", "9"]);
const VERSION_PLACE = 14;

/** The instance of one tick of a recurring schedule. */
export function tickInstance(
  job: JobDefinition,
  record: ScheduleRecord,
  tick: { readonly at: number; readonly id: string; readonly node: string },
): NewInstance {
  return completeInstance(job, {
    id: tick.id,
    priority: record.priority ?? job.options.priority,
    argumentsJson: record.argumentsJson,
    keys: uniqueKeyOf(job, record.argumentsJson, {}),
    dueAt: tick.at + jitterOf(record.id, tick.node, record.spec.jitterMs),
    scheduleId: record.id,
    scheduledFor: tick.at,
    deadlineAt: deadlineOf(job.options.deadlineMs, tick.at),
    retryMax: record.retryMax ?? job.options.retry.max,
    timeoutMs: record.timeoutMs ?? job.options.timeoutMs,
  });
}

/**
 * The instance of a reported run of a job that runs elsewhere.
 *
 * @param run.at its start, or its end if only that is known, epoch ms
 */
export function externalInstance(
  job: JobDefinition,
  { id, at, tick }: { readonly id: string; readonly at: number; readonly tick: TickKey | null },
): NewInstance {
  return {
    ...completeInstance(job, {
      id,
      priority: job.options.priority,
      argumentsJson: "[]",
      dueAt: tick?.tick ?? at,
      scheduleId: tick?.scheduleId,
      scheduledFor: tick?.tick,
      deadlineAt: null,
      retryMax: 0,
      timeoutMs: job.options.timeoutMs || RUN_TIMEOUT_MS,
    }),
    queueKey: job.kind,
    waitingMax: undefined,
  };
}

/** An instance that runs a schedule's job at once, without being one of its ticks. */
export function runNowInstance(
  job: JobDefinition,
  record: ScheduleRecord,
  seed: Omit<Seed, "random">,
): NewInstance {
  assertRunsHere(job);
  const tick = tickInstance(job, record, { at: seed.nowMs, id: seed.id, node: "" });
  return { ...tick, dueAt: null, scheduleId: null, scheduledFor: null };
}

/** A new instance with the arguments and limits of a final one, without its unique key. */
export function repeatInstance(job: JobDefinition, past: Instance, seed: Seed): NewInstance {
  assertRunsHere(job);
  return completeInstance(job, {
    id: seed.id,
    priority: past.priority,
    argumentsJson: past.argumentsJson,
    dueAt: null,
    retryOf: past.id,
    parentId: past.parentId,
    flowId: past.flowId,
    deadlineAt: deadlineOf(job.options.deadlineMs, seed.nowMs),
    retryMax: past.retryMax,
    timeoutMs: past.timeoutMs,
  });
}

/**
 * Arguments converted for a job, as the JSON text that the store keeps.
 *
 * @throws JobError `invalid_argument` naming the parameter; also if they are too large, or JSON
 * cannot represent a part
 */
export function argumentsFor(job: JobDefinition, input: ArgumentInput): string {
  const { kind, signature, source } = job;
  // Most of thousands of schedules have no arguments.
  if (signature.parameters.length === 0 && Array.isArray(input) && input.length === 0) return "[]";
  const converted = convertArguments(signature, input, { kind });
  if (source.type === "command") checkCommandArguments(kind, source.command, converted);
  return encodeJson(converted, {
    bytesMax: PAYLOAD_BYTES_MAX,
    what: `the arguments of job "${kind}"`,
    // A value that would be changed here is refused: only the caller knows the right one.
    isExact: true,
  });
}

/** Check a batch's requests. @throws JobError `invalid_argument` if not a list, or too many */
export function checkRequests(requests: unknown): asserts requests is readonly unknown[] {
  const path = "requests";
  if (!Array.isArray(requests)) {
    const message = `Cannot schedule jobs: found ${quoteValue(requests)}, wanted a list`;
    const hint = 'Write [{ kind: "report", arguments: [1] }, …]';
    throw new JobError("invalid_argument", message, { path, hint });
  }
  if (requests.length <= BATCH_MAX) return;
  const message = `Cannot schedule ${requests.length} instances at once: at most ${BATCH_MAX}`;
  throw new JobError("invalid_argument", message, { path, hint: "Send them in several batches" });
}

/** The parts of a new instance that are independent of its job. */
interface OwnParts
  extends
    Pick<NewInstance, "id" | "priority" | "argumentsJson" | "dueAt" | "deadlineAt">,
    Pick<NewInstance, "retryMax" | "timeoutMs">,
    Partial<Pick<NewInstance, "scheduleId" | "scheduledFor" | "retryOf">>,
    Pick<NewInstance, "parentId" | "flowId" | "parentStep" | "waits"> {
  readonly keys?: UniqueKey | undefined;
}

// Field by field: spreading objects took half of the time that a new instance takes here.
function completeInstance(job: JobDefinition, own: OwnParts): NewInstance {
  const { options } = job;
  return {
    id: own.id,
    kind: job.kind,
    priority: own.priority,
    queueKey: queueKeyOf(job, own.argumentsJson),
    uniqueKey: own.keys?.uniqueKey ?? null,
    formerKey: own.keys?.formerKey,
    unique: own.keys?.unique,
    argumentsJson: own.argumentsJson,
    dueAt: own.dueAt,
    scheduleId: own.scheduleId ?? null,
    scheduledFor: own.scheduledFor ?? null,
    retryOf: own.retryOf ?? null,
    parentId: own.parentId,
    flowId: own.flowId,
    parentStep: own.parentStep,
    waits: own.waits,
    deadlineAt: own.deadlineAt,
    retryMax: own.retryMax,
    timeoutMs: own.timeoutMs,
    crashesMax: options.onCrash === "terminate" ? 0 : options.crashesMax,
    keepSuccessMs: options.keepSuccessMs,
    keepFailureMs: options.keepFailureMs,
    waitingMax: options.waitingMax ?? undefined,
  };
}

/** The queue that an instance waits in: its kind, and the argument values that limits count by. */
export function queueKeyOf(job: JobDefinition, argumentsJson: string): string {
  const paths = queuePathsOf(job.options);
  // What waits for a slot of the whole job waits behind those that have one and continue.
  if (paths.length === 0) return keptSlots(job.options) ? `${job.kind} *` : job.kind;
  return keyOf(job.kind, keyText(job.signature, argumentsJson, paths));
}

/** The unique key of an instance and its rule. */
type UniqueKey = Pick<NewInstance, "uniqueKey" | "formerKey" | "unique">;

/**
 * The given unique key, or else the key that the job makes from the arguments. Both begin with the
 * kind: an instance of another job neither blocks it, nor learns of it.
 *
 * @throws JobError `invalid_argument` naming the option
 */
function uniqueKeyOf(
  job: JobDefinition,
  argumentsJson: string,
  options: Pick<ScheduleOptions, "uniqueKey" | "uniqueForMs" | "onConflict">,
): UniqueKey {
  const { uniqueKey, uniqueForMs, onConflict } = options;
  const policy = job.options.unique;
  if (uniqueKey !== undefined) {
    checkUniqueKey(uniqueKey);
    const hasRule = uniqueForMs !== undefined || onConflict !== undefined;
    const own: UniqueRule = { forMs: uniqueForMs ?? null, onConflict: onConflict ?? "refuse" };
    const whole = wholeUniqueKey(job.kind, uniqueKey);
    return {
      ...(whole === uniqueKey ? { uniqueKey } : { uniqueKey: whole, formerKey: uniqueKey }),
      ...(hasRule ? { unique: own } : {}),
    };
  }
  if (!policy) {
    if (uniqueForMs === undefined && onConflict === undefined) return { uniqueKey: null };
    throw new JobError(
      "invalid_argument",
      `Cannot make an instance of job "${job.kind}" unique: there is no key`,
      { options: ["uniqueKey"], hint: 'Give "uniqueKey", or set "unique" of the job' },
    );
  }
  const text = policy.by === null
    ? `arguments=${argumentsText(argumentsJson)}`
    : keyText(job.signature, argumentsJson, policy.by);
  return {
    uniqueKey: keyOf(job.kind, text),
    unique: { forMs: uniqueForMs ?? policy.forMs, onConflict: onConflict ?? policy.onConflict },
  };
}

/** A unique key as the store has it: it begins with the kind. */
export function wholeUniqueKey(kind: string, uniqueKey: string): string {
  return uniqueKey.startsWith(`${kindWord(kind)} `) ? uniqueKey : keyOf(kind, uniqueKey);
}

function checkUniqueKey(key: string): void {
  if (key.length > 0 && key.length <= UNIQUE_KEY_LENGTH_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot use a unique key of ${key.length} characters: wanted 1 to ${UNIQUE_KEY_LENGTH_MAX}`,
    { options: ["uniqueKey"] },
  );
}

/** A key of a kind, such as `mail account="acme"`: kinds share no keys. */
function keyOf(kind: string, text: string): string {
  const word = kindWord(kind);
  if (text.length <= READABLE_LENGTH_MAX) return `${word} ${text}`;
  return `${word} #${createHash("sha256").update(text).digest("hex").slice(0, 40)}`;
}

function deadlineOf(deadlineMs: number, dueAt: number): number | null {
  return deadlineMs === 0 ? null : Math.min(dueAt + deadlineMs, TIME_MAX);
}

/** Due time of an instance, epoch ms; null for at once, by the store's clock. */
function dueTime(options: ScheduleOptions, seed: Seed): number | null {
  if (options.at !== undefined && options.afterMs !== undefined) {
    throw new JobError("invalid_argument", `Cannot schedule with both "at" and "after"`, {
      options: ["at", "after"],
      hint: "Give one of them",
    });
  }
  const at = options.at instanceof Date ? options.at.getTime() : options.at;
  const afterMs = options.afterMs ?? 0;
  const jitterMs = Math.floor(seed.random * (options.jitterMs ?? 0));
  if (at === undefined && afterMs + jitterMs === 0) return null;
  const dueAt = (at ?? seed.nowMs + afterMs) + jitterMs;
  if (Number.isFinite(dueAt) && dueAt >= 0 && dueAt <= TIME_MAX) return Math.floor(dueAt);
  throw unusable("at", String(options.at), "is not a time", "Give a valid Date or epoch ms");
}
