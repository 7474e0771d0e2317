import type { LoadedConfig } from "../config/config.ts";
import type { Environment } from "../config/values/expand.ts";
import { loadConfig } from "../config/load_config.ts";
import { formatBriefly } from "../config/values/problems.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { backupJob } from "../manager/store/backup_job.ts";
import { daemonMistakes } from "./daemon_mistakes.ts";
import { loadJobs } from "../jobs/loading/load_jobs.ts";

/** Settings of the offline tools for loading a configuration. */
export interface LoadProjectOptions {
  readonly env: Environment;
  /** Base of relative paths outside of files; by default the working directory. */
  readonly cwd?: string;
  readonly nowMs: number;
  /** True to load the jobs of a refused configuration too; see `LoadConfigOptions`. */
  readonly isCheck?: boolean;
}

/** A configuration with the jobs that it names. Each of its problems disables one job. */
export interface Project extends LoadedConfig {
  readonly jobs: readonly JobDefinition[];
}

/**
 * Load a configuration and every job that it names, like a start does.
 *
 * @param file null for the built-in configuration
 * @throws ConfigError when the configuration is refused
 */
export async function loadProject(
  file: string | null,
  options: LoadProjectOptions,
): Promise<Project> {
  return await loadProjectJobs(await loadConfig(file, options), options.nowMs);
}

/**
 * Load the jobs of this process's own daemon, and the configured demands that it cannot meet. The
 * tables that became jobs are omitted: with thousands of jobs they need most memory.
 *
 * The jobs are copied: temporary data lie between jobs that were read from tables, and the engine,
 * which does not move values, could not return that memory to the system.
 */
export async function loadDaemonProject(
  loaded: LoadedConfig,
  { configFile, nowMs }: { readonly configFile: string | null; readonly nowMs: number },
): Promise<Project> {
  const { config, ...project } = await loadProjectJobs(loaded, nowMs);
  return {
    ...project,
    jobs: structuredClone(project.jobs),
    config: { ...config, jobs: config.jobs.filter(({ isEnabled }) => !isEnabled) },
    warnings: [...project.warnings, ...daemonMistakes(config, configFile, { isDaemon: true })],
  };
}

/** Load the jobs that a configuration names. */
async function loadProjectJobs(loaded: LoadedConfig, nowMs: number): Promise<Project> {
  const { config, secrets, problems, check } = loaded;
  // Modules see their secrets while they load, and may include them in errors and descriptions.
  const mask = new SecretMask(secrets);
  // In a refused configuration, faults were reported, and are not to be blamed on jobs.
  const isWrong = (key: string) => problems.some(({ path }) => path.startsWith(key));
  const channels = check ? check.channels : config.notices.map(({ name }) => name);
  const found = await loadJobs({
    modules: check?.isRead === false
      ? []
      : config.modules.filter((_, index) => !isWrong(`modules[${index}]`)),
    tables: config.jobs,
    defaults: config.defaults,
    timezone: config.timezone,
    scheduleDefaults: config.scheduleDefaults,
    ...(isWrong("worker.pools") ? {} : { pools: config.worker.pools }),
    ...(channels === null ? {} : { channels }),
    now: nowMs,
  });
  const jobs = mask.isEmpty
    ? found.jobs
    : found.jobs.map((job) => ({ ...job, description: mask.text(job.description) }));
  return {
    ...loaded,
    jobs: config.backup === null ? jobs : [...jobs, backupJob(config.backup, { ...config, nowMs })],
    problems: [...problems, ...found.problems.map((problem) => mask.problem(problem))],
    warnings: [...loaded.warnings, ...found.warnings.map((warning) => mask.problem(warning))],
  };
}

/** Kinds that a configuration names but does not load, each with the reason. */
export function disabledKinds(
  { config, problems }: Pick<Project, "config" | "problems">,
): ReadonlyMap<string, string> {
  const disabled = new Map<string, string>();
  for (const { kind, isEnabled } of config.jobs) {
    if (!isEnabled) disabled.set(kind, "the configuration says enabled = false");
  }
  for (const problem of problems) {
    if (problem.job !== null) disabled.set(problem.job, formatBriefly(problem));
  }
  return disabled;
}
