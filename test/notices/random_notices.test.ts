import assert from "node:assert/strict";
import { test } from "node:test";
import type { PutMemo, Store } from "../../src/store/store.ts";
import { tellAtRandom } from "../support/notices/random_story.ts";

/**
 * Seeds of each store. `npm run sim -- --notices` runs as many as wanted, and those of Valkey: its
 * server takes as long as all others.
 */
const SEEDS = [["memory", 2], ["SQLite", 1], ["etcd's replica", 1]] as const;
/** On Deno one store is enough: each has tests of its own on both runtimes. */
const PLAYED = "Deno" in globalThis ? SEEDS.slice(0, 1) : SEEDS;
/** Seeds that may pass before a planted bug is found. */
const PLANT_SEEDS_MAX = 100;

for (const [store, seeds] of PLAYED) {
  test(`notices agree with how runs ended on ${store} with seeds 1 to ${seeds}`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, kills, notices } = await tellAtRandom(seed, store);
      assert.deepEqual(violations, [], `Seed ${seed}`);
      assert.ok(kills > 2 && notices > 5, `Only ${kills} kills and ${notices} notices`);
    }
  });
}

test("a planted bug is noticed: deliveries are lost", async () => {
  for (let seed = 1; seed <= PLANT_SEEDS_MAX; seed++) {
    const { violations } = await tellAtRandom(seed, "memory", losingDeliveries);
    if (violations.length > 0) return;
  }
  assert.fail(`No violation in ${PLANT_SEEDS_MAX} seeds`);
});

/** Loses some of the deliveries that belong to a memo. */
function losingDeliveries(store: Store): Store {
  let count = 0;
  return new Proxy(store, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "putMemo") return value.bind(target);
      return (request: PutMemo) => {
        count += 1;
        return target.putMemo(count % 7 === 0 ? { ...request, instances: [] } : request);
      };
    },
  });
}
