import assert from "node:assert/strict";
import test from "node:test";
import { runWorld } from "./world.ts";

const SEEDS = 20;

for (const storeType of ["memory", "sqlite"] as const) {
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`the manager on ${storeType} keeps the invariants with seed ${seed}`, async () => {
      const { violations, records } = await runWorld(seed, storeType);
      const replay = `npm run sim -- --store ${storeType} --seed ${seed}`;
      assert.deepEqual(violations.slice(0, 5), [], `Replay: ${replay}`);
      assert.ok(records > 100, `Only ${records} records: the world did not live`);
    });
  }
}

test("a seed gives the same trace each time", async () => {
  const first = await runWorld(7, "memory");
  const second = await runWorld(7, "memory");
  assert.equal(first.trace, second.trace);
});
