import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { seededRandom } from "../support/seeded_random.ts";
import { httpWorld, type RawClient } from "../support/worlds/http_world.ts";

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
