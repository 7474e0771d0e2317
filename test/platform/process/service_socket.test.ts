import assert from "node:assert/strict";
import process from "node:process";
import test from "node:test";
import { takeServiceSocket } from "../../../src/platform/process/service_socket.ts";
import { withNotifyReceiver } from "../../support/servers/notify_receiver.ts";

/** What a take gives, with the environment it leaves and the problems it has. */
function take(env: Record<string, string | undefined>) {
  const problems: string[] = [];
  const socket = takeServiceSocket(env, (problem) => problems.push(problem));
  return { socket, env, problems };
}

const isNative = process.versions.bun !== undefined;

test("takeServiceSocket() takes every variable of the service manager away", () => {
  const env = {
    NOTIFY_SOCKET: "",
    WATCHDOG_USEC: "1",
    WATCHDOG_PID: "1",
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: "a",
    LISTEN_PID: "1",
    OTHER: "stays",
  };
  const taken = take(env);
  assert.equal(taken.socket, null);
  assert.deepEqual(taken.env, { OTHER: "stays" });
  assert.deepEqual(taken.problems, []);
});

for (
  const [what, path] of [
    ["a relative path", "notify"],
    ["a socket of a machine", "vsock:2:1234"],
    ["no name", "@"],
    ["a name of 107 bytes", `@${"x".repeat(107)}`],
    ["a path of 108 bytes", `/${"x".repeat(107)}`],
    ["a NUL", "/run/a\0b"],
  ] as const
) {
  test(`takeServiceSocket() refuses an address that is ${what}`, () => {
    const { socket, problems } = take({ NOTIFY_SOCKET: path });
    assert.equal(socket, null);
    assert.match(problems.join(), /NOTIFY_SOCKET/);
  });
}

for (
  const [usec, pid, wanted] of [
    ["30000000", undefined, 30_000],
    ["30000000", String(process.pid), 30_000],
    ["30000000", "1", null],
    ["0", undefined, null],
    ["soon", undefined, null],
    [undefined, undefined, null],
  ] as const
) {
  test(`takeServiceSocket() has a watchdog of ${wanted} ms for "${usec}" and process ${pid}`, {
    skip: !isNative,
  }, () => {
    const env = { NOTIFY_SOCKET: "@jobctl", WATCHDOG_USEC: usec, WATCHDOG_PID: pid };
    assert.equal(take(env).socket?.watchdogMs, wanted);
  });
}

test("send() delivers assignments in order, each on a line of its own", {
  skip: !isNative,
}, async () => {
  await withNotifyReceiver(async (receiver) => {
    const { socket } = take({ NOTIFY_SOCKET: receiver.path });
    socket!.send({ READY: "1", STATUS: "one\nSTOPPING=1" });
    socket!.send({ RELOADING: "1" });
    await socket!.sent();
    await receiver.received(/^RELOADING=1$/m);
    assert.equal(receiver.messages[0], "READY=1\nSTATUS=one STOPPING=1\n");
    assert.match(receiver.messages[1]!, /^RELOADING=1\nMONOTONIC_USEC=\d+\n$/);
  });
});
