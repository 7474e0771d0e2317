import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Args } from "./args.ts";
import type { OptionSpec } from "./options.ts";

const DEFAULT_FILE = "config.toml";

/** The option for the path of the configuration. */
export const CONFIG_OPTION: OptionSpec = {
  alias: "c",
  describe: `Configuration file (default: ${DEFAULT_FILE} in this folder, if there is one)`,
  env: "JOBCTL_CONFIG",
};

/** The configuration's file: as named, or the default one of this folder; null without either. */
export function configFileOf(args: Args, cwd: string): string | null {
  const named = args.text("config");
  if (named !== undefined) return named;
  return existsSync(join(cwd, DEFAULT_FILE)) ? DEFAULT_FILE : null;
}
