import { parseArgs } from "node:util";
import { withCluster } from "../../test/support/cluster/cluster.ts";
import { checkCluster } from "../../test/support/cluster/cluster_check.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "valkey" },
    jobs: { type: "string", default: "10000" },
    seconds: { type: "string", default: "180" },
    lease: { type: "string", default: "3000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    nodes: { type: "string", default: "3" },
    workers: { type: "string", default: "4" },
  },
});
// Everything started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
const { store } = values;
if (store !== "valkey" && store !== "etcd") throw new Error(`--store ${store}: valkey or etcd`);
const begun = Date.now();
const log = (line: string) =>
  console.error(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${line}`);
const report = await withCluster({
  store,
  jobs: Number(values.jobs),
  durationMs: Number(values.seconds) * 1_000,
  leaseMs: Number(values.lease),
  seed: Number(values.seed),
  nodes: Number(values.nodes),
  workers: Number(values.workers),
  log,
}, checkCluster);
console.log(JSON.stringify(report.figures, null, 2));
for (const violation of report.violations) console.error(violation);
console.log(report.violations.length === 0 ? "Everything held" : "It did not hold");
process.exitCode = report.violations.length === 0 ? 0 : 1;
