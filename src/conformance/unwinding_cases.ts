import assert from "node:assert/strict";
import { CANCEL_GRACE_MS, UNDO_KEY, UNDONE_KEY, UNWIND_AGAIN_MS } from "../core/wait.ts";
import type { Instance } from "../core/instance.ts";
import type { Settlement } from "../store/store.ts";
import {
  completed,
  failed,
  LEASE_MS,
  MINUTE,
  retry,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";
import { APPROVED, park, put, signal, TIME } from "./world/flow_world.ts";

/** A running instance with a step that can be undone. */
async function startWithUndo(
  world: StoreWorld,
  given: Parameters<StoreWorld["start"]>[0] = {},
): Promise<Instance> {
  const running = await world.start(given);
  await put(world, running, { key: "a", data: "1" }, { key: UNDO_KEY, data: "{}", isNew: true });
  return running;
}

async function isConsistent(world: StoreWorld, instance: Instance): Promise<void> {
  assert.deepEqual(await world.store.get(instance.id), instance);
  assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
}

/** Cases of instances that take back what their steps did before they end. */
export const unwindingCases: StoreCases = {
  "cancel() of a parked instance with steps lets it run once more, for a limited time": async (
    world,
  ) => {
    const running = await world.start({ retryMax: 0 });
    await put(world, running, { key: "a", data: "1" });
    await park(world, running, APPROVED);
    const [canceling] = await world.cancel(running.id);
    const { state, reason, deadlineAt, cancelRequestedAt, settledAt } = canceling!;
    assert.deepEqual([state, reason, settledAt], ["scheduled", "canceling", null]);
    assert.deepEqual([cancelRequestedAt, deadlineAt], [
      world.wallMs,
      world.wallMs + CANCEL_GRACE_MS,
    ]);
    assert.deepEqual(await world.store.get(running.id), canceling);
    assert.deepEqual(await world.cancel(running.id), []);
    world.advance(1);
    const [again] = await world.claim();
    assert.deepEqual([again!.attempt, again!.resumes], [1, 1]);
    assert.equal(again!.cancelRequestedAt, cancelRequestedAt);
    const waiting = await park(world, again!, { ...TIME, until: world.wallMs + 5 });
    assert.deepEqual([waiting.state, waiting.reason], ["scheduled", "parked"]);
    world.advance(5);
    const [last] = await world.claim();
    const { instance: ended } = await world.settle(last!, { outcome: failed() });
    assert.deepEqual([ended!.state, ended!.reason], ["canceled", "canceled"]);
    assert.deepEqual(await world.store.get(running.id), ended);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "cancel() of a running instance with steps lets it run once more, unless it completes": async (
    world,
  ) => {
    for (
      const [outcome, expected] of [[failed(), "scheduled"], [completed(), "canceled"]] as const
    ) {
      const running = await world.start();
      await put(world, running, { key: "a", data: "1" });
      await world.cancel(running.id);
      world.advance(5);
      const { instance } = await world.settle(running, { outcome });
      assert.equal(instance!.state, expected);
      assert.deepEqual(await world.store.get(running.id), instance);
      if (expected === "canceled") continue;
      assert.equal((await world.settle(running, { outcome })).status, "repeated");
      world.advance(5);
      const [again] = await world.claim();
      assert.equal(again!.id, running.id);
      world.advance(LEASE_MS + 1);
      // A crash of the cleanup repeats it.
      const [lost] = await world.reap();
      assert.deepEqual([lost!.state, lost!.reason], ["scheduled", "lost"]);
      world.advance(UNWIND_AGAIN_MS);
      const [third] = await world.claim();
      assert.equal((await world.settle(third!)).instance!.state, "canceled");
    }
  },

  "an instance that is canceling ends at its deadline, or by a forced cancel": async (world) => {
    const ids: string[] = [];
    for (let index = 0; index < 2; index++) {
      const running = await world.start();
      await put(world, running, { key: "a", data: "1" });
      ids.push((await park(world, running, APPROVED)).id);
    }
    const query = { kinds: ["mail"] };
    const all = (await world.store.cancel({ at: world.at, query, limit: 10 })).value;
    assert.deepEqual(all.map(({ reason }) => reason), ["canceling", "canceling"]);
    const forced = { at: world.at, query: { ids: [ids[0]!] }, limit: 10, isForced: true };
    const [first] = (await world.store.cancel(forced)).value;
    assert.deepEqual([first!.id, first!.state], [ids[0], "canceled"]);
    world.advance(CANCEL_GRACE_MS);
    const [late] = await world.reap();
    assert.deepEqual([late!.id, late!.state, late!.reason], [ids[1], "canceled", "canceled"]);
    assert.deepEqual(await world.store.get(ids[1]!), late);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "cancel() shortly before the deadline of an instance leaves it the whole time": async (world) => {
    for (const isParked of [true, false]) {
      const running = await startWithUndo(world, { deadlineAt: world.wallMs + 10 });
      if (isParked) await park(world, running, APPROVED);
      const untilMs = world.wallMs + CANCEL_GRACE_MS;
      await world.cancel(running.id);
      world.advance(20);
      if (!isParked) await world.settle(running, { outcome: failed() });
      assert.deepEqual(await world.reap(), []);
      world.advance(1);
      const [again] = await world.claim();
      assert.deepEqual([again!.id, again!.deadlineAt], [running.id, untilMs]);
      const { instance: interrupted } = await world.settle(again!, { outcome: failed() });
      const { state, reason, deadlineAt } = interrupted!;
      assert.deepEqual([state, reason, deadlineAt], ["scheduled", "canceling", untilMs]);
      await isConsistent(world, interrupted!);
      world.advance(UNWIND_AGAIN_MS);
      const [last] = await world.claim();
      await put(world, last!, { key: UNDONE_KEY, data: "{}" });
      const { instance: ended } = await world.settle(last!, { outcome: failed() });
      assert.deepEqual([ended!.state, ended!.reason], ["canceled", "canceled"]);
    }
  },

  "an instance that fails runs once more if a step has an undo": async (world) => {
    const deadlineAt = world.wallMs + 10 * MINUTE;
    const running = await startWithUndo(world, { deadlineAt });
    world.advance(5);
    const { instance } = await world.settle(running, { outcome: failed() });
    const { state, reason, settledAt, error } = instance!;
    assert.deepEqual([state, reason, settledAt], ["scheduled", "unwinding", null]);
    // Its undo may take longer than its deadline.
    assert.equal(instance!.deadlineAt, null);
    await isConsistent(world, instance!);
    assert.equal((await world.settle(running, { outcome: failed() })).status, "repeated");
    world.advance(1);
    const [again] = await world.claim();
    assert.deepEqual([again!.attempt, again!.resumes], [1, 1]);
    const waiting = await park(world, again!, { ...TIME, until: world.wallMs + 5 });
    assert.equal(waiting.state, "scheduled");
    world.advance(5);
    const [last] = await world.claim();
    await put(world, last!, { key: UNDONE_KEY, data: "{}" });
    const other = { ...failed(), reason: "discarded", error: { name: "Other", message: "later" } };
    const { instance: ended } = await world.settle(last!, {
      outcome: other as Settlement["outcome"],
    });
    assert.deepEqual([ended!.state, ended!.reason, ended!.error, ended!.deadlineAt], [
      "terminated",
      "error",
      error,
      deadlineAt,
    ]);
    await isConsistent(world, ended!);
  },

  "a failure without an undo, and a success with one, end at once": async (world) => {
    const failing = await world.start();
    await put(world, failing, { key: "a", data: "1" });
    const { instance: first } = await world.settle(failing, { outcome: failed() });
    assert.equal(first!.state, "terminated");
    const { instance: second } = await world.settle(await startWithUndo(world));
    assert.equal(second!.state, "completed");
    await isConsistent(world, second!);
  },

  "a run that does not undo is repeated, and one that crashes too": async (world) => {
    const running = await startWithUndo(world, { crashesMax: 0 });
    world.advance(LEASE_MS + 1);
    const [lost] = await world.reap();
    assert.deepEqual([lost!.state, lost!.reason], ["scheduled", "unwinding"]);
    for (let round = 0; round < 2; round++) {
      world.advance(UNWIND_AGAIN_MS);
      const [again] = await world.claim();
      const outcome = round === 0 ? failed() : completed();
      const { instance } = await world.settle(again!, { outcome });
      assert.deepEqual([instance!.state, instance!.reason, instance!.dueAt], [
        "scheduled",
        "unwinding",
        world.wallMs + UNWIND_AGAIN_MS,
      ]);
    }
    world.advance(UNWIND_AGAIN_MS);
    const [last] = await world.claim();
    assert.equal(last!.id, running.id);
    await put(world, last!, { key: UNDONE_KEY, data: "{}" });
    const { instance: ended } = await world.settle(last!, { outcome: failed() });
    assert.deepEqual([ended!.state, ended!.reason, ended!.error?.name], [
      "terminated",
      "lost",
      "LeaseLost",
    ]);
    await isConsistent(world, ended!);
  },

  "a deadline lets an instance with steps run once more, for a limited time": async (world) => {
    for (const isInTime of [true, false]) {
      const deadlineAt = world.wallMs + MINUTE;
      const running = await world.start({ deadlineAt });
      await put(world, running, { key: "a", data: "1" });
      await park(world, running, APPROVED);
      world.advance(MINUTE);
      const [late] = await world.reap();
      assert.deepEqual([late!.state, late!.reason, late!.deadlineAt], [
        "scheduled",
        "unwinding",
        world.wallMs + CANCEL_GRACE_MS,
      ]);
      await isConsistent(world, late!);
      world.advance(1);
      let ended: Instance;
      if (isInTime) {
        const [again] = await world.claim();
        ended = (await world.settle(again!, { outcome: failed() })).instance!;
      } else {
        world.advance(CANCEL_GRACE_MS);
        ended = (await world.reap())[0]!;
      }
      assert.deepEqual([ended.state, ended.reason, ended.deadlineAt, ended.error], [
        "timedOut",
        "deadline",
        deadlineAt,
        {
          name: "TimeoutError",
          message: `Not completed by its deadline ${new Date(deadlineAt).toISOString()}`,
        },
      ]);
      await isConsistent(world, ended);
    }
  },

  "a cancel while a failed instance undoes limits its time, and a forced one ends it": async (
    world,
  ) => {
    const running = await startWithUndo(world);
    const { instance: failing } = await world.settle(running, { outcome: failed() });
    assert.equal(failing!.reason, "unwinding");
    const [canceling] = await world.cancel(running.id);
    assert.deepEqual([canceling!.reason, canceling!.deadlineAt], [
      "canceling",
      world.wallMs + CANCEL_GRACE_MS,
    ]);
    const forced = { at: world.at, query: { ids: [running.id] }, limit: 10, isForced: true };
    const [ended] = (await world.store.cancel(forced)).value;
    assert.equal(ended!.state, "canceled");
    await isConsistent(world, ended!);
  },

  "a cancel that comes as an instance completes undoes it": async (world) => {
    const running = await startWithUndo(world);
    await world.cancel(running.id);
    world.advance(5);
    const { instance } = await world.settle(running, { outcome: completed() });
    assert.deepEqual([instance!.state, instance!.reason], ["scheduled", "canceling"]);
    world.advance(5);
    const [again] = await world.claim();
    await put(world, again!, { key: UNDONE_KEY, data: "{}" });
    const { instance: ended } = await world.settle(again!, { outcome: failed() });
    assert.deepEqual([ended!.state, ended!.reason], ["canceled", "canceled"]);
    await isConsistent(world, ended!);
  },

  "a cancel or a deadline between two attempts begins another one": async (world) => {
    for (const isCanceled of [true, false]) {
      const deadlineAt = world.wallMs + MINUTE;
      const running = await world.start({ crashesMax: 9, ...isCanceled ? {} : { deadlineAt } });
      await put(world, running, { key: "a", data: "1" });
      await world.settle(running, { outcome: retry(world.wallMs + MINUTE - 1) });
      if (isCanceled) await world.cancel(running.id);
      world.advance(isCanceled ? 1 : MINUTE);
      if (!isCanceled) await world.reap();
      world.advance(1);
      const [again] = await world.claim();
      assert.deepEqual([again!.id, again!.attempt, again!.resumes], [running.id, 2, 0]);
      const error = { name: "Error", message: "killed" };
      const outcome = { type: "crash", dueAt: world.wallMs, error } as const;
      const { instance } = await world.settle(again!, { outcome });
      assert.equal(instance!.state, "scheduled");
      await isConsistent(world, instance!);
      world.advance(UNWIND_AGAIN_MS);
      const [last] = await world.claim();
      await isConsistent(world, (await world.settle(last!, { outcome: failed() })).instance!);
    }
  },

  "cancel() of an instance that has signals alone ends it: it has nothing to take back": async (
    world,
  ) => {
    const running = await world.start();
    await signal(world, running.id);
    assert.equal((await world.store.get(running.id))!.stepsAt, 0);
    await world.cancel(running.id);
    const { instance } = await world.settle(running, { outcome: failed() });
    assert.equal(instance!.state, "canceled");
    const second = await world.start({ retryMax: 3 });
    await signal(world, second.id);
    await world.settle(second, { outcome: retry(world.wallMs + MINUTE) });
    const [ended] = await world.cancel(second.id);
    assert.equal(ended!.state, "canceled");
    const third = await world.start();
    await signal(world, third.id);
    await put(world, third, { key: "a", data: "1" });
    assert.equal((await world.store.get(third.id))!.stepsAt, world.wallMs);
    await signal(world, third.id);
    assert.equal((await world.store.get(third.id))!.stepsAt, world.wallMs);
  },
};
