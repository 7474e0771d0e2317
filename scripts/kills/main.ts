import process from "node:process";
import { parseArgs } from "node:util";
import { checkCluster } from "../../test/support/cluster/cluster_check.ts";
import { withKills } from "../../test/support/cluster/kill_run.ts";
import { tellUnderKills } from "../../test/support/notices/kill_notices.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Failing jobs, and a server that receives their notices. */
    notices: { type: "boolean", default: false },
  },
});
// Everything started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
const begun = Date.now();
const log = (line: string) =>
  console.error(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${line}`);
const options = { kills: Number(values.kills), seed: Number(values.seed), log };
const { figures, violations } = values.notices
  ? await tellUnderKills(options)
  : await withKills(options, checkCluster);
console.log(JSON.stringify(figures, null, 2));
for (const violation of violations) console.error(violation);
console.log(violations.length === 0 ? "Everything held" : "It did not hold");
process.exitCode = violations.length === 0 ? 0 : 1;
