import type { JobOptions } from "../../core/job/gen/job_options.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { encodeError, encodeResults } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { type JobDefinition, NO_HANDLERS } from "../../core/job/job.ts";
import type { AttemptOutcome } from "../../worker/executor.ts";
import type { Context } from "../context/context.ts";
import { clearInstances, clearLogs } from "../instances/bulk.ts";

const DESCRIPTIONS = {
  "system.history.cleaner":
    "Deletes finished instances, with history and logs, that ended before a time",
  "system.log.cleaner": "Deletes log lines older than a time",
} as const;

type SystemKind = keyof typeof DESCRIPTIONS;

/** Jobs that every manager has, with the given options; they run in the manager, on its store. */
export function systemJobs(options: JobOptions, nowMs: number): readonly JobDefinition[] {
  return Object.entries(DESCRIPTIONS).map(([kind, description]) => ({
    kind,
    description,
    source: { type: "system", name: kind },
    signature: {
      parameters: [{
        role: "argument",
        name: "before",
        shape: { type: "string" },
        isOptional: false,
        isRest: false,
        doc: "A time (RFC 3339), or an age such as 30d",
      }],
      resultCount: 1,
      resultText: "number",
      doc: description,
      isTyped: true,
      warnings: [],
    },
    options: { ...options, isolation: "inline" },
    schedules: [],
    hasHandler: NO_HANDLERS,
    registeredAt: nowMs,
  }));
}

/** Run an instance of one of the {@link systemJobs}; never rejects. */
export async function runSystemJob(
  instance: Instance,
  { store, clock }: Pick<Context, "store" | "clock">,
): Promise<AttemptOutcome> {
  try {
    const [text] = JSON.parse(instance.argumentsJson) as [string];
    const before = timeOf(text, clock.now().wallMs);
    const count = instance.kind as SystemKind === "system.log.cleaner"
      ? await clearLogs(store, clock, { before })
      : await clearInstances(store, clock, { query: {}, settledBefore: before });
    return { type: "ok", resultsJson: encodeResults(count, 1) };
  } catch (error) {
    return { type: "error", error: encodeError(error) };
  }
}

function timeOf(text: string, nowMs: number): number {
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(time)) return time;
  try {
    return nowMs - parseDuration(text);
  } catch (cause) {
    throw new JobError("invalid_argument", `Cannot read "${text}": not a time or an age`, {
      path: "before",
      hint: "Write a time such as 2026-01-31T00:00:00Z or an age such as 30d",
      cause,
    });
  }
}
