import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { JobError } from "../../../src/core/errors.ts";
import { connect } from "../../../src/rpc/client/client.ts";
import { GRPC_STATUS } from "../../../src/rpc/errors.ts";
import { toClientError } from "../../../src/rpc/client/call_error.ts";
import { connectDetail, connectHint } from "../../../src/rpc/client/connect_problem.ts";
import { runtimeDir, socketPath, socketPaths } from "../../../src/rpc/socket_path.ts";
import { NO_AUTH, rpcWorld, tokenEntry } from "../../support/worlds/rpc_world.ts";

const UUID = "019b77c0-0000-7000-8000-000000000001";

async function errorOf(promise: Promise<unknown>): Promise<JobError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(isJobError(error), String(error));
    return error;
  }
  throw new Error("It did not reject");
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

test("connect() connects to nothing before the first call", async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.unref()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port, socket: null, tokenFile: "/nowhere" });
  try {
    // Connections are accepted in order: one of the client would come before this one.
    const probe = createConnection(port, "127.0.0.1");
    await Promise.all([once(server, "connection"), once(probe, "connect")]);
    assert.equal(accepted.length, 1);
    assert.equal(accepted[0]!.remotePort, probe.localPort);
    probe.destroy();
  } finally {
    client.close();
    server.close();
  }
});

test("a call rejects with unavailable when nobody listens, naming address and remedy", async () => {
  const port = await closedPort();
  const client = connect({ host: "127.0.0.1", port, socket: null });
  const error = await errorOf(client.getVersion());
  assert.equal(error.code, "unavailable");
  const address = `127.0.0.1:${port}`;
  assert.equal(
    error.message,
    `Cannot reach the daemon at ${address}: connect ECONNREFUSED ${address}`,
  );
  assert.ok(error.hint?.includes("jobctl serve"));
  client.close();
});

test("a call rejects with unavailable when the peer never speaks", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port, socket: null, timeoutMs: 200 });
  const error = await errorOf(client.getVersion());
  assert.ok(["unavailable", "timeout"].includes(error.code));
  assert.ok(error.message.includes(`127.0.0.1:${port}`));
  client.close();
  server.close();
});

test("a call rejects with unavailable when nobody listens at the named socket", async () => {
  const error = await errorOf(connect({ socket: "/tmp/no/such.sock" }).getVersion());
  assert.equal(error.code, "unavailable");
  assert.ok(error.message.includes("/tmp/no/such.sock"));
});

test("connect() with JSON values gets them as JSON text, from calls and from follow()", async () => {
  await using world = await rpcWorld();
  const argumentsJson = '["1",1,{"a":["1"]}]';
  const resultsJson = '[3,"3"]';
  const added = world.manager.add({ state: "completed", argumentsJson, resultsJson });
  world.manager.follow = async function* () {
    yield { entries: [], cursor: "1", instance: added, changed: [], hasMissed: false };
  };
  const valuesOf = async (values?: "json" | "text") => {
    const client = world.client({ values });
    const { instance } = await client.getInstance({ uuid: added.id });
    const seen = [instance!];
    for await (const step of client.follow({ query: { uuid: added.id } })) {
      seen.push(step.instance!);
    }
    return seen.map((one) => [
      [one.arguments, one.results],
      [one.argumentsJson, one.resultsJson],
    ]);
  };
  const json = [[[], []], [argumentsJson, resultsJson]];
  assert.deepEqual(await valuesOf("json"), [json, json]);
  const texts = [[["1", "1", '{"a":["1"]}'], ["3", "3"]], [undefined, undefined]];
  for (const values of [undefined, "text"] as const) {
    assert.deepEqual(await valuesOf(values), [texts, texts]);
  }
});

test("a call rejects with not_found when the token file that was named is missing", async () => {
  await using world = await rpcWorld();
  const client = world.client({ tokenFile: join(world.folder, "none") });
  assert.equal((await errorOf(client.getVersion())).code, "not_found");
});

test("a call sends no token to another machine without TLS", async () => {
  const error = await errorOf(connect({ host: "192.0.2.1", token: "secret" }).getVersion());
  assert.equal(error.code, "invalid_argument");
  assert.ok(!error.message.includes("secret"));
});

test("a call rejects with the server's own error", async () => {
  await using world = await rpcWorld();
  const error = await errorOf(world.client().getJob({ kind: "nope “é”" }));
  assert.equal(error.code, "not_found");
  assert.equal(error.message, 'Cannot find job "nope “é”": no such kind');
  assert.equal(error.hint, "Known kinds: echo");
  assert.equal(error.path, "kind");
});

test("a call rejects with timeout when its deadline passes (70)", async () => {
  await using world = await rpcWorld();
  world.manager.add({ state: "processing" });
  const client = world.client();
  await client.getVersion();
  const call = client.waitInstance({ uuid: UUID, waitMs: 60_000n }, { timeoutMs: 100 });
  const error = await errorOf(call);
  assert.equal(error.code, "timeout");
  assert.ok(error.message.includes("100 ms"));
});

test("a call with a deadline of 0 ends at once (70)", async () => {
  await using world = await rpcWorld();
  const client = world.client();
  await client.getVersion();
  assert.equal((await errorOf(client.getVersion({}, { timeoutMs: 0 }))).code, "timeout");
});

