import type { Config } from "../config/config.ts";
import type { Environment } from "../config/expand.ts";
import { loadConfig } from "../config/load_config.ts";
import type { JobDefinition } from "../core/job.ts";
import type { ConfigProblem } from "../core/job_table.ts";
import { loadJobs } from "../jobs/load_jobs.ts";

/** What the offline tools load a configuration with. */
export interface LoadProjectOptions {
  readonly env: Environment;
  readonly flags?: Readonly<Record<string, unknown>>;
  /** What relative paths outside of files are relative to; the working directory by default. */
  readonly cwd?: string;
  readonly nowMs: number;
}

/** A configuration with the jobs that it names. */
export interface Project {
  readonly config: Config;
  readonly jobs: readonly JobDefinition[];
  /** Each disables one job. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Load a configuration and every job that it names, as a start would.
 *
 * @param file null for the built-in configuration
 * @throws ConfigError when the configuration is refused
 */
export async function loadProject(
  file: string | null,
  options: LoadProjectOptions,
): Promise<Project> {
  const { config, problems, warnings } = await loadConfig(file, options);
  const loaded = await loadJobs({
    modules: config.modules,
    tables: config.jobs,
    defaults: config.defaults,
    timezone: config.timezone,
    pools: config.worker.pools,
    scheduleDefaults: config.scheduleDefaults,
    now: options.nowMs,
  });
  return {
    config,
    jobs: loaded.jobs,
    problems: [...problems, ...loaded.problems],
    warnings: [...warnings, ...loaded.warnings],
  };
}
