import { existsSync } from "node:fs";
import { loadConfig } from "../config/load_config.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { toJobError } from "../core/errors.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { systemClock } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { VERSION } from "../platform/version.ts";
import { checkFormat } from "../store/sqlite/open_database.ts";
import { loadDaemonProject } from "../tools/load_project.ts";
import { openChannels, type ServeOptions } from "./app.ts";

/** Everything that a start would load. */
export interface TriedStart {
  readonly version: string;
  readonly jobs: number;
  /** Why jobs would be disabled. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Load everything a start of the daemon needs. A daemon may run meanwhile: nothing is written, and
 * no exclusive resource is opened.
 *
 * @throws as `serve()`
 */
export async function tryStart(
  options: Pick<ServeOptions, "configFile" | "flags" | "env">,
): Promise<TriedStart> {
  const { configFile } = options;
  const loaded = await loadConfig(configFile, options);
  const mask = new SecretMask(loaded.secrets);
  const { wallMs: nowMs } = systemClock.now();
  try {
    const { config, jobs, problems } = await loadDaemonProject(loaded, { configFile, nowMs });
    await openChannels(config, mask);
    const { loadServerTls } = await import("../rpc/server/server.ts");
    await loadServerTls(config.server, { nowMs, logger: silentLogger });
    const { address } = config.store;
    if (address.type === "sqlite" && existsSync(address.path)) checkFormat(address.path);
    return { version: VERSION, jobs: jobs.length, problems };
  } catch (error) {
    throw mask.jobError(toJobError(error, "Cannot run the daemon"));
  }
}
