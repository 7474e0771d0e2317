import type { Instance } from "../core/instance.ts";
import type { TickFate } from "../core/time/schedule.ts";
import type { FinalState } from "../core/state.ts";

/** Most spans of one request. */
export const SPANS_MAX = 1_000;

/** Spans of time for counting instances: span i is from `bounds[i]` to before the next. */
export interface SpanCountRequest {
  /**
   * The time that counts: the acceptance of any instance, or the due time of an instance that waits
   * and was not due yet when the store last looked.
   */
  readonly by: "acceptance" | "due";
  /** Epoch ms, ascending; two or more, at most {@link SPANS_MAX} + 1. */
  readonly bounds: readonly number[];
  /** Only these, at most BATCH_MAX; absent: all. */
  readonly kinds?: readonly string[];
}

/** The instances of one kind and state in each span; empty ones are absent. */
export interface SpanCounts {
  readonly kind: string;
  /** Null for unfinished ones. */
  readonly state: FinalState | null;
  /** One for each span. */
  readonly counts: readonly number[];
  /** True if large counts were estimated from samples, to bound the work. */
  readonly isEstimate: boolean;
}

/** Selects waiting instances that are not due yet. */
export interface LaterRequest {
  /** Due at or after, and before, epoch ms. */
  readonly after: number;
  readonly before: number;
  /** Only these, at most BATCH_MAX; absent: all. */
  readonly kinds?: readonly string[];
  /** 1 to BATCH_MAX. */
  readonly limit: number;
}

/** Selects records of ticks without a run. Their first tick is from `after` to before `before`. */
export interface GapRequest {
  /** Epoch ms. */
  readonly after: number;
  readonly before: number;
  /** Number of records to skip. */
  readonly skip?: number;
  /** 1 to BATCH_MAX. */
  readonly limit: number;
}

/** Reads of a store by spans of time, whose cost does not grow with the stored data. */
export interface SpanReads {
  /** Count instances in spans of time. A store that counts by reading estimates large counts. */
  countSpans(request: SpanCountRequest): Promise<readonly SpanCounts[]>;
  /** Waiting instances that are not due yet, by due time. */
  listLater(request: LaterRequest): Promise<readonly Instance[]>;
  /** Skipped, missed and coalesced ticks of all schedules, latest first by their first tick. */
  listGaps(request: GapRequest): Promise<readonly TickFate[]>;
}

/** True if a fate means that its ticks have no run. */
export function isGap({ fate }: Pick<TickFate, "fate">): boolean {
  return fate !== "fired" && fate !== "expected";
}
