import type { Buffer } from "node:buffer";
import type { ErrorInfo, Instance } from "../../../core/instance.ts";
import { UNIQUE_DEFAULT } from "../../../core/job/limits.ts";
import { JOB_STATES } from "../../../core/state.ts";
import { passDeadline } from "../../ledger/rules.ts";
import { storable } from "../../ledger/storable.ts";
import type { EndedAttempt } from "../../records.ts";
import type { NewInstance } from "../../store.ts";
import { ROW } from "../script/constants.ts";
import { orNull, pack, type Packable, Unpacker } from "./msgpack.ts";

/** Stored in place of an error for a passed deadline. Readers put it into words. */
const PAST_DEADLINE = "deadline";

/** Members that most rows do not have. */
interface RareMembers {
  readonly cancelAt?: number;
  readonly failures?: number;
  readonly crashes?: number;
  readonly error?: string;
  readonly version?: string;
  readonly progress?: string;
  readonly usage?: string;
  readonly redrivenAs?: string;
  readonly held?: boolean;
  readonly logs?: number;
  readonly notes?: number;
  readonly uniqueKey?: string;
  readonly uniqueUntil?: number;
  readonly scheduleId?: string;
  readonly deadlineAt?: number;
  readonly retryOf?: string;
}

/** The part of an instance that never changes and that the server does not decide by. */
export interface FixedPart {
  readonly crashesMax: number;
  readonly scheduledFor: number | null;
  readonly retryMax: number;
  readonly timeoutMs: number;
  readonly argumentsJson: string;
}

/** An instance that was read, with its place in the order of acceptance. */
export interface ReadRow {
  readonly seq: number;
  readonly isHeld: boolean;
  readonly instance: Instance;
}

/** Encode the fixed part of an instance: the policy, then the arguments. */
export function packFixed(input: FixedPart): Buffer {
  const { crashesMax, scheduledFor, retryMax, timeoutMs, argumentsJson } = input;
  return pack([crashesMax, scheduledFor, retryMax, timeoutMs], storable(argumentsJson));
}

/** An instance to accept in the form of the script. */
export function packNewInstance(input: NewInstance): Packable {
  const { id, kind, queueKey, priority, dueAt, keepSuccessMs, keepFailureMs } = input;
  return [
    ...[id, kind, queueKey === kind ? false : storable(queueKey), priority, packDue(dueAt)],
    ...[keepSuccessMs, keepFailureMs, packFixed(input), extraOf(input)],
  ];
}

/** A due time in the form of the script, which puts its own time in place of false. */
export function packDue(dueAt: number | null): number | false {
  return dueAt === null ? false : Math.ceil(dueAt);
}

function hasExtra({ uniqueKey, scheduleId, retryOf, deadlineAt, waitingMax }: NewInstance) {
  return uniqueKey !== null || scheduleId !== null || retryOf !== null || deadlineAt !== null ||
    waitingMax !== undefined;
}

/** True if an instance has no rare members and no queue key. */
export function isOrdinary(input: NewInstance): boolean {
  return input.queueKey === input.kind && !hasExtra(input);
}

function extraOf(input: NewInstance) {
  if (!hasExtra(input)) return false;
  const { uniqueKey, formerKey, scheduleId, retryOf, deadlineAt, waitingMax } = input;
  const { forMs, onConflict } = input.unique ?? UNIQUE_DEFAULT;
  return {
    uniqueKey: uniqueKey === null ? undefined : storable(uniqueKey),
    formerKey: formerKey === undefined ? undefined : storable(formerKey),
    forMs: uniqueKey === null || forMs === null ? undefined : Math.ceil(forMs),
    onConflict: uniqueKey === null ? undefined : onConflict,
    scheduleId: scheduleId ?? undefined,
    retryOf: retryOf ?? undefined,
    deadlineAt: deadlineAt === null ? undefined : Math.ceil(deadlineAt),
    waitingMax,
  };
}

/** Read the fixed part of an instance. */
export function readFixed(bytes: Uint8Array): FixedPart {
  const unpacker = new Unpacker(bytes);
  const [crashesMax, scheduledFor, retryMax, timeoutMs] = unpacker.read() as (number | false)[];
  return {
    crashesMax: crashesMax as number,
    scheduledFor: orNull(scheduledFor),
    retryMax: retryMax as number,
    timeoutMs: timeoutMs as number,
    argumentsJson: unpacker.text(),
  };
}

const NO_FIXED: FixedPart = {
  crashesMax: 0,
  scheduledFor: null,
  retryMax: 0,
  timeoutMs: 0,
  argumentsJson: "[]",
};

/** First byte of every row: a list of more than 15 values. */
const LIST = 0xdc;

/**
 * True if these are the bytes of a whole row. The rest of a row after its seq begins with a string
 * instead.
 */
export function isRow(bytes: Uint8Array): boolean {
  return bytes[0] === LIST;
}

