import { type JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Reporter } from "./reporter.ts";
import type { Spool } from "./spool.ts";
import type { WrappedRun } from "./wrapped_run.ts";

/** True if a report may be taken later: the daemon is away or busy. */
export function isPassing({ code }: JobError): boolean {
  return code === "unavailable" || code === "timeout" || code === "resource_exhausted";
}

/**
 * Deliver the kept reports that a reporter takes, oldest first.
 *
 * @param options.isAny true to include reports kept for other places
 */
export async function* deliver({ reporter, spool, clock, limit, timeoutMs, isAny = false }: {
  readonly reporter: Reporter;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly limit: number;
  readonly timeoutMs: number;
  readonly isAny?: boolean;
}): AsyncGenerator<{ readonly run: WrappedRun; readonly problem: JobError | null }> {
  let count = 0;
  for (const run of spool.runs(clock.now().wallMs)) {
    if (!isAny && !reporter.takes(run.target)) continue;
    if (count++ === limit) return;
    try {
      const nowMs = clock.now().wallMs;
      await reporter.send(run, { nowMs, timeoutMs, isBegun: false });
      spool.remove(run);
      yield { run, problem: null };
    } catch (error) {
      const problem = toJobError(error, "Cannot report");
      if (problem.code === "invalid_argument") spool.remove(run);
      yield { run, problem };
    }
  }
}
