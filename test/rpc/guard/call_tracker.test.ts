import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { CallTracker } from "../../../src/rpc/guard/call_tracker.ts";
import { ConnectionGuard } from "../../../src/rpc/guard/connection_guard.ts";
import { ThreadMemory } from "../../../src/rpc/guard/thread_memory.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MIB = 2 ** 20;

function trackerWorld() {
  const clock = new SimClock();
  let releaseCount = 0;
  const tracker = new CallTracker(
    clock,
    new ThreadMemory(clock, {
      release: () => void (releaseCount += 1),
      shrink: () => {},
      isLarge: () => false,
    }),
  );
  let lastPort = 0;
  /** A connection of a known principal or of an unknown one. */
  const connect = (principal: string | null = null) => {
    const guard = new ConnectionGuard(clock, true);
    const remotePort = ++lastPort;
    const socket = Object.assign(new EventEmitter(), {
      ...{ remoteAddress: "unix", remotePort },
      destroy: () => void socket.emit("close"),
    });
    tracker.addConnection(socket, { guard, isStranger: false, principal, connectionsMax: 8 });
    return { guard, socket, peer: `unix:${remotePort}`, port: remotePort };
  };
  return { tracker, connect, clock, releases: () => releaseCount };
}

test("memory is given back once closed connections have left 20 MiB of calls", async () => {
  const { tracker, connect, clock, releases } = trackerWorld();
  const close = async (bytes: number) => {
    const { socket, port } = connect();
    tracker.countResponse(tracker.addCall("unix", port), bytes);
    socket.destroy();
    await clock.advance(1_000);
  };
  await close(19 * MIB);
  assert.equal(releases(), 0);
  await close(MIB);
  assert.equal(releases(), 1);
  // Bytes that the client has read no longer count.
  const reader = connect();
  const call = tracker.addCall("unix", reader.port);
  tracker.countResponse(call, 30 * MIB);
  reader.guard.setQueuedBytes(0);
  tracker.end(call);
  await clock.advance(1_000);
  assert.equal(releases(), 1);
});

test("memory is given back while responses are made and much waits unread", async () => {
  const { tracker, connect, clock, releases } = trackerWorld();
  const answer = async (bytes: number) => {
    tracker.countResponse(tracker.addCall("unix", connect().port), bytes);
    await clock.advance(1_000);
  };
  // Up to 8 MiB is ordinary.
  await answer(8 * MIB);
  await answer(8 * MIB);
  assert.equal(releases(), 0);
  // 20 MiB with its copies.
  await answer(6 * MIB);
  assert.equal(releases(), 0);
  await answer(MIB);
  assert.equal(releases(), 1);
});

test("memory is given back while large messages of streams are made, also when they are read", async () => {
  const { tracker, connect, clock, releases } = trackerWorld();
  const { peer } = connect();
  const send = async (bytes: number, count: number) => {
    for (let sent = 0; sent < count; sent += 1) tracker.sendMessage(peer, bytes)();
    await clock.advance(1_000);
  };
  // 20 MiB with the copies of each.
  await send(64 * 1024 - 1, 1_000);
  await send(64 * 1024, 31);
  assert.equal(releases(), 0);
  await send(64 * 1024, 1);
  assert.equal(releases(), 1);
});

test("a call ends with its connection, even if its stream never ends", async () => {
  const { tracker, connect } = trackerWorld();
  const { socket, port } = connect();
  tracker.addCall("unix", port);
  tracker.countResponse(tracker.addCall("unix", port), 31 * MIB);
  assert.equal(tracker.callCount, 2);
  socket.destroy();
  assert.equal(tracker.callCount, 0);
  // Its bytes no longer count.
  const other = connect();
  tracker.countResponse(tracker.addCall("unix", other.port), 31 * MIB);
  assert.equal(other.guard.complaint, null);
});

test("messages of streams that nobody takes close the connection that has most of them", () => {
  const { tracker, connect } = trackerWorld();
  const modest = connect();
  const greedy = connect();
  const taken = tracker.sendMessage(modest.peer, MIB);
  for (let sent = 0; sent < 31; sent += 1) tracker.sendMessage(greedy.peer, MIB);
  assert.equal(greedy.guard.complaint, null);
  taken();
  tracker.sendMessage(modest.peer, MIB);
  assert.equal(greedy.guard.complaint, null);
  tracker.sendMessage(modest.peer, MIB);
  assert.equal(modest.guard.complaint, null);
  assert.equal(greedy.guard.complaint, "too many unread responses");
});

