import assert from "node:assert/strict";
import test, { after } from "node:test";
import { findMismatch, type ModelledStore } from "../model/model_run.ts";
import { endModelServer } from "../model/valkey_fixture.ts";

/** Turns of a trail: `npm run sim -- --model` runs more of them, and as many trails as wanted. */
const TURNS = 60;

/** Trails of each store, limited by the time of a file. */
const TRAILS: Readonly<Record<ModelledStore, { readonly first: number; readonly last: number }>> = {
  "memory": { first: 1, last: 6 },
  "memory in groups": { first: 41, last: 45 },
  "sqlite": { first: 81, last: 84 },
  "sqlite file": { first: 106, last: 107 },
  "replica": { first: 114, last: 117 },
  "two replicas": { first: 134, last: 138 },
  "valkey": { first: 164, last: 165 },
};

after(endModelServer);

for (const [store, { first, last }] of Object.entries(TRAILS)) {
  test(`the store on ${store} answers as its model with seeds ${first} to ${last}`, async () => {
    for (let seed = first; seed <= last; seed++) {
      const found = await findMismatch(seed, store as ModelledStore, TURNS);
      if (!found) continue;
      const trail = found.turns.map((turn) => JSON.stringify(turn)).join("\n");
      assert.fail(`seed ${seed}: ${found.message}\n${trail}`);
    }
  });
}
