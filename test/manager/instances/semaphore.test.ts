import assert from "node:assert/strict";
import { test } from "node:test";
import { Semaphore } from "../../../src/manager/instances/semaphore.ts";

test("Semaphore lets a limited number begin at once, and the others in order", async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const ends = [1, 2, 3, 4].map((place) =>
    semaphore.acquire().then((end) => {
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

test("Semaphore skips whoever no longer waits", async () => {
  const semaphore = new Semaphore(1);
  const end = await semaphore.acquire();
  const abort = new AbortController();
  const left = semaphore.acquire(abort.signal);
  const next = semaphore.acquire();
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
  (await semaphore.acquire(AbortSignal.abort()))();
});
