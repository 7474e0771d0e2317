// Measures the reads of calendar, timeline and forecast on a full store: npm run scale:timeline --
// [--store sqlite|valkey|etcd|memory] [--instances N] [--schedules N] [--max MS]
import { installServers } from "../../programs/install.mjs";
import { install, run } from "../../tasks.mjs";

install();
const trouble = installServers();
if (trouble !== null) throw new Error(trouble);
run("bun", ["scripts/scale/timeline/main.ts", ...process.argv.slice(2)]);
