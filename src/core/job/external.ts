import { JobError } from "../errors.ts";
import type { JobDefinition } from "./job.ts";
import { shellWord } from "../text/shell_word.ts";

/** Most bytes of output in one report; the rest is dropped. */
export const REPORT_BYTES_MAX = 100_000;
/** Longest time between an event and its report, in ms: older events count as this old. */
export const REPORT_AGE_MS_MAX = 30 * 86_400_000;
/** Longest name of the host in a report, in characters. */
export const REPORT_HOST_LENGTH_MAX = 255;

/** Time after which a run without an end counts as hung, unless its job has a timeout. */
export const RUN_TIMEOUT_MS = 86_400_000;
/** Time after which a tick without a run is missed, unless its job has `expect.start_within`. */
export const REPORT_WITHIN_MS = 3_600_000;

/** A key for pings in words. */
export const PING_KEY_WANTED = 'at least 20 letters, digits, "-" and "_"';

/** True if a text can be the key of a job's pings. */
export function isPingKey(text: string): boolean {
  return /^[A-Za-z0-9_-]{20,200}$/.test(text);
}

/** A report about a run elsewhere. Times are ages, so that no clock but ours counts. */
export interface ReportedRun {
  /** UUID of the run, the same in all of its reports; absent: the job's only unfinished run. */
  readonly runId?: string;
  readonly event: "start" | "success" | "failure" | "log";
  /** Age of its start, in ms; absent: now for a start, unknown for an end. */
  readonly startedMsAgo?: number;
  /** Age of the event, in ms; 0 by default. */
  readonly msAgo?: number;
  readonly exitCode?: number;
  /** For example SIGKILL. */
  readonly signal?: string;
  /** The fault, if the exit code or the signal does not show it. */
  readonly message?: string;
  /** Lines of its output; the first {@link REPORT_BYTES_MAX} bytes are kept. */
  readonly output?: string;
  /** Host of the run; "elsewhere" by default. */
  readonly host?: string;
}

/** True if a job runs elsewhere: its runs are only reported. */
export function isExternal({ source }: Pick<JobDefinition, "source">): boolean {
  return source.type === "external";
}

/** Check that a job can start here. @throws JobError `invalid_argument` if it runs elsewhere */
export function assertRunsHere(job: Pick<JobDefinition, "kind" | "source">): void {
  if (!isExternal(job)) return;
  throw new JobError("invalid_argument", `Cannot run job "${job.kind}": it runs elsewhere`, {
    path: "kind",
    hint: `Start it where it runs: jobctl wrap ${shellWord(job.kind)} -- COMMAND`,
  });
}

/** Check that runs can be reported. @throws JobError `invalid_argument` if the job runs here */
export function assertRunsElsewhere(job: Pick<JobDefinition, "kind" | "source">): void {
  if (isExternal(job)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot record a run of job "${job.kind}": it is not external`,
    { path: "kind", hint: "Set external = true in its configuration to report runs of it" },
  );
}
