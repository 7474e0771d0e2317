import { JobError } from "../../core/errors.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { KIND_LENGTH_MAX } from "../../core/job/kind.ts";
import { isStorable, storable } from "./storable.ts";
import { BATCH_MAX, type NewInstance, type PageRequest } from "../store.ts";

/** Longest id, key or name, in characters. */
export const NAME_LENGTH_MAX = 1_000;

/** Longest key of a memo, in characters. */
export const MEMO_KEY_LENGTH_MAX = 512;

/** @throws JobError `invalid_argument` if `limit` is not an integer from 1 to BATCH_MAX */
export function checkLimit(limit: number, action: string): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= BATCH_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot ${action} with limit ${limit}: it must be an integer of 1 to ${BATCH_MAX}`,
    { path: "limit", hint: "Ask for the rest with another call" },
  );
}

/** A quota is used up. Unlike a full medium, it refuses one operation without affecting others. */
export class QuotaError extends JobError {
  constructor(message: string, hint: string) {
    super("resource_exhausted", message, { hint });
  }
}

/** @throws JobError `invalid_argument` if a batch has more than BATCH_MAX items */
export function checkBatch(count: number, action: string): void {
  if (count <= BATCH_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot ${action} ${count} items at once: at most ${BATCH_MAX} are allowed`,
    { hint: "Split the request" },
  );
}

/** @throws JobError `invalid_argument` for a page without a valid limit */
export function checkPage(page: PageRequest, action: string): void {
  checkLimit(page.limit, action);
}

/** @throws JobError `invalid_argument` for a memo's key that cannot be stored exactly */
export function checkMemoKey(key: string): void {
  checkName(key, "key", MEMO_KEY_LENGTH_MAX);
}

/** @throws JobError `invalid_argument` for an instance that cannot be stored exactly */
export function checkNewInstance(input: NewInstance): void {
  checkName(input.id, "id", NAME_LENGTH_MAX);
  checkName(input.kind, "kind", KIND_LENGTH_MAX);
  // The default queue has the name of the kind, which is already checked.
  if (input.queueKey !== input.kind) checkName(input.queueKey, "queueKey", NAME_LENGTH_MAX);
  if (input.uniqueKey !== null) checkName(input.uniqueKey, "uniqueKey", NAME_LENGTH_MAX);
  if (input.argumentsJson.length > PAYLOAD_BYTES_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot enqueue "${input.kind}": its arguments have ${input.argumentsJson.length} characters, at most ${PAYLOAD_BYTES_MAX} are allowed`,
      { path: "argumentsJson", hint: "Store the data elsewhere and pass a reference to it" },
    );
  }
  if (input.dueAt !== null) checkTime(input.dueAt, "dueAt");
  if (input.unique && input.unique.forMs !== null) checkTime(input.unique.forMs, "unique.forMs");
  if (input.waitingMax !== undefined) checkInteger(input.waitingMax, "waitingMax");
  if (input.scheduledFor !== null) checkTime(input.scheduledFor, "scheduledFor");
  if (input.deadlineAt !== null) checkTime(input.deadlineAt, "deadlineAt");
  checkInteger(input.priority, "priority");
  checkInteger(input.retryMax, "retryMax");
  checkInteger(input.crashesMax, "crashesMax");
  checkTime(input.timeoutMs, "timeoutMs");
  checkTime(input.keepSuccessMs, "keepSuccessMs");
  checkTime(input.keepFailureMs, "keepFailureMs");
}

/** @throws JobError `invalid_argument` for a time that is not a number within 2^53 */
export function checkTime(value: number, path: string): void {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return;
  throw new JobError(
    "invalid_argument",
    `Cannot store ${path} ${value}: it must be a number of milliseconds within ±2^53`,
    { path },
  );
}

function checkInteger(value: number, path: string): void {
  if (Number.isSafeInteger(value)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot store ${path} ${value}: it must be an integer within ±2^53`,
    { path },
  );
}

/** @throws JobError `invalid_argument` for a name that cannot be stored exactly */
export function checkName(value: string, path: string, lengthMax: number): void {
  if (value.length >= 1 && value.length <= lengthMax && isStorable(value)) return;
  const shown = value.length > 100 ? `${value.slice(0, 100)}…` : value;
  throw new JobError(
    "invalid_argument",
    `Cannot store ${path} "${
      storable(shown)
    }": it must be Unicode text without NUL, of 1 to ${lengthMax} characters`,
    { path },
  );
}
