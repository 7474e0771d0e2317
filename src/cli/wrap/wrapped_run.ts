import type { ReportedRun } from "../../core/job/external.ts";
import type { RequestOf } from "../io/wire.ts";
import { bigMs } from "../io/wire.ts";

/** A run as it is reported, perhaps later from a file. Times are epoch ms of this host. */
export interface WrappedRun {
  readonly kind: string;
  readonly runId: string;
  readonly host: string;
  /** Address of the daemon that receives the report, or the ping URL. */
  readonly target: string;
  readonly startedAt: number;
  /** Null while it runs. */
  readonly end: {
    readonly at: number;
    readonly exitCode: number;
    readonly signal: string | null;
    readonly problem: string | null;
    readonly output: string;
  } | null;
}

/** The report about a run now: times become ages, so that the clock of the host is moot. */
export function reportedOf(run: WrappedRun, nowMs: number): ReportedRun {
  const { runId, host, startedAt, end } = run;
  const ageOf = (at: number) => Math.max(0, nowMs - at);
  const common = { runId, host, startedMsAgo: ageOf(startedAt) };
  if (end === null) return { ...common, event: "start", msAgo: ageOf(startedAt) };
  const { at, exitCode, signal, problem, output } = end;
  return {
    ...common,
    event: exitCode === 0 ? "success" : "failure",
    msAgo: ageOf(at),
    exitCode,
    output,
    ...(signal === null ? {} : { signal }),
    ...(problem === null ? {} : { message: problem }),
  };
}

/** The same as a request. */
export function requestOf(run: WrappedRun, nowMs: number): RequestOf<"reportRun"> {
  const { startedMsAgo, msAgo, ...rest } = reportedOf(run, nowMs);
  return { ...rest, kind: run.kind, startedMsAgo: bigMs(startedMsAgo), msAgo: bigMs(msAgo) };
}
