import { inTime } from "../platform/clock.ts";
import { claimerOf, type ManagerParts } from "./manager_parts.ts";
import type { DrainFacts } from "./api/daemon.ts";

/** A manager's facts for a service manager. */
export interface ServiceFacts {
  /** Number of running attempts, and its limit. */
  workers(): { readonly busy: number; readonly count: number };
  /** The error of the store; null while it responds. */
  storeProblem(): string | null;
  /** The problem of the last reload; null if it succeeded. */
  reloadProblem(): string | null;
  /** Why listeners cannot be opened at the moment. */
  listenerProblems(): readonly string[];
  /** Instances that wait. @throws JobError if the store does not respond */
  queued(): Promise<number>;
  /**
   * True if the scheduler's loop gets a step further within `limitMs`.
   *
   * If a store on another machine does not respond within half of that, the loop still counts as
   * working: a restart would not help, and would abort running attempts. A private store, SQLite or
   * memory, has to respond.
   */
  isWorking(limitMs: number): Promise<boolean>;
  /** The work that a drain waits for. */
  drain(keepsCommands: boolean): DrainFacts;
}

/** The facts of a manager that is open. */
export function serviceFacts(parts: ManagerParts): ServiceFacts {
  const { scheduler, dispatcher, storeHealth, store, options } = parts;
  const { clock, drainMs, nodeLeaseMs } = options;
  const isShared = nodeLeaseMs === undefined;
  const within = (limitMs: number, done: Promise<unknown>) =>
    inTime(done.then(() => true, () => false), limitMs, { clock, late: () => false });
  return {
    workers: () => ({ busy: dispatcher.busy, count: dispatcher.count }),
    storeProblem: () => storeHealth.problem,
    reloadProblem: () => options.configuration?.problem ?? null,
    listenerProblems: () => options.listenerProblems?.() ?? [],
    async queued() {
      const { kinds } = await store.stats();
      return [...kinds.values()].reduce((sum, { scheduled }) => sum + scheduled, 0);
    },
    async isWorking(limitMs) {
      if (await within(limitMs, scheduler.progress())) return true;
      // The scheduler waits for the store. If that responds to others, the loop is stuck.
      return isShared && !await within(limitMs / 2, store.nextDue(claimerOf(parts)));
    },
    drain: (keepsCommands) => dispatcher.drainFacts({ drainMs, keepsCommands }),
  };
}
