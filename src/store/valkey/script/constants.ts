import { CORRECTION_MS } from "../../../core/time/ticks.ts";

/**
 * Places in a stored row: what changes of an instance, and what the server decides by. What a claim and what an outcome changes stands
 * first and in this order, so that both can write a new beginning before the rest of an ordinary row as it is; see `plain.ts`.
 */
export const ROW = {
  STATE: 1,
  ATTEMPT: 2,
  /** Members that most rows do not have, by name. */
  RARE: 3,
  SETTLED: 4,
  REASON: 5,
  RESULTS: 6,
  FENCE: 7,
  NODE: 8,
  PROCESSED: 9,
  SEQ: 10,
  KIND: 11,
  QUEUE: 12,
  KEEP_SUCCESS: 13,
  KEEP_FAILURE: 14,
  PRIORITY: 15,
  DUE: 16,
  CREATED: 17,
  SCHEDULED_AT: 18,
} as const;

/** Numbers of states in stored data: their places in `JOB_STATES`. */
export const STATE = {
  SCHEDULED: 1,
  PROCESSING: 2,
  COMPLETED: 3,
  TERMINATED: 4,
  CANCELED: 5,
  TIMED_OUT: 6,
} as const;

/** Places in what an instance is accepted by. */
const INPUT = {
  IN_ID: 1,
  IN_KIND: 2,
  IN_QUEUE: 3,
  IN_PRIORITY: 4,
  IN_DUE: 5,
  IN_SUCCESS: 6,
  IN_FAILURE: 7,
  IN_FIXED: 8,
  IN_EXTRA: 9,
} as const;

/** Places in what an attempt ends by, after its claim, its log and what it told of itself. */
const OUTCOME = {
  OUT_TYPE: 7,
  OUT_DUE: 8,
  OUT_STATE: 8,
  OUT_REASON: 9,
  OUT_ERROR: 10,
  OUT_RESULTS: 11,
  OUT_IS_FAILURE: 12,
} as const;

/** What became of an instance that was to be accepted, and of a settlement. */
export const RESULT = {
  ACCEPTED: 0,
  SAME_ID: 1,
  SAME_KEY: 2,
  STALE: 0,
  SETTLED_NOW: 1,
  REPEATED: 2,
} as const;

/** Limits of one call. */
export const LIMIT = {
  /** Calls of one connection whose answers are kept: no more may be without an answer. */
  ANSWERS_MAX: 16,
  ANSWERS_KEPT_S: 900,
  /** Most arguments of one command. */
  CHUNK: 2_000,
  /** Rows that one claim makes ready at most: the claims after it go on. */
  PROMOTE_MAX: 5_000,
  /** Queues that one claim lets go at most whose rate opens. */
  OPEN_MAX: 1_000,
  /** How far the clock may go back before what rates hold back is looked at again, in milliseconds. */
  SET_BACK_MS: 1_000,
  CORRECTION_MS,
  /** Times kept of one span at most; more starts share the time of the last of them. */
  TIMES_MAX: 64,
  BLOCKS_MAX: 100,
  /** Rows of the first read of a kind, and of the longest. */
  READ_MIN: 4,
  READ_MAX: 512,
  /** Ids with one beginning that are sorted; more are found among all. */
  PREFIX_IDS_MAX: 5_000,
  /** Rows that one cancel looks at: who has more names them better. */
  CANCEL_LOOK_MAX: 200_000,
  /** Bytes after which a page goes on with another call, and rows whose arguments are read together. */
  PART_BYTES: 4_194_304,
  FIXED_CHUNK: 32,
  /** Log lines deleted by one operation at most, so that no claim waits long. */
  LINES_MAX: 10_000,
  /** How long fates are kept: longer than any catch-up of a schedule. */
  TICK_KEEP_MS: 400 * 86_400_000,
  NODE_KEPT_MS: 3_600_000,
  NODES_MAX: 1_000,
  MAX: Number.MAX_SAFE_INTEGER,
  /** Room is kept below 2^53 for the +1 of later numbers, once the clock's own share would pass it (in the year 2248). */
  TIME_MAX: Number.MAX_SAFE_INTEGER - 2 ** 40,
} as const;

const NAMES: Readonly<Record<string, number>> = {
  ...ROW,
  ...STATE,
  ...INPUT,
  ...OUTCOME,
  ...RESULT,
  ...LIMIT,
};

/** A script with the numbers in place of their names: a call builds nothing for them. */
export function withNumbers(text: string): string {
  return text.replace(
    /\b[A-Z][A-Z_]*[A-Z]\b/g,
    (name) => name in NAMES ? String(NAMES[name]) : name,
  );
}
