import assert from "node:assert/strict";
import test from "node:test";
import { fill } from "../../../scripts/scale/timeline/fill.ts";
import { measure } from "../../../scripts/scale/timeline/measure.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";

// The short form of `npm run scale:timeline`: every read works. Times are only compared
// with what a mistake would cost, as tests share their machine.
for (const type of ["memory", "sqlite"] as const) {
  test(`the reads of calendar, timeline and forecast are quick on a full store: ${type}`, async () => {
    const store = type === "memory"
      ? new MemoryStore({ defer: systemClock.defer })
      : new SqliteStore({ path: ":memory:", defer: systemClock.defer });
    const now = systemClock.now();
    await store.open({ at: now, node: "n1" });
    const nowMs = now.wallMs;
    await fill(store, { instances: 4_000, schedules: 100, nowMs }, false);
    const figures = await measure(store, { nowMs, times: 1 });
    assert.equal(figures.length, 10);
    const slow = figures.filter(({ firstMs }) => firstMs > 3_000).map(({ name }) => name);
    assert.deepEqual(slow, []);
    await store.close();
  });
}