test("a wait ends when its client cancels (70)", async () => {
  await using world = await rpcWorld();
  const { waits } = world.manager;
  world.manager.add({ state: "processing" });
  const abort = new AbortController();
  const call = world.client().waitInstance({ uuid: UUID, waitMs: 60_000n }, {
    signal: abort.signal,
  });
  while (waits.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  abort.abort();
  assert.equal((await errorOf(call)).code, "canceled");
  // Once the server has seen the cancel, the wait ends with its slice.
  await world.client().getVersion();
  waits[0]!(null);
  await world.client().getVersion();
  assert.equal(waits.length, 1);
});

test("a call that was aborted before is not made", async () => {
  await using world = await rpcWorld();
  const signal = AbortSignal.abort();
  const call = world.client().scheduleJob({ kind: "echo" }, { signal });
  assert.equal((await errorOf(call)).code, "canceled");
  assert.equal(world.manager.scheduled.length, 0);
});

test("runtimeDir() is the system's for root and the user's for others", () => {
  assert.equal(runtimeDir(0, "/run/user/0"), "/run/jobctl");
  assert.equal(runtimeDir(1000, "/run/user/1000"), "/run/user/1000/jobctl");
  assert.ok(runtimeDir(1000, "").endsWith("/jobctl-1000"));
  assert.ok(socketPath(59051).endsWith("/jobctl-59051.sock"));
});

test("a client whose token is refused reads its file again, and continues with a new one", async () => {
  const tokens = [tokenEntry("now", "b".repeat(32), "admin")];
  await using world = await rpcWorld({ server: { auth: { ...NO_AUTH, mode: "token", tokens } } });
  const tokenFile = join(world.folder, "token");
  writeFileSync(tokenFile, "a".repeat(32));
  const client = world.client({ tokenFile });
  const refused = await errorOf(client.getVersion());
  assert.equal(refused.code, "unauthenticated");
  writeFileSync(tokenFile, "b".repeat(32));
  assert.ok(await client.getVersion());
  writeFileSync(tokenFile, "c".repeat(32));
  assert.ok(await client.getVersion(), "what is taken is not read again");
  const following = world.client({ tokenFile });
  const first = async () => {
    for await (const message of following.follow({})) return message;
    return null;
  };
  assert.equal((await errorOf(first())).code, "unauthenticated");
  writeFileSync(tokenFile, "b".repeat(32));
  assert.ok(await first());
});

test("the socket of a daemon of another user is looked for in that user's folders", () => {
  const paths = socketPaths(59051, 4242);
  assert.equal(paths[0], "/run/user/4242/jobctl/jobctl-59051.sock");
  assert.ok(paths[1]!.endsWith("/jobctl-4242/jobctl-59051.sock"));
  assert.ok(paths.includes(socketPath(59051)) && paths.includes("/run/jobctl/jobctl-59051.sock"));
});

test("the error of a call without a message names its status", () => {
  const peer = { address: "a:1", isTls: false, isReady: () => true, refusal: () => null };
  const call = { action: "Cannot call GetStatus at a:1", timeoutMs: 1 };
  const failed = (details: string) =>
    toClientError({ code: 13, details, trailers: {} }, peer, call).message;
  assert.equal(failed(""), "Cannot call GetStatus at a:1: gRPC status 13, without a message");
  assert.equal(failed("it broke"), "Cannot call GetStatus at a:1: it broke");
});

test("the problem of a connection is reported with its remedy", () => {
  const around = (text: string) =>
    connectDetail(`No connection established. Last error: ${text}. Resolution note: `);
  assert.equal(around("Failed to connect (2026-11-27T06:11:20.930Z)"), "Failed to connect");
  assert.equal(around("Error [ERR_X]: it is so"), "it is so");
  const hint = (detail: string, isTls = true) =>
    connectHint(detail, { isTls, address: "localhost:1" });
  assert.match(hint("TLSV1_ALERT_CERTIFICATE_REQUIRED"), /--tls-cert FILE/);
  assert.match(hint("self signed certificate in certificate chain"), /--tls-ca FILE/);
  assert.match(hint("Hostname/IP does not match certificate's altnames"), /--host/);
  assert.match(hint("read ECONNRESET"), /revoked/);
  for (const other of ["h2 is not supported", "Protocol error", "OPENSSL:WRONG_VERSION_NUMBER"]) {
    assert.match(hint(other), /No jobctl with TLS listens there/);
  }
  assert.match(hint("Failed to connect", false), /--tls/);
  assert.match(hint("Protocol error", false), /ss -ltnp/);
  assert.match(hint("Name resolution failed for target dns:x:1", false), /No such host/);
  assert.match(hint("connect ECONNREFUSED 127.0.0.1:1", false), /jobctl serve/);
});

test("an error that is not of a daemon has a remedy, too", () => {
  const peer = { address: "localhost:1", isTls: false, isReady: () => true, refusal: () => null };
  const failure = { code: GRPC_STATUS.internal, details: "status 301", trailers: {} };
  const error = toClientError(failure, peer, { action: "Cannot call", timeoutMs: 1 });
  assert.equal(error.message, "Cannot call: status 301");
  assert.match(error.hint!, /--host and --port/);
});
