import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { JobOptions, RetryPolicy } from "../../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArgumentInput } from "../../../src/core/arguments/signature.ts";
import { isJobError } from "../../../src/core/errors.ts";
import type { ErrorInfo } from "../../../src/core/instance.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { jobOf, LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";

const RETRY: RetryPolicy = {
  ...JOB_DEFAULTS.retry,
  max: 5,
  backoff: "fixed",
  initialMs: 1_000,
  capMs: 1_000,
  jitter: 0,
};

function worldOf(options: Partial<JobOptions>, handlers = {}): Promise<ManagerWorld> {
  return new ManagerWorld({ jobs: [jobOf("work", { options, hasHandler: handlers })] }).started();
}

async function stateOf(world: ManagerWorld, id: string): Promise<string> {
  const { state, reason } = await world.get(id);
  return `${state} ${reason}`;
}

test("a running instance is stopped at its deadline and not tried again", async () => {
  const world = await worldOf({ deadlineMs: 10_000, retry: RETRY });
  const { id, deadlineAt, dueAt } = await world.schedule();
  assert.equal(deadlineAt, dueAt + 10_000);
  const { last } = world.executor;
  await world.clock.advance(9_999);
  assert.deepEqual(last.aborts, []);
  await world.clock.advance(1);
  assert.deepEqual(last.aborts, ["deadline"]);
  last.aborted("deadline");
  await world.clock.settle();
  assert.equal(await stateOf(world, id), "timedOut deadline");
  await world.of(world.manager.stop());
});

test("a waiting instance ends at its deadline, and its onTerminate is called", async () => {
  const world = await worldOf({ deadlineMs: 1_000 }, { onTerminate: true });
  const told: ErrorInfo[] = [];
  world.executor.onTerminate = async (error, log) => {
    told.push(error);
    log([{ at: 0, level: "info", message: "told", source: "job" }]);
    return { type: "ok", resultsJson: "[]" };
  };
  await world.of(world.manager.pause("work"));
  const { id } = await world.schedule();
  await world.clock.advance(1_000 + 2_000);
  assert.equal(await stateOf(world, id), "timedOut deadline");
  assert.match(told[0]!.message, /^Not completed by its deadline/);
  // Its result comes too late to change anything.
  assert.equal(told.length, 1);
  assert.deepEqual(await world.logOf(id), ["told"]);
  await world.of(world.manager.stop());
});

test("an instance that is past its deadline holds no other up", async () => {
  const world = await worldOf({});
  await world.of(world.manager.resizeWorkers(0));
  const late = await world.schedule("work", { deadlineMs: 500 });
  const other = await world.schedule();
  await world.clock.advance(500);
  await world.of(world.manager.resizeWorkers(1));
  await world.clock.advance(50);
  assert.equal(await stateOf(world, late.id), "timedOut deadline");
  assert.equal(world.executor.last.instance.id, other.id);
  assert.equal(world.executor.attempts.length, 1);
  world.executor.last.ok();
  await world.of(world.manager.stop());
});

test("the deadline counts from the due time, and a retry beyond it ends the instance", async () => {
  const world = await worldOf({ retry: RETRY });
  const { id, deadlineAt, dueAt } = await world.schedule("work", {
    afterMs: 60_000,
    deadlineMs: 1_000,
  });
  assert.equal(deadlineAt, dueAt + 1_000);
  await world.clock.advance(60_000);
  world.executor.last.fail("no luck");
  await world.clock.settle();
  assert.equal(await stateOf(world, id), "timedOut deadline");
  assert.equal((await world.get(id)).error!.message, "no luck");
  await world.of(world.manager.stop());
});

