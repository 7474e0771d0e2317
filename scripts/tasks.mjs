// What the scripts share: run a tool of node_modules/.bin, install what is missing. Plain Node 20.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Run a command in the project's folder with node_modules/.bin on the PATH; ends this process when it fails. */
export function run(command, args, options = {}) {
  const result = tryRun(command, args, options);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** As {@link run}, but answers how it ended. */
export function tryRun(command, args, options = {}) {
  const path = join(ROOT, "node_modules", ".bin") + delimiter + process.env.PATH;
  const env = { ...process.env, PATH: path, NO_UPDATE_NOTIFIER: "1", ...options.env };
  const result = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", ...options, env });
  if (result.error) console.error(`Cannot run "${command}": ${result.error.message}`);
  return result;
}

/** Install the locked dependencies when they are not there. */
export function install() {
  if (existsSync(join(ROOT, "node_modules", ".bin", "bun"))) return;
  run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], { stdio: ["ignore", 2, 2] });
}
