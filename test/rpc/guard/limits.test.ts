import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  LookupInstancesRequestSchema,
  ScheduleJobRequestSchema,
  VersionResponseSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { framed, HTTP2_START, http2Call, http2Frame } from "../../support/raw_grpc.ts";
import { rawCall, rawSession, rawSocket } from "../../support/raw_grpc.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const SCHEDULE = "/job.v1.JobService/ScheduleJob";
const VERSION = "/job.v1.JobService/GetVersion";
const ECHO = toBinary(ScheduleJobRequestSchema, create(ScheduleJobRequestSchema, { kind: "echo" }));
const NOTHING = framed(new Uint8Array());

/** Bytes of a group that is opened `depth` times (field 500, wire type 3). */
function groups(depth: number): Uint8Array {
  return Buffer.concat(Array.from({ length: depth }, () => Buffer.from([0xa3, 0x1f])));
}

const BODIES: Readonly<Record<string, { body: Uint8Array; is: number; gzip?: boolean }>> = {
  "its UTF-8 is invalid": {
    body: framed(Uint8Array.of(0x0a, 2, 0xff, 0xfe)),
    is: status.INVALID_ARGUMENT,
  },
  "an argument's UTF-8 is invalid": {
    body: framed(Uint8Array.of(0x5a, 3, 0x61, 0xc0, 0x80)),
    is: status.INVALID_ARGUMENT,
  },
  "the message is truncated": {
    body: framed(Uint8Array.of(0x0a, 20, 0x41)),
    is: status.INVALID_ARGUMENT,
  },
  "a tag is illegal": { body: framed(Uint8Array.of(0, 0)), is: status.INVALID_ARGUMENT },
  "50,000 groups are nested": { body: framed(groups(50_000)), is: status.INVALID_ARGUMENT },
  "it is larger than 4 MiB": {
    body: framed(new Uint8Array(4 * 1024 * 1024 + 1)),
    is: status.RESOURCE_EXHAUSTED,
  },
  "its prefix says 4 GiB": {
    body: framed(ECHO, { length: 0xffff_ffff }),
    is: status.RESOURCE_EXHAUSTED,
  },
  "it unpacks to 64 MiB": {
    body: framed(gzipSync(new Uint8Array(64 * 1024 * 1024)), { compressed: true }),
    is: status.RESOURCE_EXHAUSTED,
    gzip: true,
  },
  "its flag says compressed and no header says how": {
    body: framed(ECHO, { compressed: true }),
    is: status.INTERNAL,
  },
  "its flag is unknown": {
    body: Buffer.concat([Uint8Array.of(2), framed(ECHO).subarray(1)]),
    is: status.INTERNAL,
  },
  "it has two messages": {
    body: Buffer.concat([framed(ECHO), framed(ECHO)]),
    is: status.UNIMPLEMENTED,
  },
  "it has no message": { body: new Uint8Array(), is: status.UNIMPLEMENTED },
  "it has unknown fields": {
    body: framed(Buffer.concat([ECHO, Buffer.from([0xf8, 0x3e, 1])])),
    is: status.OK,
  },
};

for (const [what, { body, is, gzip }] of Object.entries(BODIES)) {
  test(`a call is answered ${status[is]} when ${what} (64)`, async () => {
    await using world = await rpcWorld();
    const session = rawSession(world.port);
    const headers = gzip ? { "grpc-encoding": "gzip" } : {};
    const answer = await rawCall(session, SCHEDULE, body, headers as Record<string, string>);
    assert.equal(answer.status, is, answer.message);
    assert.equal(world.manager.scheduled.length, is === status.OK ? 1 : 0);
    const next = await rawCall(session, VERSION, NOTHING);
    assert.equal(next.status, status.OK, "the connection is usable");
    session.destroy();
  });
}

test("an unknown method is answered UNIMPLEMENTED", async () => {
  await using world = await rpcWorld();
  const session = rawSession(world.port);
  const answer = await rawCall(session, "/job.v1.JobService/Nope", NOTHING);
  assert.equal(answer.status, status.UNIMPLEMENTED);
  session.destroy();
});

const SLOW: Readonly<Record<string, Buffer>> = {
  "is silent": Buffer.alloc(0),
  "sends half a preface": HTTP2_START.subarray(0, 12),
  "sends the preface alone": HTTP2_START,
  "begins a call and sends no body": Buffer.concat([HTTP2_START, http2Call(1, VERSION)]),
  "begins a call that does not exist": Buffer.concat([HTTP2_START, http2Call(1, "/a.B/C")]),
  "stops in the middle of a message": Buffer.concat([
    HTTP2_START,
    http2Call(1, VERSION),
    http2Frame(0, 0, 1, Buffer.from([0, 0, 0, 1, 0, 7])),
  ]),
};

