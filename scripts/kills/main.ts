import process from "node:process";
import { parseArgs } from "node:util";
import {
  type Build,
  keepCommands,
  type KeptOptions,
} from "../../test/support/cluster/kept_commands.ts";
import { checkCluster } from "../../test/support/cluster/cluster_check.ts";
import { CYCLE_STORES, type CycleStore } from "../../test/support/cluster/cycle_plan.ts";
import {
  CYCLE_KINDS,
  type CycleKind,
  isCycleKind,
  runRounds,
} from "../../test/support/cluster/cycle_rounds.ts";
import { killFlows } from "../../test/support/flow_kills/flow_rounds.ts";
import { JOBCTL } from "../../test/support/processes/daemon.ts";
import { withKills } from "../../test/support/cluster/kill_run.ts";
import { tellUnderKills } from "../../test/support/notices/kill_notices.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Failing jobs, and a server that receives their notices. */
    notices: { type: "boolean", default: false },
    /** With notices and flows: how many daemons, on which store. */
    daemons: { type: "string", default: "1" },
    store: { type: "string" },
    /** Instances in steps. */
    flows: { type: "boolean", default: false },
    /** Commands that run on while the daemon is ended. */
    commands: { type: "boolean", default: false },
    /** With commands: how many run, for how many seconds at most, and what is done. */
    running: { type: "string", default: "50" },
    seconds: { type: "string", default: "30" },
    how: { type: "string", default: "kill" },
    /** With commands: the lease in seconds. */
    lease: { type: "string", default: "15" },
    /** With commands: another build that takes turns with this one. */
    other: { type: "string" },
    /** With cycles of faults: how many rounds run at once. */
    beside: { type: "string", default: "1" },
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
const cycleKind = values.commands && isCycleKind(values.how) ? values.how : null;
const stores = CYCLE_STORES.filter((name) => store === "all" || store === name);

function isStore(name: string): name is CycleStore {
  return (CYCLE_STORES as readonly string[]).includes(name);
}

/** Cycles of faults under commands, on one store or on all. */
function runCycles(how: CycleKind) {
  const { kills: cycles, seed } = options;
  const { other, beside } = values;
  const builds = other === undefined ? [] : [JOBCTL, other];
  return runRounds({ ...{ how, stores, cycles, seed, builds, log }, beside: Number(beside) });
}

/** How `--commands` ends daemons. */
function keptOptions(store: CycleStore): KeptOptions {
  const { how, other } = values;
  if (how !== "kill" && how !== "restart" && how !== "both") {
    throw new Error(`--how ${how}: kill, restart, both, ${CYCLE_KINDS.join(", ")}`);
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

/** Whatever else was asked for, on one store. */
async function runOther() {
  if (!isStore(store)) throw new Error(`--store ${store}: sqlite, valkey or etcd`);
  if (store === "sqlite" && daemons !== 1) throw new Error("A SQLite store has one daemon");
  if (values.commands) return await keepCommands(keptOptions(store));
  if (values.notices) return await tellUnderKills({ ...options, store, daemons });
  if (store !== "sqlite") throw new Error("--daemons and --store need --notices or --commands");
  return await withKills(options, checkCluster);
}

if ((values.flows || cycleKind !== null) && stores.length === 0) {
  throw new Error(`--store ${store}: sqlite, valkey, etcd or all`);
}
const { figures, violations } = values.flows
  ? await killFlows({ ...options, stores, daemons })
  : cycleKind === null
  ? await runOther()
  : await runCycles(cycleKind);
console.log(JSON.stringify(figures, null, 2));
for (const violation of violations) console.error(violation);
console.log(violations.length === 0 ? "Everything held" : "It did not hold");
process.exitCode = violations.length === 0 ? 0 : 1;
