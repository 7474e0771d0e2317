import assert from "node:assert/strict";
import { test } from "node:test";
import { createMethods, Lazy, lazyMethods } from "../../src/platform/lazy.ts";

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

test("createMethods() makes each method once, and keeps the members that exist", () => {
  const made: string[] = [];
  const all = createMethods<{ a(): string; b(): string; readonly c: number }>({ c: 3 }, (name) => {
    made.push(name);
    return () => name;
  });
  const { a, b } = all;
  assert.deepEqual([a(), b(), all.a(), all.c], ["a", "b", "a", 3]);
  assert.deepEqual(made, ["a", "b"]);
  assert.equal(Reflect.get(all, "then"), undefined);
});

test("lazyMethods() loads with the first call, once, and hands on what it throws", async () => {
  let count = 0;
  const { add, fail } = lazyMethods(async () => {
    count += 1;
    return {
      add: async (x: number, y: number) => x + y,
      fail: async () => {
        throw new Error("no");
      },
    };
  });
  assert.equal(count, 0);
  assert.deepEqual(await Promise.all([add(1, 2), add(3, 4)]), [3, 7]);
  await assert.rejects(fail(), /no/);
  assert.equal(count, 1);
});
