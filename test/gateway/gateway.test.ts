import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { type ErrorCode, isJobError } from "../../src/core/errors.ts";
import { Gateway, type GatewayOptions } from "../../src/gateway/gateway.ts";
import type { LiveFacts } from "../../src/manager/api.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { connect } from "../../src/rpc/client/client.ts";
import { FakeManager } from "../support/worlds/fake_manager.ts";
import { keepingLogger, type LoggedLine, NO_AUTH } from "../support/worlds/rpc_world.ts";

/** Facts of a manager that reads its store itself: never requested. */
class NoFacts implements LiveFacts {
  readonly #unasked = () => Promise.reject(new Error("nobody asks"));
  blockOf = this.#unasked;
  unservedKinds = this.#unasked;
  processesOf = this.#unasked;
  kindsOfTag = this.#unasked;
  listPauses = this.#unasked;
  kinds = this.#unasked;
  ownKinds = this.#unasked;
  isKnown = this.#unasked;
  assertKnown = this.#unasked;
  disabledBecause = this.#unasked;
  timezoneOf = this.#unasked;
}

interface WorldOptions extends Pick<GatewayOptions, "onProblems"> {
  readonly port?: number | null;
  readonly http?: boolean;
}

async function gatewayWorld(options: WorldOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-gateway-"));
  const manager = new FakeManager();
  const lines: LoggedLine[] = [];
  const gateway = new Gateway({
    manager,
    facts: new NoFacts(),
    clock: systemClock,
    logger: keepingLogger(lines),
    onProblems: options.onProblems,
    config: {
      rpc: {
        host: "127.0.0.1",
        port: options.port === undefined ? 0 : options.port,
        socket: join(folder, "s"),
        socketGroup: null,
        socketRole: "operator",
        allowInsecure: false,
        tls: null,
        auth: NO_AUTH,
      },
      database: null,
      connectionsMax: { tcp: 100, unix: 100, http: 100 },
      http: options.http
        ? {
          host: "127.0.0.1",
          port: 0,
          hosts: [],
          origins: [],
          site: { basePath: "/", publicUrl: null, trustedProxies: [] },
        }
        : null,
    },
  });
  return {
    manager,
    gateway,
    lines,
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function clientOf(gateway: Gateway) {
  const { host, port } = gateway.addresses.rpc.tcp!;
  return connect({ host, port, socket: null, timeoutMs: 5_000 });
}

test("a call over TCP and one over the socket reach the manager of the other thread", async () => {
  await using world = await gatewayWorld();
  await world.gateway.start();
  const { tcp, socket } = world.gateway.addresses.rpc;
  for (const path of [null, socket]) {
    const client = connect({ ...tcp!, socket: path, timeoutMs: 5_000 });
    const { instance } = await client.scheduleJob({ kind: "echo" });
    assert.equal(instance?.kind, "echo");
    client.close();
  }
});

test("an error keeps its code, hint and path over the threads", async () => {
  await using world = await gatewayWorld();
  await world.gateway.start();
  const client = clientOf(world.gateway);
  await assert.rejects(client.getJob({ kind: "nothing" }), (error) => {
    return isJobError(error, "not_found") && error.path === "kind";
  });
  client.close();
});

test("HTTP shows the status of the manager", async () => {
  await using world = await gatewayWorld({ http: true });
  await world.gateway.start();
  const { host, port } = world.gateway.addresses.http!;
  const ready = await fetch(`http://${host}:${port}/readyz`);
  assert.deepEqual([ready.status, await ready.text()], [200, "ready\n"]);
  const page = await (await fetch(`http://${host}:${port}/metrics`)).text();
  assert.match(page, /^go_job_registered \d+$/m);
});

test("without the port that another process has, the socket serves; it is taken when it is free", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const changed = Promise.withResolvers<readonly string[]>();
  await using world = await gatewayWorld({ port, onProblems: changed.resolve });
  const { gateway } = world;
  await gateway.start();
  const { tcp, socket } = gateway.addresses.rpc;
  assert.deepEqual([tcp, gateway.urls], [null, [`unix:${socket}`]]);
  assert.match(gateway.problems.join(), new RegExp(`^Cannot listen on 127.0.0.1:${port}: `));
  const client = connect({ socket, timeoutMs: 5_000 });
  assert.equal((await client.getVersion()).apiVersion, "v1");
  client.close();
  other.close();
  assert.deepEqual(await changed.promise, []);
  assert.deepEqual(gateway.problems, []);
  const overTcp = clientOf(gateway);
  assert.equal((await overTcp.getVersion()).apiVersion, "v1");
  overTcp.close();
});

test("without a port, only the socket and HTTP are open", async () => {
  await using world = await gatewayWorld({ port: null, http: true });
  await world.gateway.start();
  const { rpc, http, problems } = world.gateway.addresses;
  assert.deepEqual([rpc.tcp, problems, http?.host], [null, [], "127.0.0.1"]);
  const client = connect({ socket: rpc.socket, timeoutMs: 5_000 });
  assert.equal((await client.getVersion()).apiVersion, "v1");
  client.close();
});

test("what the listeners log appears in the daemon's log", async () => {
  await using world = await gatewayWorld();
  await world.gateway.start();
  assert.ok(world.lines.some(({ message }) => message === "gRPC listens"));
});

test("listeners whose thread fails listen again at the same port and socket, and open calls end", async () => {
  const { postMessage } = Worker.prototype;
  let thread: Worker | null = null;
  Worker.prototype.postMessage = function (this: Worker, ...args) {
    thread = this;
    return postMessage.apply(this, args);
  };
  try {
    await using world = await gatewayWorld({ http: true });
    await world.gateway.start();
    const { addresses } = world.gateway;
    const client = clientOf(world.gateway);
    const { instance } = await client.scheduleJob({ kind: "echo" });
    const waiting = client.waitInstance({ uuid: instance!.uuid });
    // If Deno meets the closed connection while it writes, gRPC calls that an internal error.
    const codes: ErrorCode[] = ["unavailable", "internal"];
    const refused = assert.rejects(waiting, (error) => codes.some((one) => isJobError(error, one)));
    // A message that it cannot read.
    postMessage.call(thread!, new ArrayBuffer(1));
    await refused;
    const listens = () => world.lines.filter(({ message }) => message === "HTTP listens").length;
    while (listens() < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(world.lines.some(({ message }) => message.startsWith("The listeners failed")));
    for (const socket of [null, addresses.rpc.socket]) {
      const again = connect({ ...addresses.rpc.tcp, socket, timeoutMs: 5_000 });
      assert.equal((await again.getVersion()).apiVersion, "v1");
      again.close();
    }
    const { host, port } = addresses.http!;
    assert.equal((await fetch(`http://${host}:${port}/healthz`)).status, 200);
    client.close();
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
});

test("the name of a caller reaches the manager of the other thread", async () => {
  await using world = await gatewayWorld();
  await world.gateway.start();
  const client = clientOf(world.gateway);
  const until = { seconds: 4_000_000_000n, nanos: 0 };
  const { silence } = await client.setSilence({ kind: "echo", until });
  assert.equal(silence?.by, "unauthenticated");
  client.close();
});
