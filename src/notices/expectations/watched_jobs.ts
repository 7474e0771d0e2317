import type { Expectations } from "../../core/job/gen/job_options.ts";
import type { JobDefinition } from "../../core/job/job.ts";

/** The jobs of a node, as its registry has them. */
export interface JobsView {
  /** The kinds that the node can run; a new object after each change of any job. */
  readonly kinds: ReadonlySet<string>;
  list(): readonly JobDefinition[];
}

/** A job with expectations, and what has to be watched for them. */
export interface WatchedJob {
  readonly kind: string;
  readonly expect: Expectations;
  /** How long successes are kept in the store, in ms. */
  readonly keepSuccessMs: number;
  /** True if an attempt takes a worker of this node. */
  readonly takesWorker: boolean;
  /** Whether runs start in time; only those of schedules unless {@link watchesEveryStart}. */
  readonly watchesStart: boolean;
  readonly watchesEveryStart: boolean;
  /** Whether running attempts take too long. */
  readonly watchesRuns: boolean;
  /** Whether waiting runs take too long. */
  readonly watchesFinish: boolean;
  /** Whether successes took too little. */
  readonly watchesEnds: boolean;
}

/** The jobs that have expectations, by kind. A job of the system has none. */
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
