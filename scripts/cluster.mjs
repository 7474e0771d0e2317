// Three daemons on one real server, with kill -9, SIGSTOP and server restarts by chance: npm run
// cluster -- [--store valkey|etcd] [--jobs N] [--seconds N] [--lease MS] [--seed N] [--nodes N]
// [--workers N]
import { installServers } from "./programs/install.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
const trouble = installServers();
if (trouble !== null) throw new Error(trouble);
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
run("bun", ["scripts/cluster/main.ts", ...process.argv.slice(2)]);
