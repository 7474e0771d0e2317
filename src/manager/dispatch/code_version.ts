import type { JobDefinition } from "../../core/job/job.ts";

/** Version of a job's code; null for none. */
export function versionOf(job: JobDefinition | null): string | null {
  const source = job?.source;
  return source?.type === "module" && source.problem === undefined ? source.version : null;
}
