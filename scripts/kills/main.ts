import process from "node:process";
import { parseArgs } from "node:util";
import {
  type Build,
  keepCommands,
  type KeptOptions,
} from "../../test/support/cluster/kept_commands.ts";
import { checkCluster } from "../../test/support/cluster/cluster_check.ts";
import { JOBCTL } from "../../test/support/processes/daemon.ts";
import { withKills } from "../../test/support/cluster/kill_run.ts";
import { tellUnderKills } from "../../test/support/notices/kill_notices.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Failing jobs, and a server that receives their notices. */
    notices: { type: "boolean", default: false },
    /** With notices: how many daemons, on which store. */
    daemons: { type: "string", default: "1" },
    store: { type: "string" },
    /** Commands that run on while the daemon is ended. */
    commands: { type: "boolean", default: false },
    /** With commands: how many run, for how many seconds at most, and how the daemon ends. */
    running: { type: "string", default: "50" },
    seconds: { type: "string", default: "30" },
    how: { type: "string", default: "kill" },
    /** With commands: the lease in seconds. */
    lease: { type: "string", default: "15" },
    /** With commands: another build that takes turns with this one. */
    other: { type: "string" },
  },
});
// Everything started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
const begun = Date.now();
const log = (line: string) =>
  console.error(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${line}`);
const options = { kills: Number(values.kills), seed: Number(values.seed), log };
const daemons = Number(values.daemons);
const { store = daemons > 1 ? "valkey" : "sqlite" } = values;
if (store !== "sqlite" && store !== "valkey" && store !== "etcd") {
  throw new Error(`--store ${store}: sqlite, valkey or etcd`);
}

/** How `--commands` ends daemons. */
function keptOptions(store: KeptOptions["store"] | "etcd"): KeptOptions {
  const { how, other } = values;
  if (how !== "kill" && how !== "restart" && how !== "both") {
    throw new Error(`--how ${how}: kill, restart or both`);
  }
  if (store === "etcd" || daemons !== 1) {
    throw new Error("--commands is for one daemon, not on etcd");
  }
  const builds: readonly Build[] = other === undefined
    ? []
    : [{ program: [JOBCTL] }, { program: [other] }];
  return {
    ...{ store, how, builds, log, seed: options.seed, ends: options.kills },
    leaseMs: Number(values.lease) * 1_000,
    running: Number(values.running),
    secondsMax: Number(values.seconds),
  };
}

if (store === "sqlite" && daemons !== 1) throw new Error("A SQLite store has one daemon");
if (store !== "sqlite" && !values.notices && !values.commands) {
  throw new Error("--daemons and --store need --notices or --commands");
}
const { figures, violations } = values.commands
  ? await keepCommands(keptOptions(store))
  : values.notices
  ? await tellUnderKills({ ...options, store, daemons })
  : await withKills(options, checkCluster);
console.log(JSON.stringify(figures, null, 2));
for (const violation of violations) console.error(violation);
console.log(violations.length === 0 ? "Everything held" : "It did not hold");
process.exitCode = violations.length === 0 ? 0 : 1;
