import { systemClock } from "../../src/platform/clock.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { ReplicaStore } from "../../src/store/replica/replica_store.ts";
import { SharedMedium } from "../support/shared_medium.ts";
import { exerciseStore } from "./suite.ts";

exerciseStore("ReplicaStore", async () => {
  const medium = new SharedMedium().connect();
  const store = new ReplicaStore({ medium, clock: systemClock, random: seededRandom(1) });
  return { store, end: () => store.close() };
});
