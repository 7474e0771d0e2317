import assert from "node:assert/strict";
import { test } from "node:test";
import { Late } from "../../src/platform/lazy.ts";

test("Late loads once, when first needed, and again after a failure", async () => {
  let count = 0;
  const late = new Late(async () => {
    count += 1;
    await null;
    if (count === 1) throw new Error("not yet");
    return `load ${count}`;
  });
  assert.equal(late.value, null);
  assert.equal(late.loading, null);
  assert.equal(count, 0);
  const both = await Promise.allSettled([late.get(), late.get()]);
  assert.deepEqual(both.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(count, 1);
  assert.equal(late.value, null);
  assert.deepEqual(await Promise.all([late.get(), late.get()]), ["load 2", "load 2"]);
  assert.equal(late.value, "load 2");
  assert.equal(await late.get(), "load 2");
  assert.equal(count, 2);
});
