import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreWatch } from "../../../src/manager/store/store_watch.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const FILE = { hasFiles: true, location: "/data/jobs.db" };

function watchOf({ canWatch }: { readonly canWatch: boolean }) {
  const clock = new SimClock();
  const looks: (string | null)[] = [];
  const state = { problem: null as string | null, changed: () => {}, isWatched: false };
  const storeHealth = {
    failed: (error: Error) => void looks.push(error.message),
    succeeded: () => void looks.push(null),
  };
  const store = {
    get problem() {
      return state.problem;
    },
  };
  const options = { clock, store, storeHealth } as unknown as ConstructorParameters<
    typeof StoreWatch
  >[0];
  const watch = new StoreWatch(options, (_file, changed) => {
    if (!canWatch) return null;
    state.changed = changed;
    state.isWatched = true;
    return () => state.isWatched = false;
  });
  return { clock, looks, state, watch };
}

test("StoreWatch looks once a minute while the kernel watches the folder", async () => {
  const { clock, looks, watch, state } = watchOf({ canWatch: true });
  watch.start(FILE);
  await clock.advance(59_999);
  assert.deepEqual(looks, []);
  await clock.advance(1);
  assert.deepEqual(looks, [null]);
  watch.stop();
  assert.equal(state.isWatched, false);
  await clock.advance(600_000);
  assert.equal(looks.length, 1);
});

test("StoreWatch looks a second after changes, and every four while the files are away", async () => {
  const { clock, looks, watch, state } = watchOf({ canWatch: true });
  watch.start(FILE);
  state.problem = "it was removed";
  for (let count = 0; count < 100; count++) state.changed();
  await clock.advance(1_000);
  assert.deepEqual(looks, ["it was removed"]);
  state.problem = null;
  await clock.advance(4_000);
  assert.deepEqual(looks, ["it was removed", null]);
  await clock.advance(59_999);
  assert.equal(looks.length, 2);
});

test("StoreWatch looks every four seconds where the folder cannot be watched", async () => {
  const { clock, looks, watch } = watchOf({ canWatch: false });
  watch.start(FILE);
  await clock.advance(12_000);
  assert.equal(looks.length, 3);
});

test("StoreWatch leaves a store alone that is not in files", async () => {
  const { clock, looks, watch, state } = watchOf({ canWatch: true });
  watch.start({ location: "memory" });
  await clock.advance(120_000);
  assert.deepEqual([looks, state.isWatched], [[], false]);
});
