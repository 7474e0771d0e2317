import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { peerUserId } from "../../../src/platform/network/peer_user.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";

test("peerUserId() names the user of the other end, where the kernel can be asked", async () => {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-peer-"));
  const server = createServer();
  try {
    const path = join(folder, "d.sock");
    server.listen(path);
    await once(server, "listening");
    const client = connect(path);
    const [socket] = await once(server, "connection") as [Socket];
    const isAsked = runtimeName() === "bun" && process.platform === "linux";
    assert.equal(peerUserId(socket), isAsked ? process.getuid!() : null);
    for (const end of [client, socket]) end.destroy();
    await once(socket, "close");
    assert.equal(peerUserId(socket), null);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
