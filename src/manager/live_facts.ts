import type { Instance } from "../core/instance.ts";
import type { Block } from "../core/limits.ts";
import type { Pause } from "../store/store.ts";

/** What no record says: what the manager knows of itself and of its peers at this moment. */
export interface LiveFacts {
  /** Which limit keeps a waiting instance from running; null for none. */
  blockOf(instance: Instance): Promise<Block | null>;
  /** The given kinds that no live node runs. */
  unservedKinds(kinds: Iterable<string>): Promise<ReadonlySet<string>>;
  listPauses(): Promise<readonly Pause[]>;
  /** The kinds of all jobs, and those that there are instances of. */
  kinds(): Promise<readonly string[]>;
  /** Whether this node or another one, of the last hour, has a job. */
  isKnown(kind: string): Promise<boolean>;
  /** @throws JobError `not_found` when no node of the last hour has the job */
  assertKnown(kind: string): Promise<void>;
  /** Why a job is configured but not loaded; null for one that is loaded, or that nobody configured. */
  disabledBecause(kind: string): Promise<string | null>;
}
