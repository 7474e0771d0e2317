// Measures every list of the API on a full store: npm run scale -- [--store sqlite|valkey|etcd]
// [--instances N] [--kinds N] [--lines N] [--ticks N] [--file PATH] [--limit MS] [--json]
import { installServers } from "../programs/install.mjs";
import { install, run } from "../tasks.mjs";

install();
const trouble = installServers();
if (trouble !== null) throw new Error(trouble);
run("bun", ["scripts/scale/lists/main.ts", ...process.argv.slice(2)]);
