import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { test } from "node:test";
import type { ConnectionAddresses } from "../../../src/platform/network/connection_addresses.ts";
import { clientUser, peerOwner, STRANGER } from "../../../src/platform/network/peer_owner.ts";

const skip = process.platform === "linux" ? false : "the kernel's table is Linux's";

async function withConnection(
  addresses: { readonly listen: string; readonly connect: string },
  body: (connection: ConnectionAddresses) => Promise<void>,
): Promise<void> {
  const server = createServer();
  server.listen(0, addresses.listen);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const socket = connect(port, addresses.connect);
  const [[other]] = await Promise.all([accepted, once(socket, "connect")]);
  try {
    await body({
      localAddress: socket.localAddress!,
      localPort: socket.localPort!,
      remoteAddress: socket.remoteAddress!,
      remotePort: socket.remotePort!,
    });
  } finally {
    for (const each of [socket, other]) each.destroy();
    server.close();
  }
}

for (
  const [what, listen, address] of [
    ["IPv4", "127.0.0.1", "127.0.0.1"],
    ["IPv6", "::1", "::1"],
    ["IPv4 to a listener of both", "::", "127.0.0.1"],
  ] as const
) {
  test(`peerOwner() is the user who took a connection over ${what}`, { skip }, async () => {
    await withConnection({ listen, connect: address }, async (connection) => {
      assert.equal(await peerOwner(connection), process.getuid!());
    });
  });
}

test("peerOwner() is null for a connection that is not in the table", { skip }, async () => {
  await withConnection({ listen: "127.0.0.1", connect: "127.0.0.1" }, async (connection) => {
    assert.equal(await peerOwner({ ...connection, localAddress: "127.0.0.2" }), null);
    assert.equal(await peerOwner({ ...connection, localPort: connection.localPort ^ 1 }), null);
  });
});

test(
  "clientUser() is a stranger on this machine who closes his half of the connection",
  { skip },
  async () => {
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const outside = own.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "0.0.0.0");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    for (const address of ["127.0.0.1", ...outside === undefined ? [] : [outside]]) {
      for (const isHalf of [false, true]) {
        const accepted = once(server, "connection") as Promise<[Socket]>;
        const socket = connect(port, address);
        const [[other]] = await Promise.all([accepted, once(socket, "connect")]);
        const ended = isHalf ? once(other.resume(), "end") : null;
        if (isHalf) socket.end();
        await ended;
        const user = await clientUser(other);
        assert.equal(user, isHalf ? STRANGER : process.getuid!(), address);
        for (const each of [socket, other]) each.destroy();
      }
    }
    server.close();
  },
);
