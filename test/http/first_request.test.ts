import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { FirstRequest } from "../../src/http/first_request.ts";

const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** The bytes that a parser gets if these bytes are sent in pieces of a given size. */
async function passed(bytes: string, size: number): Promise<string> {
  const socket = new PassThrough();
  const request = new FirstRequest(socket as unknown as Socket);
  let text = "";
  request.on("data", (chunk) => text += String(chunk));
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.slice(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return text;
}

for (const size of [1, 3, 25, 26, 27, 1_000]) {
  test(`FirstRequest passes on one request and nothing after it, in pieces of ${size}`, async () => {
    assert.equal(await passed(HEAD, size), HEAD);
    assert.equal(await passed(HEAD + HEAD, size), HEAD);
    assert.equal(await passed(`${HEAD}body\r\n\r\n`, size), HEAD);
    assert.equal(await passed(HEAD.slice(0, -1), size), HEAD.slice(0, -1));
  });
}

test("FirstRequest ends a request at an empty line of any form", async () => {
  for (const head of ["GET /\n\n", "GET /\r\n\n", "GET /\n\r\n"]) {
    assert.equal(await passed(`${head}x`, 1_000), head);
  }
});

test("FirstRequest stops reading when too much follows", async () => {
  const socket = new PassThrough();
  const request = new FirstRequest(socket as unknown as Socket);
  request.resume();
  socket.write(HEAD);
  for (let count = 0; count < 8; count += 1) {
    socket.write(Buffer.alloc(16_384));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(socket.isPaused(), true);
  assert.ok(socket.readableLength > 0);
});
