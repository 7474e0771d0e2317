import type { QueueName, RateWindow } from "../ledger/tables/tables.ts";

/** Digits of 2^53: numbers of this width are in order as text. */
const DIGITS = 16;

/**
 * Keys of the rows. Numbers have sixteen digits, so that they sort as text; names are encoded as in
 * a URL, so that every key is printable ASCII.
 *
 * | key | row | value |
 * |---|---|---|
 * | `head` | the store's own numbers | `format`, `storeId`, `epoch`, `rev`, `at`, `seq`, … |
 * | `i/SEQ` | an instance | its unusual members, `leaseMs` while claimed, `held` |
 * | `l/SEQ` | the last renewal of its claim | `leaseMs`, `fence` |
 * | `d/SEQ/ATTEMPT` | an ended attempt | as in the ledger |
 * | `g/PLACE` | a line of a log | `of` (SEQ), `at`, `level`, `message`, … |
 * | `s/ID` | a schedule | as in the API |
 * | `t/ID/FROM` | the fate of a tick, or of a range of them | as in the API |
 * | `r/KIND/QUEUE/SPAN` | starts that a rate limit counts | `starts`, `expireAt` |
 * | `p/KIND` | a pause; `p/` of all kinds | as in the API |
 * | `n/ID` | a node | as in the API |
 * | `c/ID` | a node's clock, and those of others | `at`, `heard` |
 * | `m` | the mark of the store | as in the API |
 */
export const HEAD = "head";

/** The key of the store's mark. */
export const MARK = "m";

/** The key of an instance. */
export function instanceKey(seq: number): string {
  return `i/${digits(seq)}`;
}

/** The key of the renewal of an instance's claim. */
export function leaseKey(seq: number): string {
  return `l/${digits(seq)}`;
}

/** The key of an ended attempt. */
export function endedAttemptKey(seq: number, attempt: number): string {
  return `d/${digits(seq)}/${digits(attempt)}`;
}

/** The key of a log line. */
export function logKey(place: number): string {
  return `g/${digits(place)}`;
}

/** The key of a schedule. */
export function scheduleKey(id: string): string {
  return `s/${encode(id)}`;
}

/** The key of the fate of a tick. */
export function tickKey(scheduleId: string, from: number): string {
  return `t/${encode(scheduleId)}/${signed(from)}`;
}

/** The key of starts. */
export function windowKey({ kind, queueKey, perMs }: RateWindow & QueueName): string {
  return `r/${encode(kind)}/${encode(queueKey)}/${perMs}`;
}

/** The key of a pause. */
export function pauseKey(kind: string | null): string {
  return `p/${kind === null ? "" : encode(kind)}`;
}

/** The key of a node. */
export function nodeKey(id: string): string {
  return `n/${encode(id)}`;
}

/** The key of a node's report about its clock. */
export function clockKey(id: string): string {
  return `c/${encode(id)}`;
}

/** The parts of a key after its letter, names as they were. */
export function partsOfKey(key: string): readonly string[] {
  return key.split("/").slice(1).map(decodeURIComponent);
}

function encode(name: string): string {
  return encodeURIComponent(name);
}

function digits(number: number): string {
  return String(number).padStart(DIGITS, "0");
}

// "-" sorts before every digit. Of two times before 1970 the one with the smaller rest is earlier.
function signed(number: number): string {
  return number < 0 ? `-${digits(Number.MAX_SAFE_INTEGER + number)}` : digits(number);
}
