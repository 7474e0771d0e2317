import assert from "node:assert/strict";
import { existsSync, renameSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { ServerConfig } from "../../../src/platform/network/server_config.ts";
import { readTokenFile } from "../../../src/rpc/auth/token_file.ts";
import { NO_AUTH, rpcWorld, tokenEntry } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { tlsFile } from "../../support/tls_files.ts";

const TLS = { cert: tlsFile("server.crt"), key: tlsFile("server.key"), clientCa: null };

async function refusesToStart(
  server: Partial<ServerConfig>,
  code: ErrorCode,
  text: string,
): Promise<void> {
  await using world = await rpcWorld({ server, isStarted: false });
  await assert.rejects(world.server.start(), (error) => {
    assert.ok(isJobError(error, code), String(error));
    assert.ok(error.message.includes(text), error.message);
    assert.ok(error.hint);
    return true;
  });
}

test("start() does without the port while another process has it, and its socket serves (107)", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  const clock = new SimClock();
  await using taken = await rpcWorld({ server: { port, socket }, clock });
  assert.deepEqual(taken.server.addresses, { tcp: null, socket });
  assert.ok(taken.server.tcp?.problem?.message.includes(`127.0.0.1:${port}`));
  assert.equal((await taken.client({ port, socket }).getVersion()).apiVersion, "v1");
  await new Promise<void>((resolve) => void other.close(() => resolve()));
  await clock.advance(3_000);
  while (taken.server.tcp?.listener === null) await clock.settle();
  assert.deepEqual(taken.server.addresses.tcp, { host: "127.0.0.1", port });
  assert.equal((await taken.client({ port }).getVersion()).apiVersion, "v1");
});

test("start() refuses if a daemon listens at the socket, also while the port is taken", async () => {
  await using first = await rpcWorld({ isStarted: false });
  const socket = join(first.folder, "d.sock");
  await using _daemon = await rpcWorld({ server: { socket } });
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  await refusesToStart({ port, socket }, "conflict", "another daemon is listening there");
  other.close();
});

test("start() refuses when the address is not of this machine (60)", async () => {
  await refusesToStart(
    { host: "192.0.2.1", port: 1_234, allowInsecure: true },
    "invalid_config",
    "192.0.2.1:1234",
  );
});

for (
  const [what, server] of [
    ["without TLS and authentication", {}],
    ["without authentication", { tls: TLS }],
    ["without TLS", { auth: { ...NO_AUTH, mode: "token", tokenFile: "/nowhere" } }],
  ] as readonly [string, Partial<ServerConfig>][]
) {
  test(`start() refuses a wider host ${what}`, async () => {
    await refusesToStart({ host: "0.0.0.0", ...server }, "invalid_config", "0.0.0.0");
  });
}

test("start() takes a wider host when allowInsecure is set", async () => {
  await using world = await rpcWorld({ server: { host: "0.0.0.0", allowInsecure: true } });
  assert.equal((await world.client().getVersion()).version, "0.0.0-test");
});

test("start() refuses mtls without a client CA", async () => {
  await refusesToStart({ tls: TLS, auth: { ...NO_AUTH, mode: "mtls" } }, "invalid_config", "mtls");
});

test("start() refuses a bad certificate rather than serve plaintext (61)", async () => {
  await refusesToStart(
    { tls: { ...TLS, cert: tlsFile("expired.crt") } },
    "invalid_config",
    "expired.crt",
  );
});

test("start() makes the socket with mode 0600 in a folder of its own", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "run", "d.sock");
  await using other = await rpcWorld({ server: { socket } });
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(join(world.folder, "run")).mode & 0o077, 0);
  assert.equal(other.server.addresses.socket, socket);
});

test("start() lets a group pass through the folder that it makes", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "run", "d.sock");
  const socketGroup = String(process.getgid?.() ?? 0);
  await using _other = await rpcWorld({ server: { socket, socketGroup } });
  assert.equal(statSync(join(world.folder, "run")).mode & 0o777, 0o711);
  assert.equal(statSync(socket).mode & 0o777, 0o660);
});

test("stop() removes the socket file", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  {
    await using _other = await rpcWorld({ server: { socket } });
    assert.ok(existsSync(socket));
  }
  assert.equal(existsSync(socket), false);
});

test("start() replaces the socket file of a dead daemon", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  await leaveSocket(socket);
  assert.ok(statSync(socket).isSocket());
  await using other = await rpcWorld({ server: { socket } });
  assert.equal((await other.client({ socket }).getVersion()).apiVersion, "v1");
});

