import assert from "node:assert/strict";
import { systemClock } from "../../src/platform/clock.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { ReplicaStore } from "../../src/store/replica/store.ts";
import { SharedMedium } from "../support/servers/shared_medium.ts";
import { exerciseStore } from "./suite.ts";

exerciseStore("ReplicaStore", async ({ clock: now }) => {
  const shared = new SharedMedium();
  let count = 0;
  const open = () => {
    const medium = shared.connect();
    const random = seededRandom(++count);
    return { medium, store: new ReplicaStore({ medium, clock: systemClock, random, now }) };
  };
  const { medium, store } = open();
  return {
    store,
    another: async () => open().store,
    foreign: async () => {
      shared.rows.set("x/theirs", '"theirs"');
      return async () => assert.equal(shared.rows.get("x/theirs"), '"theirs"');
    },
    cutNext: async (when) => {
      medium.faults.commits.push(when === "before" ? "loseBefore" : "loseAfter");
    },
    end: () => store.close(),
  };
});
