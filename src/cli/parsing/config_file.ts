import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LoadProjectOptions } from "../../tools/load_project.ts";
import type { CliIo } from "../io/io.ts";
import { type Args, usageError } from "./args.ts";
import type { OptionSpec } from "./options.ts";

const DEFAULT_FILE = "config.toml";
/** The configuration of the service. */
const SERVICE_FILE = "/etc/jobctl/config.toml";

/** The option for the path of the configuration. */
export const CONFIG_OPTION: OptionSpec = {
  alias: "c",
  value: "FILE",
  describe: `Configuration file (default: ${DEFAULT_FILE} in this folder, if there is one)`,
  offers: "file",
  env: "JOBCTL_CONFIG",
};

/** The configuration's file. @throws JobError `invalid_argument` if it is missing */
export function neededConfigFile(args: Args, cwd: string, action: string): string {
  const file = configFileOf(args, cwd);
  if (file !== null) return file;
  throw usageError(
    `Cannot ${action}: there is no ${DEFAULT_FILE} in "${cwd}"`,
    serviceConfigFile() === null
      ? "Name it with --config, or make one with: jobctl init"
      : `Name it with --config; the service has ${SERVICE_FILE}`,
  );
}

/** The configuration of this machine's service; null without one. @param file for tests */
export function serviceConfigFile(file: string = SERVICE_FILE): string | null {
  return existsSync(file) ? file : null;
}

/** Options of a verb for loading a configuration with its jobs. */
export function loadOptionsOf({ env, cwd, clock }: CliIo): LoadProjectOptions {
  return { env, cwd, nowMs: clock.now().wallMs };
}

/** The configuration's file: as named, or the default one of this folder; null without either. */
export function configFileOf(args: Args, cwd: string): string | null {
  const named = args.text("config");
  if (named !== undefined) return named;
  return existsSync(join(cwd, DEFAULT_FILE)) ? DEFAULT_FILE : null;
}
