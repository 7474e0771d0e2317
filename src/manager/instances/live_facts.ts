import type { Instance } from "../../core/instance.ts";
import type { Block } from "../../core/job/limits.ts";
import type { Pause } from "../../store/store.ts";

/** Facts that are not stored: what the manager currently knows about itself and its peers. */
export interface LiveFacts {
  /** The limit that keeps a waiting instance from running; null if there is none. */
  blockOf(instance: Instance): Promise<Block | null>;
  /** The given kinds that no live node can run. */
  unservedKinds(kinds: Iterable<string>): Promise<ReadonlySet<string>>;
  listPauses(): Promise<readonly Pause[]>;
  /** The kinds of all jobs, and all kinds that have instances. */
  kinds(): Promise<readonly string[]>;
  /** True if this node has a job, or another node seen within the last hour has it. */
  isKnown(kind: string): Promise<boolean>;
  /** @throws JobError `not_found` if no node seen within the last hour has the job */
  assertKnown(kind: string): Promise<void>;
  /** Why a job is configured but not loaded; null if it is loaded or not configured. */
  disabledBecause(kind: string): Promise<string | null>;
}
