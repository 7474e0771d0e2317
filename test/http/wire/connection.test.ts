import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { test } from "node:test";
import type { HttpResponse } from "../../../src/http/request/http_types.ts";
import type { HttpRequest, Responder } from "../../../src/http/request/http_types.ts";
import { httpWorld, type RawClient } from "../../support/worlds/http_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** Connections of HTTP/1.1 that carry calls of the API. */

const RUNS = "/api/v1/jobs/echo/runs";

async function statusOf(client: RawClient): Promise<number | null> {
  return (await client.response())?.status ?? null;
}

/** Responds as a function says, to callers who may call anything. */
function responder(
  respond: (request: HttpRequest) => Promise<HttpResponse> | HttpResponse,
): Responder {
  return {
    async respond(request) {
      await request.authorize("getVersion");
      return respond(request);
    },
  };
}

/** A response that ends when told to. */
function held() {
  const begun = Promise.withResolvers<HttpRequest>();
  const response = Promise.withResolvers<HttpResponse>();
  const api = responder((request) => {
    begun.resolve(request);
    return response.promise;
  });
  return { api, begun: begun.promise, end: () => response.resolve(OK) };
}

const OK: HttpResponse = { status: 200, headers: {}, body: "ok" };

/** Responds with what it was sent. */
const ECHO = responder(async (request) => {
  const body = await request.body();
  return { status: 200, headers: {}, body };
});

test("a connection carries one request after another", async () => {
  await using world = await httpWorld();
  const client = world.raw();
  for (let count = 0; count < 3; count += 1) {
    client.send("POST", RUNS, { body: {} });
    const response = await client.response();
    assert.equal(response?.status, 201);
    assert.match(response!.head, /\r\nconnection: keep-alive\r\n/);
  }
  assert.equal(world.manager.scheduled.length, 3);
});

test("a connection ends after a request that says so, or that is of HTTP/1.0", async () => {
  await using world = await httpWorld();
  for (
    const request of [
      "GET /api/v1/version HTTP/1.1\r\nConnection: close\r\n\r\n",
      "GET /api/v1/version HTTP/1.0\r\n\r\n",
    ]
  ) {
    const client = world.raw();
    client.write(request);
    const response = await client.response();
    assert.equal(response?.status, 200);
    assert.match(response!.head, /\r\nconnection: close\r\n/);
    await client.closed;
  }
});