/** Read a row whose beginning is given separately and whose seq is omitted. */
export function readPlainRow(
  { id, start, tail, fixed }: {
    readonly id: string;
    readonly start: Uint8Array;
    readonly tail: Uint8Array;
    readonly fixed: FixedPart;
  },
): Instance {
  const head = new Unpacker(start);
  const rest = new Unpacker(tail);
  const row: unknown[] = [];
  const count = head.list();
  while (!head.isEnd) row.push(head.read());
  row.push(0);
  while (row.length < count) row.push(rest.read());
  return rowOf(id, row, fixed).instance;
}

/**
 * Read a row.
 *
 * @param fixed its fixed part; may be absent if only the history is needed
 */
export function readRow(id: string, bytes: Uint8Array, fixed: FixedPart = NO_FIXED): ReadRow {
  return rowOf(id, new Unpacker(bytes).read() as unknown[], fixed);
}

function rowOf(id: string, row: readonly unknown[], fixed: FixedPart): ReadRow {
  const at = (place: number) => row[place - 1];
  const rare = (at(ROW.RARE) || {}) as RareMembers;
  const kind = at(ROW.KIND) as string;
  const instance: Instance = {
    id,
    kind,
    state: JOB_STATES[at(ROW.STATE) as number]!,
    reason: orNull(at(ROW.REASON)),
    priority: at(ROW.PRIORITY) as number,
    queueKey: orNull<string>(at(ROW.QUEUE)) ?? kind,
    uniqueKey: rare.uniqueKey ?? null,
    uniqueUntil: rare.uniqueUntil ?? null,
    argumentsJson: fixed.argumentsJson,
    resultsJson: orNull(at(ROW.RESULTS)),
    error: null,
    scheduleId: rare.scheduleId ?? null,
    scheduledFor: fixed.scheduledFor,
    dueAt: at(ROW.DUE) as number,
    createdAt: at(ROW.CREATED) as number,
    scheduledAt: at(ROW.SCHEDULED_AT) as number,
    processedAt: orNull(at(ROW.PROCESSED)),
    settledAt: orNull(at(ROW.SETTLED)),
    cancelRequestedAt: rare.cancelAt ?? null,
    attempt: at(ROW.ATTEMPT) as number,
    failures: rare.failures ?? 0,
    crashes: rare.crashes ?? 0,
    fence: at(ROW.FENCE) as number,
    node: orNull(at(ROW.NODE)),
    retryOf: rare.retryOf ?? null,
    version: rare.version ?? null,
    progress: rare.progress ? JSON.parse(rare.progress) : null,
    usage: rare.usage ? JSON.parse(rare.usage) : null,
    deadlineAt: rare.deadlineAt ?? null,
    redrivenAs: rare.redrivenAs ?? null,
    retryMax: fixed.retryMax,
    crashesMax: fixed.crashesMax,
    timeoutMs: fixed.timeoutMs,
    keepSuccessMs: at(ROW.KEEP_SUCCESS) as number,
    keepFailureMs: at(ROW.KEEP_FAILURE) as number,
  };
  const seq = at(ROW.SEQ) as number;
  const isHeld = rare.held === true;
  if (!rare.error) return { seq, isHeld, instance };
  const error = rare.error === PAST_DEADLINE
    ? passDeadline(instance, null, instance.settledAt!).instance.error
    : JSON.parse(rare.error) as ErrorInfo;
  return { seq, isHeld, instance: { ...instance, error } };
}

/** Encode a row of an existing instance. Whoever writes it sets its place. */
export function packRow(instance: Instance): Packable {
  const { error, progress, usage } = instance;
  const rare = {
    cancelAt: instance.cancelRequestedAt ?? undefined,
    failures: instance.failures || undefined,
    crashes: instance.crashes || undefined,
    error: error === null ? undefined : JSON.stringify(error),
    version: instance.version ?? undefined,
    progress: progress === null ? undefined : JSON.stringify(progress),
    usage: usage === null ? undefined : JSON.stringify(usage),
    redrivenAs: instance.redrivenAs ?? undefined,
    uniqueKey: instance.uniqueKey ?? undefined,
    uniqueUntil: instance.uniqueUntil ?? undefined,
    scheduleId: instance.scheduleId ?? undefined,
    deadlineAt: instance.deadlineAt ?? undefined,
    retryOf: instance.retryOf ?? undefined,
  };
  const { kind, queueKey, state, priority, dueAt, createdAt, scheduledAt } = instance;
  const { processedAt, settledAt, attempt, fence, node, reason, resultsJson } = instance;
  return [
    ...[JOB_STATES.indexOf(state), attempt, rare, settledAt, reason, resultsJson],
    ...[fence, node, processedAt, 0, kind, queueKey === kind ? false : queueKey],
    ...[instance.keepSuccessMs, instance.keepFailureMs, priority, dueAt, createdAt, scheduledAt],
  ];
}

/** Read an attempt that ended with its instance scheduled again. */
export function readEndedAttempt(bytes: Uint8Array): EndedAttempt {
  const [attempt, fence, node, processedAt, scheduledAt, reason] = new Unpacker(bytes)
    .read() as unknown[];
  return {
    attempt: attempt as number,
    fence: fence as number,
    node: orNull(node),
    processedAt: processedAt as number,
    scheduledAt: scheduledAt as number,
    reason: reason as string,
  };
}
