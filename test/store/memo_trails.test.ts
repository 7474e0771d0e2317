import test, { after } from "node:test";
import { runMemoTrail } from "../model/memo_trails.ts";
import type { ModelledStore } from "../model/model_run.ts";
import { endModelServer } from "../model/valkey_fixture.ts";

const TURNS = 80;

/** Trails of each store, limited by the time of a file. */
const TRAILS: Readonly<Record<ModelledStore, { readonly first: number; readonly last: number }>> = {
  "memory": { first: 1, last: 20 },
  "memory in groups": { first: 21, last: 40 },
  "sqlite": { first: 41, last: 50 },
  "sqlite file": { first: 51, last: 54 },
  "replica": { first: 61, last: 70 },
  "two replicas": { first: 71, last: 80 },
  "valkey": { first: 81, last: 90 },
};

after(endModelServer);

for (const [store, { first, last }] of Object.entries(TRAILS)) {
  for (let seed = first; seed <= last; seed++) {
    test(`memos on ${store} follow their model with seed ${seed}`, async () => {
      await runMemoTrail(store as ModelledStore, seed, TURNS);
    });
  }
}