test("a snoozed instance continues later, with its retries untouched", async () => {
  const world = await worldOf({ retry: { ...RETRY, max: 0 } });
  const { id } = await world.schedule();
  for (const attempt of [1, 2, 3]) {
    assert.equal(world.executor.last.instance.attempt, attempt);
    world.executor.last.end({ type: "snooze", delayMs: 30_000 });
    await world.clock.settle();
    assert.equal(await stateOf(world, id), "scheduled snoozed");
    await world.clock.advance(29_999);
    assert.equal(world.executor.attempts.length, attempt);
    await world.clock.advance(1);
  }
  world.executor.last.ok();
  await world.clock.settle();
  assert.deepEqual([await stateOf(world, id), (await world.get(id)).failures], ["completed ok", 0]);
  await world.of(world.manager.stop());
});

test("a discarded instance is not tried again", async () => {
  const world = await worldOf({ retry: RETRY });
  const { id } = await world.schedule();
  const error = { name: "Discarded", message: "no use" };
  world.executor.last.end({ type: "error", error, wish: "discarded" });
  await world.clock.settle();
  assert.equal(await stateOf(world, id), "terminated discarded");
  await world.of(world.manager.stop());
});

for (
  const [what, retry, wish, wanted] of [
    ["the policy says nothing", {}, undefined, "scheduled error"],
    ["the policy leaves errors out", { on: ["timeout"] }, undefined, "terminated error"],
    ["the policy names the error", { notOn: ["Error"] }, undefined, "terminated error"],
    ["retryDelay names a wait over the policy", { notOn: ["Error"] }, 5_000, "scheduled error"],
    ["retryDelay wants none", {}, "never", "terminated error"],
    ["retryDelay names a wait beyond the limit", { max: 0 }, 5_000, "terminated error"],
  ] as const
) {
  test(`a failure is ${wanted} when ${what}`, async () => {
    const world = await worldOf({ retry: { ...RETRY, ...retry } });
    const { id } = await world.schedule();
    const error = { name: "Error", message: "no" };
    world.executor.last.end({ type: "error", error, wish });
    await world.clock.settle();
    assert.equal(await stateOf(world, id), wanted);
    const { dueAt } = await world.get(id);
    const waitMs = dueAt - world.clock.now().wallMs;
    if (wanted.startsWith("scheduled")) assert.equal(waitMs, wish ?? RETRY.initialMs);
    await world.of(world.manager.stop());
  });
}

test("retries for ever never stop and never wait longer than the cap", async () => {
  const retry = { max: -1, backoff: "exponential", capMs: 60_000, jitter: 0.5 } as const;
  const world = await worldOf({ retry: { ...RETRY, ...retry, initialMs: 1_000 } });
  const { id } = await world.schedule();
  for (let count = 1; count <= 200; count++) {
    assert.equal(world.executor.attempts.length, count);
    world.executor.last.fail();
    await world.clock.settle();
    const { state, dueAt } = await world.get(id);
    const waitMs = dueAt - world.clock.now().wallMs;
    assert.ok(state === "scheduled" && waitMs > 0 && waitMs <= 60_000, `${state} ${waitMs}`);
    await world.clock.advance(60_000);
  }
  world.executor.last.ok();
  await world.of(world.manager.stop());
});

test("onTerminate of a worker that is gone decides in another one before the outcome", async () => {
  const world = await worldOf({ retry: RETRY }, { onTerminate: true });
  const asked: string[] = [];
  world.executor.onTerminate = async (error, log) => {
    asked.push(error.name);
    log([{ at: 0, level: "info", message: "compensated", source: "job" }]);
    return asked.length === 1
      ? { type: "error", error: { name: "Error", message: "replaced" }, wish: 7_000 }
      : { type: "ok", resultsJson: "[]" };
  };
  const { id } = await world.schedule();
  world.executor.last.exit();
  await world.clock.settle();
  const { state, error, dueAt } = await world.get(id);
  assert.deepEqual([state, error!.message], ["scheduled", "replaced"]);
  assert.equal(dueAt - world.clock.now().wallMs, 7_000);
  await world.clock.advance(7_000);
  world.executor.last.end({
    type: "lost",
    error: { name: "WorkerKilledError", message: "killed" },
    isUnasked: true,
  });
  await world.clock.settle();
  assert.deepEqual(asked, ["WorkerExitError", "WorkerKilledError"]);
  assert.equal(await stateOf(world, id), "completed ok");
  assert.deepEqual(await world.logOf(id), ["compensated", "compensated"]);
  await world.of(world.manager.stop());
});

