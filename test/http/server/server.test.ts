import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { connect } from "node:net";
import { test } from "node:test";

import { isKnownHost } from "../../../src/http/server/known_host.ts";
import { HttpServer } from "../../../src/http/server/server.ts";
import { ManagerStatusSource } from "../../../src/http/monitoring/status_source.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { FakeManager } from "../../support/worlds/fake_manager.ts";
import { rawSocket } from "../../support/raw_grpc.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const HEALTH = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

async function httpWorld(
  clock: Clock = systemClock,
  connectionsMax = 256,
  page: string | null = null,
) {
  const manager = new FakeManager();
  const source = new ManagerStatusSource(manager, { clock });
  if (page !== null) source.metrics = () => Promise.resolve(page);
  const server = new HttpServer({
    source,
    clock,
    logger: silentLogger,
    host: "127.0.0.1",
    port: 0,
    hosts: ["jobs.example"],
    connectionsMax,
    site: { basePath: "/", publicUrl: null, trustedProxies: [] },
    app: null,
  });
  await server.start();
  const { port } = server.address;
  return {
    manager,
    port,
    get: async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

test("/healthz returns 200", async () => {
  await using world = await httpWorld();
  assert.deepEqual((await world.get("/healthz")).status, 200);
});

test("/readyz returns 200, and 503 with the reason when not ready", async () => {
  await using world = await httpWorld();
  assert.equal((await world.get("/readyz")).status, 200);
  world.manager.isDraining = true;
  assert.deepEqual(await pick(world.get("/readyz")), [503, "draining\n"]);
  world.manager.storeProblem = "disk full";
  assert.deepEqual(await pick(world.get("/readyz")), [
    503,
    "the store cannot be used: disk full\n",
  ]);
});

async function pick(answer: Promise<{ status: number; text: string }>) {
  const { status, text } = await answer;
  return [status, text];
}

test("/readyz and /metrics answer 503 when the status fails", async () => {
  await using world = await httpWorld();
  world.manager.status = () => Promise.reject(new Error("gone"));
  assert.equal((await world.get("/readyz")).status, 503);
  assert.equal((await world.get("/metrics")).status, 503);
  assert.equal((await world.get("/healthz")).status, 200);
});

test("/metrics returns Prometheus' text format", async () => {
  await using world = await httpWorld();
  const { status, text, headers } = await world.get("/metrics?x=1");
  assert.equal(status, 200);
  assert.ok(headers.get("content-type")?.startsWith("text/plain; version=0.0.4"));
  assert.ok(text.includes("# TYPE go_job_registered gauge\ngo_job_registered 1\n"));
});

test("/ lists the endpoints", async () => {
  await using world = await httpWorld();
  const { text } = await world.get("/");
  for (const path of ["/healthz", "/readyz", "/metrics"]) assert.ok(text.includes(path));
});

test("/job.proto returns the contract, which caches may keep", async () => {
  await using world = await httpWorld();
  const { status, text, headers } = await world.get("/job.proto");
  assert.equal(status, 200);
  assert.equal(text, readFileSync(new URL("../../../src/rpc/job.proto", import.meta.url), "utf8"));
  assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(headers.get("cache-control"), "public, max-age=300");
  const etag = headers.get("etag")!;
  const again = await world.get("/job.proto", { headers: { "if-none-match": `"x", W/${etag}` } });
  assert.deepEqual([again.status, again.text, again.headers.get("etag")], [304, "", etag]);
  const other = await world.get("/job.proto", { headers: { "if-none-match": '"x"' } });
  assert.equal(other.status, 200);
});

test("/job.proto is refused under the name of another site", async () => {
  await using world = await httpWorld();
  const answer = await askRaw(world.port, "GET /job.proto HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 421 /);
  assert.doesNotMatch(answer, /etag/i);
});

test("another path returns 404, and another method 405", async () => {
  await using world = await httpWorld();
  assert.equal((await world.get("/nope")).status, 404);
  const posted = await world.get("/metrics", { method: "POST", body: "x" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
});

test("HEAD returns no body", async () => {
  await using world = await httpWorld();
  assert.deepEqual(await pick(world.get("/healthz", { method: "HEAD" })), [200, ""]);
});

for (
  const [what, text] of [
    ["silent", ""],
    ["half a request", "GET / HT"],
    ["half the headers", "GET / HTTP/1.1\r\nHost: x\r\n"],
  ] as const
) {
  test(`a connection is closed within 20 s when it sends ${what} (65)`, async () => {
    const clock = new SimClock();
    await using world = await httpWorld(clock);
    const { socket, closed } = rawSocket(world.port);
    socket.write(text);
    assert.equal((await world.get("/healthz")).status, 200);
    await clock.advance(14_000);
    assert.equal(socket.destroyed, false);
    await clock.advance(6_000);
    await closed;
  });
}

/** The response to a request, as text. */
async function askRaw(port: number, request: string): Promise<string> {
  const { socket, closed } = rawSocket(port);
  let answer = "";
  socket.on("data", (bytes) => answer += String(bytes));
  socket.write(request);
  await closed;
  return answer;
}

for (const size of [17_000, 100_000]) {
  test(`a header of ${size} bytes is answered 431 and closes the connection`, async () => {
    await using world = await httpWorld();
    const request = `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(size)}\r\n\r\n`;
    assert.match(await askRaw(world.port, request), /^HTTP\/1\.1 431 /);
  });
}

for (
  const [host, status] of [
    ["attacker.example", 421],
    ["localhost.attacker.example", 421],
    ["127.0.0.1.attacker.example:80", 421],
    ["jobs.example", 200],
    ["JOBS.example.:59052", 200],
    ["localhost:59052", 200],
    ["10.1.2.3:59052", 200],
    ["[::1]:59052", 200],
    [hostname(), 200],
    // On loopback: a page of another site may have such a name.
    [`${hostname()}.attacker.example:59052`, 421],
  ] as const
) {
  test(`a request for the host "${host}" is answered ${status}`, async () => {
    await using world = await httpWorld();
    const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    assert.equal((await askRaw(world.port, request)).slice(0, 12), `HTTP/1.1 ${status}`);
  });
}

for (
  const [what, request] of [
    ["further requests on its connection", `${HEALTH}${HEALTH}`.repeat(2_000)],
    [
      "requests with an unknown expectation",
      HEALTH.replace("\r\n\r\n", "\r\nExpect: x\r\n\r\n").repeat(2),
    ],
    [
      "a request after a body",
      `${HEALTH.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n")}x${HEALTH}`,
    ],
    [
      "a request after a body with two lengths",
      `${
        HEALTH.replace("\r\n\r\n", "\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n")
      }${HEALTH}`,
    ],
  ] as const
) {
  test(`${what} are not answered`, async () => {
    await using world = await httpWorld();
    const answer = await askRaw(world.port, request);
    assert.ok(answer.split("HTTP/1.1 ").length <= 2, answer);
  });
}

test("a request whose client sends no more is answered", async () => {
  await using world = await httpWorld();
  const { socket, closed } = rawSocket(world.port);
  let answer = "";
  socket.on("data", (bytes) => answer += String(bytes));
  socket.end(HEALTH);
  await closed;
  assert.match(answer, /^HTTP\/1\.1 200 /);
});

test("a response that is unfinished makes room when there are too many connections", async () => {
  await using world = await httpWorld(systemClock, 2);
  const held = Promise.withResolvers<never>();
  world.manager.status = () => held.promise;
  const connections = [rawSocket(world.port), rawSocket(world.port)];
  for (const { socket } of connections) socket.write(HEALTH.replace("healthz", "readyz"));
  await Promise.all(connections.map(({ socket }) => once(socket, "connect")));
  assert.equal((await world.get("/healthz")).status, 200);
});

test("clients that read nothing of a large page make room for those that read", async () => {
  const page = "x".repeat(9 * 1_048_576);
  await using world = await httpWorld(systemClock, 256, page);
  const slow = [];
  for (let count = 0; count < 4; count += 1) {
    const socket = connect(world.port, "127.0.0.1").on("error", () => {});
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "readable");
    slow.push(socket);
  }
  assert.equal((await world.get("/metrics")).text.length, page.length);
  const isWhole = await Promise.all(slow.map(async (socket) => {
    let bytes = 0;
    socket.on("data", ({ length }) => bytes += length);
    await once(socket, "close");
    return bytes > page.length;
  }));
  // At most three of them fit, and the oldest is closed first.
  assert.deepEqual(isWhole, [false, false, true, true]);
});

test("isKnownHost() takes the machine's name with its domain where other machines ask", () => {
  const known = { machine: "web", others: [] };
  assert.equal(isKnownHost("web.corp.example", { ...known, bound: "0.0.0.0" }), true);
  assert.equal(isKnownHost("web.corp.example", { ...known, bound: "127.0.0.1" }), false);
  assert.equal(isKnownHost("web", { ...known, bound: "127.0.0.1" }), true);
});

test("/metrics is computed at most ten times a second, and after its request", async () => {
  await using world = await httpWorld();
  const pages = await Promise.all(Array.from({ length: 20 }, () => world.get("/metrics")));
  assert.ok(pages.every(({ status }) => status === 200));
  assert.ok(world.manager.statusCount <= 3, `${world.manager.statusCount} computed`);
});

test("start() waits for a port that another process has (107)", async () => {
  const clock = new SimClock();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const server = new HttpServer({
    source: new ManagerStatusSource(new FakeManager(), { clock }),
    clock,
    logger: silentLogger,
    host: "127.0.0.1",
    port,
    hosts: [],
    connectionsMax: 256,
    site: { basePath: "/", publicUrl: null, trustedProxies: [] },
    app: null,
  });
  await server.start();
  assert.ok(server.tcp?.problem?.message.includes(`127.0.0.1:${port}`));
  await new Promise<void>((resolve) => void other.close(() => resolve()));
  await clock.advance(3_000);
  while (server.tcp?.listener === null) await clock.settle();
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  await server.stop();
});

test("/readyz is 503 while a listener cannot be opened, and says why", async () => {
  await using world = await httpWorld();
  world.manager.listenerProblems = ["Cannot listen on a:1: the address is in use"];
  const { status, text } = await world.get("/readyz?verbose");
  assert.equal(status, 503);
  assert.match(text, /^\[-\] listeners: Cannot listen on a:1: the address is in use$/m);
  assert.equal((await world.get("/healthz")).status, 200);
  assert.match((await world.get("/metrics")).text, /^jobctl_listeners_closed 1$/m);
});

test("stop() closes the port and what is open", async () => {
  const world = await httpWorld();
  const { closed } = rawSocket(world.port);
  await world.get("/healthz");
  await world[Symbol.asyncDispose]();
  await closed;
  const code = await new Promise((resolve) => {
    connect(world.port, "127.0.0.1")
      .once("error", (error) => resolve((error as { code?: string }).code))
      .once("connect", () => resolve("connected"));
  });
  assert.equal(code, "ECONNREFUSED");
});
