import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import {
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { LocalBackend } from "../../../src/rpc/handlers/local_backend.ts";
import { WatchHub } from "../../../src/rpc/watch/watch_hub.ts";
import { FakeManager } from "../../support/worlds/fake_manager.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

type Request = MessageInitShape<typeof WatchRequestSchema>;

/** One watcher: what it was sent so far. */
interface Watcher {
  readonly bytes: Uint8Array[];
  readonly messages: WatchResponse[];
  readonly error: () => unknown;
  stop(): void;
}

function watchWorld() {
  const clock = new SimClock();
  const manager = new FakeManager();
  const backend = new LocalBackend(manager, clock);
  const calls: string[] = [];
  const hub = new WatchHub({
    complete: (...call) => {
      calls.push(call[0]);
      return backend.complete(...call);
    },
    subscribe: (listener) => manager.subscribe(listener),
    clock,
  }, "hub");
  const watch = (request: Request = {}, jobs: readonly string[] | null = null): Watcher => {
    const abort = new AbortController();
    const bytes: Uint8Array[] = [];
    const messages: WatchResponse[] = [];
    let failure: unknown = null;
    const asked = toBinary(WatchRequestSchema, create(WatchRequestSchema, request));
    const read = async () => {
      for await (const each of hub.watch(asked, { jobs, signal: abort.signal })) {
        bytes.push(each);
        messages.push(fromBinary(WatchResponseSchema, each));
      }
    };
    read().catch((error: unknown) => failure = error);
    return { bytes, messages, error: () => failure, stop: () => abort.abort() };
  };
  return { clock, manager, calls, watch };
}

test("watch() sends everything first, then only what has changed", async () => {
  const { clock, manager, watch } = watchWorld();
  const first = manager.add({ state: "processing", argumentsJson: `["${"x".repeat(400)}"]` });
  manager.upcomingRuns = [
    { kind: "echo", dueAt: 5_000, scheduleId: "s", instanceId: null },
    { kind: "echo", dueAt: 6_000, scheduleId: null, instanceId: first.id },
  ];
  const { messages } = watch();
  await clock.advance(500);
  assert.equal(messages.length, 1);
  const [whole] = messages;
  assert.equal(whole!.isWhole, true);
  assert.equal(whole!.totals?.processing, 1n);
  assert.deepEqual(whole!.kinds.map(({ kind }) => kind), ["echo"]);
  assert.deepEqual(whole!.running?.instances.map(({ uuid }) => uuid), [first.id]);
  assert.deepEqual(whole!.running?.instances.map((one) => one.arguments), [[]], "long arguments");
  assert.deepEqual(whole!.upcoming?.runs.map(({ uuid }) => uuid), [undefined, first.id]);
  assert.equal(whole!.status?.node, "test");
  assert.deepEqual(whole!.status?.kinds, []);
  assert.deepEqual(whole!.nodes?.nodes.map(({ id }) => id), ["test"]);
  assert.deepEqual(whole!.failures?.instances, []);
  assert.deepEqual(whole!.changed, []);

  manager.move(first, "terminated", { error: { name: "Error", message: "out of paper" } });
  await clock.advance(1_000);
  assert.equal(messages.length, 2);
  const next = messages[1]!;
  assert.equal(next.isWhole, false);
  assert.deepEqual(next.changed.map(({ uuid, kind }) => [uuid, kind]), [[first.id, "echo"]]);
  assert.equal(next.changesMissed, false);
  assert.deepEqual(next.kinds.map(({ terminated }) => terminated), [1n]);
  assert.deepEqual(next.running?.instances, []);
  assert.deepEqual(next.failures?.instances.map(({ error }) => error), ["out of paper"]);
  assert.equal(next.upcoming, undefined);
  assert.equal(next.nodes, undefined);
  assert.notEqual(next.cursor, whole!.cursor);
});

test("watch() leaves notices out of the totals", async () => {
  const { clock, manager, watch } = watchWorld();
  manager.add();
  for (const kind of ["system.notices", "system.notice.ops"]) manager.add({ kind });
  const { messages } = watch();
  await clock.advance(500);
  assert.equal(messages[0]!.totals?.scheduled, 1n);
  assert.deepEqual(
    messages[0]!.kinds.map(({ kind, scheduled }) => `${kind} ${scheduled}`).sort(),
    ["echo 1", "system.notice.ops 1", "system.notices 1"],
  );
});

test("watch() sends at most one message a second, and one in 20 s", async () => {
  const { clock, manager, watch } = watchWorld();
  const instance = manager.add();
  const { messages } = watch();
  await clock.advance(3_000);
  for (let index = 0; index < 50; index++) {
    manager.move(instance, index % 2 === 0 ? "processing" : "scheduled");
    await clock.advance(100);
  }
  assert.ok(messages.length >= 5 && messages.length <= 7, `${messages.length} in 5 s`);
  await clock.advance(3_000);
  const before = messages.length;
  await clock.advance(20_000);
  const silent = messages.slice(before);
  assert.ok(silent.length >= 1 && silent.length <= 2, `${silent.length} in 20 s`);
  assert.equal(silent[0]!.cursor, messages[before - 1]!.cursor);
  assert.equal(silent[0]!.status, undefined);
});

test("watch() sends a change soon after a quiet time", async () => {
  const { clock, manager, watch } = watchWorld();
  const instance = manager.add();
  const { messages } = watch();
  await clock.advance(10_000);
  const before = messages.length;
  manager.move(instance, "processing");
  await clock.advance(100);
  assert.equal(messages.length, before + 1);
});

test("watch() reads once for all who ask the same, and not at all for nobody", async () => {
  const { clock, manager, calls, watch } = watchWorld();
  const instance = manager.add();
  const watchers = Array.from({ length: 50 }, () => watch());
  await clock.advance(500);
  manager.move(instance, "processing");
  await clock.advance(1_000);
  const statusCalls = () => calls.filter((name) => name === "getStatus").length;
  assert.equal(statusCalls(), 2);
  for (const { bytes } of watchers) {
    assert.equal(bytes.length, 2);
    assert.ok(bytes.every((each, index) => each === watchers[0]!.bytes[index]), "shared bytes");
  }
  for (const watcher of watchers) watcher.stop();
  await clock.advance(5_000);
  const after = calls.length;
  manager.move(instance, "completed");
  await clock.advance(30_000);
  assert.equal(calls.length, after);
});

test("watch() continues after a cursor, and starts again after one that it does not know", async () => {
  const { clock, manager, watch } = watchWorld();
  const one = manager.add();
  const two = manager.add();
  const other = watch();
  const reader = watch();
  await clock.advance(500);
  reader.stop();
  const { cursor } = reader.messages[0]!;
  manager.move(one, "processing");
  await clock.advance(1_500);
  manager.move(two, "completed");
  await clock.advance(1_500);
  assert.equal(other.messages.length, 3);
  const resumed = watch({ cursor });
  await clock.advance(10);
  assert.equal(resumed.messages.length, 1, "what it missed, at once");
  const [message] = resumed.messages;
  assert.equal(message!.isWhole, false);
  assert.equal(message!.cursor, other.messages[2]!.cursor);
  assert.deepEqual(message!.changed.map(({ uuid }) => uuid), [one.id, two.id]);
  assert.deepEqual(message!.running?.instances.map(({ uuid }) => uuid), [one.id]);
  assert.equal(message!.nodes, undefined);

  for (const unknown of ["hub-1.9999", "other-1.1", "x", `${cursor}.1x`, "hub-1.0"]) {
    const whole = watch({ cursor: unknown });
    await clock.advance(10);
    assert.equal(whole.messages[0]?.isWhole, true, unknown);
  }
});

test("watch() says that changes were missed while nobody watched", async () => {
  const { clock, manager, watch } = watchWorld();
  const instance = manager.add();
  const first = watch();
  await clock.advance(500);
  first.stop();
  await clock.advance(10_000);
  manager.move(instance, "processing");
  await clock.advance(1_000);
  const resumed = watch({ cursor: first.messages[0]!.cursor });
  await clock.advance(500);
  assert.deepEqual(
    resumed.messages.map(({ isWhole, changesMissed }) => [isWhole, changesMissed]),
    [[false, false], [false, true]],
  );
  assert.equal(resumed.messages[1]!.totals?.processing, 1n);
});

test("watch() lists no more than 100 changed instances", async () => {
  const { clock, manager, watch } = watchWorld();
  const instances = Array.from({ length: 150 }, () => manager.add());
  const { messages } = watch();
  await clock.advance(500);
  for (const instance of instances) manager.move(instance, "processing");
  await clock.advance(1_500);
  assert.equal(messages[1]!.changed.length, 100);
  assert.equal(messages[1]!.changesMissed, true);
  assert.equal(messages[1]!.running?.instances.length, 100);
  assert.ok(messages[1]!.running?.nextPageToken);
});

test("watch() shows a caller only the own jobs, and of one kind only that", async () => {
  const { clock, manager, watch } = watchWorld();
  const own = manager.add({ kind: "echo", state: "processing" });
  const foreign = manager.add({ kind: "secret", state: "processing" });
  manager.upcomingRuns = [{ kind: "secret", dueAt: 1, scheduleId: "s", instanceId: null }];
  for (const watcher of [watch({}, ["echo"]), watch({ kind: "echo" })]) {
    await clock.advance(500);
    manager.move(foreign, "terminated");
    manager.move(own, "terminated");
    await clock.advance(1_000);
    const [first, second] = watcher.messages;
    assert.deepEqual(first!.kinds.map(({ kind }) => kind), ["echo"]);
    assert.deepEqual(first!.upcoming?.runs, []);
    assert.deepEqual(first!.running?.instances.map(({ uuid }) => uuid), [own.id]);
    assert.deepEqual(second!.changed.map(({ uuid }) => uuid), [own.id]);
    assert.deepEqual(second!.failures?.instances.map(({ uuid }) => uuid), [own.id]);
    watcher.stop();
    for (const each of [own, foreign]) manager.move(each, "processing");
    await clock.advance(5_000);
  }
  const refused = watch({ kind: "secret" }, ["echo"]);
  await clock.advance(500);
  assert.ok(isJobError(refused.error(), "permission_denied"), String(refused.error()));
});

test("watch() goes on while the store fails, and says why", async () => {
  const { clock, manager, watch } = watchWorld();
  manager.add({ state: "processing" });
  const { messages } = watch();
  await clock.advance(500);
  const { lookupInstances } = manager;
  manager.lookupInstances = () =>
    Promise.reject(new JobError("unavailable", "Cannot list instances: the disk is gone"));
  await clock.advance(4_000);
  assert.equal(messages.length, 2);
  assert.match(messages[1]!.problem!, /the disk is gone/);
  assert.equal(messages[1]!.running, undefined);
  manager.lookupInstances = lookupInstances;
  await clock.advance(4_000);
  assert.equal(messages.length, 3);
  assert.equal(messages[2]!.problem, undefined);
});

test("watch() refuses a 51st question until another one is no longer watched", async () => {
  const { clock, watch } = watchWorld();
  const watchers = Array.from({ length: 50 }, (_, index) => watch({ kind: `k${index}` }));
  await clock.advance(500);
  assert.ok(watchers.every(({ messages }) => messages.length === 1));
  const refused = watch({ kind: "one-more" });
  await clock.advance(500);
  assert.ok(isJobError(refused.error(), "resource_exhausted"));
  watchers[7]!.stop();
  await clock.advance(500);
  const accepted = watch({ kind: "one-more" });
  await clock.advance(1_500);
  assert.equal(accepted.messages.length, 1);
});
