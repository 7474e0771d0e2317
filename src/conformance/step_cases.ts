import assert from "node:assert/strict";
import {
  CONTINUED_KEY,
  NEVER_DUE,
  signalKey,
  STEP_CHARS_MAX,
  stepMemoKey,
  STEPS_MAX,
  type Wait,
} from "../core/wait.ts";
import type { Instance } from "../core/instance.ts";
import type { KeptSteps } from "../store/store.ts";
import {
  completed,
  failed,
  idsOf,
  LEASE_MS,
  MINUTE,
  refuses,
  retry,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";
import {
  APPROVED,
  isDue,
  park,
  put,
  settleChild,
  signal,
  steps,
  TIME,
} from "./world/flow_world.ts";

const CHILD: Wait = { key: "call:render", type: "child", name: "render", until: null };

/** The parked parent of a child. */
async function parked(world: StoreWorld) {
  const running = await world.start({ priority: 0 });
  const [child] = await world.add({
    kind: "render",
    parentId: running.id,
    flowId: running.id,
    parentStep: CHILD.key!,
  });
  return { parent: await park(world, running, CHILD), child: child! };
}

/** Cases of steps, waits and signals. */
export const stepCases: StoreCases = {
  "putSteps() records steps under a held claim only": async (world) => {
    const running = await world.start();
    assert.equal(running.stepsAt, null);
    assert.deepEqual(await put(world, running, { key: "a", data: '"é"' }), []);
    assert.deepEqual(
      await put(world, running, { key: "a", data: "2" }, { key: "b#2", data: "{}" }),
      [],
    );
    await put(world, running, { key: "a", data: "3", isNew: true });
    const { id, fence } = running;
    const late = { ...running, fence: fence - 1 };
    assert.deepEqual(await put(world, late, { key: "c", data: "1" }), [{ id, fence: fence - 1 }]);
    assert.deepEqual(await steps(world, running), { a: "2", "b#2": "{}" });
    assert.equal((await world.store.get(id))!.stepsAt, world.wallMs);
    await world.settle(running);
    assert.deepEqual(await put(world, running, { key: "c", data: "1" }), [{ id, fence }]);
    assert.deepEqual(await steps(world, running), { a: "2", "b#2": "{}" });
  },

  "putSteps() keeps long results, and refuses longer ones": async (world) => {
    const running = await world.start();
    const data = JSON.stringify("x".repeat(STEP_CHARS_MAX - 2));
    await put(world, running, { key: "a", data });
    assert.deepEqual(await steps(world, running), { a: data });
    await refuses(put(world, running, { key: "b", data: `${data} ` }), "invalid_argument", '"b"');
    await refuses(put(world, running, { key: "", data: "1" }), "invalid_argument");
  },

  "settle() records steps with the outcome, and none of a stale claim": async (world) => {
    const running = await world.start();
    const given = { steps: [{ key: "a", data: "1" }], outcome: completed() };
    await world.settle({ ...running, fence: running.fence - 1 }, given);
    assert.deepEqual(await steps(world, running), {});
    const { instance } = await world.settle(running, given);
    assert.deepEqual(await steps(world, running), { a: "1" });
    assert.deepEqual(await world.store.get(running.id), instance);
    assert.equal(instance!.stepsAt, world.wallMs);
  },

  "settle() parks until a time: no attempt, no retry, and a fence that rises": async (world) => {
    const running = await world.start({ retryMax: 0 });
    const until = world.wallMs + MINUTE;
    const waits = [{ ...TIME, until: until + 5_000 }, { ...TIME, name: "short", until }];
    const waiting = await park(world, running, ...waits);
    const { state, reason, dueAt, attempt, resumes, node, failures } = waiting;
    assert.deepEqual([state, reason, dueAt], ["scheduled", "parked", until]);
    assert.deepEqual([attempt, resumes, node, failures], [1, 0, null, 0]);
    assert.deepEqual(waiting.waits, waits);
    assert.deepEqual(await world.store.get(running.id), waiting);
    assert.deepEqual(await world.claim(), []);
    world.advance(MINUTE);
    const [again] = await world.claim();
    assert.deepEqual([again!.attempt, again!.resumes, again!.reason], [1, 1, null]);
    assert.deepEqual(again!.waits, waits);
    assert.ok(again!.fence > running.fence);
    const { instance: done } = await world.settle(again!);
    assert.deepEqual([done!.state, done!.attempt, done!.waits], ["completed", 1, null]);
    assert.deepEqual(await world.store.get(running.id), done);
    assert.equal(await world.states(running.id), "created scheduled processing completed:ok");
  },

  "settle() parks without an end if nothing but a signal can come": async (world) => {
    const waiting = await park(world, await world.start(), APPROVED);
    assert.equal(waiting.dueAt, NEVER_DUE);
    const kinds = new Set(["mail"]);
    const { instanceAt } = await world.store.nextDue({ at: world.at, kinds });
    assert.ok(instanceAt === null || instanceAt === NEVER_DUE);
    world.advance(365 * 24 * 60 * MINUTE);
    assert.deepEqual(await world.claim(), []);
  },

  "settle() repeated after a lost response parks once": async (world) => {
    const running = await world.start();
    const outcome = { type: "park", waits: [APPROVED] } as const;
    const first = await world.settle(running, { outcome });
    const second = await world.settle(running, { outcome });
    assert.deepEqual([first.status, second.status], ["settled", "repeated"]);
    assert.deepEqual(second.instance, first.instance);
  },

  "a resumed attempt that fails or is lost counts, and the next one does not resume": async (
    world,
  ) => {
    const running = await world.start({ retryMax: 5 });
    await park(world, running, { ...TIME, until: world.wallMs });
    const [resumed] = await world.claim();
    await world.settle(resumed!, { outcome: retry(world.wallMs) });
    const [second] = await world.claim();
    assert.deepEqual([second!.attempt, second!.resumes, second!.failures], [2, 1, 1]);
    assert.equal(second!.waits, null);
    await park(world, second!, { ...TIME, until: world.wallMs });
    const [third] = await world.claim();
    assert.deepEqual([third!.attempt, third!.resumes], [2, 2]);
    world.advance(LEASE_MS + 1);
    const [lost] = await world.reap();
    assert.deepEqual([lost!.crashes, lost!.reason, lost!.waits], [1, "lost", null]);
    const [fourth] = await world.claim();
    assert.deepEqual([fourth!.attempt, fourth!.resumes], [3, 2]);
  },

  "a released claim that did not begin leaves its instance parked": async (world) => {
    const until = world.wallMs;
    await park(world, await world.start(), { ...TIME, until });
    const [resumed] = await world.claim();
    const outcome = { type: "release", dueAt: world.wallMs, isUnstarted: true } as const;
    const { instance } = await world.settle(resumed!, { outcome });
    assert.deepEqual([instance!.attempt, instance!.resumes], [1, 0]);
    assert.deepEqual(instance!.waits, [{ ...TIME, until }]);
    assert.deepEqual(await world.store.get(resumed!.id), instance);
    const [again] = await world.claim();
    assert.deepEqual([again!.attempt, again!.resumes], [1, 1]);
  },

  "signal() wakes what waits for it, and is stored for what does not yet": async (world) => {
    const running = await world.start();
    assert.equal((await signal(world, running.id, { name: "other" })).status, "stored");
    const parkedNow = await park(world, running, APPROVED);
    world.advance(1_000);
    const hints = world.hints();
    const { status, instance } = await signal(world, running.id, { data: '{"ok":true}' });
    assert.equal(status, "woke");
    assert.deepEqual(instance, { ...parkedNow, dueAt: world.wallMs });
    assert.deepEqual(await world.store.get(running.id), instance);
    await hints.first(1, "instances");
    hints.stop();
    assert.deepEqual(await steps(world, running), {
      [signalKey("approved", 1)]: '{"ok":true}',
      [signalKey("other", 1)]: "true",
      signals: '{"other":1,"approved":1}',
    });
    const [resumed] = await world.claim();
    assert.equal(resumed!.id, running.id);
    const awake = await park(world, resumed!, APPROVED);
    assert.equal(awake.dueAt, world.wallMs);
  },

  "signal() that comes before the wait is not lost": async (world) => {
    const waiting = await world.addOne();
    assert.equal((await signal(world, waiting.id)).status, "stored");
    assert.equal((await signal(world, waiting.id, { data: "2" })).status, "stored");
    const [running] = await world.claim();
    const awake = await park(world, running!, APPROVED);
    assert.equal(awake.dueAt, world.wallMs);
    assert.equal((await steps(world, waiting))[signalKey("approved", 2)], "2");
  },

  "signal() counts the same id once, and finds an instance by its unique key": async (world) => {
    const running = await world.start({ uniqueKey: "mail:17" });
    const given = { to: { uniqueKey: "mail:17" }, signalId: "x-1" };
    assert.equal((await signal(world, "", given)).status, "stored");
    const again = await signal(world, "", { ...given, data: "other" });
    assert.deepEqual([again.status, again.instance!.id], ["duplicate", running.id]);
    const { status, instance } = await signal(world, "", { to: { uniqueKey: "mail:18" } });
    assert.deepEqual([status, instance], ["gone", null]);
    assert.equal((await steps(world, running))[signalKey("approved", 1)], "true");
  },

  "signal() to a final instance or to none writes nothing": async (world) => {
    const done = await world.finish();
    const { status, instance } = await signal(world, done.id);
    assert.deepEqual([status, instance], ["ended", done]);
    assert.equal((await signal(world, world.newId())).status, "gone");
    assert.deepEqual(await steps(world, done), {});
  },

  "the outcome of a child wakes its parent, and is recorded once": async (world) => {
    const { parent, child: { id } } = await parked(world);
    assert.equal(await isDue(world, parent), false);
    world.advance(10);
    await settleChild(world);
    assert.equal(await isDue(world, parent), true);
    const at = world.wallMs;
    const outcome = { id, state: "completed", reason: "ok", resultsJson: '["done"]', error: null };
    const found = await steps(world, parent);
    assert.deepEqual(JSON.parse(found[CHILD.key!]!), { ...outcome, at });
    const [resumed] = await world.claim();
    assert.equal(resumed!.id, parent.id);
    assert.equal(resumed!.stepsAt, at);
  },

  "a child that ends before its parent parks leaves it due": async (world) => {
    const running = await world.start();
    const given = { kind: "render", parentId: running.id, parentStep: CHILD.key! };
    await world.add(given);
    await settleChild(world);
    assert.equal((await park(world, running, CHILD)).dueAt, world.wallMs);
  },

  "every end of a child wakes its parent: cancel, deadline, crash": async (world) => {
    const ends: readonly ((child: Instance) => Promise<unknown>)[] = [
      (child) => world.cancel(child.id),
      async () => {
        world.advance(MINUTE);
        await world.reap();
      },
      async () => {
        await world.claim(1, ["render"]);
        world.advance(LEASE_MS + 1);
        await world.reap();
      },
    ];
    const expected = ["canceled", "timedOut", "terminated"];
    for (const [index, end] of ends.entries()) {
      const running = await world.start();
      const [child] = await world.add({
        kind: "render",
        parentId: running.id,
        parentStep: CHILD.key!,
        crashesMax: 0,
        deadlineAt: index === 1 ? world.wallMs + 1_000 : null,
      });
      await park(world, running, CHILD);
      await end(child!);
      const found = await steps(world, running);
      assert.equal(JSON.parse(found[CHILD.key!]!).state, expected[index]);
      const [resumed] = await world.claim();
      assert.equal(resumed!.id, running.id);
      await world.settle(resumed!);
    }
  },

  "a parked instance is unfinished: canceled by a cancel, ended by its deadline": async (world) => {
    const first = await park(world, await world.start(), APPROVED);
    const [canceled] = await world.cancel(first.id);
    assert.deepEqual([canceled!.state, canceled!.waits], ["canceled", null]);
    const deadlineAt = world.wallMs + MINUTE;
    const second = await park(world, await world.start({ deadlineAt }), APPROVED);
    assert.equal(second.state, "scheduled");
    world.advance(MINUTE);
    const [late] = await world.reap();
    assert.deepEqual([late!.id, late!.reason, late!.waits], [second.id, "deadline", null]);
  },

  "redrive() copies chosen step records to the new instance": async (world) => {
    const running = await world.start();
    const records = ["a", "b", "c"].map((key) => ({ key, data: `"${key}"` }));
    await put(world, running, ...records);
    await world.settle(running, { outcome: failed() });
    const request = (steps: KeptSteps, count = 1) =>
      world.store.redrive({
        at: world.at,
        instances: Array.from({ length: count }, () => world.newInstance({ retryOf: running.id })),
        isForced: true,
        steps,
      });
    const puts = [{ key: "d", data: "1" }];
    const { value: [result] } = await request({ keys: ["c", "gone", "a"], puts });
    const { instance } = result!;
    assert.equal(instance!.stepsAt, world.wallMs);
    assert.deepEqual(await steps(world, instance!), { a: '"a"', c: '"c"', d: "1" });
    assert.deepEqual(await world.store.get(instance!.id), instance);
    await refuses(request({ keys: [], puts }, 2), "invalid_argument");
    const keys = Array.from({ length: STEPS_MAX + 1 }, (_, n) => `${n}`);
    await refuses(request({ keys, puts: [] }), "invalid_argument");
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "settle() begins a new round: other records go, signals that were not taken stay": async (
    world,
  ) => {
    const first = await world.start({ retryMax: 3 });
    await world.settle(first, { outcome: retry(world.wallMs + MINUTE) });
    world.advance(MINUTE);
    const [running] = await world.claim();
    assert.equal(running!.failures, 1);
    const signals = ["a/b é", "a/b é", "go", "go", "go", "go"];
    for (const [index, name] of signals.entries()) {
      await signal(world, running!.id, { name, data: `${index}`, signalId: `id-${index}` });
    }
    await put(world, running!, { key: "step:a", data: "1" }, { key: "undo", data: "{}" });
    const data = JSON.stringify({ round: 2, args: [7], taken: { go: 3, "a/b é": 2, gone: 4 } });
    const outcome = { type: "park", waits: [{ ...TIME, until: world.wallMs }] } as const;
    const began = [{ key: CONTINUED_KEY, data }];
    const { instance } = await world.settle(running!, { outcome, steps: began });
    assert.deepEqual([instance!.failures, instance!.crashes, instance!.reason], [0, 0, "parked"]);
    assert.deepEqual(await world.store.get(instance!.id), instance);
    assert.deepEqual(await steps(world, instance!), {
      [CONTINUED_KEY]: data,
      "signal@id-5": '"signal/go/1"',
      [signalKey("go", 1)]: "5",
      signals: '{"go":1}',
    });
    assert.equal((await signal(world, instance!.id, { name: "go" })).status, "stored");
    const later = await steps(world, instance!);
    assert.deepEqual([later[signalKey("go", 2)], later["signals"]], ["true", '{"go":2}']);
  },

  "settle() begins a new round also for records that job code forged": async (world) => {
    for (const data of ["7", "null", '{"taken":5}', '{"taken":{"go":"x","a":-1,"b":1.5}}']) {
      const running = await world.start();
      await signal(world, running.id, { name: "go", data: "1" });
      const outcome = { type: "park", waits: [{ ...TIME, until: world.wallMs + MINUTE }] } as const;
      await world.settle(running, { outcome, steps: [{ key: CONTINUED_KEY, data }] });
      const left = { [CONTINUED_KEY]: data, [signalKey("go", 1)]: "1", signals: '{"go":1}' };
      assert.deepEqual(await steps(world, running), left);
    }
  },

  "step records are deleted with their instance": async (world) => {
    const running = await world.start({ keepSuccessMs: 1_000 });
    const kept = await world.start();
    for (const one of [running, kept]) await put(world, one, { key: "a", data: "1" });
    await world.settle(running);
    world.advance(1_000);
    assert.deepEqual(await world.retain(), [running.id]);
    assert.deepEqual(await steps(world, running), {});
    assert.deepEqual(await steps(world, kept), { a: "1" });
  },

  "steps and waits survive an opening, and are in the records of the store": async (world) => {
    const running = await world.start();
    await put(world, running, { key: "a", data: "1" });
    const waiting = await park(world, running, APPROVED);
    await world.reopen();
    assert.deepEqual(await world.store.get(waiting.id), waiting);
    assert.deepEqual(await steps(world, waiting), { a: "1" });
    const { records } = await world.store.records.readRecords({ after: null, limit: 100 });
    const memos = records.flatMap((one) => one.type === "memo" ? [one.memo.key] : []);
    assert.deepEqual(memos, [stepMemoKey(waiting.id, "a")]);
    assert.deepEqual(idsOf(await world.list({ states: ["scheduled"] })), [waiting.id]);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },
};