test("the outcome stays when onTerminate in another worker does not end", async () => {
  const world = await worldOf({}, { onTerminate: true });
  world.executor.onTerminate = async (_error, log) => {
    log([{ at: 0, level: "error", message: "onTerminate did not end", source: "system" }]);
    return null;
  };
  const { id } = await world.schedule();
  world.executor.last.exit();
  await world.clock.settle();
  const { state, error } = await world.get(id);
  assert.deepEqual([state, error!.name], ["terminated", "WorkerExitError"]);
  assert.deepEqual(await world.logOf(id), ["onTerminate did not end"]);
  await world.of(world.manager.stop());
});

for (const [onCrash, crashes] of [["retry", 3], ["terminate", 0]] as const) {
  test(`a lost instance is taken over ${crashes} times when on_crash is "${onCrash}"`, async () => {
    const world = await worldOf({ onCrash, crashesMax: 3 });
    const { id } = await world.schedule();
    for (let count = 0; count <= crashes; count++) {
      world.executor.last.lose();
      await world.clock.advance(60_000);
    }
    assert.equal(await stateOf(world, id), "terminated lost");
    assert.equal(world.executor.attempts.length, crashes + 1);
    await world.of(world.manager.stop());
  });
}

test("onTerminate and onStateChange are called for what the store ended for a lost daemon", async () => {
  const world = await worldOf({ onCrash: "terminate" }, { onTerminate: true, onStateChange: true });
  const told: string[] = [];
  world.executor.onTerminate = async (error) => (told.push(error.name), null);
  const { id } = await world.schedule();
  world.link.cut(["renew"]);
  await world.clock.advance(LEASE_MS + 2_000);
  world.link.mend();
  await world.clock.settle();
  assert.equal(await stateOf(world, id), "terminated lost");
  assert.deepEqual(told, ["LeaseLost"]);
  assert.equal(world.executor.notified.at(-1)!.state, "terminated");
  world.executor.last.aborted("lease");
  await world.of(world.manager.stop());
});

test("fault 42: the next instance starts when one was stopped at its timeout", async () => {
  const world = await worldOf({ timeoutMs: 1_000 });
  const first = await world.schedule();
  const second = await world.schedule();
  world.executor.last.aborted("timeout");
  await world.clock.settle();
  assert.equal(await stateOf(world, first.id), "timedOut timeout");
  assert.equal(world.executor.last.instance.id, second.id);
  world.executor.last.ok();
  await world.of(world.manager.stop());
});

test("fault 71: a request that is repeated is accepted once, and refused with other arguments", async () => {
  const world = await worldOf({});
  const id = "019b76da-a800-7000-8000-00000000abcd";
  const first = await world.schedule("work", { id, arguments: [1] });
  world.executor.last.ok();
  await world.clock.settle();
  // Also when it has run meanwhile.
  const second = await world.schedule("work", { id, arguments: [1] });
  assert.deepEqual([first.id, second.id, second.state], [id, id, "completed"]);
  await assert.rejects(
    world.schedule("work", { id, arguments: [2] }),
    (error) => isJobError(error, "already_exists") && error.path === "id",
  );
  await world.schedule("work", { uniqueKey: "k", arguments: [1] });
  await assert.rejects(
    world.schedule("work", { uniqueKey: "k", arguments: [2] }),
    (error) => isJobError(error, "already_exists") && error.path === "uniqueKey",
  );
  assert.equal(world.executor.attempts.length, 2);
  world.executor.last.ok();
  await world.of(world.manager.stop());
});

