import type { Instance } from "../../core/instance.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";

/** Selects what to explain: an instance, the ticks of a kind, or a time. */
export interface ExplainQuery {
  /** UUID, or a part of one that no other has. Excludes the others. */
  readonly instanceId?: string;
  readonly kind?: string;
  /** Ticks from here, epoch ms; by default the last ones of the kind and the next. */
  readonly at?: number;
  /** Length of the range; a minute by default. */
  readonly spanMs?: number;
  /** Most ticks of each schedule. */
  readonly limit?: number;
  /** Without a time: only of this schedule. */
  readonly scheduleId?: string;
  /** Without a time: the last ticks before this one, epoch ms. */
  readonly before?: number;
}

/** The fate of a tick, or of an instance without one. */
export type TickOutcome =
  | "ran"
  | "running"
  | "waiting"
  | "skipped"
  | "coalesced"
  | "expected"
  | "missed"
  | "pending"
  | "none";

/** Why something ran or did not. */
export interface TickReport {
  /** Null for an instance that no schedule made, and if the schedule is gone. */
  readonly schedule: ScheduleRecord | null;
  readonly kind: string;
  /** The tick, or the requested time if it is not a tick, epoch ms. */
  readonly at: number;
  /** "none": no schedule has a tick then. */
  readonly outcome: TickOutcome;
  /** As recorded: overlap, paused, misfire, … */
  readonly reason: string | null;
  /** Expression, zone and local time. */
  readonly rule: string;
  /** IANA zone of the times in `rule` and `why`. */
  readonly timezone: string;
  /** One sentence. */
  readonly why: string;
  readonly instance: Instance | null;
  /** When it was decided, epoch ms. */
  readonly decidedAt: number | null;
  /** The ticks around a time without a tick. */
  readonly previousAt: number | null;
  readonly nextAt: number | null;
}
