/** Actions for a tick while the instance of the tick before is unfinished. */
export const OVERLAPS = ["skip", "queue", "replace", "allow"] as const;
/** One of {@link OVERLAPS}. */
export type Overlap = (typeof OVERLAPS)[number];
/** Actions for ticks that passed in a downtime. */
export const MISFIRES = ["latest", "skip", "all"] as const;
/** One of {@link MISFIRES}. */
export type Misfire = (typeof MISFIRES)[number];

/** The expression of a schedule that ticks once at each start of the daemon, never by the clock. */
export const REBOOT = "@reboot";
/** Most schedules of one job. */
export const SCHEDULES_MAX = 1_000;

/** Times of a recurring job, as written. Exactly one of `cron` and `everyMs` is set. */
export interface ScheduleSpec {
  /** A cron expression (five or six fields), a nickname or {@link REBOOT}, without `@every`. */
  readonly cron: string | null;
  /** Interval in milliseconds of `@every`, anchored at the schedule's `startAt`. */
  readonly everyMs: number | null;
  /** IANA zone name. */
  readonly timezone: string;
  readonly overlap: Overlap;
  readonly misfire: Misfire;
  /** Ticks older than this are always missed, in milliseconds. */
  readonly misfireWithinMs: number;
  /** Longest delay of a run after its tick, equal for all ticks of a schedule on a node. */
  readonly jitterMs: number;
  /** Most ticks that wait under overlap "queue"; {@link QUEUE_MAX} when absent. */
  readonly queueMax?: number;
  /** Earliest time of a tick, epoch ms; also the first tick of `everyMs`. */
  readonly startsAt?: number;
  /** No tick is at or after this time, epoch ms. */
  readonly endsAt?: number;
  /** Windows in which ticks are skipped, as written; see `parseBlackout`. */
  readonly blackout?: readonly string[];
  /** The number of runs after which the schedule is finished. */
  readonly runsMax?: number;
}

/** Default of the number of ticks of a schedule that wait at most under overlap "queue". */
export const QUEUE_MAX = 10;

/** Settings that schedules inherit, except their zone. */
export type ScheduleDefaults = Pick<
  ScheduleSpec,
  "overlap" | "misfire" | "misfireWithinMs" | "jitterMs"
>;

/** The fate of ticks of a schedule. One record may cover a range of ticks. */
export interface TickFate {
  readonly scheduleId: string;
  /** Due time of the (first) tick, epoch ms. */
  readonly from: number;
  /** Due time of the last tick of the range; equal to `from` for one tick. */
  readonly to: number;
  readonly count: number;
  /**
   * "expected": its job runs elsewhere, and no run has been reported yet. It becomes "fired" with
   * the report, or "missed" without a timely one.
   */
  readonly fate: "fired" | "skipped" | "coalesced" | "missed" | "expected";
  readonly reason: string | null;
  /** The instance that a fired tick became. */
  readonly instanceId: string | null;
  readonly at: number;
}

/** The reason of a tick that was missed because its schedule changed before the catch-up. */
export const CHANGED = "changed";

/** A recurring schedule as stored. */
export interface ScheduleRecord {
  /** "config:<kind>:<n>" for a schedule of the configuration, a UUID for one made at run time. */
  readonly id: string;
  readonly kind: string;
  readonly origin: "config" | "runtime";
  readonly spec: ScheduleSpec;
  /** Hash of the spec and of its instances' data. If it changes, the schedule restarts at now. */
  readonly specHash: string;
  /** Rises with every change of the spec. */
  readonly generation: number;
  /** The last tick considered, epoch ms; ticks at or before it never fire again. */
  readonly cursor: number;
  /** Anchor of `@every`, epoch ms. */
  readonly startAt: number;
  /** The next tick, epoch ms; null when there is none. */
  readonly nextAt: number | null;
  /** Arguments of its instances. */
  readonly argumentsJson: string;
  readonly priority: number | null;
  readonly timeoutMs: number | null;
  readonly retryMax: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Ticks that became instances since the spec last changed; 0 when absent. */
  readonly runs?: number;
  /** The last tick that became an instance, epoch ms. */
  readonly lastRunAt?: number;
  /** Ticks before this time are skipped on request, epoch ms. */
  readonly skipUntil?: number;
  /** Number of further ticks to skip on request. */
  readonly skipNext?: number;
  /** Version of the time zone database that `nextAt` was computed with. */
  readonly tzVersion?: string;
  /**
   * Time of its removal from the configuration, epoch ms. It then has no ticks, and is kept for a
   * day, to continue from its cursor if it returns.
   */
  readonly removedAt?: number;
  /** The last correction of the schedule after the clock had been ahead. */
  readonly correction?: ClockCorrection;
}

/**
 * A correction of a schedule after the clock had been hours ahead. Ticks in between that ran stay;
 * other records of them are void, and they are decided again at their time.
 */
export interface ClockCorrection {
  /** The time from which the schedule continues, epoch ms. */
  readonly at: number;
  /** Its cursor before the correction, epoch ms. */
  readonly cursor: number;
}

/** True if no tick of a schedule comes any more. */
export function isFinished(record: Pick<ScheduleRecord, "nextAt" | "spec" | "runs">): boolean {
  const { spec, runs = 0, nextAt } = record;
  return runs >= (spec.runsMax ?? Infinity) || (nextAt === null && spec.cron !== REBOOT);
}