test("redriveInstances() runs each dead letter again, and what fails meanwhile stays", async () => {
  const world = new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")], workers: 10 });
  world.executor.onRun = (attempt) => attempt.fail();
  await world.started();
  for (let count = 0; count < 300; count++) await world.schedule();
  await world.schedule("other");
  const redriven = await world.of(world.manager.redriveInstances({ kinds: ["work"] }));
  assert.equal(redriven.length, 300);
  assert.equal(new Set(redriven.map(({ retryOf }) => retryOf)).size, 300);
  await world.clock.settle();
  const dead = await world.of(
    world.manager.lookupInstances({ isDead: true, kinds: ["work"] }, { limit: 1_000 }),
  );
  assert.deepEqual(
    new Set(dead.items.map(({ id }) => id)),
    new Set(redriven.map(({ id }) => id)),
  );
  assert.equal((await world.of(world.manager.redriveInstances({}, { all: true }))).length, 301);
  await world.of(world.manager.stop());
});

test("redriveInstances() by id returns the first redrive, unless it is forced", async () => {
  const world = await worldOf({});
  world.executor.onRun = (attempt) => attempt.fail();
  const dead = await world.schedule();
  await world.clock.settle();
  const redrive = async (isForced = false) =>
    (await world.of(world.manager.redriveInstances({ ids: [dead.id] }, { isForced })))[0]!;
  const first = await redrive();
  assert.equal(first.retryOf, dead.id);
  assert.equal((await redrive()).id, first.id);
  assert.notEqual((await redrive(true)).id, first.id);
  const retried = await world.of(world.manager.retryInstance(first.id));
  assert.equal((await world.get(first.id)).redrivenAs, retried.id);
  await world.of(world.manager.stop());
});

test("retryInstance() runs with the arguments that are given, and keeps the others", async () => {
  const signature = readSignature("export default (day: string, copies = 1) => {};");
  const job = { ...jobOf("work"), signature };
  const world = await new ManagerWorld({ jobs: [job] }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  const { id } = await world.schedule("work", { arguments: ["mon", 2] });
  await world.clock.settle();
  const retry = (input?: ArgumentInput) =>
    world.of(world.manager.retryInstance(id, input === undefined ? {} : { arguments: input }));
  assert.equal((await retry()).argumentsJson, '["mon",2]');
  assert.equal((await retry({ day: "tue" })).argumentsJson, '["tue",2]');
  assert.equal((await retry(["wed"])).argumentsJson, '["wed"]');
  const again = await retry({ copies: "3" });
  assert.deepEqual([again.argumentsJson, again.retryOf], ['["mon",3]', id]);
  await assert.rejects(
    retry({ copies: "many" }),
    (error) => isJobError(error, "invalid_argument") && error.path === "copies",
  );
  await world.of(world.manager.stop());
});

test("redriveInstances() refuses an instance that is not a dead letter, and a query without a condition", async () => {
  const world = await worldOf({});
  world.executor.onRun = (attempt) => attempt.ok();
  const { id } = await world.schedule();
  await world.clock.settle();
  const refusal = (
    promise: Promise<unknown>,
    code: "conflict" | "not_found" | "invalid_argument",
  ) => assert.rejects(world.of(promise), (error) => isJobError(error, code));
  await refusal(world.manager.redriveInstances({ ids: [id] }), "conflict");
  await refusal(
    world.manager.redriveInstances({ ids: ["00000000-0000-7000-8000-000000000000"] }),
    "not_found",
  );
  await refusal(world.manager.redriveInstances({}), "invalid_argument");
  await refusal(world.manager.redriveInstances({ kinds: ["unknown"] }), "not_found");
  await world.of(world.manager.stop());
});

test("manager() stores no result that is larger than any may be", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.executor.last.ok(JSON.stringify(["x".repeat(1_048_576)]));
  await world.clock.settle();
  const { state, resultsJson, error } = await world.get(id);
  assert.deepEqual([state, resultsJson], ["terminated", null]);
  assert.match(error!.message, /at most 1048576 are kept/);
});
