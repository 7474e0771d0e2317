import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionGuard } from "../../../src/rpc/guard/connection_guard.ts";
import { HeaderBlock } from "../../../src/rpc/guard/header_block.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const END_HEADERS = 0x4;

/** A frame of HTTP/2. */
function frame(type: number, flags: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(9 + payload.byteLength);
  new DataView(bytes.buffer).setUint32(0, payload.byteLength << 8 | type);
  bytes[4] = flags;
  bytes[8] = 1;
  bytes.set(payload, 9);
  return bytes;
}

function onStream(id: number, bytes: Uint8Array): Uint8Array {
  bytes[8] = id;
  return bytes;
}

function guardWorld(options: { readonly isAdmitted?: boolean } = {}) {
  const clock = new SimClock();
  const guard = new ConnectionGuard(clock, options.isAdmitted ?? true);
  guard.receive(PREFACE);
  const repeat = (count: number, bytes: Uint8Array) => {
    for (let index = 0; index < count; index += 1) guard.receive(bytes);
  };
  return { clock, guard, repeat };
}

const CASES: readonly [string, Uint8Array, number, string][] = [
  ["SETTINGS", frame(0x4, 0), 200, "too many frames without data"],
  ["PING", frame(0x6, 0, new Uint8Array(8)), 200, "too many frames without data"],
  ["PRIORITY", frame(0x2, 0, new Uint8Array(5)), 200, "too many frames without data"],
  ["empty DATA", frame(0x0, 0), 200, "too many frames without data"],
  ["RST_STREAM", frame(0x3, 0, new Uint8Array(4)), 1_000, "too many streams were reset"],
  ["WINDOW_UPDATE", frame(0x8, 0, new Uint8Array(4)), 10_000, "too many WINDOW_UPDATE frames"],
];

for (const [name, bytes, allowed, complaint] of CASES) {
  test(`ConnectionGuard complains of more than ${allowed} ${name} at once`, () => {
    const { guard, repeat } = guardWorld();
    repeat(allowed, bytes);
    assert.equal(guard.complaint, null);
    repeat(1, bytes);
    assert.equal(guard.complaint, complaint);
  });
}

test("ConnectionGuard allows more with time", async () => {
  const { clock, guard, repeat } = guardWorld();
  const ping = frame(0x6, 0, new Uint8Array(8));
  repeat(200, ping);
  await clock.advance(1_000);
  repeat(50, ping);
  assert.equal(guard.complaint, null);
  repeat(1, ping);
  assert.notEqual(guard.complaint, null);
});

test("ConnectionGuard reads frames however they are cut", () => {
  const { guard } = guardWorld();
  const ping = frame(0x6, 0, new Uint8Array(8));
  const flood = new Uint8Array(201 * ping.byteLength);
  for (let index = 0; index < 201; index += 1) flood.set(ping, index * ping.byteLength);
  for (let offset = 0; offset < flood.byteLength; offset += 5) {
    assert.equal(guard.complaint, null, `after ${offset} bytes`);
    guard.receive(flood.subarray(offset, offset + 5));
    if (offset > 200 * ping.byteLength) break;
  }
  guard.receive(ping.subarray(0, 9));
  assert.notEqual(guard.complaint, null);
});

test("ConnectionGuard lets a client with a token make any number of calls, a stranger few", () => {
  const call = frame(0x1, END_HEADERS, Uint8Array.of(0x82));
  const known = guardWorld();
  known.repeat(1_000, call);
  assert.equal(known.guard.complaint, null);
  const stranger = guardWorld({ isAdmitted: false });
  // Calls that a client queued while it connected.
  stranger.repeat(256, call);
  assert.equal(stranger.guard.complaint, null);
  stranger.repeat(1, call);
  assert.equal(stranger.guard.complaint, "too many calls before one was accepted");
});

test("ConnectionGuard complains of a stranger who sends more than a first call takes", () => {
  const data = frame(0x0, 0, new Uint8Array(16_384));
  const known = guardWorld();
  known.repeat(100, data);
  assert.equal(known.guard.complaint, null);
  const { guard, repeat } = guardWorld({ isAdmitted: false });
  repeat(15, data);
  assert.equal(guard.complaint, null);
  repeat(1, data);
  assert.equal(guard.complaint, "too much data before a call was accepted");
});

test("ConnectionGuard lets a stranger ask for its health every second for days", async () => {
  const { clock, guard, repeat } = guardWorld({ isAdmitted: false });
  const check = frame(0x1, END_HEADERS, Uint8Array.of(0x82));
  const message = frame(0x0, 1, new Uint8Array(200));
  for (let second = 0; second < 10_000; second += 1) {
    repeat(1, check);
    repeat(1, message);
    await clock.advance(1_000);
  }
  assert.equal(guard.complaint, null);
});

