import type { Instance } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/time/schedule.ts";
import type { FinalState } from "../../core/state.ts";
import type { ExpectedSkip } from "../../core/time/forecast.ts";

/** Longest span of a forecast, in milliseconds. */
export const FORECAST_MS_MAX = 32 * 86_400_000;
/** Longest span of a timeline, in milliseconds. */
export const TIMELINE_MS_MAX = 400 * 86_400_000;
/** Most items of a response. */
export const ITEMS_MAX = 1_000;
/** Most spans in which items are counted. */
export const SPANS_MAX = 400;

/** Selects a span of time, and jobs. Times are epoch ms. */
export interface SpanQuery {
  readonly from?: number;
  /** Excluded. */
  readonly to?: number;
  /** Only these; absent: all. */
  readonly kinds?: readonly string[];
}

/** Span and kinds of a forecast: from now for a day by default, at most {@link FORECAST_MS_MAX}. */
export interface ForecastQuery extends SpanQuery {
  /** Most entries; 500 by default, at most {@link ITEMS_MAX}. */
  readonly limit?: number;
  /** Number of spans for counting frequent ticks; 60 by default, at most {@link SPANS_MAX}. */
  readonly spans?: number;
}

/** Something that will probably happen. Times are epoch ms. */
export interface ForecastEntry {
  readonly at: number;
  readonly kind: string;
  /** Null for an instance that waits. */
  readonly schedule: ScheduleRecord | null;
  /** The waiting instance; null for a tick. */
  readonly instance: Instance | null;
  /** "runs", "skipped", or "waits" for a run without a node. */
  readonly outcome: "runs" | "skipped" | "waits";
  /** Why it is skipped or waits. */
  readonly reason: ExpectedSkip | "unserved" | null;
  /** One sentence. */
  readonly why: string;
  /** Expected start of its run, if that is later, for example behind an earlier one. */
  readonly startsAt: number;
  /** Usual duration of the job's runs; null if unknown. */
  readonly durationMs: number | null;
  /** Effect of a clock change on the tick; null without one. */
  readonly clockChange: string | null;
}

/** Ticks of a schedule that has too many to list, or of several schedules. */
export interface Density {
  /** Null for the sum of several. */
  readonly schedule: Pick<ScheduleRecord, "id" | "kind"> | null;
  /** One for each span. */
  readonly ticks: readonly number[];
  /** Number of them that will probably be skipped. */
  readonly skipped: readonly number[];
}

/** Expected events in a span of time. */
export interface ForecastResult {
  readonly from: number;
  readonly to: number;
  /** In order. */
  readonly entries: readonly ForecastEntry[];
  /** The spans of the densities: span i is from `bounds[i]` to before the next. */
  readonly bounds: readonly number[];
  /** The schedules whose ticks are not among the entries, most ticks first. */
  readonly densities: readonly Density[];
  /** Instances that become due in the span; the entries may have fewer. */
  readonly waiting: number;
  /** True if that number is an estimate. */
  readonly isEstimate: boolean;
  /** The kinds of unchecked schedules, to bound the work; one per schedule. */
  readonly leftOut: readonly string[];
}

/** The days or hours of a calendar: 31 days until the end of tomorrow by default. */
export interface CalendarQuery extends SpanQuery {
  /** IANA zone of the days; UTC by default. */
  readonly timezone?: string;
  /** Hours instead of days; then a day by default. */
  readonly hours?: boolean;
}

/** A day or an hour. */
export interface CalendarCell {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Seconds by which clocks are set forward during it. */
  readonly clockChange: number;
  /** Instances accepted in it that have ended, by state. */
  readonly ended: Readonly<Record<FinalState, number>>;
  /** Instances accepted in it that have not ended. */
  readonly unfinished: number;
  /** Past ticks without a run. */
  readonly skipped: number;
  readonly missed: number;
  readonly coalesced: number;
  /** Future ticks, and the number that will probably be skipped. */
  readonly ticks: number;
  readonly ticksSkipped: number;
  /** Instances that become due in it. */
  readonly waiting: number;
  /** True if a number is an estimate. */
  readonly isEstimate: boolean;
  /** True if successful runs of it may have been deleted already. */
  readonly isPartial: boolean;
}

/** A calendar. */
export interface CalendarResult {
  readonly timezone: string;
  readonly cells: readonly CalendarCell[];
  /** Start of the counted ticks without a run, to bound the work; null: all are counted. */
  readonly gapsFrom: number | null;
  /** Schedules whose future ticks are not counted, to bound the work. */
  readonly leftOut: number;
}

/** Past runs: the last 24 hours by default, at most {@link TIMELINE_MS_MAX}. */
export interface TimelineQuery extends SpanQuery {
  /** Most runs, and most gaps; 500 by default, at most {@link ITEMS_MAX}. */
  readonly limit?: number;
  /** Number of spans in which they are counted if they are more; 60 by default. */
  readonly spans?: number;
}

/** Ticks without a run. */
export interface TimelineGap {
  readonly kind: string;
  /** As recorded; `from` and `to` are its first and last tick. */
  readonly fate: TickFate;
  /** One sentence, as in `explain`. */
  readonly why: string;
}

/** Runs of a kind, counted. */
export interface TimelineCounts {
  /** Null for the sum of the other kinds. */
  readonly kind: string | null;
  /** By state, one per span; null is for unfinished ones. Empty states are absent. */
  readonly counts: ReadonlyMap<FinalState | null, readonly number[]>;
}

/** Past runs that began or were accepted in a span of time. */
export interface TimelineResult {
  readonly from: number;
  readonly to: number;
  /** In the order of acceptance. If there are too many, only running ones. */
  readonly runs: readonly Instance[];
  /** In order. */
  readonly gaps: readonly TimelineGap[];
  /** Start of the listed gaps; null if all are listed. */
  readonly gapsFrom: number | null;
  readonly bounds: readonly number[];
  /** Set if there are too many runs; most runs first. */
  readonly counts: readonly TimelineCounts[];
  /** Instances accepted in the span. */
  readonly total: number;
  /** True if the total and the counts are estimates. */
  readonly isEstimate: boolean;
}

/** Reads about the past and the future by time. */
export interface TimelineApi {
  /**
   * The probable runs of schedules and waiting instances, by the scheduler's rules.
   *
   * @throws JobError `invalid_argument` for a span that is empty, too long or past
   */
  forecast(query?: ForecastQuery): Promise<ForecastResult>;
  /** Counts of runs and ticks by day or hour of a zone. @throws JobError `invalid_argument` */
  calendar(query?: CalendarQuery): Promise<CalendarResult>;
  /** The runs of a span of time, and the ticks without one. @throws JobError `invalid_argument` */
  lookupTimeline(query?: TimelineQuery): Promise<TimelineResult>;
}
