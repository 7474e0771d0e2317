import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { requestStop, type StopParts } from "../../../src/manager/nodes/request_stop.ts";

function world(isDaemon = true) {
  const requests: { readonly isNow: boolean }[] = [];
  const stopDaemon = isDaemon
    ? { stopDaemon: (one: typeof requests[0]) => requests.push(one) }
    : {};
  const parts: StopParts = {
    options: { node: "web-1", drainMs: 1_000, ...stopDaemon as object },
    dispatcher: { runningCount: 2, drainLimitMs: (drainMs) => drainMs + 5 },
  };
  return { parts, requests };
}

test("requestStop() stops the daemon, and says what it waits for", () => {
  const { parts, requests } = world();
  const report = requestStop(parts, { node: "web-1", isNow: false });
  assert.deepEqual(report, { node: "web-1", running: 2, drainMs: 1_005 });
  assert.equal(requestStop(parts, { isNow: true }).drainMs, 0);
  assert.deepEqual(requests, [{ isNow: false }, { isNow: true }]);
});

test("requestStop() refuses another node, and a manager that is in no daemon", () => {
  const { parts, requests } = world();
  assert.throws(() => requestStop(parts, { node: "web-2", isNow: false }), (error) => {
    return isJobError(error, "conflict") && /node "web-2".*is node "web-1"/.test(error.message);
  });
  assert.deepEqual(requests, []);
  assert.throws(
    () => requestStop(world(false).parts, { isNow: false }),
    (error) => isJobError(error, "unimplemented"),
  );
});
