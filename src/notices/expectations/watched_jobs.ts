import type { Expectations } from "../../core/job/gen/job_options.ts";
import type { JobDefinition } from "../../core/job/job.ts";

/** The jobs of a node, from its registry. */
export interface JobsView {
  /** The kinds that the node can run; a new object after each change of any job. */
  readonly kinds: ReadonlySet<string>;
  list(): readonly JobDefinition[];
}

/** A job with expectations, and the watches that they need. */
export interface WatchedJob {
  readonly kind: string;
  readonly expect: Expectations;
  /** Retention of successes in the store, in ms. */
  readonly keepSuccessMs: number;
  /** True if an attempt takes a worker of this node. */
  readonly takesWorker: boolean;
  /** True if starts of runs are watched, only scheduled ones unless {@link watchesEveryStart}. */
  readonly watchesStart: boolean;
  readonly watchesEveryStart: boolean;
  /** True if the durations of running attempts are watched. */
  readonly watchesRuns: boolean;
  /** True if the total times of runs, waits included, are watched. */
  readonly watchesFinish: boolean;
  /** True if successes are checked for too short durations. */
  readonly watchesEnds: boolean;
}

/** The jobs that have expectations, by kind, except system jobs. */
export function watchedJobs(jobs: JobsView): ReadonlyMap<string, WatchedJob> {
  const watched = new Map<string, WatchedJob>();
  for (const job of jobs.list()) {
    if (job.source.type === "system") continue;
    const { expect, keepSuccessMs, workerSlot = true } = job.options;
    const { startWithinMs, finishWithinMs, minDurationMs, maxDurationMs, learn, everyMs } = expect;
    const one: WatchedJob = {
      kind: job.kind,
      expect,
      keepSuccessMs,
      takesWorker: workerSlot && jobs.kinds.has(job.kind),
      watchesStart: startWithinMs !== 0,
      watchesEveryStart: (startWithinMs ?? 0) > 0,
      watchesRuns: finishWithinMs > 0 || maxDurationMs > 0 || learn,
      watchesFinish: finishWithinMs > 0,
      watchesEnds: minDurationMs > 0 || learn,
    };
    const isWatched = one.watchesStart || one.watchesRuns || one.watchesEnds || everyMs > 0;
    if (isWatched) watched.set(job.kind, one);
  }
  return watched;
}
