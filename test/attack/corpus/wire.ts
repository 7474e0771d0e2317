import { Buffer } from "node:buffer";
import { framed, HTTP2_START, http2Call, http2Frame } from "../../support/raw_grpc.ts";

const VERSION = "/job.v1.JobService/GetVersion";
const NOTHING = Buffer.alloc(0);

/**
 * One call of raw bytes with the right token, and the gRPC status that it is answered with; −1 for
 * a stream that is reset.
 */
export interface RawCase {
  readonly name: string;
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly statuses: readonly number[];
}

const body = (name: string, bytes: Uint8Array, ...statuses: number[]): RawCase => ({
  name,
  path: "/job.v1.JobService/GetInstance",
  body: bytes,
  statuses,
});

const headers = (
  name: string,
  fields: Readonly<Record<string, string>>,
  ...statuses: number[]
): RawCase => ({ name, path: VERSION, body: framed(NOTHING), headers: fields, statuses });

const path = (text: string, ...statuses: number[]): RawCase => ({
  name: `path ${text.slice(0, 40)}`,
  path: text,
  body: framed(NOTHING),
  statuses,
});

/** A length-delimited field of a message. */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number << 3 | 2, bytes.length]), bytes]);
}

/** Bodies, metadata and paths of calls. */
export const RAW_CALLS: readonly RawCase[] = [
  body("no body", NOTHING, 12, 13, 3),
  body("half a frame", Buffer.from([0, 0, 0]), 12, 13, 3),
  body("a frame shorter than it says", framed(Buffer.alloc(3), { length: 9 }), 12, 13, 3),
  body("a frame of four gigabytes", framed(NOTHING, { length: 0xffff_ffff }), 8),
  body("a frame of five megabytes", framed(Buffer.alloc(5 * 1_048_576)), 8),
  body("two frames", Buffer.concat([framed(NOTHING), framed(NOTHING)]), 12, 13, 3),
  body("compressed without an encoding", framed(Buffer.from("x"), { compressed: true }), 3, 12, 13),
  body("a flag that is none", Buffer.from([0x7f, 0, 0, 0, 0]), 12, 13, 3),
  body("bytes that are no message", framed(Buffer.from([0xff, 0xff, 0xff, 0xff])), 3),
  body("a field without end", framed(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f])), 3),
  body("a number of eleven bytes", framed(Buffer.alloc(11, 0xff)), 3),
  body("the field number zero", framed(Buffer.from([0x02, 0x00])), 3),
  body("the wrong kind of field", framed(Buffer.from([0x08, 0x01])), 3),
  body("text that is no UTF-8", framed(field(1, Buffer.from([0xc3, 0x28]))), 3),
  body("groups in groups", framed(Buffer.alloc(50_000, 0x0b)), 3),
  body(
    "unknown fields",
    framed(Buffer.concat([field(15, Buffer.from("x")), field(1, Buffer.from("ffff0000"))])),
    5,
  ),
  headers("a content type that is none", { "content-type": "text/html" }, -1, 12, 13),
  headers("an encoding that is none", { "grpc-encoding": "rot13" }, 0, 12),
  headers("a timeout that is none", { "grpc-timeout": "soon" }, 0, 3, 13, -1),
  headers("a timeout of all digits", { "grpc-timeout": "99999999H" }, 0),
  headers("a timeout of nothing", { "grpc-timeout": "0n" }, 0, 4, -1),
  headers("metadata of 4 kB", { "x-a": "a".repeat(4_000) }, 0),
  headers("metadata of 64 kB", { "x-a": "a".repeat(64_000) }, -1, 0, 8),
  headers(
    "two hundred metadata",
    Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`x-${index}`, "v"]),
    ),
    0,
    -1,
    8,
  ),
  headers("binary metadata that is no base64", { "x-a-bin": "%%%%" }, 0, 3, 13, -1),
  headers("a trace that is none", { "grpc-trace-bin": "AAAA", "traceparent": "x" }, 0),
  headers("a name of ours", { "jobctl-role": "admin", "x-forwarded-for": "127.0.0.1" }, 0),
  path("/", 12, 5),
  path("/job.v1.JobService/", 12),
  path("/job.v1.JobService/__proto__", 12),
  path("/job.v1.JobService/constructor", 12),
  path("/job.v1.JobService/toString", 12),
  path("/job.v1.JobService/../../etc/passwd", 12),
  path("/job.v1.JobService/GetVersion?x=1", 12, 0),
  path(`/job.v1.JobService/${"G".repeat(8_000)}`, 12, -1),
  path("/grpc.reflection.v2.ServerReflection/ServerReflectionInfo", 12),
];

/**
 * What stands in the authorization of a call over TCP without any other right: all are refused as
 * unauthenticated.
 */
