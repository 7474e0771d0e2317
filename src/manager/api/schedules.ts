import type { Instance } from "../../core/instance.ts";
import type { Clearable, RecurringOptions } from "../../core/job/gen/run_options.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import type { Page, PageRequest, Pause } from "../../store/store.ts";

export type { RecurringOptions };

/** A change of a schedule: absent options stay; null removes one, or restores the job's. */
export type ScheduleChange = {
  readonly [Name in keyof RecurringOptions]?:
    | RecurringOptions[Name]
    | (Name extends Clearable ? null : never);
};

/** The schedules of a kind, or one of them. */
export interface ScheduleTarget {
  readonly kind: string;
  /** Only this one. */
  readonly scheduleId?: string;
}

/** Past ticks to run. */
export interface BackfillRequest extends ScheduleTarget {
  /** Ticks from here, epoch ms. */
  readonly from: number;
  /** End of the range, excluded, epoch ms; not after now. */
  readonly to: number;
  /** Count only. */
  readonly dryRun?: boolean;
}

/** The instances that a backfill made, or would make. */
export interface BackfillResult {
  /** Ticks of the range without a run. */
  readonly count: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly instances: readonly Instance[];
}

/** Selects the subject of an explanation: an instance, the ticks of a kind, or a time. */
export interface ExplainQuery {
  /** UUID, or an unambiguous part of one. Excludes the others. */
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

/** The outcome of a tick, or of an instance without one. */
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

/** The reason why something ran or did not. */
export interface TickReport {
  /** Null for an instance without a schedule, and for a deleted schedule. */
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

/** Reads of schedules. */
export interface ScheduleReads {
  listSchedules(
    query: { readonly kind?: string },
    page: PageRequest,
  ): Promise<Page<ScheduleRecord>>;
  /** @throws JobError `not_found` */
  getSchedule(id: string): Promise<ScheduleRecord>;
  listPauses(): Promise<readonly Pause[]>;
  /** Explain why something ran or did not. @throws JobError `not_found` */
  explain(query: ExplainQuery): Promise<readonly TickReport[]>;
}

/** Makes, changes and runs schedules. */
export interface ScheduleApi extends ScheduleReads {
  scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord>;
  /** @throws JobError `not_found`; `conflict` for a schedule of the configuration */
  updateSchedule(id: string, change: ScheduleChange): Promise<ScheduleRecord>;
  /** @throws JobError `not_found`; `conflict` for a schedule of the configuration */
  deleteSchedule(id: string): Promise<void>;
  /** Run a schedule's job now, without changing the schedule. @throws JobError `not_found` */
  runSchedule(target: ScheduleTarget): Promise<Instance>;
  /**
   * Skip the ticks before a time, or a number of ticks; 0 cancels an earlier request. Returns the
   * schedules.
   *
   * @throws JobError `not_found` if the kind has no schedules
   */
  skipTicks(
    target: ScheduleTarget,
    what: { readonly until?: number; readonly count?: number },
  ): Promise<readonly ScheduleRecord[]>;
  /** Run the ticks of a past range that did not run, in order; too many are `invalid_argument`. */
  backfill(request: BackfillRequest): Promise<BackfillResult>;
  /** Pause one kind, or all for null. @throws JobError `not_found` */
  pause(
    kind: string | null,
    options?: { readonly until?: number; readonly reason?: string },
  ): Promise<Pause>;
  /** End a pause. Returns false without one. @throws JobError `not_found` */
  resume(kind: string | null): Promise<boolean>;
}