test("a caller may have half of the connections of a listener, and others still come", () => {
  const { tracker, connect } = trackerWorld();
  const ofOne = Array.from({ length: 5 }, () => connect("user 1000"));
  assert.deepEqual(
    ofOne.map(({ guard }) => guard.complaint),
    [null, null, null, null, "too many connections of one caller"],
  );
  assert.equal(connect("user 1001").guard.complaint, null);
  for (const { socket } of ofOne) socket.destroy();
  assert.equal(connect("user 1000").guard.complaint, null);
  assert.equal(tracker.connectionCount, 2);
});

test("a connection is its first caller's", () => {
  const { tracker, connect } = trackerWorld();
  const { peer, port } = connect();
  assert.equal(tracker.originOf(peer).principal, peer);
  tracker.admit(tracker.addCall("unix", port), "caller viewer");
  tracker.admit(tracker.addCall("unix", port), "caller reader");
  assert.deepEqual(tracker.originOf(peer), { peer, principal: "caller viewer" });
});

test("a caller may have half of all calls, over all of its connections", () => {
  const { tracker, connect } = trackerWorld();
  const connections = Array.from({ length: 3 }, () => connect("user 1000"));
  const call = (index: number) => tracker.addCall("unix", connections[index % 3]!.port);
  const calls = Array.from({ length: 2_500 }, (_, index) => call(index));
  assert.ok(calls.every((each) => !tracker.isTooMany(each)));
  const more = call(0);
  assert.ok(tracker.isTooMany(more));
  tracker.end(more);
  assert.ok(!tracker.isTooMany(calls[0]!));
  // Another caller, and a connection without a principal, have limits of their own.
  assert.ok(!tracker.isTooMany(tracker.addCall("unix", connect("user 1001").port)));
  assert.ok(!tracker.isTooMany(tracker.addCall("unix", connect().port)));
  // Calls of a closed connection no longer count.
  connections[1]!.socket.destroy();
  for (let count = 0; count < 833; count++) assert.ok(!tracker.isTooMany(call(0)));
  assert.ok(tracker.isTooMany(call(0)));
});

test("the calls of a connection count for its caller when that is known", () => {
  const { tracker, connect } = trackerWorld();
  const known = connect("user 1000");
  for (let count = 0; count < 2_499; count++) tracker.addCall("unix", known.port);
  const unknown = connect();
  const [first, second] = [
    tracker.addCall("unix", unknown.port),
    tracker.addCall("unix", unknown.port),
  ];
  assert.ok(!tracker.isTooMany(first));
  tracker.admit(first, "user 1000");
  assert.ok(tracker.isTooMany(second));
  tracker.end(first);
  assert.ok(!tracker.isTooMany(second));
});

test("responses count until the system has taken them, also after their calls", () => {
  const { tracker, connect } = trackerWorld();
  const lazy = connect();
  let reads = 0;
  tracker.onRead(() => reads += 1);
  const call = tracker.addCall("unix", lazy.port);
  tracker.countResponse(call, 4 * MIB);
  assert.equal(tracker.hasRoom(lazy.peer), false);
  // Includes its headers. Bytes in the socket may belong to an open call: they count once.
  lazy.guard.setQueuedBytes(4 * MIB + 100);
  // The socket has the response and its stream is closed, but the client has not read it.
  tracker.end(call);
  assert.equal(tracker.hasRoom(lazy.peer), false);
  assert.equal(reads, 0);
  lazy.guard.setQueuedBytes(2 * MIB);
  assert.equal(tracker.hasRoom(lazy.peer), true);
  assert.equal(reads, 1);
  // A canceled response that never reached the socket no longer counts.
  const canceled = tracker.addCall("unix", lazy.port);
  tracker.countResponse(canceled, 4 * MIB);
  assert.equal(tracker.hasRoom(lazy.peer), false);
  tracker.end(canceled);
  assert.equal(tracker.hasRoom(lazy.peer), true);
  const other = connect();
  other.guard.setQueuedBytes(30 * MIB);
  assert.equal(other.guard.complaint, null);
  other.guard.setQueuedBytes(31 * MIB);
  assert.equal(other.guard.complaint, "too many unread responses");
});
