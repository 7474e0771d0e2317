import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import { fileURLToPath } from "node:url";
import { type JobDefinition } from "../../../src/core/job/job.ts";
import type { JobTable } from "../../../src/core/job/job_table.ts";
import type { ConfigProblem } from "../../../src/core/config_problem.ts";
import { loadJobs, type LoadRequest } from "../../../src/jobs/loading/load_jobs.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";
import { withTempDir } from "../temp_dir.ts";

export const NOW_MS = Date.UTC(2026, 0, 1);

export const OPTIONS: JobOptions = {
  ...JOB_DEFAULTS,
  priority: 5,
  timeoutMs: 0,
  deadlineMs: 0,
  killAfterMs: 10_000,
  retry: {
    ...JOB_DEFAULTS.retry,
    max: 0,
    backoff: "exponential",
    initialMs: 10_000,
    capMs: 3_600_000,
    jitter: 0.2,
  },
  crashesMax: 3,
  keepSuccessMs: 604_800_000,
  keepFailureMs: 2_592_000_000,
  isolation: "process",
};

const ENTRY = fileURLToPath(new URL("./describe_entry.ts", import.meta.url));
const DESCRIBE = runtimeName() === "deno"
  ? [process.execPath, "run", "-A", "--no-check", ENTRY]
  : [process.execPath, ENTRY];

/** A job table as the configuration reader makes it. */
export function jobTable(kind: string, given: Partial<JobTable> = {}): JobTable {
  return {
    kind,
    placeOf: () => ({ file: "config.toml", line: 7, column: 1 }),
    description: null,
    command: null,
    params: null,
    options: {},
    schedules: [],
    arguments: [],
    isEnabled: true,
    ...given,
  };
}

/** What came of loading modules, given as files. */
export interface LoadedModules {
  readonly directory: string;
  readonly jobs: Readonly<Record<string, JobDefinition>>;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** Load jobs from files in a new directory. */
export async function loadModules(
  files: Readonly<Record<string, string>>,
  request: Partial<LoadRequest> = {},
): Promise<LoadedModules> {
  return await withTempDir(files, async ({ path }) => {
    const { jobs, problems, warnings } = await loadJobs({
      modules: [path],
      tables: [],
      defaults: OPTIONS,
      scheduleDefaults: {
        overlap: "skip",
        misfire: "latest",
        misfireWithinMs: 86_400_000,
        jitterMs: 0,
      },
      timezone: "UTC",
      now: NOW_MS,
      describeCommand: DESCRIBE,
      ...request,
    });
    const byKind = Object.fromEntries(jobs.map((job) => [job.kind, job]));
    return { directory: path, jobs: byKind, problems, warnings };
  });
}
