// Shared by the scripts: run a tool of node_modules/.bin, install what is missing. Plain Node 20.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Run a command in the project's folder with node_modules/.bin on the PATH. If it fails, this process
 * exits.
 */
export function run(command, args, options = {}) {
  const result = tryRun(command, args, options);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Like {@link run}, but returns the outcome. */
export function tryRun(command, args, options = {}) {
  const path = join(ROOT, "node_modules", ".bin") + delimiter + process.env.PATH;
  const env = { ...process.env, PATH: path, NO_UPDATE_NOTIFIER: "1", ...options.env };
  const result = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", ...options, env });
  if (result.error) console.error(`Cannot run "${command}": ${result.error.message}`);
  return result;
}

/** What Deno's dot reporter prints for a passed or skipped test; in a pipe, on its own line. */
const DOTS = /^[.,]\n/gm;

/**
 * Like {@link tryRun}, in parallel with others: its output is buffered and shown as a whole when it
 * ends.
 *
 * @returns its exit code or signal
 */
export function runBeside(command, args, { name, env: given }) {
  const path = join(ROOT, "node_modules", ".bin") + delimiter + process.env.PATH;
  const base = { ...process.env, PATH: path, NO_UPDATE_NOTIFIER: "1", NO_COLOR: "1" };
  const env = { ...base, ...given };
  const begun = Date.now();
  console.log(`== ${name}: begun`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes) => output.push(bytes));
    }
    child.on(
      "error",
      (error) => output.push(Buffer.from(`Cannot run "${command}": ${error.message}\n`)),
    );
    child.on("close", (code, signal) => {
      console.log(`\n== ${name}: ended after ${Math.round((Date.now() - begun) / 1_000)} s`);
      process.stdout.write(Buffer.concat(output).toString().replace(DOTS, ""));
      resolve(signal ?? code ?? 1);
    });
  });
}

/** Install the locked dependencies when one of them is not there. */
export function install() {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  const names = Object.keys({ ...dependencies, ...devDependencies });
  if (names.every((name) => existsSync(join(ROOT, "node_modules", name)))) return;
  run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], { stdio: ["ignore", 2, 2] });
}
