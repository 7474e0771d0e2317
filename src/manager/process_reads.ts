import type { Instance, RunningProcess } from "../core/instance.ts";

/** Reads of what is known of running processes. */
export interface ProcessReads {
  /**
   * The processes of instances, by the id of the instance; of those that run on this node, as far
   * as they are known.
   */
  processesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, RunningProcess>>;
}

/** The processes of those of some instances that run, by id. */
export function runningProcesses(
  reads: ProcessReads,
  instances: readonly Instance[],
): Promise<ReadonlyMap<string, RunningProcess>> {
  const running = instances.filter(({ state }) => state === "processing");
  return reads.processesOf(running.map(({ id }) => id));
}
