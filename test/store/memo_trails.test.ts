import process from "node:process";
import test, { after } from "node:test";
import { runMemoTrail } from "../model/memo_trails.ts";
import type { ModelledStore } from "../model/model_run.ts";
import { endModelServer } from "../model/valkey_fixture.ts";

const TURNS = 80;

/** How many times as many trails `npm run slow -- memos` follows. */
const TIMES = Number(process.env["JOBCTL_MEMO_TIMES"] ?? 1);

/** Trails of each store, limited by the time of a file. */
const TRAILS: Readonly<Record<ModelledStore, { readonly first: number; readonly last: number }>> = {
  "memory": { first: 1, last: 6 },
  "memory in groups": { first: 21, last: 25 },
  "sqlite": { first: 41, last: 43 },
  "sqlite file": { first: 51, last: 52 },
  "replica": { first: 61, last: 63 },
  "two replicas": { first: 71, last: 73 },
  "valkey": { first: 81, last: 82 },
};

after(endModelServer);

for (const [store, { first, last }] of Object.entries(TRAILS)) {
  for (let seed = first; seed < first + (last - first + 1) * TIMES; seed++) {
    test(`memos on ${store} follow their model with seed ${seed}`, async () => {
      await runMemoTrail(store as ModelledStore, seed, TURNS);
    });
  }
}
