import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import test from "node:test";
import { runtimeName } from "../../../src/platform/system/runtime.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { ConnectionGuard } from "../../../src/rpc/guard/connection_guard.ts";
import { gathering } from "../../../src/rpc/server/gathering_socket.ts";
import { HTTP2_START, http2Frame } from "../../support/raw_grpc.ts";

/** Both ends of a connection over loopback; ours gathers. */
async function connected(
  action: (ours: Duplex, peer: Socket, raw: Socket) => Promise<void>,
  guard: ConnectionGuard | null = null,
) {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const peer = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const [raw] = await once(server, "connection") as [Socket];
  const ours = gathering(raw, guard);
  ours.on("error", () => {});
  try {
    await action(ours, peer, raw);
  } finally {
    peer.destroy();
    ours.destroy();
    server.close();
  }
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  await once(stream, "end");
  return Buffer.concat(pieces);
}

const bytesOf = (count: number) => Buffer.from(Uint8Array.from({ length: count }, (_, at) => at));

test("gathering() sends together what one turn of the event loop wrote", {
  skip: runtimeName() !== "bun",
}, async () => {
  await connected(async (ours, peer, raw) => {
    const sizes: number[] = [];
    const write = raw.write.bind(raw);
    raw.write = ((bytes: Buffer, done: () => void) => {
      sizes.push(bytes.length);
      return write(bytes, done);
    }) as typeof raw.write;
    for (const text of ["one", "two", "three"]) ours.write(text);
    await Promise.resolve().then(() => ours.write("four"));
    assert.equal(String((await once(peer, "data"))[0]), "onetwothreefour");
    ours.write("five");
    assert.equal(String((await once(peer, "data"))[0]), "five");
    assert.deepEqual(sizes, [15, 4]);
    for (let count = 0; count < 100; count++) ours.write("x");
    assert.deepEqual(sizes.slice(2), [9], "a part is on its way before the turn is over");
    while (sizes.length < 4) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(sizes[3], 91);
  });
});

test("gathering() passes on what arrives after what was written before it is sent", {
  skip: runtimeName() !== "bun",
}, async () => {
  await connected(async (ours, peer, raw) => {
    const events: string[] = [];
    const write = raw.write.bind(raw);
    raw.write = ((bytes: Buffer, done: () => void) => {
      events.push(`sent ${bytes}`);
      return write(bytes, done);
    }) as typeof raw.write;
    ours.on("data", (bytes: Buffer) => events.push(`read ${bytes}`));
    raw.on("data", (bytes: Buffer) => events.push(`arrived ${bytes}`));
    // As when a commit ends while the next requests arrive.
    raw.prependListener("data", () => ours.write("answer"));
    peer.write("request");
    await once(peer, "data");
    assert.deepEqual(events, ["arrived request", "sent answer", "read request"]);
  });
});

test("gathering() passes on what arrived before its socket failed", async () => {
  await connected(async (ours, peer, raw) => {
    let read = "";
    ours.on("data", (bytes: Buffer) => read += bytes);
    raw.prependListener("data", () => {
      ours.write("answer");
      queueMicrotask(() => raw.destroy(new Error("reset")));
    });
    const closed = new Promise<void>((resolve) => ours.once("close", () => resolve()));
    peer.write("request");
    await closed;
    assert.equal(read, "request");
  });
});

test("gathering() loses nothing of what arrived before its socket closed", async () => {
  await connected(async (ours, peer, raw) => {
    const reading = readAll(ours);
    raw.prependListener("data", () => ours.write("answer"));
    peer.resume();
    for (let count = 0; count < 10; count++) peer.write("x".repeat(50_000));
    peer.end("the end");
    raw.once("end", () => raw.destroy());
    const read = await reading;
    assert.equal(read.length, 500_007);
    assert.equal(String(read.subarray(-7)), "the end");
  });
});

test("gathering() carries megabytes both ways at once", async () => {
  await connected(async (ours, peer) => {
    const sent = bytesOf(3_000_000);
    const send = async (from: Duplex) => {
      for (let at = 0; at < sent.length; at += 50_000) {
        if (!from.write(sent.subarray(at, at + 50_000))) await once(from, "drain");
      }
      from.end();
    };
    const [here, there] = await Promise.all([readAll(ours), readAll(peer), send(ours), send(peer)]);
    assert.ok(here.equals(sent));
    assert.ok(there.equals(sent));
  });
});

test("gathering() takes no more than it can send to a peer that reads nothing", async () => {
  await connected(async (ours, peer) => {
    peer.pause();
    const piece = Buffer.alloc(65_536);
    let taken = 0;
    while (ours.write(piece) && taken < 1_000) taken += 1;
    assert.ok(taken < 1_000);
    let hasDrained = false;
    ours.once("drain", () => hasDrained = true);
    for (let count = 0; count < 200; count++) ours.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(hasDrained, false);
  });
});

test("gathering() reports to its guard what the system has not taken yet", {
  skip: runtimeName() !== "bun",
}, async () => {
  const guard = new ConnectionGuard(systemClock, true);
  await connected(async (ours, peer) => {
    peer.pause();
    let queuedBytes = 0;
    const emptied = Promise.withResolvers<void>();
    guard.onQueuedBytes((bytes) => {
      queuedBytes = bytes;
      if (bytes === 0) emptied.resolve();
    });
    const frame = http2Frame(0, 0, 1, Buffer.alloc(16_000));
    for (let count = 0; count < 1_200; count++) ours.write(frame);
    assert.ok(queuedBytes > 10_000_000, `${queuedBytes} bytes`);
    peer.resume();
    await emptied.promise;
  }, guard);
});

test("gathering() sends what was written when it ends", async () => {
  await connected(async (ours, peer) => {
    const reading = readAll(peer);
    ours.write("last");
    ours.end(" words");
    assert.equal(String(await reading), "last words");
  });
});

test("gathering() sends what was written when it is destroyed", {
  skip: runtimeName() !== "bun",
}, async () => {
  await connected(async (ours, peer) => {
    const reading = once(peer, "data");
    ours.write("goodbye");
    ours.destroy();
    assert.equal(String((await reading)[0]), "goodbye");
  });
});

test("gathering() closes with its socket, and its socket with it", async () => {
  await connected(async (ours, peer) => {
    const closed = once(ours, "close");
    ours.resume();
    peer.destroy();
    ours.end();
    await closed;
  });
  await connected(async (ours, peer, raw) => {
    const closed = Promise.all([once(peer, "end"), once(raw, "close")]);
    peer.resume();
    ours.destroy();
    await closed;
  });
});

for (
  const [what, act, sizes] of [
    ["the rest at once when a call is accepted", "admit", [128, 672]],
    ["nothing more after a complaint", "complain", [128]],
  ] as const
) {
  test(`gathering() passes on what a stranger sends in pieces, and ${what}`, {
    skip: runtimeName() !== "bun",
  }, async () => {
    const guard = new ConnectionGuard(systemClock, false);
    await connected(async (ours, peer) => {
      const read: number[] = [];
      ours.on("data", (bytes: Buffer) => {
        read.push(bytes.length);
        if (act === "admit") guard.admit();
        else guard.complain("too many calls");
      });
      const frame = http2Frame(0, 0, 1, Buffer.alloc(800 - 9 - HTTP2_START.length));
      peer.end(Buffer.concat([HTTP2_START, frame]));
      await Promise.race([once(ours, "end"), once(ours, "close")]);
      assert.deepEqual(read, sizes);
    }, guard);
  });
}
