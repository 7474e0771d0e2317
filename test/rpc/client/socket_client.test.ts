import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError, type JobError } from "../../../src/core/errors.ts";
import { MESSAGE_BYTES_MAX } from "../../../src/rpc/limits.ts";
import { connectAtOnce } from "../../../src/rpc/client/socket_client.ts";
import { connectionInfo } from "../../../src/rpc/client/connection_info.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";

async function errorOf(promise: Promise<unknown>): Promise<JobError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(isJobError(error), String(error));
    return error;
  }
  throw new Error("It did not reject");
}

function withFolder<T>(run: (socket: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-socket-"));
  return run(join(folder, "s.sock")).finally(() => rmSync(folder, { recursive: true }));
}

async function socketWorld() {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-socket-"));
  const socket = join(folder, "s.sock");
  const world = await rpcWorld({ server: { socket } });
  const client = await connectAtOnce({ socket, timeoutMs: 5_000 });
  return {
    ...{ world, client, socket },
    async [Symbol.asyncDispose]() {
      client.close();
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("a client of the socket gets what the ordinary client gets", async () => {
  await using given = await socketWorld();
  const { world, client } = given;
  const ordinary = world.client();
  const { id } = world.manager.add({ state: "processing", argumentsJson: '["é",1]' });
  assert.deepEqual({ ...(await client.getStatus()) }, { ...(await ordinary.getStatus()) });
  assert.deepEqual(
    structuredClone(await client.getInstance({ uuid: id })),
    structuredClone(await ordinary.getInstance({ uuid: id })),
  );
  const query = { kinds: ["echo"], states: [4, 64], pageSize: 5 };
  assert.deepEqual(
    structuredClone(await client.lookupInstances({ query })),
    structuredClone(await ordinary.lookupInstances({ query })),
  );
});

test("a client of the socket rejects with the server's own error", async () => {
  await using given = await socketWorld();
  const error = await errorOf(given.client.getJob({ kind: "nope “é”" }));
  assert.equal(error.code, "not_found");
  assert.equal(error.message, 'Cannot find job "nope “é”": no such kind');
  const own = await errorOf(given.world.client().getJob({ kind: "nope “é”" }));
  assert.deepEqual([error.hint, error.path, error.options], [own.hint, own.path, own.options]);
});

test("a client of the socket asks for JSON values, and follows", async () => {
  await using given = await socketWorld();
  const { world, socket } = given;
  const added = world.manager.add({ state: "completed", argumentsJson: '["1"]' });
  world.manager.follow = async function* () {
    yield { entries: [], cursor: "1", instance: added, changed: [], hasMissed: false };
  };
  const client = await connectAtOnce({ socket, values: "json" });
  const { instance } = await client.getInstance({ uuid: added.id });
  assert.equal(instance?.argumentsJson, '["1"]');
  const steps = [];
  for await (const { cursor } of client.follow({ query: { uuid: added.id } })) steps.push(cursor);
  assert.deepEqual(steps, ["1"]);
  client.close();
});

test("a client of the socket connects again after the daemon closed the connection", async () => {
  await withFolder(async (socket) => {
    const first = await rpcWorld({ server: { socket } });
    const client = await connectAtOnce({ socket, timeoutMs: 5_000 });
    await client.getVersion();
    await first[Symbol.asyncDispose]();
    const lost = await errorOf(client.getVersion());
    assert.equal(lost.code, "unavailable");
    assert.ok(lost.message.startsWith(`Cannot reach the daemon at ${socket}: `), lost.message);
    assert.match(lost.hint ?? "", /jobctl serve/);
    const second = await rpcWorld({ server: { socket } });
    await client.getVersion();
    client.close();
    await second[Symbol.asyncDispose]();
  });
});

test("calls at the same time share one connection, which ends with the client", async () => {
  await withFolder(async (socket) => {
    const sessions: ServerHttp2Session[] = [];
    const server = createHttp2Server();
    server.on("session", (session) => sessions.push(session));
    const answer = answerWith(new Uint8Array(5), "0");
    server.on("stream", (stream: ServerHttp2Stream) => answer(stream));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const client = await connectAtOnce({ socket, timeoutMs: 5_000 });
    await Promise.all([client.getVersion(), client.getStatus(), client.listPauses()]);
    client.close();
    // It waits for open connections.
    await new Promise<void>((resolve) => server.close(() => resolve()));
    assert.equal(sessions.length, 1);
  });
});

test("the first call rejects when nobody listens at the named socket", async () => {
  const client = await connectAtOnce({ socket: "/tmp/no/such.sock" });
  const error = await errorOf(client.getVersion());
  assert.equal(error.code, "unavailable");
  assert.equal(error.message, "Cannot reach the daemon at /tmp/no/such.sock: ENOENT");
});

test("connectionInfo() has the socket of a client", async () => {
  await using given = await socketWorld();
  await given.client.getVersion();
  const found = await connectionInfo(given.client);
  assert.equal(found?.address, given.socket);
  assert.deepEqual([found.triedSockets, found.isReady()], [[], true]);
});

test("connectAtOnce() returns the ordinary client when there is no socket", async () => {
  await using world = await rpcWorld();
  const client = await connectAtOnce({ host: "127.0.0.1", port: world.port, socket: null });
  assert.deepEqual({ ...(await client.getVersion()) }, { ...(await world.client().getVersion()) });
  client.close();
});

test("a call over the socket ends at its time limit, or when it is canceled", async () => {
  await withFolder(async (socket) => {
    const sockets: Socket[] = [];
    const server = createServer((accepted) => sockets.push(accepted));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const client = await connectAtOnce({ socket, timeoutMs: 50 });
    const late = await errorOf(client.getVersion());
    assert.equal(late.code, "unavailable");
    assert.equal(
      late.message,
      `Cannot reach the daemon at ${socket}: no connection within 50 ms`,
    );
    const abort = new AbortController();
    const canceled = errorOf(client.getVersion({}, { signal: abort.signal, timeoutMs: 60_000 }));
    abort.abort();
    assert.equal((await canceled).code, "canceled");
    assert.equal((await errorOf(client.getVersion({}, { signal: abort.signal }))).code, "canceled");
    client.close();
    for (const accepted of sockets) accepted.destroy();
    server.close();
  });
});

type Answer = (stream: ServerHttp2Stream) => void;

const OK = { ":status": 200, "content-type": "application/grpc" };

function answerWith(bytes: Uint8Array, status: string): Answer {
  return (stream) => {
    stream.respond(OK, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
    stream.end(bytes);
  };
}

const STRANGE: readonly [name: string, answer: Answer, code: string, message: RegExp][] = [
  ["no message", answerWith(new Uint8Array(0), "0"), "internal", /the response is empty$/],
  ["half a prefix", answerWith(Uint8Array.of(0, 0), "0"), "internal", /is not one message$/],
  ["a wrong length", answerWith(Uint8Array.of(0, 0, 0, 0, 9, 1), "0"), "internal", /one message$/],
  ["compression", answerWith(Uint8Array.of(1, 0, 0, 0, 1, 1), "0"), "internal", /one message$/],
  ["no protobuf", answerWith(Uint8Array.of(0, 0, 0, 0, 1, 10), "0"), "internal", /not a message/],
  ["a status of no text", answerWith(new Uint8Array(0), "14"), "unavailable", /Cannot reach/],
  [
    "an HTTP status",
    (stream) => stream.respond({ ":status": 502 }, { endStream: true }),
    "unavailable",
    /502/,
  ],
  ["a reset", (stream) => stream.destroy(new Error("reset")), "unavailable", /Cannot reach/],
  [
    "too much",
    answerWith(new Uint8Array(MESSAGE_BYTES_MAX + 6), "0"),
    "resource_exhausted",
    /larger than max/,
  ],
];

for (const [name, answer, code, message] of STRANGE) {
  test(`a call over the socket fails when the response has ${name}`, async () => {
    await withFolder(async (socket) => {
      const server = createHttp2Server();
      server.on("sessionError", () => {});
      server.on("stream", (stream: ServerHttp2Stream) => {
        stream.on("error", () => {});
        answer(stream);
      });
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      const client = await connectAtOnce({ socket, timeoutMs: 5_000 });
      const error = await errorOf(client.getVersion());
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      client.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
  });
}