test("ConnectionGuard allows a PING and a reset with every message that is sent", () => {
  const { guard, repeat } = guardWorld();
  const answer = frame(0x0, 0, new Uint8Array(100));
  for (let index = 0; index < 10_000; index += 1) {
    guard.send(answer);
    repeat(1, frame(0x6, 0, new Uint8Array(8)));
    repeat(1, frame(0x3, 0, new Uint8Array(4)));
  }
  assert.equal(guard.complaint, null);
  // No more can be saved up.
  for (let index = 0; index < 1_000; index += 1) guard.send(answer);
  repeat(201, frame(0x6, 0, new Uint8Array(8)));
  assert.equal(guard.complaint, "too many frames without data");
});

test("ConnectionGuard reports the bytes of open requests, however the frames are cut", () => {
  const { guard } = guardWorld();
  let bytes = 0;
  guard.onRequestBytes((change) => bytes += change);
  const call = (id: number) => onStream(id, frame(0x1, END_HEADERS, Uint8Array.of(0x82)));
  const data = (id: number) => onStream(id, frame(0x0, 0, new Uint8Array(1_000)));
  for (const id of [1, 3, 5]) {
    guard.receive(call(id));
    guard.receive(data(id).subarray(0, 500));
    guard.receive(data(id).subarray(500));
  }
  assert.equal(bytes, 3_000);
  // The client resets one; the server resets another, and ends the third with trailers.
  guard.receive(onStream(1, frame(0x3, 0, new Uint8Array(4))));
  assert.equal(bytes, 2_000);
  guard.send(onStream(3, frame(0x3, 0, new Uint8Array(4))));
  assert.equal(bytes, 1_000);
  const answer = [data(5), onStream(5, frame(0x1, END_HEADERS | 1, Uint8Array.of(0x82)))];
  guard.send(Buffer.concat(answer).subarray(0, 1_012));
  guard.send(Buffer.concat(answer).subarray(1_012));
  assert.equal(bytes, 0);
  // Trailers of the client do not begin another request, and late data is dropped.
  guard.receive(call(5));
  guard.receive(data(5));
  assert.equal(bytes, 0);
});

test("ConnectionGuard complains of the tenth refused call, once", () => {
  const { guard } = guardWorld({ isAdmitted: false });
  let closed = 0;
  guard.onComplaint(() => closed += 1);
  for (let index = 0; index < 9; index += 1) guard.refuse();
  assert.equal(closed, 0);
  guard.refuse();
  guard.refuse();
  assert.equal(closed, 1);
});

test("ConnectionGuard counts the resets that it makes the server send", () => {
  const { guard } = guardWorld();
  const reset = frame(0x3, 0, new Uint8Array(4));
  for (let index = 0; index < 1_000; index += 1) guard.send(reset);
  assert.equal(guard.complaint, null);
  guard.send(reset);
  assert.equal(guard.complaint, "too many streams were reset");
});

test("ConnectionGuard says farewell with GOAWAY and the last stream", () => {
  const { guard } = guardWorld();
  guard.receive(frame(0x1, END_HEADERS, Uint8Array.of(0x82)));
  assert.deepEqual([...guard.farewell()], [
    ...[0, 0, 8, 7, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 1, 0, 0, 0, 11],
  ]);
});

test("ConnectionGuard complains of a frame longer than the server allows", () => {
  const { guard } = guardWorld();
  guard.receive(Uint8Array.of(0x00, 0x40, 0x01, 0x0, 0, 0, 0, 0, 1));
  assert.equal(guard.complaint, "a frame that is too long");
});

test("HeaderBlock counts fields of all kinds, cut anywhere", () => {
  // Indexed; new name and value; known name; never indexed; table size; a value of 130 bytes.
  const fields = [
    [0x82],
    [0x40, 2, 97, 98, 1, 99],
    [0x44, 1, 47],
    [0x10, 1, 97, 0],
    [0x3f, 0x21],
    [0x41, 0x7f, 3, ...new Array<number>(130).fill(0xff)],
  ];
  for (const size of [1, 2, 7, 1_000]) {
    const block = new HeaderBlock(END_HEADERS);
    let found: string | null = null;
    const bytes = Uint8Array.from(new Array(10).fill(fields).flat(2) as number[]);
    for (let offset = 0; offset < bytes.byteLength; offset += size) {
      found ??= block.add(bytes.subarray(offset, offset + size));
    }
    assert.equal(found, null);
    assert.equal(block.add(Uint8Array.of(0x82, 0x82, 0x82, 0x82)), null);
    assert.equal(block.add(Uint8Array.of(0x82)), "too many headers");
  }
});

test("HeaderBlock refuses long, padded and endless ones", () => {
  assert.equal(new HeaderBlock(0).add(new Uint8Array(16_385)), "headers that are too long");
  assert.equal(new HeaderBlock(0x8).add(Uint8Array.of(0)), "padded headers");
  const endless = Uint8Array.from([0xff, ...new Array<number>(10).fill(0xff)]);
  assert.equal(new HeaderBlock(0).add(endless), "headers that cannot be read");
});

test("HeaderBlock reads over the priority of the first frame only", () => {
  const block = new HeaderBlock(0x20);
  assert.equal(block.add(Uint8Array.of(0, 0, 0, 0, 16)), null);
  block.endFrame();
  assert.equal(block.add(new Uint8Array(64).fill(0x82)), null);
  assert.equal(block.add(Uint8Array.of(0x82)), "too many headers");
});
