import type { RequestOf } from "../wire.ts";
import { bigMs } from "../wire.ts";

/** A run as it is reported, also later from a file. Times are epoch ms of this host. */
export interface WrappedRun {
  readonly kind: string;
  readonly runId: string;
  readonly host: string;
  /** Address of the daemon that it is reported to, or the ping URL. */
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

/** The request that reports a run now: times become ages, so that the clock of the host is moot. */
export function requestOf(run: WrappedRun, nowMs: number): RequestOf<"reportRun"> {
  const { kind, runId, host, startedAt, end } = run;
  const ageOf = (at: number) => bigMs(Math.max(0, nowMs - at));
  const common = { kind, runId, host, startedMsAgo: ageOf(startedAt) };
  if (end === null) return { ...common, event: "start", msAgo: ageOf(startedAt) };
  const { exitCode, signal, problem, output } = end;
  return {
    ...common,
    event: exitCode === 0 ? "success" : "failure",
    msAgo: ageOf(end.at),
    exitCode,
    signal: signal ?? undefined,
    message: problem ?? undefined,
    output,
  };
}
