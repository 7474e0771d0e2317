import type { InstanceReads } from "./instances.ts";
import type { ScheduleReads } from "./schedules.ts";
import type { TimelineApi } from "./timeline.ts";

/** The read-only methods of a manager, which may read much data. */
export interface ReadApi extends InstanceReads, ScheduleReads, TimelineApi {}

/** Facts that are not stored: the manager's current knowledge of itself and its peers. */
export interface LiveFacts
  extends Pick<ReadApi, "kindsOfTag" | "processesOf" | "blockOf" | "unservedKinds" | "listPauses"> {
  /** The kinds of all jobs, and all kinds that have instances. */
  kinds(): Promise<readonly string[]>;
  /** The kinds of the jobs here whose instances can be run again. */
  ownKinds(): Promise<readonly string[]>;
  /** True if this node has a job, or another node seen within the last hour has it. */
  isKnown(kind: string): Promise<boolean>;
  /** @throws JobError `not_found` if no node seen within the last hour has the job */
  assertKnown(kind: string): Promise<void>;
  /** Why a job is configured but not loaded; null if it is loaded or not configured. */
  disabledBecause(kind: string): Promise<string | null>;
  /** The zone of a job's times; UTC if unset or if the job is not loaded here. */
  timezoneOf(kind: string): Promise<string>;
}
