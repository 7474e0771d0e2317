import assert from "node:assert/strict";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { cli, interruptInCall, NOW } from "../../support/worlds/cli_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const seconds = (ms: number) => ({ seconds: BigInt(ms / 1_000), nanos: 0 });
const RUNNING = {
  ...{ kind: "report", uuid: "01938f2c-7d3e-7000-8000-000000000000", node: "web-1" },
  processedAt: seconds(NOW - 120_000),
};

/** A daemon that is away after some calls of GetVersion. */
function daemon(calls: number, changes: Readonly<Record<string, unknown>> = {}) {
  let left = calls;
  return {
    getStatus: { node: "web-1", startedAt: seconds(NOW - 3_600_000) },
    lookupInstances: { instances: [RUNNING] },
    stopDaemon: { node: "web-1", running: 1, drainMs: 30_000n },
    getVersion: () => {
      if (left-- > 0) return {};
      throw new JobError("unavailable", "nobody listens");
    },
    ...changes,
  };
}

/** Run a command, and let time pass until it ends. */
async function run(argv: readonly string[], options: Parameters<typeof cli>[1]) {
  const clock = new SimClock(NOW);
  const running = cli(argv, { ...options, clock });
  let isDone = false;
  void running.finally(() => isDone = true);
  while (!isDone) await clock.advance(250);
  return await running;
}

test("stop names the node and what it waits for, and ends with the daemon", async () => {
  const { code, stdout, stderr, calls } = await run(["stop"], { answers: daemon(2) });
  assert.equal(code, 0);
  const { waited_ms: waitedMs, ...record } = JSON.parse(stdout);
  assert.deepEqual(record, { node: "web-1", is_stopped: true });
  assert.ok(waitedMs > 0);
  const [first, next, second] = stderr.split("\n");
  assert.equal(next, "The next daemon will run what is aborted");
  assert.equal(first, "Stopping node web-1: 1 running instance has at most 30s to end");
  assert.match(second!, /^Waiting for 1 instance: report 00000000 \(for \w+\)$/);
  const request = calls.find(({ method }) => method === "stopDaemon")?.request;
  assert.deepEqual(request, { node: "web-1", now: false });
});

test("stop stops a daemon whose store is away", async () => {
  const getStatus = () => {
    throw new JobError("unavailable", "Cannot write to the store");
  };
  const answers = { ...daemon(9, { getStatus }), lookupInstances: getStatus };
  const { code, stdout, stderr, calls } = await run(["stop", "--node", "web-1"], { answers });
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).node, "web-1");
  const request = calls.find(({ method }) => method === "stopDaemon")?.request;
  assert.deepEqual(request, { node: "web-1", now: false });
  const away = await run(["stop"], { answers: daemon(0, { getStatus }) });
  assert.equal(away.code, 7);
});

test("stop refuses another node than that of --node before it stops anything", async () => {
  const { code, stderr, calls } = await run(["stop", "--node", "web-2"], { answers: daemon(0) });
  assert.equal(code, 6);
  assert.match(stderr, /Cannot stop node "web-2": the daemon here is node "web-1"/);
  assert.ok(!calls.some(({ method }) => method === "stopDaemon"));
});

test("stop asks on a terminal if something runs, unless --yes is given", async () => {
  const options = { answers: daemon(0), isTerminal: true };
  const asked = await run(["stop"], { ...options, input: "n\n" });
  assert.equal(asked.code, 130);
  assert.match(asked.stderr, /^Running: 1 instance: report 00000000 \(for 2m\)\n/);
  assert.match(asked.stderr, /About to stop node web-1 and wait for 1 running instance\. Contin/);
  assert.ok(!asked.calls.some(({ method }) => method === "stopDaemon"));
  const told = await run(["stop", "--now", "--yes"], { ...options, answers: daemon(0) });
  assert.equal(told.code, 0);
  assert.deepEqual(told.calls.find(({ method }) => method === "stopDaemon")?.request, {
    ...{ node: "web-1", now: true },
  });
});

test("stop says what becomes of what has not ended", async () => {
  const saidOf = async (status: object, running: number, options: readonly string[] = []) => {
    const answers = daemon(0, {
      getStatus: { node: "web-1", ...status },
      stopDaemon: { node: "web-1", running, drainMs: 30_000n },
    });
    const { stderr } = await run(["stop", "--yes", ...options], { answers });
    return stderr.trimEnd().split("\n");
  };
  const kinds = [{ kind: "a", scheduled: 2n, completed: 5n }, { kind: "b", scheduled: 1n }];
  assert.deepEqual(await saidOf({ kinds: [{ kind: "a", completed: 5n }] }, 0), [
    "Stopping node web-1",
  ]);
  assert.deepEqual(await saidOf({ kinds }, 0), [
    "Stopping node web-1",
    "The next daemon will run 3 waiting instances",
  ]);
  assert.deepEqual(await saidOf({ kinds, nodes: 2 }, 2, ["--now"]), [
    "Stopping node web-1: aborting 2 running instances",
    "The other nodes will run what is aborted and 3 waiting instances",
  ]);
  const [, lost] = await saidOf({ kinds, storeType: "memory" }, 0);
  assert.equal(lost, "Its store is in memory: what has not ended is lost");
});

test("stop gives up after --wait-timeout, and says that the daemon continues to stop", async () => {
  const { code, stdout } = await run(["stop", "--wait-timeout", "2s"], {
    answers: daemon(Infinity),
  });
  assert.equal(code, 124);
  assert.equal(JSON.parse(stdout).is_stopped, false);
});

test("stop ends if another daemon listens at the address, such as one that was started again", async () => {
  let isAsked = false;
  const getStatus = () => {
    const startedAt = seconds(isAsked ? NOW : NOW - 3_600_000);
    isAsked = true;
    return { node: "web-1", startedAt };
  };
  assert.equal((await run(["stop"], { answers: daemon(Infinity, { getStatus }) })).code, 0);
});

test("stop says that the daemon has the request when it is interrupted before the response", async () => {
  const run = await interruptInCall(["stop"], "stopDaemon", daemon(9));
  assert.equal(run.code, 130);
  assert.match(
    run.stderr,
    /the daemon has the request, and may complete it\nhint: See jobctl status/,
  );
});