for (const [what, bytes] of Object.entries(SLOW)) {
  test(`a connection is closed within 20 s when it ${what} (65)`, async () => {
    const clock = new SimClock();
    await using world = await rpcWorld({ clock });
    const { socket, closed } = rawSocket(world.port);
    socket.write(bytes);
    // A response on another connection shows that the first one's bytes have been read.
    assert.equal((await world.client().getVersion()).apiVersion, "v1");
    await clock.advance(14_000);
    assert.equal(socket.destroyed, false);
    assert.equal((await world.client().getVersion()).apiVersion, "v1", "others are served");
    await clock.advance(6_000);
    await closed;
  });
}

test("a connection lives on while its call runs", async () => {
  const clock = new SimClock();
  await using world = await rpcWorld({ clock });
  const { id } = world.manager.add({ state: "processing" });
  const waiting = world.client({ timeoutMs: 60_000 }).waitInstance({ uuid: id, waitMs: 60_000n });
  while (world.manager.waits.length === 0) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await clock.advance(40_000);
  world.manager.waits[0]!({ ...world.manager.instances.get(id)!, state: "completed" });
  assert.equal((await waiting).instance?.uuid, id);
});

test("a call with empty DATA frames is answered", async () => {
  await using world = await rpcWorld();
  const { socket, closed } = rawSocket(world.port);
  const empty = Buffer.alloc(0);
  const answered = new Promise<Buffer>((resolve) => {
    let all = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.includes("0.0.0-test")) resolve(all);
    });
  });
  socket.write(Buffer.concat([
    HTTP2_START,
    http2Call(1, VERSION),
    http2Frame(0, 0, 1, empty),
    http2Frame(0, 0, 1, NOTHING.subarray(0, 2)),
    http2Frame(0, 0, 1, empty),
    http2Frame(0, 0, 1, NOTHING.subarray(2)),
    http2Frame(0, 1, 1, empty),
  ]));
  assert.ok(await answered);
  socket.destroy();
  await closed;
});

test("messages over 65,535 bytes pass both ways", async () => {
  await using world = await rpcWorld();
  const text = "€".repeat(100_000);
  const { instance } = await world.client().scheduleJob({ kind: "echo", arguments: [text, text] });
  assert.deepEqual(instance?.arguments, [text, text]);
});

test("a message of almost 4 MiB passes", async () => {
  await using world = await rpcWorld();
  const text = "x".repeat(4_190_000);
  const { instance } = await world.client().scheduleJob({ kind: "echo", arguments: [text] });
  assert.equal(instance?.arguments[0]?.length, text.length);
});

test("3,000 calls pass on one connection", async () => {
  await using world = await rpcWorld();
  const client = world.client();
  for (let round = 0; round < 30; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.getVersion()));
    assert.ok(answers.every(({ apiVersion }) => apiVersion === "v1"));
  }
});

test("GetVersion returns go-job's fields", async () => {
  await using world = await rpcWorld();
  const session = rawSession(world.port);
  const { body } = await rawCall(session, VERSION, NOTHING);
  const answer = fromBinary(VersionResponseSchema, body.subarray(5));
  assert.deepEqual([answer.version, answer.apiVersion], ["0.0.0-test", "v1"]);
  session.destroy();
});

test("LookupInstances returns smaller pages when the instances are large", async () => {
  await using world = await rpcWorld();
  const large = JSON.stringify(["x".repeat(1_000_000)]);
  for (let count = 0; count < 10; count++) world.manager.add({ argumentsJson: large });
  const client = world.client();
  const seen: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await client.lookupInstances({ query: { pageToken } });
    seen.push(...page.instances.map(({ uuid }) => uuid));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  assert.deepEqual(seen, [...world.manager.instances.keys()]);
});

test("LookupInstances without a query returns all, in pages of 1,000", async () => {
  await using world = await rpcWorld();
  for (let count = 0; count < 1_001; count++) world.manager.add();
  const session = rawSession(world.port);
  const bare = toBinary(LookupInstancesRequestSchema, create(LookupInstancesRequestSchema, {}));
  const answer = await rawCall(session, "/job.v1.JobService/LookupInstances", framed(bare));
  assert.equal(answer.status, status.OK);
  session.destroy();
  const page = await world.client().lookupInstances();
  assert.equal(page.instances.length, 1_000);
  const rest = await world.client().lookupInstances({ query: { pageToken: page.nextPageToken } });
  assert.equal(rest.instances.length, 1);
  assert.equal(rest.nextPageToken, undefined);
});

test("CancelInstances returns the total when not all fit into the response", async () => {
  await using world = await rpcWorld();
  for (let count = 0; count < 7_000; count++) world.manager.add();
  const { instances, count } = await world.client().cancelInstances({ all: true });
  assert.equal(count, 7_000n);
  assert.ok(instances.length > 5_000 && instances.length < 7_000);
});
