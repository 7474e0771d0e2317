import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyReader } from "../../../src/http/wire/body_reader.ts";

const LIMITS = { bytesMax: 40_000, isCut: false };

/** Read bytes in pieces of a size; returns the body, or the status of its refusal. */
function read(text: string, size: number, options = {}): string | number {
  const reader = new BodyReader({ framing: "chunked", ...LIMITS, ...options });
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length && !reader.isDone; at += size) {
    reader.push(bytes.subarray(at, at + size));
    if (reader.problem) return reader.problem.status;
  }
  assert.ok(reader.isDone, "the body has not ended");
  return reader.take().toString("latin1");
}

for (const size of [1, 2, 3, 7, 1_000]) {
  test(`BodyReader reads chunks that arrive in pieces of ${size}`, () => {
    const body = "5\r\nhello\r\n6; a=b\r\n world\r\n0\r\nX-Trailer: y\r\n\r\nGET / HTTP/1.1";
    assert.equal(read(body, size), "hello world");
    assert.equal(read("0\r\n\r\n", size), "");
    assert.equal(read("A\r\n0123456789\r\n0\r\n\r\n", size), "0123456789");
  });

  test(`BodyReader reads a body with a length in pieces of ${size}, and nothing more`, () => {
    const reader = new BodyReader({ framing: 5, ...LIMITS });
    const bytes = Buffer.from("helloGET");
    let used = 0;
    for (let at = 0; at < bytes.length; at += size) {
      used += reader.push(bytes.subarray(at, at + size));
    }
    assert.deepEqual([used, reader.take().toString()], [5, "hello"]);
  });
}

for (
  const [what, text] of [
    ["without a size", "\r\nx\r\n0\r\n\r\n"],
    ["whose size is not hexadecimal", "g\r\n"],
    ["whose size has a sign", "-1\r\n"],
    ["whose size has a prefix", "0x1\r\nx\r\n"],
    ["whose size is too large", "fffffffff\r\n"],
    ["that is longer than its size", "1\r\nxy\r\n0\r\n\r\n"],
    ["that ends without a carriage return", "1\nx\n0\n\n"],
    ["whose extension has a control character", "1;\x01\r\nx\r\n"],
    ["whose line does not end", `1;${"a".repeat(2_000)}`],
  ] as const
) {
  test(`BodyReader refuses a chunk ${what}`, () => {
    for (const size of [1, 1_000]) assert.equal(read(text, size), 400);
  });
}

test("BodyReader refuses many small chunks, whose framing costs more than they hold", () => {
  const chunk = `1;${"a".repeat(1_000)}\r\nx\r\n`;
  assert.equal(read(chunk.repeat(1_100), 65_536), 400);
});

test("BodyReader takes a body of the limit, and refuses a longer one with 413", () => {
  const chunked = (length: number) =>
    `${length.toString(16)}\r\n${"x".repeat(length)}\r\n0\r\n\r\n`;
  assert.equal(read(chunked(40_000), 10_000), "x".repeat(40_000));
  assert.equal(read(chunked(40_001), 10_000), 413);
  assert.equal(new BodyReader({ framing: 40_000, ...LIMITS }).problem, null);
  assert.equal(new BodyReader({ framing: 40_001, ...LIMITS }).problem?.status, 413);
});

test("BodyReader keeps the beginning of a longer body if that is enough", () => {
  assert.equal(
    read("x".repeat(50_000), 10_000, { framing: 50_000, isCut: true }).toString().length,
    40_000,
  );
});
