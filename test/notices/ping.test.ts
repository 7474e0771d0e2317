import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { ping } from "../../src/notices/ping.ts";

async function server(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: string[] = [];
  const http = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    requests,
    url: `http://127.0.0.1:${port}/key`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
}

const settings = (url: string, allowPrivate = true) => ({ url, everyMs: 1_000, allowPrivate });
const never = { clock: systemClock, signal: new AbortController().signal };

test("ping() sends a GET, and is content with 200", async () => {
  await using there = await server((_, response) => response.end("OK"));
  await ping(settings(there.url), never);
  assert.deepEqual(there.requests, ["GET /key"]);
});

for (const status of [404, 500, 503]) {
  test(`ping() refuses an answer with status ${status}, without the URL's path`, async () => {
    await using there = await server((_, response) => response.writeHead(status).end());
    await assert.rejects(ping(settings(there.url), never), (error: Error) => {
      assert.match(error.message, new RegExp(`${status}`));
      assert.doesNotMatch(error.message, /key/);
      return true;
    });
  });
}

test("ping() follows no redirect", async () => {
  await using there = await server((request, response) => {
    if (request.url === "/other") return void response.end();
    response.writeHead(302, { location: "/other" }).end();
  });
  await assert.rejects(ping(settings(there.url), never), /302/);
  assert.deepEqual(there.requests, ["GET /key"]);
});

test("ping() sends nothing to a private address unless that is allowed", async () => {
  await using there = await server((_, response) => response.end());
  const byName = there.url.replace("127.0.0.1", "localhost");
  for (const url of [there.url, byName]) {
    await assert.rejects(ping(settings(url, false), never), /127\.0\.0\.1|localhost/);
  }
  assert.deepEqual(there.requests, []);
});

test("ping() ends when it is aborted, although the other side says nothing", async () => {
  await using there = await server(() => {});
  const abort = new AbortController();
  const pinged = ping(settings(there.url), { clock: systemClock, signal: abort.signal });
  const refused = assert.rejects(pinged);
  abort.abort();
  await refused;
});
