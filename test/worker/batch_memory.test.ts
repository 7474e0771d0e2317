import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { closeSync, ftruncateSync, writeSync } from "node:fs";
import { createSharedMemory, MEMORY_BYTES } from "../../src/platform/process/shared_memory.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { BatchMemory } from "../../src/worker/batching/batch_memory.ts";

/** Both sides of one memory. */
function sides() {
  const buffer = new ArrayBuffer(MEMORY_BYTES);
  const [daemon, worker] = [new BatchMemory(buffer), new BatchMemory(buffer)];
  daemon.reset();
  worker.enter();
  return { daemon, worker, buffer };
}

test("BatchMemory lets an attempt begin or be taken back, never both", () => {
  const { daemon, worker } = sides();
  assert.equal(worker.begin(1), true);
  assert.equal(daemon.takeBack(1), false);
  assert.equal(daemon.takeBack(2), true);
  assert.equal(worker.begin(2), false);
  assert.equal(worker.begin(1), false, "nor twice");
});

test("BatchMemory gives published results, each once and in order", () => {
  const { daemon, worker } = sides();
  assert.equal(worker.write({ text: "ä€😀" }), true);
  assert.deepEqual(daemon.read(), []);
  worker.publish();
  worker.write({ text: "dropped" });
  worker.write({ text: "b" });
  worker.publish();
  assert.deepEqual(daemon.read(), [{ text: "ä€😀" }, { text: "b" }]);
  assert.deepEqual(daemon.read(), []);
});

test("BatchMemory has room for results to the last byte, and no more", () => {
  const { daemon, worker } = sides();
  const room = MEMORY_BYTES - 4_096 - 4;
  const message = (bytes: number) => ({ a: "x".repeat(bytes - JSON.stringify({ a: "" }).length) });
  assert.equal(worker.write(message(room + 1)), false);
  assert.equal(worker.write(message(room)), true);
  worker.publish();
  assert.equal(worker.write({}), false);
  assert.deepEqual(daemon.read(), [message(room)]);
});

test("BatchMemory is as new after a reset", () => {
  const { daemon, worker } = sides();
  worker.begin(1);
  worker.write({ text: "a" });
  worker.publish();
  daemon.reset();
  worker.enter();
  assert.deepEqual(daemon.read(), []);
  worker.write({ text: "b" });
  worker.publish();
  assert.deepEqual(daemon.read(), [{ text: "b" }]);
  assert.equal(worker.begin(1), true);
});

test("BatchMemory reads nothing beyond its end, whatever was written there", () => {
  for (const value of [-1, 0, 1, 4_097, MEMORY_BYTES, 2 ** 31 - 1]) {
    for (const at of [0, 4_096]) {
      const { daemon, worker, buffer } = sides();
      worker.write({});
      worker.publish();
      new Int32Array(buffer)[at / 4] = value;
      assert.ok(daemon.read().length <= 2);
    }
  }
});

test("createSharedMemory() gives memory that another process can share", () => {
  const memory = createSharedMemory();
  if (runtimeName() !== "bun") return assert.equal(memory, null);
  const cells = new Int32Array(memory!.buffer);
  cells[0] = 41;
  const path = new URL("../../src/platform/process/shared_memory.ts", import.meta.url).href;
  const code = `const { openSharedMemory } = await import(${JSON.stringify(path)});
    console.log(Atomics.add(new Int32Array(openSharedMemory(3)), 0, 1));`;
  const stdio = ["ignore", "pipe", "inherit", memory!.descriptor] as const;
  const child = spawnSync(process.execPath, ["-e", code], { stdio: [...stdio], encoding: "utf8" });
  assert.equal(child.stdout.trim(), "41");
  assert.equal(Atomics.load(cells, 0), 42);
  closeSync(memory!.descriptor);
  memory!.free();
});

test("createSharedMemory() gives memory whose size nobody can change", () => {
  const memory = createSharedMemory();
  if (memory === null) return;
  for (const bytes of [0, MEMORY_BYTES - 1, 2 * MEMORY_BYTES]) {
    assert.throws(() => ftruncateSync(memory.descriptor, bytes), { code: "EPERM" });
  }
  assert.throws(() => writeSync(memory.descriptor, "x", MEMORY_BYTES), { code: "EPERM" });
  assert.equal(new Uint8Array(memory.buffer)[MEMORY_BYTES - 1], 0);
  closeSync(memory.descriptor);
  memory.free();
});
