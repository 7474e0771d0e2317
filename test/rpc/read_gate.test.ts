import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import type { CallSignal } from "../../src/rpc/backend.ts";
import { Quota } from "../../src/rpc/quota.ts";
import { ReadGate } from "../../src/rpc/read_gate.ts";

/** A call whose client can go away. */
function callOf(): CallSignal & { cancel(): void } {
  let isCanceled = false;
  const listeners: (() => void)[] = [];
  return {
    isCanceled: () => isCanceled,
    onCancel: (listener) => void listeners.push(listener),
    jobs: null,
    cancel() {
      isCanceled = true;
      for (const listener of listeners) listener();
    },
  };
}

test("ReadGate lets two reads run and the others wait", async () => {
  const gate = new ReadGate();
  assert.equal(await gate.enter("a", callOf()), true);
  assert.equal(await gate.enter("a", callOf()), true);
  let hasBegun = false;
  const third = gate.enter("a", callOf()).then((isWanted) => hasBegun = isWanted);
  await Promise.resolve();
  assert.equal(hasBegun, false);
  gate.leave();
  assert.equal(await third, true);
});

test("ReadGate gives connections turns, however much one asks for", async () => {
  const gate = new ReadGate();
  await gate.enter("greedy", callOf());
  await gate.enter("greedy", callOf());
  const begun: string[] = [];
  const ask = (peer: string) => void gate.enter(peer, callOf()).then(() => begun.push(peer));
  for (let i = 0; i < 4; i += 1) ask("greedy");
  ask("modest");
  for (let i = 0; i < 5; i += 1) {
    gate.leave();
    await Promise.resolve();
  }
  assert.deepEqual(begun, ["greedy", "modest", "greedy", "greedy", "greedy"]);
});

test("ReadGate never begins a read whose client has gone", async () => {
  const gate = new ReadGate();
  await gate.enter("a", callOf());
  await gate.enter("a", callOf());
  const gone = callOf();
  const waiting = gate.enter("a", gone);
  const next = gate.enter("a", callOf());
  gone.cancel();
  assert.equal(await waiting, false);
  gate.leave();
  assert.equal(await next, true);
});

test("ReadGate is free again when all have left", async () => {
  const gate = new ReadGate();
  for (let i = 0; i < 3; i += 1) {
    await gate.enter("a", callOf());
    gate.leave();
  }
  assert.equal(await gate.enter("a", callOf()), true);
  assert.equal(await gate.enter("b", callOf()), true);
});

test("Quota refuses one more than there may be on a connection, and in all", () => {
  const quota = new Quota("followers", { max: 3, ofPeerMax: 2 });
  const isFull = (error: unknown) => isJobError(error, "resource_exhausted");
  const release = quota.take("a");
  quota.take("a");
  assert.throws(() => quota.take("a"), isFull);
  quota.take("b");
  assert.throws(() => quota.take("c"), isFull);
  release();
  quota.take("a");
  assert.throws(() => quota.take("b"), isFull);
});

test("Quota counts connections without an address only in all", () => {
  const quota = new Quota("followers", { max: 3, ofPeerMax: 1 });
  for (let i = 0; i < 3; i += 1) quota.take("unknown");
  assert.throws(() => quota.take("unknown"), (error) => isJobError(error, "resource_exhausted"));
});
