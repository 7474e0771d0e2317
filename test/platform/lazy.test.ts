import assert from "node:assert/strict";
import { test } from "node:test";
import { Lazy } from "../../src/platform/lazy.ts";

test("Lazy loads once, when first needed, and again after a failure", async () => {
  let count = 0;
  const lazy = new Lazy(async () => {
    count += 1;
    await null;
    if (count === 1) throw new Error("not yet");
    return `load ${count}`;
  });
  assert.equal(lazy.value, null);
  assert.equal(lazy.loading, null);
  assert.equal(count, 0);
  const both = await Promise.allSettled([lazy.get(), lazy.get()]);
  assert.deepEqual(both.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(count, 1);
  assert.equal(lazy.value, null);
  assert.deepEqual(await Promise.all([lazy.get(), lazy.get()]), ["load 2", "load 2"]);
  assert.equal(lazy.value, "load 2");
  assert.equal(await lazy.get(), "load 2");
  assert.equal(count, 2);
});
