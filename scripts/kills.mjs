// Kills daemons of the compiled file at random moments under load, and counts what was lost: npm
// run kills -- [--kills 200] [--seed N] [--notices [--daemons 3] [--store valkey|etcd]]
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
run("bun", ["scripts/kills/main.ts", ...process.argv.slice(2)]);
