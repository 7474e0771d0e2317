import {
  CANCEL_GRACE_MS,
  ID_LENGTH,
  SIGNALS_MAX,
  STEP_MEMO,
  STEPS_MAX,
  TURN_IDS,
  UNWIND_AGAIN_MS,
} from "../../../core/wait.ts";
import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import { AHEAD_MS_MIN } from "../../../core/time/clock_correction.ts";
import { CORRECTION_MS } from "../../../core/time/ticks.ts";
import { OPEN_RUNS_MAX } from "../../external_runs.ts";
import {
  JOB_MEMO,
  NEWS_KIND,
  NEWS_MAX,
  NEWS_POLICY,
  STORE_FORMAT,
  WATCHER_MEMO,
} from "../../store.ts";

/**
 * Places in a stored row: an instance's changing members, and members that the server decides by.
 * Members that claims and outcomes change come first and in this order, so that both can replace
 * the beginning of an ordinary row and keep the rest; see `plain.lua`.
 */
export const ROW = {
  STATE: 1,
  ATTEMPT: 2,
  /** Table of members that most rows lack. */
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

/** Stored numbers of states: their positions in `JOB_STATES`. */
const STATE = {
  SCHEDULED: 1,
  PROCESSING: 2,
  COMPLETED: 3,
  TERMINATED: 4,
  CANCELED: 5,
  TIMED_OUT: 6,
} as const;

/** Places in an instance to accept. */
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

/** Places in an outcome. Before them come the claim, log lines, version, progress and usage. */
const OUTCOME = {
  OUT_TYPE: 8,
  OUT_DUE: 9,
  OUT_STATE: 9,
  OUT_REASON: 10,
  OUT_ERROR: 11,
  OUT_RESULTS: 12,
  OUT_WAITS: 12,
  OUT_IS_FAILURE: 13,
  OUT_NEWS: 14,
  OUT_AGO: 15,
  OUT_STEPS: 16,
} as const;

/** Results of accepting an instance and of settling a claim. */
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
  /** Number of a connection's last calls whose answers are kept: the limit of calls in flight. */
  ANSWERS_MAX: 16,
  ANSWERS_KEPT_S: 900,
  /** Most arguments of one command. */
  CHUNK: 2_000,
  /** Most rows that one claim makes ready; later claims continue. */
  PROMOTE_MAX: 5_000,
  /** Most held queues that one claim releases. */
  OPEN_MAX: 1_000,
  /** Clock setback after which holds of rates are checked again, in milliseconds. */
  SET_BACK_MS: 1_000,
  AHEAD_MS_MIN,
  CORRECTION_MS,
  STORE_FORMAT,
  /** Most times kept of one span. Further starts share the last time. */
  TIMES_MAX: 64,
  BLOCKS_MAX: 100,
  OPEN_RUNS_MAX,
  /** Number of rows in the first read of a kind, and in the largest. */
  READ_MIN: 4,
  READ_MAX: 512,
  /** Most ids with one prefix that are sorted; more are found by a scan. */
  PREFIX_IDS_MAX: 5_000,
  /** Most ids that one call compares with a part of one: some 4 ms. */
  FIND_IDS_MAX: 5_000,
  /** Distance of seqs behind their times beyond which rows are read to count by time. */
  LAG_MAX: 60_000 * 1_024,
  /** Rows after which this count continues in another call. */
  PROBES_MAX: 2_000,
  /** Most rows that one cancel looks at. */
  CANCEL_LOOK_MAX: 200_000,
  /** Bytes of a page before it continues in another call, and of arguments read together. */
  PART_BYTES: 4_194_304,
  FIXED_CHUNK: 32,
  /** Most log lines that one operation deletes, so that claims do not wait long. */
  LINES_MAX: 10_000,
  /** Retention of fates: longer than any schedule catches up. */
  TICK_KEEP_MS: 400 * 86_400_000,
  NODE_KEPT_MS: 3_600_000,
  NODES_MAX: 1_000,
  MAX: Number.MAX_SAFE_INTEGER,
  CANCEL_GRACE_MS,
  UNWIND_AGAIN_MS,
  /**
   * Upper limit of the clock's share of a number. It leaves room below 2^53 for increments when the
   * clock reaches it (in the year 2248).
   */
  TIME_MAX: Number.MAX_SAFE_INTEGER - 2 ** 40,
} as const;

/** Memos and news. */
const NEWS = {
  JOB_MEMO,
  WATCHER_MEMO,
  NEWS_MAX,
  NEWS_KIND,
  NOTICE_KINDS,
  /** More than the most news of one memo. */
  NEWS_ORDER: 1_024,
  NEWS_PRIORITY: NEWS_POLICY.priority,
  NEWS_RETRY_MAX: NEWS_POLICY.retryMax,
  NEWS_CRASHES_MAX: NEWS_POLICY.crashesMax,
  NEWS_TIMEOUT_MS: NEWS_POLICY.timeoutMs,
  NEWS_KEEP_SUCCESS_MS: NEWS_POLICY.keepSuccessMs,
  NEWS_KEEP_FAILURE_MS: NEWS_POLICY.keepFailureMs,
} as const;

/** Steps and signals. */
const FLOW = { STEP_MEMO, SIGNALS_MAX, STEPS_MAX, TURN_IDS, ID_LENGTH } as const;

const NAMES: Readonly<Record<string, number | string>> = {
  ...ROW,
  ...STATE,
  ...INPUT,
  ...OUTCOME,
  ...RESULT,
  ...LIMIT,
  ...NEWS,
  ...FLOW,
};

/** Replace names by their values, so that calls build no table for them. */
export function withValues(text: string): string {
  return text.replace(
    /\b[A-Z][A-Z_]*[A-Z]\b/g,
    (name) => name in NAMES ? JSON.stringify(NAMES[name]) : name,
  );
}
