import assert from "node:assert/strict";
import test from "node:test";
import { measureLists } from "../../scripts/scale/lists/measure.ts";

// The whole is npm run scale. This shows that every list works, and reads not everything.
test("every list of a dashboard is quick on a store with 8,000 instances", async () => {
  const figures = await measureLists({
    ...{ store: "sqlite", file: null, isFilled: false, note: () => {} },
    volume: { instances: 8_000, kinds: 50, lines: 2_000, ticks: 1_000 },
  });
  const slow = figures.filter(({ cpuMs }) => cpuMs > 500);
  assert.deepEqual(slow, []);
  const items = new Map(figures.map((figure) => [figure.name, figure.items]));
  assert.equal(items.get("instances newest"), 100);
  assert.equal(items.get("instances by a frequent text"), 100);
  assert.equal(items.get("instances by an unknown text"), 0);
  assert.equal(items.get("logs back from a line"), 500);
  assert.equal(items.get("statistics of a job"), 48);
  assert.equal(items.get("ticks of a job"), 51);
  assert.equal(items.get("due next"), 50);
});
