import type { LoadedConfig } from "../../../src/config/config.ts";
import { loadConfig, type LoadConfigOptions } from "../../../src/config/load_config.ts";
import { ConfigError, formatProblem } from "../../../src/config/values/problems.ts";
import type { JobTable } from "../../../src/core/job/job_table.ts";
import { type TempDir, withTempDir } from "../temp_dir.ts";

/**
 * What became of a configuration: loaded, or refused with problems; file names without the folder.
 */
export interface ConfigOutcome {
  readonly loaded: LoadedConfig | null;
  /** One line each, as {@link formatProblem} writes them. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly dir: string;
  job(kind: string): JobTable;
}

/** Load `config.toml` of a folder of its own. */
export function loadText(
  config: string | Uint8Array,
  options: LoadConfigOptions & {
    /** More files of the folder. */
    readonly files?: Readonly<Record<string, string | Uint8Array>>;
    readonly prepare?: (dir: TempDir) => void;
  } = {},
): Promise<ConfigOutcome> {
  const { files = {}, prepare, ...rest } = options;
  return withTempDir({ "config.toml": config, ...files }, async (dir) => {
    prepare?.(dir);
    const lines = (problems: LoadedConfig["problems"]) =>
      problems.map((problem) => formatProblem(problem).replaceAll(`${dir.path}/`, ""));
    try {
      const loaded = await loadConfig(`${dir.path}/config.toml`, { cwd: dir.path, ...rest });
      return {
        loaded,
        problems: lines(loaded.problems),
        warnings: lines(loaded.warnings),
        dir: dir.path,
        job: (kind) => loaded.config.jobs.find((job) => job.kind === kind)!,
      };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const job = () => {
        throw error;
      };
      return { loaded: null, problems: lines(error.problems), warnings: [], dir: dir.path, job };
    }
  });
}
