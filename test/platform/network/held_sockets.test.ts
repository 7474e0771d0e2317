import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { duplicateSocket, HeldSockets } from "../../../src/platform/network/held_sockets.ts";
import { listening, listenOn } from "../../../src/platform/network/listening.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";

const CAN_HOLD = runtimeName() === "bun" && process.platform === "linux";

function answering(text: string): Server {
  return createServer((socket) => socket.end(text));
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

/** What whoever accepts the connection sends; null if it is refused. */
function askAt(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    let text = "";
    connect(port, "127.0.0.1").on("data", (part) => text += part).on("close", () => resolve(text))
      .on("error", () => resolve(null));
  });
}

/** A server, and the sockets that hold its socket. */
async function held(text = "first") {
  const server = answering(text);
  await listenOn(server, { host: "127.0.0.1", port: 0 }, "key");
  const address = { host: "127.0.0.1", port: portOf(server) };
  const sockets = new HeldSockets();
  sockets.keep("grpc", address, descriptorOf(server));
  return { server, address, sockets };
}

test("a held socket keeps its port and its connections for the next listener", async (context) => {
  if (!CAN_HOLD) return context.skip("needs Bun on Linux with glibc");
  const { server, address, sockets } = await held();
  server.close();
  const waiting = askAt(address.port);
  const stranger = answering("stranger");
  await assert.rejects(listenOn(stranger, address, "key"), (error) => {
    return isJobError(error, "conflict") && / by user "?/.test(error.message);
  });
  const lent = sockets.lend("grpc", address)!;
  const next = answering("second");
  await listening(next, { fd: duplicateSocket(lent)! });
  assert.equal(await waiting, "second");
  next.close();
  sockets.close();
  assert.equal(await askAt(address.port), null);
});

test("lend() closes the socket of another address", async (context) => {
  if (!CAN_HOLD) return context.skip("needs Bun on Linux with glibc");
  const { server, address, sockets } = await held();
  server.close();
  assert.equal(sockets.lend("http", address), null);
  assert.equal(sockets.lend("grpc", { host: "localhost", port: address.port }), null);
  assert.equal(await askAt(address.port), null);
});

test("the next program takes exactly the sockets that are handed over", async (context) => {
  if (!CAN_HOLD) return context.skip("needs Bun on Linux with glibc");
  const { server, address, sockets } = await held();
  server.close();
  const { descriptors, env } = sockets.handOver();
  const given: Record<string, string | undefined> = { ...env, LISTEN_FDS: "1", OTHER: "x" };
  const next = new HeldSockets(given);
  assert.equal(given.JOBCTL_LISTENERS, undefined);
  assert.equal(next.isHandedOver, true);
  assert.deepEqual([next.lend("grpc", address)], descriptors);
  next.close();
});

test("an environment with anything but listening sockets is not believed", (context) => {
  if (!CAN_HOLD) return context.skip("needs Bun on Linux with glibc");
  for (
    const text of ["", "grpc=0=127.0.0.1:1", "grpc=1=a:1,http=x=a:2", "grpc=99999=a:1", "=,=="]
  ) {
    const sockets = new HeldSockets({ JOBCTL_LISTENERS: text });
    assert.equal(sockets.lend("grpc", { host: "127.0.0.1", port: 1 }), null);
    assert.deepEqual(sockets.handOver().descriptors, []);
  }
});

test("sockets of systemd are for its own process only, and removed from the environment", () => {
  const env = { LISTEN_FDS: "2", LISTEN_PID: String(process.pid + 1) };
  const sockets = new HeldSockets(env);
  assert.deepEqual([sockets.isHandedOver, sockets.problem, sockets.dropUnused()], [
    false,
    null,
    [],
  ]);
});

test("where no socket can be held, those of systemd are a problem", (context) => {
  if (CAN_HOLD) return context.skip("this runtime can hold them");
  const sockets = new HeldSockets({ LISTEN_FDS: "2", LISTEN_PID: String(process.pid) });
  assert.match(sockets.problem!, /^Cannot use the sockets of systemd: /);
  sockets.keep("grpc", { host: "127.0.0.1", port: 1 }, 3);
  assert.equal(sockets.lend("grpc", { host: "127.0.0.1", port: 1 }), null);
});

test("duplicateSocket() returns null for a descriptor that is not open", (context) => {
  if (!CAN_HOLD) return context.skip("needs Bun on Linux with glibc");
  assert.equal(duplicateSocket(99_999), null);
  const copy = duplicateSocket(0);
  if (copy !== null) closeSync(copy);
});
