import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { type DaemonCallParts, daemonCalls } from "../../../src/manager/nodes/daemon_calls.ts";

function world({ isDaemon = true, leaving = 1 } = {}) {
  const requests: (string | { readonly isNow: boolean })[] = [];
  const daemon = {
    stop: (one: { readonly isNow: boolean }) => void requests.push(one),
    upgrade: async () => {
      requests.push("upgrade");
      return { version: "9.0.0" };
    },
    upgradeProblem: null,
  };
  const parts: DaemonCallParts = {
    options: { node: "web-1", drainMs: 1_000, ...(isDaemon ? { daemon } : {}) },
    dispatcher: {
      drainFacts: ({ drainMs, keepsCommands = false }) => ({
        count: keepsCommands ? leaving : 2,
        limitMs: drainMs + 5,
      }),
    },
  };
  return { calls: daemonCalls(() => parts), requests };
}

test("stop() stops the daemon, and says what it waits for", () => {
  const { calls, requests } = world();
  const report = calls.stop({ node: "web-1", isNow: false });
  assert.deepEqual(report, { node: "web-1", running: 2, drainMs: 1_005 });
  assert.equal(calls.stop({ isNow: true }).drainMs, 0);
  assert.deepEqual(requests, [{ isNow: false }, { isNow: true }]);
});

test("upgrade() tries the file, and says what the hand-over waits for", async () => {
  const { calls, requests } = world();
  const report = await calls.upgrade({ node: "web-1" });
  assert.deepEqual(report, { node: "web-1", version: "9.0.0", waiting: 1, drainMs: 1_005 });
  assert.deepEqual(requests, ["upgrade"]);
  // Commands run on.
  const { waiting, drainMs } = await world({ leaving: 0 }).calls.upgrade({});
  assert.deepEqual({ waiting, drainMs }, { waiting: 0, drainMs: 0 });
});

test("stop() and upgrade() refuse another node, and a manager that is in no daemon", async () => {
  const { calls, requests } = world();
  const isConflict = (error: unknown) =>
    isJobError(error, "conflict") && /node "web-2".*is node "web-1"/.test(error.message);
  assert.throws(() => calls.stop({ node: "web-2", isNow: false }), isConflict);
  await assert.rejects(calls.upgrade({ node: "web-2" }), isConflict);
  assert.deepEqual(requests, []);
  const isUnimplemented = (error: unknown) => isJobError(error, "unimplemented");
  const alone = world({ isDaemon: false }).calls;
  assert.throws(() => alone.stop({ isNow: false }), isUnimplemented);
  await assert.rejects(alone.upgrade({}), isUnimplemented);
});
