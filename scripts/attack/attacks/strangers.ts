import { HTTP2_START, http2Frame } from "../../../test/support/raw_grpc.ts";
import type { Attack, Running, Target } from "../attack.ts";
import { flood } from "../connections.ts";
import type { FloodOptions } from "../connections.ts";
import {
  callHeaders,
  endlessly,
  FLAG,
  FRAME,
  type FrameShape,
  headersShape,
  hpackLiteral,
  hpackReference,
  messageShape,
  repeated,
  streams,
  uint32,
} from "../frames.ts";

/** Without a token. */
const CALL = callHeaders("LookupInstances");
const EMPTY_MESSAGE = messageShape(Buffer.alloc(5));
const NOTHING = Buffer.alloc(0);

function grpc(target: Target) {
  return { port: target.port, host: "127.0.0.1" };
}

function stranger(
  name: string,
  about: string,
  options: Omit<FloodOptions, "to">,
): Attack {
  return {
    ...{ name, about, family: "strangers" },
    run: (running) => flood(running, { ...options, to: grpc(running.target) }),
  };
}

/** The start of a connection, and a first call that puts its headers into the peer's table. */
function* calls(...shapes: FrameShape[]): Generator<Buffer> {
  yield Buffer.concat([
    HTTP2_START,
    http2Frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, CALL.first),
  ]);
  yield* streams(shapes, { from: 3 });
}

/** One frame forever, after a prefix. */
function* frames(frame: Buffer, begin: Buffer = NOTHING): Generator<Buffer> {
  yield Buffer.concat([HTTP2_START, begin]);
  yield* endlessly(repeated(frame));
}

const OPEN_CALL = headersShape(CALL.again);

/** Frames that make the server reset a stream instead of the client. */
const RESETTERS: readonly FrameShape[][] = [
  // A window update of zero.
  [{ type: FRAME.windowUpdate, flags: 0, payload: uint32(0) }],
  // Data after the end of the stream.
  [EMPTY_MESSAGE, EMPTY_MESSAGE],
  // A window larger than allowed.
  [{ type: FRAME.windowUpdate, flags: 0, payload: uint32(0x7fffffff) }],
];

const LARGE_HEADER = hpackLiteral("x", "v".repeat(4_000), true);

function* references(count: number): Generator<Buffer> {
  yield Buffer.concat([
    HTTP2_START,
    http2Frame(
      FRAME.headers,
      FLAG.endHeaders | FLAG.endStream,
      1,
      Buffer.concat([CALL.whole, LARGE_HEADER]),
    ),
  ]);
  const block = Buffer.concat([CALL.whole, ...Array(count).fill(hpackReference(0))]);
  const perChunk = Math.max(1, Math.floor(16_384 / block.length));
  yield* streams([{ ...headersShape(block), flags: FLAG.endHeaders | FLAG.endStream }], {
    ...{ from: 3, perChunk },
  });
}

function* continuations(payload: Buffer): Generator<Buffer> {
  const open = http2Frame(FRAME.headers, 0, 1, CALL.whole);
  yield* frames(http2Frame(FRAME.continuation, 0, 1, payload), open);
}

/** Random bytes, the same for every run. */
function* garbage(connection: number): Generator<Buffer> {
  let state = connection + 1;
  for (let left = 16; left > 0; left -= 1) {
    const bytes = Buffer.alloc(4_096);
    for (let at = 0; at < bytes.length; at += 4) {
      state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
      bytes.writeUInt32LE(state, at);
    }
    // Half of it looks like the start of a connection.
    yield connection % 2 === 0
      ? bytes
      : Buffer.concat([left === 16 ? HTTP2_START : NOTHING, bytes]);
  }
}

async function openStreams(running: Running): Promise<void> {
  await flood(running, {
    ...{ connections: 1_000, to: grpc(running.target), reads: false },
    *script() {
      yield Buffer.concat([HTTP2_START, http2Frame(FRAME.headers, FLAG.endHeaders, 1, CALL.first)]);
      yield* streams([OPEN_CALL], { from: 3, count: 255, perChunk: 255 });
      running.count("streams", 256);
    },
  });
}

/** Attacks on the gRPC listener without a token. */
export const STRANGERS: readonly Attack[] = [
  stranger("refused-calls", "calls without a token, as many as one connection takes", {
    connections: 1,
    script: () => calls(OPEN_CALL, EMPTY_MESSAGE),
  }),
  stranger("refused-calls-whole", "the same with all headers as text, over 4 connections", {
    connections: 4,
    *script() {
      yield HTTP2_START;
      yield* streams([headersShape(CALL.whole), EMPTY_MESSAGE]);
    },
  }),
  stranger("rapid-reset", "streams that are opened and reset at once, over 50 connections", {
    connections: 50,
    script: () => calls(OPEN_CALL, { type: FRAME.reset, flags: 0, payload: uint32(8) }),
  }),
  stranger("made-you-reset", "streams that the server has to reset, over 60 connections", {
    connections: 60,
    script: (connection) => calls(OPEN_CALL, ...RESETTERS[connection % RESETTERS.length]!),
  }),
  stranger("hpack-references", "frames that stand for 4,000 times as much, over 60 connections", {
    connections: 60,
    script: (connection) => references([1, 15, 10_000][connection % 3]!),
  }),
  stranger("continuation-flood", "headers without an end, over 50 connections", {
    connections: 50,
    script: (connection) =>
      continuations(
        connection % 2 === 0 ? NOTHING : Buffer.concat(Array(100).fill(hpackLiteral("x", "y"))),
      ),
  }),
  stranger("settings-flood", "SETTINGS, each of which wants an answer, over 50 connections", {
    connections: 50,
    script: () => frames(http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))),
  }),
  stranger("ping-flood", "PING over 50 connections", {
    connections: 50,
    script: () => frames(http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  }),
  stranger("ping-unread", "PING over 50 connections whose answers nobody reads", {
    ...{ connections: 50, reads: false },
    script: () => frames(http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  }),
  stranger("window-flood", "WINDOW_UPDATE over 50 connections", {
    connections: 50,
    script: () => frames(http2Frame(FRAME.windowUpdate, 0, 0, uint32(1))),
  }),
  stranger("priority-flood", "PRIORITY of ever new streams, over 50 connections", {
    connections: 50,
    *script() {
      yield HTTP2_START;
      yield* streams([{ type: FRAME.priority, flags: 0, payload: Buffer.from([0, 0, 0, 0, 1]) }], {
        perChunk: 1_000,
      });
    },
  }),
  stranger("empty-data", "DATA without bytes over 50 connections", {
    connections: 50,
    script: () =>
      frames(
        http2Frame(FRAME.data, 0, 1, NOTHING),
        http2Frame(FRAME.headers, FLAG.endHeaders, 1, CALL.whole),
      ),
  }),
  {
    ...{ name: "open-streams", family: "strangers" },
    about: "256,000 streams held open, over 1,000 connections",
    run: openStreams,
  },
  stranger("connect-close", "connections that are closed without a byte", {
    ...{ connections: 200, after: "close" },
    script: () => [],
  }),
  stranger("half-preface", "connections that send half a greeting and are reset", {
    ...{ connections: 200, after: "reset", lingerMs: 20 },
    script: () => [HTTP2_START.subarray(0, 12)],
  }),
  stranger("silent", "1,200 connections that say nothing", {
    connections: 1_200,
    script: () => [],
  }),
  stranger("garbage", "random bytes over 50 connections", { connections: 50, script: garbage }),
];
