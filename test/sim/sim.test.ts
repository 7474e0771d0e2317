import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PLANTS } from "./plants.ts";
import { findPlant, runWorld } from "./world.ts";

/** Seeds of each store; `npm run sim` runs as many as wanted. */
const SEEDS = [["memory", 3], ["sqlite", 2], ["replicas", 2], ["ahead", 2]] as const;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

for (const [storeType, seeds] of SEEDS) {
  test(`the manager on ${storeType} keeps the invariants with seeds 1 to ${seeds}`, async () => {
    let ahead = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, records, claimsAhead } = await runWorld(seed, storeType);
      const replay = `npm run sim -- --store ${storeType} --seed ${seed}`;
      assert.deepEqual(violations.slice(0, 5), [], `Replay: ${replay}`);
      assert.ok(records > 100, `Only ${records} records: the world did not live`);
      ahead += claimsAhead;
    }
    assert.equal(ahead > 0, storeType === "ahead", `${ahead} claims ahead of their time`);
  });
}

for (const plant of PLANTS) {
  test(`the invariants tell of a planted bug: ${plant.name}`, async () => {
    assert.notEqual(await findPlant(plant), null);
  });
}

test("a seed gives the same trace on Bun and on Deno", async () => {
  const args = ["scripts/sim/main.ts", "--trace", "--seeds", "2"];
  const run = async (program: string, ...before: string[]) => {
    const path = `${ROOT}/node_modules/${program}`;
    return (await promisify(execFile)(path, [...before, ...args], { cwd: ROOT })).stdout;
  };
  const onBun = await run(".bin/bun");
  assert.match(onBun, /^seed 2: [0-9a-f]{64}$/m);
  assert.equal(await run("deno/deno", "run", "-A"), onBun);
});
