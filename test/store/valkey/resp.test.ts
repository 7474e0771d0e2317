import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../support/seeded_random.ts";
import {
  encodeCommand,
  ProtocolError,
  type Reply,
  ReplyError,
  ReplyReader,
} from "../../../src/store/valkey/link/resp.ts";

/** Replies as plain values: bytes as text, errors by their kind. */
function plain(reply: Reply): unknown {
  if (reply instanceof ReplyError) return { error: reply.kind, text: reply.message };
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply);
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

function readAll(chunks: readonly Buffer[]): unknown[] {
  const replies: unknown[] = [];
  const reader = new ReplyReader((reply) => replies.push(plain(reply)));
  for (const chunk of chunks) reader.write(chunk);
  return replies;
}

const STREAM = Buffer.from(
  "+OK\r\n:42\r\n:-7\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*0\r\n" +
    "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n+y\r\n$4\r\n😀\r\n-NOSCRIPT none\r\n-bad words\r\n",
);
const REPLIES = [
  "OK",
  42,
  -7,
  "",
  "a\r\nbc",
  null,
  null,
  [],
  [1, ["x", "y"], "😀"],
  { error: "NOSCRIPT", text: "NOSCRIPT none" },
  { error: "ERR", text: "bad words" },
];

test("ReplyReader reads every kind of reply from one chunk", () => {
  assert.deepEqual(readAll([STREAM]), REPLIES);
});

test("ReplyReader reads the same replies however the stream is split", () => {
  for (let at = 1; at < STREAM.length; at += 1) {
    assert.deepEqual(readAll([STREAM.subarray(0, at), STREAM.subarray(at)]), REPLIES);
  }
  const random = seededRandom(1);
  for (let round = 0; round < 200; round += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < STREAM.length;) {
      const length = 1 + Math.floor(random.next() * 9);
      chunks.push(STREAM.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(readAll(chunks), REPLIES);
  }
});

for (
  const [what, text] of [
    ["an unknown type", "?1\r\n"],
    ["a length that is no number", "$x\r\n"],
    ["a length beyond the limit", "$536870913\r\n"],
    ["a negative length other than -1", "*-2\r\n"],
    ["an endless line", `+${"x".repeat(70_000)}`],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n"],
  ] as const
) {
  test(`ReplyReader refuses ${what}`, () => {
    assert.throws(() => readAll([Buffer.from(text)]), ProtocolError);
  });
}

test("encodeCommand() counts bytes, not characters, and takes bytes as they are", () => {
  const bytes = new Uint8Array([0, 255, 13, 10]);
  const message = encodeCommand(["SET", "ä😀", bytes, ""]);
  const wanted = Buffer.concat([
    Buffer.from("*4\r\n$3\r\nSET\r\n$6\r\nä😀\r\n$4\r\n"),
    bytes,
    Buffer.from("\r\n$0\r\n\r\n"),
  ]);
  assert.deepEqual(message, wanted);
});
