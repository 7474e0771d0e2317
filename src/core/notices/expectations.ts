import type { Expectations } from "../job/gen/job_options.ts";
import type { JobDefinition } from "../job/job.ts";
import { formatDuration, roughDuration } from "../time/duration.ts";
import type { NoticeEvent } from "./notice.ts";

/** `start_within` of scheduled runs whose job does not set it, in ms. */
const START_WITHIN_MS = 600_000;
/** Number of recent successes that `learn` uses. */
export const LEARNT_RUNS = 30;
/** With fewer successes than this, `learn` compares nothing. */
const LEARNT_RUNS_MIN = 10;
/** An attempt takes too long after this many times p99, and {@link LONG_MARGIN_MS} more. */
const LONG_FACTOR = 1.5;
/** Time beyond p99 that an attempt may always run, in ms. */
export const LONG_MARGIN_MS = 10_000;
/** A success was too short if it took less than this fraction of p50. */
const SHORT_PART = 0.25;
/** If p50 is below this, no success is too short: short times vary by chance. */
export const SHORT_FROM_MS = 2_000;

/** The usual durations of a job, in ms. */
export interface DurationBand {
  /** Half of the last successes took no longer. */
  readonly p50Ms: number;
  /** Duration that almost none of them exceeded: of 30, the longest. */
  readonly p99Ms: number;
}

/** The unmet option of `expect`. */
export type ExpectationRule =
  | "start_within"
  | "finish_within"
  | "min_duration"
  | "max_duration"
  | "learn"
  | "every";

/** An unmet expectation. Times are in ms. */
export interface Broken {
  readonly event: Extract<NoticeEvent, "late" | "long" | "short" | "missed">;
  readonly rule: ExpectationRule;
  /** Its duration so far. */
  readonly tookMs: number;
  /** The duration that it should not exceed; for `short`, the one it should reach. */
  readonly limitMs: number;
  /** The usual durations, for `learn`; null for the other rules. */
  readonly band: DurationBand | null;
}

/** Progress of a run. Times are in ms. */
export interface RunProgress {
  /** True if it is a tick of a schedule. */
  readonly isScheduled: boolean;
  /** Time since it was first due. */
  readonly sinceDueMs: number;
  /** Time since its next attempt was due; null while an attempt runs. */
  readonly waitedMs: number | null;
  /** Time since its attempt began; null while it waits. */
  readonly ranMs: number | null;
}

/** The unmet expectations at a moment. */
export interface Verdict {
  readonly broken: readonly Broken[];
  /** Time until the next expectation would not be met, in ms; null for never. */
  readonly nextMs: number | null;
}

/** True if a job has expectations, beyond the ones for every schedule. */
export function hasExpectations({ source, options: { expect } }: JobDefinition): boolean {
  if (source.type === "system") return false;
  const { startWithinMs = 0, finishWithinMs, minDurationMs, maxDurationMs, everyMs, learn } =
    expect;
  return learn ||
    [startWithinMs, finishWithinMs, minDurationMs, maxDurationMs, everyMs].some((ms) => ms > 0);
}

/** Longest delay of a run's start after its due time, in ms; null for no limit. */
export function startWithinOf(expect: Expectations, isScheduled: boolean): number | null {
  const limitMs = expect.startWithinMs ?? (isScheduled ? START_WITHIN_MS : 0);
  return limitMs > 0 ? limitMs : null;
}

/** The expectations that a run has not met so far. A limit is exceeded once it is reached. */
export function checkRun(
  expect: Expectations,
  run: RunProgress,
  band: DurationBand | null,
): Verdict {
  const broken: Broken[] = [];
  let nextMs = Infinity;
  const check = (
    rule: ExpectationRule,
    { tookMs, limitMs }: { readonly tookMs: number | null; readonly limitMs: number | null },
    learnt: DurationBand | null = null,
  ) => {
    if (tookMs === null || limitMs === null || limitMs === 0) return;
    const event = rule === "start_within" ? "late" : "long";
    if (tookMs >= limitMs) broken.push({ event, rule, tookMs, limitMs, band: learnt });
    else nextMs = Math.min(nextMs, limitMs - tookMs);
  };
  const { isScheduled, sinceDueMs, waitedMs, ranMs } = run;
  check("start_within", { tookMs: waitedMs, limitMs: startWithinOf(expect, isScheduled) });
  check("finish_within", { tookMs: sinceDueMs, limitMs: expect.finishWithinMs });
  check("max_duration", { tookMs: ranMs, limitMs: expect.maxDurationMs });
  if (expect.learn && band !== null) {
    check("learn", { tookMs: ranMs, limitMs: longAfterMs(band) }, band);
  }
  return { broken, nextMs: nextMs === Infinity ? null : nextMs };
}

