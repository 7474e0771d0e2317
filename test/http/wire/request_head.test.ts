import assert from "node:assert/strict";
import { test } from "node:test";
import { readHead, type RequestHead } from "../../../src/http/wire/request_head.ts";

function read(...lines: readonly string[]): RequestHead {
  const head = readHead(lines.join("\r\n"));
  if ("problem" in head) throw new Error(head.problem);
  return head;
}

function statusOf(...lines: readonly string[]): number {
  const head = readHead(lines.join("\r\n"));
  return "problem" in head ? head.status : 200;
}

test("readHead() reads method, target and fields", () => {
  const head = read("GET /a?b=c HTTP/1.1", "Host: x", "X-A:  1 \t", "cookie: a=1", "Cookie: b=2");
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/a?b=c");
  assert.deepEqual({ ...head.headers }, { host: "x", "x-a": "1", cookie: "a=1; b=2" });
  assert.deepEqual([head.framing, head.isPersistent, head.isOld], [0, true, false]);
});

test("readHead() joins the values of a field that occurs twice", () => {
  assert.equal(read("GET / HTTP/1.1", "accept: a", "accept: b").headers.accept, "a, b");
});

test("readHead() takes blanks and tabs from around a value, and nothing else", () => {
  const { headers } = read("GET / HTTP/1.1", "a:\t x \xa0 ", "b:", "c:\xa0y");
  assert.deepEqual({ ...headers }, { a: "x \xa0", b: "", c: "\xa0y" });
});

test("readHead() gives the body's length", () => {
  assert.equal(read("POST / HTTP/1.1", "content-length: 12").framing, 12);
  assert.equal(read("POST / HTTP/1.1", "Transfer-Encoding: Chunked").framing, "chunked");
});

test("readHead() knows which connections stay open", () => {
  assert.equal(read("GET / HTTP/1.1", "connection: x, Close").isPersistent, false);
  assert.equal(read("GET / HTTP/1.1", "connection: closed").isPersistent, true);
  assert.equal(read("GET / HTTP/1.0", "connection: keep-alive").isPersistent, false);
});

test("readHead() takes the path of a target with a host, and that host", () => {
  const head = read("GET http://b.example?x HTTP/1.1", "host: a.example");
  assert.deepEqual([head.target, head.headers.host], ["/?x", "b.example"]);
});

test("readHead() takes any name of a field as a name", () => {
  const { headers } = read("GET / HTTP/1.1", "__proto__: x");
  assert.equal(headers["__proto__"], "x");
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

for (
  const [what, lines, status] of [
    ["an unknown version", ["GET / HTTP/2.0"], 505],
    ["the preface of HTTP/2", ["PRI * HTTP/2.0"], 505],
    ["no version", ["GET /"], 400],
    ["two spaces", ["GET  / HTTP/1.1"], 400],
    ["a method in lower case", ["get / HTTP/1.1"], 400],
    ["a target that is no path", ["GET a HTTP/1.1"], 400],
    ["the target *", ["OPTIONS * HTTP/1.1"], 400],
    ["a target of CONNECT", ["CONNECT a:1 HTTP/1.1"], 400],
    ["a character beyond ASCII in the target", ["GET /\xe4 HTTP/1.1"], 400],
    ["a space before the colon", ["GET / HTTP/1.1", "host : x"], 400],
    ["a folded line", ["GET / HTTP/1.1", "a: b", " c"], 400],
    ["a bare line feed", ["GET / HTTP/1.1", "a: b\nhost: x"], 400],
    ["a bare carriage return", ["GET / HTTP/1.1", "a: b\rc"], 400],
    ["a NUL", ["GET / HTTP/1.1", "a: \0"], 400],
    ["a name without a value", ["GET / HTTP/1.1", "host"], 400],
    ["two hosts", ["GET / HTTP/1.1", "host: a", "host: a"], 400],
    ["two tokens", ["GET / HTTP/1.1", "authorization: a", "Authorization: b"], 400],
    ["two lengths", ["POST / HTTP/1.1", "content-length: 1", "content-length: 1"], 400],
    ["two lengths in one", ["POST / HTTP/1.1", "content-length: 1, 1"], 400],
    ["a negative length", ["POST / HTTP/1.1", "content-length: -1"], 400],
    ["a length with a sign", ["POST / HTTP/1.1", "content-length: +1"], 400],
    ["a length in another base", ["POST / HTTP/1.1", "content-length: 0x1"], 400],
    ["an empty length", ["POST / HTTP/1.1", "content-length:"], 400],
    [
      "a length and chunks",
      ["POST / HTTP/1.1", "content-length: 1", "transfer-encoding: chunked"],
      400,
    ],
    ["chunks in HTTP/1.0", ["POST / HTTP/1.0", "transfer-encoding: chunked"], 400],
    ["another encoding", ["POST / HTTP/1.1", "transfer-encoding: gzip, chunked"], 501],
    ["a disguised encoding", ["POST / HTTP/1.1", "transfer-encoding: \x0bchunked"], 400],
    ["an encoding twice", [
      "POST / HTTP/1.1",
      "transfer-encoding: chunked",
      "transfer-encoding: x",
    ], 400],
  ] as const
) {
  test(`readHead() refuses ${what} with ${status}`, () => {
    assert.equal(statusOf(...lines), status);
  });
}

test("readHead() takes 100 fields, and refuses more with 431", () => {
  const fields = (count: number) => Array.from({ length: count }, (_, index) => `a${index}: b`);
  assert.equal(statusOf("GET / HTTP/1.1", ...fields(100)), 200);
  assert.equal(statusOf("GET / HTTP/1.1", ...fields(101)), 431);
});
