import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { seededRandom } from "../../support/seeded_random.ts";
import { httpWorld, type RawClient } from "../../support/worlds/http_world.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

/** Many connections at once, and requests that nobody would send by mistake. */

async function connected(client: RawClient): Promise<void> {
  await Promise.race([once(client.socket, "connect"), client.closed]);
}

test("1,000 connections leave room for monitoring and for callers", async () => {
  await using world = await httpWorld();
  const flood = ["", "GET / HT", "GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n"];
  const clients = Array.from({ length: 1_000 }, () => world.raw());
  await Promise.all(clients.map(async (client, index) => {
    await connected(client);
    client.write(flood[index % flood.length]!);
  }));
  assert.equal((await world.send("/healthz")).status, 200);
  const caller = world.raw();
  for (let count = 0; count < 3; count += 1) {
    caller.send("POST", "/api/v1/jobs/echo/runs", { body: {} });
    assert.equal((await caller.response())?.status, 201);
  }
});

test("callers that send their requests byte by byte do not keep others waiting", async () => {
  await using world = await httpWorld();
  const slow = Array.from({ length: 300 }, () => world.raw());
  await Promise.all(slow.map(connected));
  const request = "GET /api/v1/version HTTP/1.1\r\n";
  for (const byte of request) {
    for (const client of slow) client.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await world.send("/healthz")).status, 200);
  assert.equal((await world.send("/api/v1/version")).status, 200);
});

const PIECES = [
  ..."GET ,POST ,HEAD ,/,/api/v1/version,/api/v1/jobs/echo/runs, HTTP/1.1, HTTP/1.0".split(","),
  ...["\r\n", "\n", "\r", "\r\n\r\n", ":", " ", "\t", "\0", "\xff", "{}", "0\r\n\r\n", "5\r\n"],
  ...["Host: localhost", "Content-Length: 2", "Content-Length: 5", "Transfer-Encoding: chunked"],
  ...["Expect: 100-continue", "Connection: close", "Content-Type: application/json", "X: y"],
];

test("bytes in any order get a response, or the end of the connection", async () => {
  await using world = await httpWorld();
  const random = seededRandom(7);
  const pick = () => PIECES[Math.floor(random.next() * PIECES.length)]!;
  await Promise.all(Array.from({ length: 200 }, async () => {
    const client = world.raw();
    await connected(client);
    const start = random.next() < 0.5 ? "POST /api/v1/jobs/echo/runs HTTP/1.1\r\n" : "";
    const text = start + Array.from({ length: 12 }, pick).join("");
    const at = Math.floor(random.next() * text.length);
    client.write(Buffer.from(text.slice(0, at), "latin1"));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.end(Buffer.from(text.slice(at), "latin1"));
    await client.closed;
    assert.ok(client.text === "" || client.text.startsWith("HTTP/1.1 "), client.text);
  }));
  assert.equal((await world.send("/api/v1/version")).status, 200);
});

const TOKENS = ["first", "second"].map((name) => `${name}-token-of-32-characters-long-x`);
/** A body without its last byte. */
const BODY_START = Buffer.alloc(2 * 1024 * 1024 - 1, " ");

/** Begin a request whose body lacks a byte. */
function beginBody(client: RawClient, token: string): void {
  client.write(
    "POST /api/v1/jobs/echo/runs HTTP/1.1\r\nHost: localhost\r\n" +
      `Content-Type: application/json\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Length: ${BODY_START.byteLength + 1}\r\n\r\n`,
  );
  client.write("{");
  client.write(BODY_START.subarray(1));
}

test("bodies that do not end are closed beyond a total, of the caller with the most", async () => {
  const tokens = TOKENS.map((token, index) => tokenEntry(`caller${index}`, token, "operator"));
  const auth = { ...NO_AUTH, mode: "token", tokens } as const;
  await using world = await httpWorld({ server: { auth } });
  const other = world.raw();
  beginBody(other, TOKENS[1]!);
  const flood = Array.from({ length: 40 }, () => world.raw());
  let closedCount = 0;
  // The total is 64 MiB.
  await new Promise<void>((resolve) => {
    for (const client of flood) {
      beginBody(client, TOKENS[0]!);
      void client.closed.then(() => {
        closedCount += 1;
        if (closedCount === 9) resolve();
      });
    }
  });
  other.write("}");
  assert.equal((await other.response())?.status, 201);
  // No more than necessary: the bodies of those that are left fit.
  const left = flood.filter(({ socket }) => !socket.closed);
  assert.ok(left.length >= 28, `${left.length} are left`);
  left[0]!.write("}");
  assert.equal((await left[0]!.response())?.status, 201);
});

test("the body of a request without texts is short", async () => {
  await using world = await httpWorld();
  const client = world.raw();
  client.send("POST", "/api/v1/sessions/codes", { body: "x".repeat(2_000) });
  assert.equal((await client.response())?.status, 413);
});
