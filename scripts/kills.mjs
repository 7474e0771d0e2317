// Kills daemons of the compiled file at random moments under load, and counts what was lost: npm
// run kills -- [--kills 200] [--seed N] [--notices [--daemons 3] [--store valkey|etcd]]
//
// Or ends them while commands run, which must run on: npm run kills -- --commands [--kills 100]
// [--store valkey] [--how kill|restart|both] [--lease SECONDS] [--turns: with a build of another
// version]
//
// Or does all that can be done to processes, in cycles: npm run kills -- --commands --how random
// [--kills 500] [--seed N] [--store sqlite|valkey|etcd|all] [--beside ROUNDS] [--turns]. Instead of
// "random": "supervisor-at-start", "timeout-while-down", "ended-while-down".
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

/** What a build of the source needs. */
const PARTS =
  /^(?:$|package\.json$|(?:src|scripts|docs|contrib|jobs|examples)(?:\/|$)|[^/]+\.(?:md|json|toml)$|LICENSE$)/;
/** A version that every other one is older than. */
const LATER = "99.0.0";

/** Build the source as a later version. Returns the path of the compiled file. */
function buildLater() {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-later-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  cpSync(ROOT, folder, { recursive: true, filter: (path) => PARTS.test(relative(ROOT, path)) });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version: LATER }));
  run(process.execPath, ["scripts/build.mjs"], { cwd: folder });
  return join(folder, "dist", "jobctl");
}

install();
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
const args = process.argv.slice(2);
const turns = args.indexOf("--turns");
if (turns >= 0) args.splice(turns, 1, "--other", buildLater());
run("bun", ["scripts/kills/main.ts", ...args]);
