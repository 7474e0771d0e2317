import type { Buffer } from "node:buffer";
import type { ErrorInfo, Instance, StoredLogEntry } from "../../../core/instance.ts";
import { UNIQUE_DEFAULT } from "../../../core/job/limits.ts";
import { passDeadline } from "../../ledger/rules.ts";
import { storable } from "../../ledger/storable.ts";
import type { EndedAttempt } from "../../records.ts";
import type { NewInstance } from "../../store.ts";
import { ROW } from "../script/constants.ts";
import {
  hasRareMembers,
  packRareMembers,
  type RareMembers,
  readMembers,
} from "./gen/instance_row.ts";
import { orNull, pack, type Packable, Tuple, Unpacker } from "./msgpack.ts";

/** Stored in place of an error for a passed deadline. Readers put it into words. */
const PAST_DEADLINE = "deadline";

/** The part of an instance that never changes and that the server ignores. */
export type FixedPart = Pick<
  Instance,
  "crashesMax" | "scheduledFor" | "retryMax" | "timeoutMs" | "argumentsJson"
>;

/** An instance with its place in the order of acceptance. */
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
    id,
    kind,
    queueKey === kind ? false : storable(queueKey),
    priority,
    packDue(dueAt),
    keepSuccessMs,
    keepFailureMs,
    packFixed(input),
    extraOf(input),
  ];
}

/** A due time in the form of the script, which replaces false by its own time. */
export function packDue(dueAt: number | null): number | false {
  return dueAt === null ? false : Math.ceil(dueAt);
}

/** True if an instance has no rare members and no queue key. */
export function isOrdinary(input: NewInstance): boolean {
  return input.queueKey === input.kind && !hasExtra(input);
}

function hasExtra(input: NewInstance): boolean {
  return input.waitingMax !== undefined || hasRareMembers(input);
}

/** The rare members of a new instance, and values that acceptance decides. */
function extraOf(input: NewInstance): Packable {
  if (!hasExtra(input)) return false;
  const { uniqueKey, formerKey, waitingMax } = input;
  const { forMs, onConflict } = input.unique ?? UNIQUE_DEFAULT;
  return {
    members: packRareMembers(input),
    formerKey: formerKey === undefined ? undefined : storable(formerKey),
    forMs: uniqueKey === null || forMs === null ? undefined : Math.ceil(forMs),
    onConflict: uniqueKey === null ? undefined : onConflict,
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

/** True for the bytes of a whole row. The rest of a row after its seq begins with a string. */
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

/** Read a row. `fixed` may be absent if only the history is needed. */
export function readRow(id: string, bytes: Uint8Array, fixed: FixedPart = NO_FIXED): ReadRow {
  return rowOf(id, new Unpacker(bytes).read() as unknown[], fixed);
}

function rowOf(id: string, row: readonly unknown[], fixed: FixedPart): ReadRow {
  const instance = readMembers(id, row, fixed);
  const rare = (row[ROW.RARE - 1] || {}) as RareMembers & { readonly held?: true };
  const seq = row[ROW.SEQ - 1] as number;
  const isHeld = rare.held === true;
  if (!rare.error) return { seq, isHeld, instance };
  const error = rare.error === PAST_DEADLINE
    ? passDeadline(instance, null, instance.settledAt!).instance.error
    : JSON.parse(rare.error) as ErrorInfo;
  return { seq, isHeld, instance: { ...instance, error } };
}

/** An attempt that ended with its instance scheduled again. */
export const ENDED_ATTEMPT = new Tuple<EndedAttempt>(
  ["attempt", "fence", "node", "processedAt", "scheduledAt", "reason"],
);

/** A line of a log. */
export const LINE = new Tuple<StoredLogEntry>(
  ["at", "level", "message", "source", "attempt", "fence", "seq", "instanceId", "kind"],
);
