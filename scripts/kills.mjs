// Ends daemons of the compiled file at random moments, and counts losses; see USAGE.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

const USAGE = `Usage: npm run kills -- [--kills 200] [--seed N]
       npm run kills -- --notices [--daemons 3] [--store valkey|etcd]
       npm run kills -- --flows [--kills 200] [--daemons 3] [--store sqlite|valkey|etcd|all]
       npm run kills -- --commands [--kills 100] [--how kill|restart|both] [--turns]
       npm run kills -- --commands --how random [--kills 500] [--store sqlite|valkey|etcd|all]

Without a word, kills a daemon under load, and counts what was lost, stale or ran twice.

  --notices        while jobs fail: compares the notices that a server receives with the runs
  --flows          while instances in steps run and wait: compares their ends, results and undos
                   with what each step did
  --commands       under commands, which must run on: kill -9, SIGTERM, or both in turn
  --how HOW        with --commands: kill, restart or both; or cycles of all that can be done to a
                   daemon and its supervisor (random), and the hardest parts of that alone
                   (supervisor-at-start, timeout-while-down, ended-while-down)
  --turns          with --commands: builds of two versions take turns
  --kills N        how many kills, restarts or cycles
  --seed N         repeats a run, as far as a real machine can
  --lease SECONDS  with --commands: 60 on a busy machine (default: 15)
  --running N      with --commands: how many commands run at once (default: 50)
  --beside N       with random cycles: how many rounds run at once`;

/** Parts that a build of the source needs. */
const PARTS =
  /^(?:$|package\.json$|(?:src|scripts|docs|contrib|jobs|examples)(?:\/|$)|[^/]+\.(?:md|json|toml)$|LICENSE$)/;
/** A version above all others. */
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

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
install();
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
const args = process.argv.slice(2);
const turns = args.indexOf("--turns");
if (turns >= 0) args.splice(turns, 1, "--other", buildLater());
run("bun", ["scripts/kills/main.ts", ...args]);