test("a request that arrives byte by byte is answered", async () => {
  await using world = await httpWorld({ api: ECHO });
  const client = world.raw();
  await once(client.socket, "connect");
  for (const request of ["POST /api/v1/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "\r\n"]) {
    for (const byte of request) {
      client.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  assert.equal((await client.response())?.body, "abc");
  client.write("GET /api/v1/x HTTP/1.1\r\n\r\n");
  assert.equal(await statusOf(client), 200);
});

test("a second request before the response to the first is not answered", async () => {
  const { api, begun, end } = held();
  await using world = await httpWorld({ api });
  for (const isLate of [false, true]) {
    const client = world.raw();
    const request = "GET /api/v1/x HTTP/1.1\r\n\r\n";
    client.write(isLate ? request : request.repeat(2_000));
    await begun;
    if (isLate) client.write(request);
    await world.send("/healthz");
    end();
    assert.match((await client.response())!.head, /\r\nconnection: close\r\n/);
    assert.equal(await client.response(), null);
  }
});

test("a body is read in any form, and the connection goes on", async () => {
  await using world = await httpWorld({ api: ECHO });
  const client = world.raw();
  const large = "x".repeat(300_000);
  const head = "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\n";
  for (
    const [request, body] of [
      [`${head}Content-Length: 5\r\n\r\nhello`, "hello"],
      [`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, "hello"],
      [`${head}Content-Length: ${large.length}\r\n\r\n${large}`, large],
      [`${head}Content-Length: 0\r\n\r\n`, ""],
    ] as const
  ) {
    client.write(request);
    assert.equal((await client.response())?.body, body);
  }
});

test("a head like the one before has its own body, and another one its own fields", async () => {
  const api = responder(async (request) => {
    const body = Buffer.from(await request.body()).toString();
    return { status: 200, headers: {}, body: `${request.path} ${request.headers.a} ${body}` };
  });
  await using world = await httpWorld({ api });
  const client = world.raw();
  const one = (a: string) => `POST /api/v1/x HTTP/1.1\r\na: ${a}\r\ncontent-length: 3\r\n\r\n`;
  for (const [a, body] of [["1", "abc"], ["1", "def"], ["2", "ghi"], ["2", "jkl"]] as const) {
    client.write(one(a) + body);
    assert.equal((await client.response())?.body, `/api/v1/x ${a} ${body}`);
  }
  client.write("POST /api/v1/y?a HTTP/1.1\r\na: 2\r\ncontent-length: 0\r\n\r\n");
  assert.equal((await client.response())?.body, "/api/v1/y 2 ");
});

test("a client that waits to be told gets 100, then sends its body", async () => {
  await using world = await httpWorld({ api: ECHO });
  const client = world.raw();
  client.write("POST /api/v1/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.write("ab");
  assert.equal((await client.response())?.body, "ab");
});

test("a body of the limit is read; a longer one is refused with 413", async () => {
  await using world = await httpWorld({ api: ECHO });
  const limit = 4 * 1_048_576;
  const client = world.raw();
  client.write(`POST /api/v1/x HTTP/1.1\r\nContent-Length: ${limit}\r\n\r\n`);
  client.write(Buffer.alloc(limit, "x"));
  assert.equal((await client.response())?.body.length, limit);
  client.write(`POST /api/v1/x HTTP/1.1\r\nContent-Length: ${limit + 1}\r\n\r\n`);
  const refused = (await client.response())!;
  assert.deepEqual([refused.status, JSON.parse(refused.body).code], [413, "resource_exhausted"]);
  await client.closed;
  const other = world.raw();
  other.write("POST /api/v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n");
  other.write(Buffer.alloc(limit + 1));
  assert.equal(await statusOf(other), 413);
});

test("a body that nobody reads ends the connection, unless it has arrived", async () => {
  await using world = await httpWorld();
  const client = world.raw();
  client.send("POST", "/api/v1/none", { body: {} });
  assert.equal(await statusOf(client), 404);
  client.write("POST /api/v1/none HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
  assert.match((await client.response())!.head, /404.*\r\nconnection: close\r\n/s);
  await client.closed;
});

test("requests that could be read in two ways are refused, and end the connection", async () => {
  await using world = await httpWorld();
  for (
    const fields of [
      "Content-Length: 2\r\nContent-Length: 2",
      "Content-Length: 2\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked, chunked",
      "Transfer-Encoding: x",
      "Content-Length : 2",
      "X: a\r\n Content-Length: 2",
    ]
  ) {
    const client = world.raw();
    client.write(
      `POST ${RUNS} HTTP/1.1\r\n${fields}\r\n\r\n{}GET /api/v1/version HTTP/1.1\r\n\r\n`,
    );
    assert.ok([400, 501].includes((await statusOf(client))!), fields);
    assert.equal(await client.response(), null);
  }
  assert.equal(world.manager.scheduled.length, 0);
});

test("a client that ends its side gets the response; who waits longer has left", async () => {
  const clock = new SimClock();
  const { api, begun, end } = held();
  await using world = await httpWorld({ api, clock });
  const short = world.raw();
  short.socket.end("GET /api/v1/x HTTP/1.1\r\n\r\n");
  const request = await begun;
  await world.send("/healthz");
  assert.equal(request.signal.aborted, false);
  await clock.advance(1_500);
  assert.equal(request.signal.aborted, true);
  end();
  assert.equal(await statusOf(short), 200);
});

test("a request ends when its client disconnects", async () => {
  const { api, begun } = held();
  await using world = await httpWorld({ api });
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  const { signal } = await begun;
  const aborted = once(signal, "abort");
  client.socket.resetAndDestroy();
  await aborted;
});

for (
  const [what, text] of [
    ["nothing more", ""],
    ["half a head", "GET /api/v1/version HTTP/1.1\r\nX: "],
    ["half a body", "POST /api/v1/jobs/echo/runs HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"],
  ] as const
) {
  test(`a connection that has carried a call, and sends ${what}, is closed within 20 s`, async () => {
    const clock = new SimClock();
    await using world = await httpWorld({ clock });
    const client = world.raw();
    client.send("GET", "/api/v1/version");
    assert.equal(await statusOf(client), 200);
    client.write(text);
    await world.send("/healthz");
    await clock.advance(14_000);
    assert.equal(client.socket.destroyed, false);
    await clock.advance(6_000);
    await client.closed;
  });
}

test("a client that does not read its responses holds few of them", async () => {
  let count = 0;
  const body = "x".repeat(1_000_000);
  await using world = await httpWorld({
    api: responder(() => {
      count += 1;
      return { status: 200, headers: {}, body };
    }),
  });
  const client = world.raw();
  await once(client.socket, "connect");
  client.socket.pause();
  for (let sent = 0; sent < 200; sent += 1) {
    client.send("GET", "/api/v1/x");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await world.send("/healthz");
  assert.ok(count < 50, `${count} responses were made`);
});

test("callers have three quarters of the connections; the idle one that is oldest makes room", async () => {
  await using world = await httpWorld({ httpConnectionsMax: 8 });
  const clients = Array.from({ length: 7 }, () => world.raw());
  for (const client of clients) {
    client.send("GET", "/api/v1/version");
    assert.equal(await statusOf(client), 200);
  }
  await clients[0]!.closed;
  clients[6]!.send("GET", "/api/v1/version");
  assert.equal(await statusOf(clients[6]!), 200);
  assert.equal((await world.send("/healthz")).status, 200);
});

test("a caller is refused while all others are busy", async () => {
  const { api, begun, end } = held();
  await using world = await httpWorld({ httpConnectionsMax: 2, api });
  const first = world.raw();
  first.send("GET", "/api/v1/x");
  await begun;
  const second = world.raw();
  second.send("GET", "/api/v1/x");
  await once(second.socket, "connect");
  assert.equal((await world.send("/healthz")).status, 200);
  end();
  assert.equal(await statusOf(first), 200);
});

test("stop() lets the responses that are being made be sent", async () => {
  const { api, begun, end } = held();
  const world = await httpWorld({ api });
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  await begun;
  const stopped = world.http.stop();
  end();
  assert.match((await client.response())!.head, /\r\nconnection: close\r\n/);
  await stopped;
  await world[Symbol.asyncDispose]();
});
