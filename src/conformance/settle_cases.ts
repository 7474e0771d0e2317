import assert from "node:assert/strict";
import type { Instance, Progress } from "../core/instance.ts";
import type { Settlement } from "../store/store.ts";
import {
  completed,
  failed,
  idsOf,
  LEASE_MS,
  line,
  retry,
  START,
  type StoreCases,
} from "./world/store_world.ts";

const error = { name: "Error", message: "boom", stack: "at x", exitCode: 3, signal: "SIGTERM" };
const crash = (dueAt: number): Settlement["outcome"] => ({ type: "crash", dueAt, error });

const pick = (instance: Instance | null) => {
  const { version, progress, usage } = instance!;
  return { version, progress, usage };
};

/** Cases of settling. */
export const settleCases: StoreCases = {
  "settle() records a success": async (world) => {
    const running = await world.start();
    world.advance(7);
    const settled = await world.settle(running, { outcome: completed("[42]") });
    const expected = {
      ...running,
      state: "completed",
      reason: "ok",
      resultsJson: "[42]",
      settledAt: START + 7,
    };
    assert.deepEqual(settled, {
      id: running.id,
      fence: running.fence,
      status: "settled",
      instance: expected,
    });
    assert.deepEqual(await world.store.get(running.id), expected);
    assert.equal(await world.states(running.id), "created scheduled processing completed:ok");
  },

  "settle() records the version that ran, its progress, and what it used": async (world) => {
    const running = await world.start({ retryMax: 1 });
    assert.equal(running.version, null);
    const usage = { maxRssBytes: 2 ** 40, cpuMs: 7 };
    const first = { version: "a1", progress: { done: 3, total: 10 }, usage };
    await world.settle(running, { outcome: retry(START, error), ...first });
    assert.deepEqual(pick(await world.store.get(running.id)), first);
    const again = (await world.claim())[0]!;
    assert.deepEqual(pick(again), { version: "a1", progress: null, usage: null });
    const last = { version: "b2", progress: null, usage: null };
    await world.settle(again, { outcome: completed("[]"), version: "b2" });
    assert.deepEqual(pick(await world.store.get(running.id)), last);
  },

  "settle() records what an attempt used that reports nothing else": async (world) => {
    const usage = { maxRssBytes: null, cpuMs: 0 };
    const first = await world.start();
    const { instance } = await world.settle(first, { outcome: completed("[]"), usage });
    assert.deepEqual(instance!.usage, usage);
    assert.deepEqual(await world.store.get(first.id), instance);
    const second = await world.start();
    await world.settle(second, { outcome: completed("[]") });
    assert.equal((await world.store.get(second.id))!.usage, null);
  },

  "settle() records when an attempt ended that ended earlier, and not before it began": async (
    world,
  ) => {
    for (const [endedAgoMs, at] of [[4_000, 6_000], [0, 10_000], [1e12, 0]] as const) {
      const beganAt = world.wallMs;
      const [first, second] = [await world.start(), await world.start({ retryMax: 1 })];
      world.advance(10_000);
      const { instance } = await world.settle(first!, { outcome: completed("[]"), endedAgoMs });
      assert.equal(instance!.settledAt, beganAt + at);
      assert.deepEqual(await world.store.get(first!.id), instance);
      const again = { outcome: retry(world.wallMs, error), endedAgoMs };
      assert.equal((await world.settle(second!, again)).instance!.scheduledAt, beganAt + at);
      const query = { instanceId: second!.id };
      const { items } = await world.store.history(query, { limit: 10, order: "oldest" });
      assert.equal(items.at(-1)!.at, beganAt + at);
      const [third] = await world.claim();
      await world.settle(third!, { outcome: completed("[]") });
    }
  },

  "appendLogs() records progress under a held claim only": async (world) => {
    const running = await world.start();
    const { id, fence } = running;
    const append = (progress: Progress, held = fence) =>
      world.store.appendLogs({
        at: world.at,
        appends: [{ id, fence: held, logs: [], progress }],
      });
    assert.deepEqual((await append({ done: 1, total: null })).value, []);
    assert.deepEqual((await append({ done: 9, total: 9 }, fence - 1)).value, [
      { id, fence: fence - 1 },
    ]);
    assert.deepEqual((await world.store.get(id))!.progress, { done: 1, total: null });
    await world.settle(running, { outcome: completed("[]") });
    assert.deepEqual((await world.store.get(id))!.progress, { done: 1, total: null });
  },

  "settle() records a failure with its error": async (world) => {
    const done = await world.finish({}, { outcome: { ...failed(), error } as never });
    assert.equal(done.state, "terminated");
    assert.equal(done.failures, 1);
    assert.deepEqual(done.error, error);
    assert.deepEqual((await world.store.get(done.id))!.error, error);
  },

  "settle() records a time-out": async (world) => {
    const outcome = { ...failed(), state: "timedOut", reason: "timeout" } as Settlement["outcome"];
    const done = await world.finish({}, { outcome });
    assert.equal((await world.store.get(done.id))!.state, "timedOut");
  },

  "settle() schedules a retry, whose attempts the history shows": async (world) => {
    const first = await world.start({ retryMax: 1 });
    const { instance } = await world.settle(first, { outcome: retry(START + 500, error) });
    assert.equal(instance!.state, "scheduled");
    assert.equal(instance!.reason, "error");
    assert.equal(instance!.failures, 1);
    assert.equal(instance!.dueAt, START + 500);
    assert.equal(instance!.node, null);
    assert.deepEqual(await world.store.get(first.id), instance);
    assert.deepEqual(await world.claim(), []);
    world.advance(500);
    const [second] = await world.claim();
    assert.equal(second!.attempt, 2);
    assert.equal(second!.failures, 1);
    await world.settle(second!);
    assert.equal(
      await world.states(first.id),
      "created scheduled processing scheduled:error processing completed:ok",
    );
    const { items } = await world.store.history({ instanceId: first.id }, { limit: 10 });
    assert.deepEqual(items.map(({ attempt, fence }) => [attempt, fence]), [
      [0, 0],
      [0, 0],
      [1, first.fence],
      [1, first.fence],
      [2, second!.fence],
      [2, second!.fence],
    ]);
  },

  "settle() counts crashes apart and ends past their limit": async (world) => {
    const first = await world.start({ crashesMax: 1 });
    const { instance } = await world.settle(first, { outcome: crash(START) });
    assert.deepEqual(
      [instance!.state, instance!.reason, instance!.crashes, instance!.failures],
      ["scheduled", "lost", 1, 0],
    );
    const [second] = await world.claim();
    const last = (await world.settle(second!, { outcome: crash(START) })).instance!;
    assert.deepEqual([last.state, last.reason, last.crashes], ["terminated", "lost", 2]);
    assert.deepEqual(last.error, error);
  },

  "settle() releases without counting": async (world) => {
    const first = await world.start({ crashesMax: 0 });
    const { instance } = await world.settle(first, {
      outcome: { type: "release", dueAt: START },
    });
    assert.deepEqual(
      [instance!.state, instance!.reason, instance!.crashes, instance!.failures],
      ["scheduled", "released", 0, 0],
    );
    assert.equal((await world.claim())[0]!.attempt, 2);
  },

  "settle() gives back what did not start as if it had not been claimed": async (world) => {
    const early = await world.addOne({ dueAt: START - 500 });
    await world.addOne();
    const [claimed] = await world.claim();
    assert.equal(claimed!.id, early.id);
    world.advance(2_000);
    const outcome = { type: "release", dueAt: claimed!.dueAt, isUnstarted: true } as const;
    const { status, instance } = await world.settle(claimed!, { outcome, logs: [line("busy")] });
    assert.equal(status, "settled");
    const { state, reason, attempt, dueAt, processedAt, node, fence } = instance!;
    assert.deepEqual([state, reason, attempt, dueAt], ["scheduled", "released", 0, START - 500]);
    assert.deepEqual([processedAt, node, fence], [null, null, claimed!.fence]);
    assert.deepEqual(await world.store.get(early.id), instance);
    assert.equal(await world.states(early.id), "created scheduled");
    const repeated = await world.settle(claimed!, { outcome, logs: [line("busy")] });
    assert.deepEqual([repeated.status, repeated.instance], ["repeated", instance]);
    assert.equal((await world.settle(claimed!)).status, "stale");
    // Before instances that became due later, and with a higher fence.
    const [again] = await world.claim();
    assert.deepEqual([again!.id, again!.attempt], [early.id, 1]);
    assert.ok(again!.fence > claimed!.fence);
    await world.settle(again!, { outcome: retry(START, error) });
    const second = (await world.claim(2)).find(({ id }) => id === early.id)!;
    const back = (await world.settle(second, {
      outcome: { type: "release", dueAt: second.dueAt, isUnstarted: true },
    })).instance!;
    assert.deepEqual([back.attempt, back.failures], [1, 1]);
    const [third] = await world.claim();
    assert.equal(third!.attempt, 2);
    await world.settle(third!);
    assert.equal(
      await world.states(early.id),
      "created scheduled processing scheduled:error processing completed:ok",
    );
  },

  "settle() of what did not start obeys its deadline and a cancel": async (
    world,
  ) => {
    const late = await world.start({ deadlineAt: START + 1_000 });
    const { instance: ended } = await world.settle(late, {
      outcome: { type: "release", dueAt: START + 1_000, isUnstarted: true },
    });
    assert.deepEqual([ended!.state, ended!.reason, ended!.attempt], ["timedOut", "deadline", 0]);
    assert.deepEqual(await world.store.get(late.id), ended);
    assert.equal(await world.states(late.id), "created scheduled timedOut:deadline");
    const canceling = await world.start();
    await world.cancel(canceling.id);
    const { instance: canceled } = await world.settle(canceling, {
      outcome: { type: "release", dueAt: canceling.dueAt, isUnstarted: true },
    });
    assert.equal(canceled!.state, "canceled");
  },

  "settle() is stale with an old fence, an unknown id and after a takeover": async (world) => {
    const running = await world.start();
    const old = { ...running, fence: running.fence - 1 };
    assert.equal((await world.settle(old)).status, "stale");
    const unknown = await world.settle({ ...running, id: "unknown" });
    assert.deepEqual([unknown.status, unknown.instance], ["stale", null]);
    world.advance(LEASE_MS);
    await world.reap();
    assert.equal((await world.settle(running, { logs: [line("late")] })).status, "stale");
    const [again] = await world.claim();
    assert.equal((await world.settle(running)).status, "stale");
    assert.equal((await world.store.get(again!.id))!.state, "processing");
    assert.deepEqual(await world.logs(), []);
  },

  "settle() accepts a lease that ended while nobody took it back": async (world) => {
    const running = await world.start();
    world.advance(LEASE_MS * 2);
    assert.equal((await world.settle(running)).status, "settled");
  },

  "settle() repeated answers as before and writes nothing": async (world) => {
    const outcomes = [completed(), failed(), retry(START + 9, error), {
      type: "release",
      dueAt: START,
    }];
    for (const outcome of outcomes as Settlement["outcome"][]) {
      const running = await world.start();
      const first = await world.settle(running, { outcome, logs: [line("once")] });
      const second = await world.settle(running, { outcome, logs: [line("once")] });
      assert.equal(first.status, "settled");
      assert.equal(second.status, "repeated", outcome.type);
      assert.deepEqual(second.instance, first.instance);
      const items = await world.logs({ instanceId: running.id });
      assert.equal(items.length, 1);
      await world.cancel(running.id);
    }
  },

  "settle() repeated is known also after the next claim": async (world) => {
    const first = await world.start();
    await world.settle(first, { outcome: retry(START, error) });
    await world.claim();
    assert.equal((await world.settle(first, { outcome: retry(START, error) })).status, "repeated");
    assert.equal((await world.settle(first, { outcome: completed() })).status, "stale");
  },

  "settle() schedules a snoozed instance again without a failure": async (world) => {
    const running = await world.start({ retryMax: 0 });
    const outcome = { type: "snooze", dueAt: START + 500.5 } as const;
    const { status, instance } = await world.settle(running, { outcome });
    assert.equal(status, "settled");
    const { state, reason, dueAt, failures, crashes, node } = instance!;
    assert.deepEqual([state, reason, dueAt], ["scheduled", "snoozed", START + 501]);
    assert.deepEqual([failures, crashes, node], [0, 0, null]);
    assert.equal((await world.settle(running, { outcome })).status, "repeated");
    assert.equal((await world.settle(running, { outcome: completed() })).status, "stale");
    assert.deepEqual(await world.claim(), []);
    world.advance(501);
    const [again] = await world.claim();
    assert.equal(again!.attempt, 2);
    await world.settle(again!);
    assert.equal(
      await world.states(running.id),
      "created scheduled processing scheduled:snoozed processing completed:ok",
    );
  },

  "settle() ends what would wait beyond its deadline": async (world) => {
    const deadlineAt = START + 1_000;
    const outcomes: readonly Settlement["outcome"][] = [
      retry(deadlineAt, error),
      { type: "snooze", dueAt: deadlineAt },
      crash(deadlineAt),
      { type: "release", dueAt: deadlineAt },
    ];
    for (const outcome of outcomes) {
      const running = await world.start({ deadlineAt });
      const { status, instance } = await world.settle(running, { outcome });
      assert.equal(status, "settled");
      const { state, reason, settledAt, error, dueAt } = instance!;
      assert.deepEqual([state, reason, settledAt], ["timedOut", "deadline", START]);
      assert.equal(dueAt, START);
      assert.equal(
        error!.message,
        "error" in outcome && outcome.error
          ? outcome.error.message
          : "Not completed by its deadline 2026-01-01T00:00:01.000Z",
      );
      assert.equal((await world.settle(running, { outcome })).status, "repeated");
      assert.match(await world.states(running.id), / timedOut:deadline$/);
    }
    const running = await world.start({ deadlineAt });
    const { instance } = await world.settle(running, { outcome: retry(deadlineAt - 1, error) });
    assert.equal(instance!.state, "scheduled");
  },

  "claim() gives nothing while something is past its deadline, which reap() ends": async (
    world,
  ) => {
    const log = world.hints();
    const [late, later, free] = await world.add(
      { deadlineAt: START + 1_000 },
      { deadlineAt: START + 1_001 },
      {},
    );
    world.advance(999);
    assert.deepEqual(await world.reap(), []);
    world.advance(1);
    assert.deepEqual(await world.claim(3), []);
    assert.deepEqual(await log.first(1, "deadlines"), [{ type: "deadlines" }]);
    const [ended, ...others] = await world.reap();
    assert.deepEqual(others, []);
    assert.equal(ended!.id, late!.id);
    const { state, reason, settledAt, attempt } = ended!;
    assert.deepEqual([state, reason, attempt], ["timedOut", "deadline", 0]);
    assert.equal(settledAt, START + 1_000);
    assert.deepEqual(await world.store.get(late!.id), ended);
    assert.equal(await world.states(late!.id), "created scheduled timedOut:deadline");
    assert.deepEqual((await world.store.stats()).kinds.get("mail")!.timedOut, 1);
    assert.deepEqual(idsOf(await world.claim(3)), [later!.id, free!.id]);
  },

  "reap() ends no more than its limit, and leaves what runs past its deadline": async (world) => {
    const [running] = await world.add({ deadlineAt: START + 1 });
    await world.claim();
    await world.add({ deadlineAt: START + 1 }, { deadlineAt: START + 2, dueAt: START + 9_000 });
    world.advance(2);
    assert.equal((await world.reap(1)).length, 1);
    assert.equal((await world.reap()).length, 1);
    assert.deepEqual(await world.reap(), []);
    assert.equal((await world.store.get(running!.id))!.state, "processing");
    world.advance(LEASE_MS);
    assert.equal((await world.reap())[0]!.reason, "deadline");
  },

  "settle() with another outcome than recorded is stale": async (world) => {
    const running = await world.start();
    await world.settle(running, { outcome: completed("[1]") });
    for (const outcome of [completed("[2]"), failed(), retry(START, error)]) {
      assert.equal((await world.settle(running, { outcome })).status, "stale");
    }
  },

  "settle() turns every outcome into Canceled once that was asked": async (world) => {
    const outcomes = [completed(), failed(), retry(START, error), crash(START), {
      type: "release",
      dueAt: START,
    }];
    for (const outcome of outcomes as Settlement["outcome"][]) {
      const running = await world.start();
      assert.equal((await world.cancel(running.id)).length, 1);
      const { status, instance } = await world.settle(running, { outcome });
      assert.equal(status, "settled");
      assert.deepEqual([instance!.state, instance!.reason], ["canceled", "canceled"]);
      assert.deepEqual(await world.claim(), []);
    }
  },

  "settle() takes each of a batch by itself": async (world) => {
    await world.add({}, {});
    const [first, second] = await world.claim(2);
    const settlements = [
      { id: first!.id, fence: first!.fence, logs: [], outcome: completed() },
      { id: second!.id, fence: 1, logs: [], outcome: completed() },
      { id: first!.id, fence: first!.fence, logs: [], outcome: completed() },
    ];
    const { value } = await world.store.settle({ at: world.at, node: "n1", settlements });
    assert.deepEqual(value.map(({ status }) => status), ["settled", "stale", "repeated"]);
  },
};
