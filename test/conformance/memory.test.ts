import { systemClock } from "../../src/platform/clock.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { exerciseStore } from "./suite.ts";

exerciseStore("MemoryStore", async () => {
  const store = new MemoryStore();
  return { store, end: () => store.close() };
});

exerciseStore("MemoryStore in groups", async () => {
  const store = new MemoryStore({ defer: systemClock.defer });
  return { store, end: () => store.close() };
});