/** The expectation that a success missed because it was too short; null for none. */
export function checkSuccess(
  expect: Expectations,
  tookMs: number,
  band: DurationBand | null,
): Broken | null {
  const { minDurationMs: limitMs } = expect;
  if (tookMs < limitMs) {
    return { event: "short", rule: "min_duration", tookMs, limitMs, band: null };
  }
  if (!expect.learn || band === null || band.p50Ms < SHORT_FROM_MS) return null;
  const leastMs = band.p50Ms * SHORT_PART;
  if (tookMs >= leastMs) return null;
  return { event: "short", rule: "learn", tookMs, limitMs: leastMs, band };
}

/** Check whether the time since a job's last success is too long. */
export function checkEvery({ everyMs }: Expectations, sinceMs: number): Verdict {
  if (everyMs === 0) return { broken: [], nextMs: null };
  if (sinceMs < everyMs) return { broken: [], nextMs: everyMs - sinceMs };
  const rule = { event: "missed", rule: "every", band: null } as const;
  return { broken: [{ ...rule, tookMs: sinceMs, limitMs: everyMs }], nextMs: null };
}

/** The usual durations according to the last successes; null if there are too few. */
export function bandOf(durationsMs: readonly number[]): DurationBand | null {
  const count = durationsMs.length;
  if (count < LEARNT_RUNS_MIN) return null;
  const sorted = durationsMs.toSorted((left, right) => left - right);
  const ofRank = (share: number) => sorted[Math.ceil(share * count) - 1]!;
  return { p50Ms: ofRank(0.5), p99Ms: ofRank(0.99) };
}

function longAfterMs({ p99Ms }: DurationBand): number {
  return Math.max(p99Ms * LONG_FACTOR, p99Ms + LONG_MARGIN_MS);
}

/** Facts about an unmet expectation. */
export interface BrokenContext {
  /** True if the run has started in the meantime. */
  readonly isStarted?: boolean;
  /** The number of workers, if all of them are busy; else null. */
  readonly busyWorkers?: number | null;
  /** Time of the last success, epoch ms; null if unknown. */
  readonly lastSuccessAt?: number | null;
}

/** One line about an unmet expectation, such as `took 4s; usually 52s, p99 1m1s`. */
export function describeBroken(broken: Broken, context: BrokenContext = {}): string {
  const { tookMs, limitMs, rule, band } = broken;
  const [took, limit] = [roughDuration(tookMs), formatDuration(limitMs)];
  const usual = band && `usually ${roughDuration(band.p50Ms)}, p99 ${roughDuration(band.p99Ms)}`;
  switch (rule) {
    case "start_within": {
      const workers = context.busyWorkers ?? null;
      const reason = workers === null || context.isStarted ? "" : `; ${busyText(workers)}`;
      const what = context.isStarted
        ? `started ${took} after it was due`
        : `due ${took} ago and not started`;
      return `${what}; expected within ${limit}${reason}`;
    }
    case "finish_within":
      return `due ${took} ago and not finished; expected within ${limit}`;
    case "max_duration":
      return `running for ${took}; expected at most ${limit}`;
    case "min_duration":
      return `took ${took}; expected at least ${limit}`;
    case "learn":
      return broken.event === "short" ? `took ${took}; ${usual}` : `running for ${took}; ${usual}`;
    case "every": {
      const last = context.lastSuccessAt ?? null;
      const since = last === null
        ? "and none before"
        : `the last at ${new Date(last).toISOString()}`;
      return `no success for ${took}, ${since}; expected every ${limit}`;
    }
  }
}

function busyText(workers: number): string {
  return workers === 1 ? "the only worker is busy" : `all ${workers} workers are busy`;
}
