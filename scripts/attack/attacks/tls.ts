import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Attack } from "../attack.ts";
import { flood } from "../connections.ts";

/**
 * The first bytes of a TLS client, as the runtime sends them: replaying them costs the server a
 * signature and the attacker nothing.
 */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (hello: Buffer) => {
        socket.destroy();
        server.close();
        resolve(hello);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const client = connectTls({
        ...{ port, host: "127.0.0.1", servername: "localhost", ALPNProtocols: ["h2"] },
        rejectUnauthorized: false,
      });
      client.on("error", () => client.destroy());
    });
  });
}

/** Attacks by strangers on the gRPC listener with TLS. */
export const TLS: readonly Attack[] = [
  {
    ...{ name: "tls-handshakes", family: "strangers", needs: { isTls: true } },
    about: "TLS handshakes that end after the server's work, over 100 connections",
    async run(running) {
      const hello = await clientHello();
      await flood(running, {
        ...{ connections: 100, to: { port: running.target.port, host: "127.0.0.1" } },
        ...{ after: "close", lingerMs: 20 },
        script: () => [hello],
      });
    },
  },
  {
    ...{ name: "tls-garbage", family: "strangers", needs: { isTls: true } },
    about: "random bytes in place of a handshake, over 100 connections",
    run: (running) =>
      flood(running, {
        ...{ connections: 100, to: { port: running.target.port, host: "127.0.0.1" } },
        script: (connection) => [Buffer.alloc(1_000, connection)],
      }),
  },
];
