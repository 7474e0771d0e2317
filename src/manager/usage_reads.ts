import type { Instance, LiveUsage } from "../core/instance.ts";

/** Reads of what running instances use. */
export interface UsageReads {
  /**
   * What the processes of instances use, by the id of the instance; of those that run on this node,
   * as far as it is known.
   */
  usageOf(ids: Iterable<string>): Promise<ReadonlyMap<string, LiveUsage>>;
}

/** What the running ones of some instances use, by id. */
export function usagesOf(
  reads: UsageReads,
  instances: readonly Instance[],
): Promise<ReadonlyMap<string, LiveUsage>> {
  const running = instances.filter(({ state }) => state === "processing");
  return reads.usageOf(running.map(({ id }) => id));
}
