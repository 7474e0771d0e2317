import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../../src/manager/instances/turns.ts";

test("Turns lets a limited number at once begin, and the others in their order", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends = [1, 2, 3, 4].map((place) =>
    turns.take().then((end) => {
      begun.push(place);
      return end;
    })
  );
  const first = await ends[0]!;
  await ends[1];
  assert.deepEqual(begun, [1, 2]);
  first();
  // Ended already: nobody begins a second time for it.
  first();
  await ends[2];
  assert.deepEqual(begun, [1, 2, 3]);
  (await ends[1]!)();
  await ends[3];
  assert.deepEqual(begun, [1, 2, 3, 4]);
});

test("Turns passes by who no longer waits", async () => {
  const turns = new Turns(1);
  const end = await turns.take();
  const abort = new AbortController();
  const left = turns.take(abort.signal);
  const next = turns.take();
  abort.abort();
  const endOfLeft = await left;
  let hasBegun = false;
  void next.then(() => hasBegun = true);
  // It had no turn that it could end.
  endOfLeft();
  await null;
  assert.equal(hasBegun, false);
  end();
  (await next)();
  (await turns.take(AbortSignal.abort()))();
});