export const AUTHORIZATIONS: readonly (string | null)[] = [
  null,
  "",
  "Bearer",
  "Bearer ",
  "bearer  ",
  "Bearer null",
  "Bearer undefined",
  "Bearer [object Object]",
  "Bearer ' OR 1=1 --",
  "Bearer ../token",
  "Basic YWRtaW46YWRtaW4=",
  "Bearer a, Bearer b",
  `Bearer ${"0".repeat(43)}`,
  `Bearer ${"A".repeat(5_000)}`,
  "Bearer %00",
  "Token x",
];

/**
 * Bytes on the gRPC port from the first on: the connection is closed, or goes on as if nothing was.
 */
export const CONNECTIONS: Readonly<Record<string, Buffer>> = {
  "HTTP/1.1": Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  "half a preface": Buffer.from("PRI * HTTP/2.0\r\n"),
  "a preface of another protocol": Buffer.from("SSH-2.0-x\r\n"),
  "TLS": Buffer.from("16030100a5010000a1030300", "hex"),
  "zeros": Buffer.alloc(1_000),
  "a frame of sixteen megabytes": Buffer.concat([
    HTTP2_START,
    Buffer.from("ffffff000100000001", "hex"),
  ]),
  "settings with half an entry": Buffer.concat([HTTP2_START, http2Frame(4, 0, 0, Buffer.alloc(5))]),
  "settings on a stream": Buffer.concat([HTTP2_START, http2Frame(4, 0, 1, NOTHING)]),
  "a window beyond all": Buffer.concat([
    HTTP2_START,
    http2Frame(8, 0, 0, Buffer.from("7fffffff", "hex")),
    http2Frame(8, 0, 0, Buffer.from("7fffffff", "hex")),
  ]),
  "a window of zero": Buffer.concat([HTTP2_START, http2Frame(8, 0, 0, Buffer.alloc(4))]),
  "data without a stream": Buffer.concat([HTTP2_START, http2Frame(0, 1, 7, Buffer.from("x"))]),
  "a stream of our side": Buffer.concat([HTTP2_START, http2Call(2, VERSION)]),
  "streams that go back": Buffer.concat([
    HTTP2_START,
    http2Call(5, VERSION),
    http2Call(3, VERSION),
  ]),
  "a stream that depends on itself": Buffer.concat([
    HTTP2_START,
    http2Frame(2, 0, 1, Buffer.from("0000000110", "hex")),
  ]),
  "a push": Buffer.concat([HTTP2_START, http2Frame(5, 4, 1, Buffer.from("00000002", "hex"))]),
  "headers that are no HPACK": Buffer.concat([
    HTTP2_START,
    http2Frame(1, 4, 1, Buffer.alloc(20, 0xff)),
  ]),
  "a continuation of nothing": Buffer.concat([HTTP2_START, http2Frame(9, 4, 1, Buffer.alloc(4))]),
  "a frame of no type": Buffer.concat([HTTP2_START, http2Frame(99, 255, 0, Buffer.alloc(9))]),
  "a farewell": Buffer.concat([HTTP2_START, http2Frame(7, 0, 0, Buffer.alloc(8))]),
};

/**
 * Requests on the HTTP port, and the statuses that they may be answered with; 0 for a connection
 * that is closed.
 */
export const HTTP_REQUESTS: Readonly<
  Record<string, readonly [request: string, ...statuses: number[]]>
> = {
  "a path that goes up": ["GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, 400],
  "an encoded path that goes up": [
    "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    404,
  ],
  "a NUL in a path": ["GET /metrics%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404],
  "another host": ["GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, 421, 403, 400],
  "no host": ["GET /healthz HTTP/1.1\r\n\r\n", 200, 400, 0],
  "two hosts": ["GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 200, 421, 403, 0],
  "a method that is none": ["BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, 400, 0],
  "a POST": ["POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 405],
  "a CONNECT": ["CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n", 405, 400, 404, 0],
  "an upgrade": [
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    200,
    303,
    400,
    426,
    0,
  ],
  "a header of 64 kB": [
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(64_000)}\r\n\r\n`,
    431,
    0,
  ],
  "a path of 64 kB": [
    `GET /${"a".repeat(64_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    431,
    414,
    0,
  ],
  "a header with a newline": [
    "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nY: b\r\n\r\n",
    200,
    400,
    0,
  ],
  "a folded header": ["GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 200, 400, 0],
  "two lengths": [
    "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    400,
    0,
  ],
  "a length and chunks": [
    "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
    200,
    0,
  ],
  "a version that is none": ["GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505, 400, 0],
  "bytes that are no HTTP": ["\x16\x03\x01\x00\xa5\x01\x00\x00", 400, 0],
  "a script in the query": [
    "GET /?<script>alert(1)</script> HTTP/1.1\r\nHost: localhost\r\n\r\n",
    200,
    303,
    400,
  ],
};
