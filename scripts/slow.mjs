// The compiled file with its default lease on a Valkey and an etcd that take 5 s for each call, about two minutes each:
// npm run slow -- [valkey | etcd]
import { installServers } from "./servers.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
const trouble = installServers();
if (trouble !== null) throw new Error(trouble);
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
run("bun", ["scripts/slow/main.ts", ...process.argv.slice(2)]);
