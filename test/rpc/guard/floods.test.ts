import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { HTTP2_START, http2Call, http2Frame, rawSocket } from "../../support/raw_grpc.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";

const VERSION = "/job.v1.JobService/GetVersion";
const FRAMES_MAX = 100_000;
const BATCH = 1_000;
const NOTHING = Buffer.alloc(0);
const CANCEL = Buffer.from([0, 0, 0, 8]);
const LONG = Buffer.alloc(16_000, 0x61);

/** The `index`-th piece of each flood. */
const FLOODS: Readonly<Record<string, (index: number) => Buffer>> = {
  "calls that are reset at once": (index) =>
    Buffer.concat([
      http2Call(2 * index + 1, VERSION),
      http2Frame(3, 0, 2 * index + 1, CANCEL),
    ]),
  "calls that are never sent": (index) => http2Call(2 * index + 1, VERSION),
  "pings": () => http2Frame(6, 0, 0, Buffer.alloc(8)),
  "settings": () => http2Frame(4, 0, 0, NOTHING),
  "headers without end": (index) =>
    index === 0 ? http2Frame(1, 0, 1, Buffer.from([0])) : http2Frame(9, 0, 1, LONG),
  "empty data": (index) => index === 0 ? http2Call(1, VERSION) : http2Frame(0, 0, 1, NOTHING),
};

for (const [what, piece] of Object.entries(FLOODS)) {
  test(`a connection is closed when it sends a flood of ${what}, and others are served (66)`, async () => {
    await using world = await rpcWorld();
    const { socket, closed } = rawSocket(world.port);
    socket.write(HTTP2_START);
    for (let index = 0; index < FRAMES_MAX && !socket.destroyed; index += BATCH) {
      const pieces = Array.from({ length: BATCH }, (_, offset) => piece(index + offset));
      if (!socket.write(Buffer.concat(pieces))) {
        await Promise.race([once(socket, "drain").catch(() => {}), closed]);
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await closed;
    assert.equal((await world.client().getVersion()).apiVersion, "v1");
  });
}
