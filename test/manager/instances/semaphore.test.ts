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

/** Operations in the order in which they began, each ended by the test. */
class Operations {
  readonly gate = new Semaphore(1_000);
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  enter(name: string, instances: number): Promise<void> {
    return this.gate.run(instances, () => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, resolve));
    });
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)!();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("run() begins light operations at once, and heavy ones one after the other, in order", async () => {
  const operations = new Operations();
  const all = [
    operations.enter("a", 400),
    operations.enter("b", 600),
    operations.enter("c", 1_000),
    operations.enter("d", 1),
  ];
  assert.deepEqual(operations.begun, ["a", "b"]);
  await operations.end("a");
  // The small one does not overtake the large one again and again.
  assert.deepEqual(operations.begun, ["a", "b"]);
  await operations.end("b");
  assert.deepEqual(operations.begun, ["a", "b", "c"]);
  await operations.end("c");
  assert.deepEqual(operations.begun, ["a", "b", "c", "d"]);
  await operations.end("d");
  await Promise.all(all);
});

test("run() continues when an operation fails, and runs one that is heavier than the limit", async () => {
  const gate = new Semaphore(1_000);
  const failed = gate.run(5_000, () => Promise.reject(new Error("no room")));
  const next = gate.run(1, () => Promise.resolve("ran"));
  await assert.rejects(failed, /no room/);
  assert.equal(await next, "ran");
});
