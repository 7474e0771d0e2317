import type { TickFate } from "../../core/time/schedule.ts";
import type { RateWindow } from "../ledger/tables/tables.ts";

/** Digits of 2^53: numbers of this width are in order as text. */
const DIGITS = 16;

/**
 * Keys of the rows. Numbers have sixteen digits, so that they sort as text; names are encoded like
 * in a URL, so that every key is printable ASCII.
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
 * | `o/KEY` | a memo | as in the API |
 * | `n/ID` | a node | as in the API |
 * | `c/ID` | a node's clock, and other nodes' clocks | `at`, `heard` |
 * | `m` | the mark of the store | as in the API |
 */
export const KEYS = {
  head: "head",
  instance: (seq: number) => `i/${digits(seq)}`,
  lease: (seq: number) => `l/${digits(seq)}`,
  endedAttempt: ({ seq, attempt }: { readonly seq: number; readonly attempt: number }) =>
    `d/${digits(seq)}/${digits(attempt)}`,
  log: (place: number) => `g/${digits(place)}`,
  schedule: (id: string) => `s/${encodeURIComponent(id)}`,
  tick: ({ scheduleId, from }: Pick<TickFate, "scheduleId" | "from">) =>
    `t/${encodeURIComponent(scheduleId)}/${signed(from)}`,
  window: ({ kind, queueKey, perMs }: RateWindow) =>
    `r/${encodeURIComponent(kind)}/${encodeURIComponent(queueKey)}/${perMs}`,
  pause: (kind: string | null) => `p/${kind === null ? "" : encodeURIComponent(kind)}`,
  memo: (key: string) => `o/${encodeURIComponent(key)}`,
  node: (id: string) => `n/${encodeURIComponent(id)}`,
  clock: (id: string) => `c/${encodeURIComponent(id)}`,
  mark: "m",
} as const;

/** The parts of a key after its letter, with decoded names. */
export function partsOfKey(key: string): readonly string[] {
  return key.split("/").slice(1).map(decodeURIComponent);
}

function digits(number: number): string {
  return String(number).padStart(DIGITS, "0");
}

// "-" sorts before every digit. Of two times before 1970 the one with the smaller rest is earlier.
function signed(number: number): string {
  return number < 0 ? `-${digits(Number.MAX_SAFE_INTEGER + number)}` : digits(number);
}