/** A socket file at which nobody listens: renamed, so that closing does not find it. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve));
  renameSync(`${path}.live`, path);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

test("start() refuses when another daemon listens at the socket", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  await using first = await rpcWorld({ server: { socket } });
  await refusesToStart({ socket }, "conflict", socket);
  assert.equal((await first.client({ socket }).getVersion()).apiVersion, "v1");
});

test("start() refuses when a file other than a socket is at the path", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  writeFileSync(socket, "precious");
  await refusesToStart({ socket }, "conflict", socket);
  assert.ok(existsSync(socket));
});

test("start() refuses a socket path that is too long", async () => {
  await refusesToStart({ socket: `/tmp/${"x".repeat(120)}.sock` }, "invalid_config", "107");
});

test("start() refuses an unknown group and leaves no socket", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  await refusesToStart({ socket, socketGroup: "no-such-group" }, "invalid_config", "no-such-group");
  assert.equal(existsSync(socket), false);
});

test("the server asks for a token over TCP and for none over the socket", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const socket = join(world.folder, "d.sock");
  const tokenFile = join(world.folder, "token");
  await using guarded = await rpcWorld({
    server: { socket, auth: { ...NO_AUTH, mode: "token", tokenFile } },
  });
  assert.equal((await guarded.client({ socket }).getVersion()).apiVersion, "v1");
  const token = readTokenFile(tokenFile);
  assert.equal((await guarded.client({ token }).getVersion()).apiVersion, "v1");
  for (const wrong of ["", "nope", "x".repeat(10_000)]) {
    await assert.rejects(
      guarded.client({ token: wrong }).getVersion(),
      (error) => isJobError(error, "unauthenticated"),
    );
  }
});

test("the server names the role that is needed", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const tokenFile = join(world.folder, "token");
  await using guarded = await rpcWorld({
    server: {
      auth: {
        ...NO_AUTH,
        mode: "token",
        tokens: [tokenEntry("ci", "ci-token", "operator")],
        tokenFile,
      },
    },
  });
  const client = guarded.client({ token: "ci-token" });
  assert.equal((await client.scheduleJob({ kind: "echo" })).instance?.kind, "echo");
  await assert.rejects(client.resizeWorkers({ count: 2 }), (error) => {
    assert.ok(isJobError(error, "permission_denied"));
    assert.ok(error.message.includes("admin"));
    return true;
  });
});

test("the server never reads the body of a call without a token (67)", async () => {
  await using world = await rpcWorld({ isStarted: false });
  const tokenFile = join(world.folder, "token");
  await using guarded = await rpcWorld({
    server: { auth: { ...NO_AUTH, mode: "token", tokenFile } },
  });
  const client = guarded.client({ token: "nope" });
  const args = Array.from({ length: 30 }, () => "x".repeat(100_000));
  await assert.rejects(
    client.scheduleJob({ kind: "echo", arguments: args }),
    (error) => isJobError(error, "unauthenticated"),
  );
  assert.deepEqual(guarded.manager.scheduled, []);
});

test("the server speaks TLS to a name and to an address", async () => {
  await using world = await rpcWorld({ server: { tls: TLS } });
  const tls = { ca: tlsFile("server.crt") };
  for (const host of ["localhost", "127.0.0.1"]) {
    assert.equal((await world.client({ host, tls }).getVersion()).apiVersion, "v1");
  }
});

test("the client refuses a certificate of another CA, and plaintext gets nothing", async () => {
  await using world = await rpcWorld({ server: { tls: TLS } });
  for (const tls of [{ ca: tlsFile("other.crt") }, null]) {
    await assert.rejects(
      world.client({ host: "localhost", tls }).getVersion(),
      (error) => isJobError(error, "unavailable"),
    );
  }
});

test("the server asks for a client certificate when auth.mode is mtls", async () => {
  const clientCa = tlsFile("server.crt");
  await using world = await rpcWorld({
    server: { tls: { ...TLS, clientCa }, auth: { ...NO_AUTH, mode: "mtls" } },
  });
  const ca = tlsFile("server.crt");
  const own = { ca, cert: tlsFile("server.crt"), key: tlsFile("server.key") };
  assert.equal((await world.client({ tls: own }).getVersion()).apiVersion, "v1");
  const other = { ca, cert: tlsFile("other.crt"), key: tlsFile("other.key") };
  for (const tls of [{ ca }, other]) {
    await assert.rejects(
      world.client({ tls }).getVersion(),
      (error) => isJobError(error, "unavailable"),
    );
  }
});

test("stop() lets a call in flight finish and accepts no other", async () => {
  const world = await rpcWorld();
  const { id } = world.manager.add({ state: "processing" });
  const waiting = world.client().waitInstance({ uuid: id, waitMs: 5_000n });
  while (world.manager.waits.length === 0) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const { port } = world;
  const stopped = world.server.stop();
  world.manager.waits[0]!({ ...world.manager.instances.get(id)!, state: "completed" });
  assert.equal((await waiting).instance?.uuid, id);
  await stopped;
  const code = await new Promise((resolve) => {
    connect(port, "127.0.0.1").once("error", (error) => resolve((error as { code?: string }).code))
      .once("connect", () => resolve("connected"));
  });
  assert.equal(code, "ECONNREFUSED");
  await world[Symbol.asyncDispose]();
});

test("stop() is allowed after a start that failed", async () => {
  await using world = await rpcWorld({ isStarted: false, server: { host: "0.0.0.0" } });
  await assert.rejects(world.server.start());
  await world.server.stop();
});
