import assert from "node:assert/strict";
import { test } from "node:test";
import { BulkGate } from "../../../src/manager/instances/bulk_gate.ts";

/** Operations in the order in which they began, each ended by the test. */
class Operations {
  readonly gate = new BulkGate();
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

test("run() begins at once what writes little, and large ones after each other in their order", async () => {
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

test("run() goes on when an operation fails, and takes one that is larger than any", async () => {
  const gate = new BulkGate();
  const failed = gate.run(5_000, () => Promise.reject(new Error("no room")));
  const next = gate.run(1, () => Promise.resolve("ran"));
  await assert.rejects(failed, /no room/);
  assert.equal(await next, "ran");
});
