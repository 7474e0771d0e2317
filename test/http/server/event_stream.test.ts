import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import type { ApiEvent, HttpResponse } from "../../../src/http/request/http_types.ts";
import type { HttpRequest, Responder } from "../../../src/http/request/http_types.ts";
import type { Caller } from "../../../src/rpc/auth/auth.ts";
import {
  type HttpWorld,
  httpWorld,
  type HttpWorldOptions,
} from "../../support/worlds/http_world.ts";
import { NO_AUTH } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

type Events = (request: HttpRequest) => AsyncIterable<ApiEvent>;

/** Responds to every caller with events. */
function streaming(events: Events): Responder {
  return {
    async respond(request): Promise<HttpResponse> {
      await request.authorize("follow");
      return { status: 200, headers: {}, events: events(request) };
    },
  };
}

/** A world whose API responds with events. */
function streamWorld(events: Events, options: HttpWorldOptions = {}): Promise<HttpWorld> {
  return httpWorld({ ...options, api: streaming(events) });
}

/** Events that never come; `ended` resolves when their client has left. */
function silence() {
  const ended = Promise.withResolvers<void>();
  async function* events({ signal }: HttpRequest): AsyncGenerator<ApiEvent> {
    yield { data: "begun" };
    if (!signal.aborted) await once(signal, "abort");
    ended.resolve();
  }
  return { events, ended: ended.promise };
}

test("events are sent as EventSource reads them, and the connection goes on", async () => {
  await using world = await streamWorld(async function* () {
    yield { id: "1", event: "news", data: '{"a":1}' };
    yield { data: "two\r\nlines\rand\nmore\n" };
    yield { id: "a\nevent: x", event: "y\r\nz", data: "" };
  });
  const response = await world.send("/api/v1/x");
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(
    await response.text(),
    "retry: 1000\n\n" +
      'event: news\nid: 1\ndata: {"a":1}\n\n' +
      "data: two\ndata: lines\ndata: and\ndata: more\ndata: \n\n" +
      "event: y  z\nid: a event: x\ndata: \n\n",
  );
  const client = world.raw();
  for (let count = 0; count < 2; count += 1) {
    client.send("GET", "/api/v1/x");
    assert.ok(await client.until("\r\n0\r\n\r\n"));
  }
});

test("a stream for HTTP/1.0 ends with its connection", async () => {
  await using world = await streamWorld(async function* () {
    yield { data: "x" };
  });
  const client = world.raw();
  client.write("GET /api/v1/x HTTP/1.0\r\n\r\n");
  const head = await client.until("\r\n\r\n");
  assert.doesNotMatch(head!, /transfer-encoding/);
  await client.closed;
  assert.equal(client.text, "retry: 1000\n\ndata: x\n\n");
});

test("HEAD of a stream has no body", async () => {
  await using world = await streamWorld(silence().events);
  const client = world.raw();
  client.send("HEAD", "/api/v1/x");
  assert.equal((await client.response())?.status, 200);
  client.send("HEAD", "/api/v1/x");
  assert.equal((await client.response())?.status, 200);
});

test("an error ends a stream as its last event", async () => {
  await using world = await streamWorld(async function* () {
    yield { data: "x" };
    throw new JobError("unavailable", "Cannot follow any longer");
  });
  const text = await (await world.send("/api/v1/x")).text();
  const [, , last] = text.trimEnd().split("\n\n");
  assert.match(last!, /^event: problem\ndata: \{.*"code":"unavailable"/);
});

for (const how of ["ends its side", "resets the connection"] as const) {
  test(`a stream ends when its client ${how}`, async () => {
    const { events, ended } = silence();
    await using world = await streamWorld(events);
    const client = world.raw();
    client.send("GET", "/api/v1/x");
    await client.until("data: begun");
    if (how === "ends its side") client.socket.end();
    else client.socket.resetAndDestroy();
    await ended;
  });
}

test("a silent stream has a comment every 15 seconds", async () => {
  const clock = new SimClock();
  await using world = await streamWorld(silence().events, { clock });
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  await client.until("data: begun\n\n\r\n");
  await world.send("/healthz");
  for (let count = 0; count < 3; count += 1) {
    await clock.advance(14_900);
    await world.send("/healthz");
    assert.equal(client.text, "");
    await clock.advance(100);
    assert.equal(await client.until("\n\n\r\n"), "3\r\n:\n\n\r\n");
  }
});

test("an event is asked for when the one before was taken; who reads none is disconnected", async () => {
  const clock = new SimClock();
  let count = 0;
  const data = "x".repeat(1_000_000);
  await using world = await streamWorld(async function* () {
    for (;;) {
      count += 1;
      yield { data };
    }
  }, { clock });
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  await once(client.socket, "connect");
  client.socket.pause();
  let before = -1;
  while (count === 0 || count !== before) {
    before = count;
    await world.send("/healthz");
  }
  assert.ok(count < 50, `${count} events were made`);
  await clock.advance(31_000);
  client.socket.resume();
  await client.closed;
});

test("stop() ends streams, and their clients are told why", async () => {
  const world = await streamWorld(async function* ({ signal }) {
    yield { data: "begun" };
    await once(signal, "abort");
    throw new JobError("unavailable", "Cannot follow any longer: the daemon is stopping");
  });
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  await client.until("data: begun");
  await world.http.stop();
  assert.match((await client.until("\r\n0\r\n\r\n"))!, /event: problem\ndata: .*"unavailable"/);
  await world[Symbol.asyncDispose]();
});

test("half of the connections can carry streams; one more is refused", async () => {
  await using world = await streamWorld(silence().events, { httpConnectionsMax: 8 });
  const clients = Array.from({ length: 4 }, () => world.raw());
  for (const client of clients) {
    client.send("GET", "/api/v1/x");
    await client.until("data: begun");
  }
  const refused = await world.send("/api/v1/x");
  assert.equal(refused.status, 429);
  assert.equal((await refused.json() as { code: string }).code, "resource_exhausted");
  clients[0]!.socket.end();
  await clients[0]!.closed;
  const client = world.raw();
  client.send("GET", "/api/v1/x");
  assert.ok(await client.until("data: begun"));
});

test("a stream ends with the session of its caller", async () => {
  const caller: Caller = { name: "anna", role: "viewer", jobs: null };
  let end = () => {};
  const { events, ended } = silence();
  await using world = await streamWorld(events, {
    server: { auth: { ...NO_AUTH, mode: "token" } },
    sessions: {
      find: () => Promise.resolve(caller),
      watch: (_caller, onEnd) => {
        end = onEnd;
        return () => {};
      },
    },
  });
  const client = world.raw();
  client.send("GET", "/api/v1/x", { headers: { cookie: "s=1" } });
  await client.until("data: begun");
  end();
  await ended;
  assert.ok(await client.until("\r\n0\r\n\r\n"));
});
