import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { CallSignal } from "../../../src/rpc/backend.ts";
import type { Origin } from "../../../src/rpc/guard/call_tracker.ts";
import { Quota } from "../../../src/rpc/guard/quota.ts";
import { ReadGate } from "../../../src/rpc/server/read_gate.ts";

/** A call of a connection named PRINCIPAL/NUMBER. */
function from(peer: string): Origin {
  return { peer, principal: peer.split("/")[0]! };
}

/** A call whose client can disconnect. */
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
  assert.equal(await gate.enter(from("a"), callOf()), true);
  assert.equal(await gate.enter(from("a"), callOf()), true);
  let hasBegun = false;
  const third = gate.enter(from("a"), callOf()).then((isWanted) => hasBegun = isWanted);
  await Promise.resolve();
  assert.equal(hasBegun, false);
  gate.leave();
  assert.equal(await third, true);
});

test("ReadGate alternates connections, however much one requests", async () => {
  const gate = new ReadGate();
  await gate.enter(from("greedy"), callOf());
  await gate.enter(from("greedy"), callOf());
  const begun: string[] = [];
  const ask = (peer: string) => void gate.enter(from(peer), callOf()).then(() => begun.push(peer));
  for (let i = 0; i < 4; i += 1) ask("greedy");
  ask("modest");
  for (let i = 0; i < 5; i += 1) {
    gate.leave();
    await Promise.resolve();
  }
  assert.deepEqual(begun, ["greedy", "modest", "greedy", "greedy", "greedy"]);
});

test("ReadGate never begins a read whose client has disconnected", async () => {
  const gate = new ReadGate();
  await gate.enter(from("a"), callOf());
  await gate.enter(from("a"), callOf());
  const gone = callOf();
  const waiting = gate.enter(from("a"), gone);
  const next = gate.enter(from("a"), callOf());
  gone.cancel();
  assert.equal(await waiting, false);
  gate.leave();
  assert.equal(await next, true);
});

test("ReadGate is free again when all reads have left", async () => {
  const gate = new ReadGate();
  for (let i = 0; i < 3; i += 1) {
    await gate.enter(from("a"), callOf());
    gate.leave();
  }
  assert.equal(await gate.enter(from("a"), callOf()), true);
  assert.equal(await gate.enter(from("b"), callOf()), true);
});

test("Quota refuses one more than the limit of a connection, and of all", () => {
  const quota = new Quota("followers", { max: 3, ofPrincipalMax: 3, ofPeerMax: 2 });
  const isFull = (error: unknown) => isJobError(error, "resource_exhausted");
  const release = quota.take(from("a"));
  quota.take(from("a"));
  assert.throws(() => quota.take(from("a")), isFull);
  quota.take(from("b"));
  assert.throws(() => quota.take(from("c")), isFull);
  release();
  quota.take(from("a"));
  assert.throws(() => quota.take(from("b")), isFull);
});

test("ReadGate alternates callers, however many connections one has", async () => {
  const gate = new ReadGate();
  await gate.enter(from("greedy/0"), callOf());
  await gate.enter(from("greedy/0"), callOf());
  const begun: string[] = [];
  const ask = (peer: string) => void gate.enter(from(peer), callOf()).then(() => begun.push(peer));
  for (const peer of ["greedy/1", "greedy/2", "greedy/2", "greedy/3", "modest/1"]) ask(peer);
  for (let i = 0; i < 5; i += 1) {
    gate.leave();
    await Promise.resolve();
  }
  assert.deepEqual(begun, ["greedy/1", "modest/1", "greedy/2", "greedy/3", "greedy/2"]);
});

test("Quota leaves room for others, however many connections one caller has", () => {
  const quota = new Quota("followers", { max: 4, ofPrincipalMax: 2, ofPeerMax: 2 });
  quota.take(from("greedy/1"));
  const release = quota.take(from("greedy/2"));
  assert.throws(
    () => quota.take(from("greedy/3")),
    (error) => isJobError(error, "resource_exhausted"),
  );
  quota.take(from("modest/1"));
  release();
  quota.take(from("greedy/3"));
});
