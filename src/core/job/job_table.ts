import type { Place } from "../config_problem.ts";
import type { HookTable } from "../hooks/hook.ts";
import type { ArgumentInput } from "../arguments/signature.ts";
import type { JobOptions } from "./gen/job_options.ts";
import type { CommandSpec, ProcessSpec } from "./job.ts";
import type { ScheduleSpec } from "../time/schedule.ts";
import type { ScheduleSettings } from "./schedule_settings.ts";
import type { ScheduleText } from "../time/ticks.ts";

/** A checked job table of the configuration, with times in ms, before its module is known. */
export interface JobTable {
  readonly kind: string;
  /** The place of the table, or of a key's value. It is slow: for problems only. */
  readonly placeOf: (...keys: readonly (string | number)[]) => Place;
  readonly description: string | null;
  /** Null for options of a module job, and for a job that runs elsewhere. */
  readonly command: CommandSpec | null;
  /** Set for a job that runs elsewhere, with its key for pings; null without its own key. */
  readonly external?: { readonly pingKey: string | null };
  /** Settings for starts by HTTP requests; absent if not allowed. */
  readonly hook?: HookTable;
  /** Parameters of the command as text; null when it declares none. */
  readonly params: string | null;
  /** The surroundings of a module job's processes; null if the table sets none. */
  readonly process?: ProcessSpec | null;
  /** Options that the table sets; defaults are merged when the job is resolved. */
  readonly options: Partial<Omit<JobOptions, "retry" | "output" | "expect">> & {
    readonly retry?: Partial<JobOptions["retry"]>;
    readonly output?: Partial<JobOptions["output"]>;
    readonly expect?: Partial<JobOptions["expect"]>;
  };
  /** The schedules of a command. For a module job, the definition counts too. */
  readonly schedules: readonly ScheduleSpec[];
  /** The same, as written. */
  readonly scheduleTexts?: readonly ScheduleText[];
  /** The schedule settings of the table itself, for its own schedules or its module's. */
  readonly scheduleSettings?: ScheduleSettings;
  readonly arguments: ArgumentInput;
  readonly isEnabled: boolean;
}
