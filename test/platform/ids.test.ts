import assert from "node:assert/strict";
import { test } from "node:test";
import { isUuid } from "../../src/core/instance.ts";
import { createIdSource } from "../../src/platform/ids.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { systemClock } from "../../src/platform/clock.ts";

test("createIdSource() makes increasing ids, each with chance of its own", () => {
  const newId = createIdSource(systemClock, systemRandom);
  const ids = Array.from({ length: 5_000 }, () => newId());
  for (const id of ids) assert.ok(isUuid(id) && /^.{14}7.{4}[89ab]/.test(id), id);
  assert.deepEqual(ids, ids.toSorted());
  const tails = new Set(ids.map((id) => id.slice(20)));
  assert.equal(tails.size, ids.length);
});

test("createIdSource() goes on in order when the clock goes back", () => {
  const times = [1_000, 1_000, 400, 1_001];
  let call = 0;
  const at = () => ({ wallMs: times[call++]!, monotonicMs: 0 });
  const newId = createIdSource({ ...systemClock, now: at }, systemRandom);
  const heads = times.map(() => newId().slice(0, 18));
  assert.deepEqual(heads, [
    "00000000-03e8-7000",
    "00000000-03e8-7001",
    "00000000-03e8-7002",
    "00000000-03e9-7000",
  ]);
});

test("systemRandom.bytes() gives no byte twice, and as many as are asked", () => {
  const wanted = [8, 16, 4_090, 4_096, 4_097, 10_000, 0, 32];
  const taken = wanted.map((count) => systemRandom.bytes(count));
  assert.deepEqual(taken.map(({ length }) => length), wanted);
  const before = taken.map((bytes) => [...bytes]);
  for (const bytes of taken.slice(1)) bytes.fill(0);
  assert.deepEqual([...taken[0]!], before[0]);
  // A pool that was given out again would repeat eight bytes somewhere.
  const eights = before.flatMap((bytes) =>
    Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => bytes.slice(i * 8, i * 8 + 8))
  );
  assert.equal(new Set(eights.map(String)).size, eights.length);
});
