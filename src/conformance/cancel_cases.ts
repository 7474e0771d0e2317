import assert from "node:assert/strict";
import type { ClaimLimits } from "../core/job/limits.ts";
import type { Instance } from "../core/instance.ts";
import {
  idsOf,
  LEASE_MS,
  refuses,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

const REPLACE = { uniqueKey: "k", unique: { forMs: null, onConflict: "replace" } } as const;
/** When the holder of the key is due that is claimed early. */
const DUE = START + 50;
const ONE_AT_ONCE: ClaimLimits = {
  kinds: new Map([["mail", {
    concurrency: [{ max: 1, by: [], per: "cluster" }],
    rate: [],
  }]]),
  pools: [],
};

/** Claim instances that are due soon. A store with its own clock has nothing to claim early. */
async function claimEarly(world: StoreWorld, limits?: ClaimLimits): Promise<readonly Instance[]> {
  const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limit: 9, dueBy: DUE };
  return (await world.store.claim({ ...request, limits, leaseMs: LEASE_MS })).value;
}

/** Cases of canceling, and of replacing early claims. */
export const cancelCases: StoreCases = {
  "cancel() ends a waiting instance at once": async (world) => {
    const { id } = await world.addOne();
    const [canceled] = await world.cancel(id);
    assert.deepEqual(
      [canceled!.state, canceled!.reason, canceled!.settledAt],
      ["canceled", "canceled", START],
    );
    assert.deepEqual(await world.store.get(id), canceled);
    assert.deepEqual(await world.claim(), []);
    assert.equal(await world.states(id), "created scheduled canceled:canceled");
  },

  "cancel() marks a running instance once": async (world) => {
    const running = await world.start();
    const hints = world.hints();
    const [marked] = await world.cancel(running.id);
    assert.equal(marked!.state, "processing");
    assert.equal(marked!.cancelRequestedAt, START);
    assert.deepEqual(await world.cancel(running.id), []);
    assert.deepEqual(await hints.first(1), [{
      type: "cancel",
      claims: [{ id: running.id, fence: running.fence }],
    }]);
  },

  "cancel() and settle() of one turn have one winner": async (world) => {
    const first = await world.start();
    const canceled = world.cancel(first.id);
    const settled = world.settle(first);
    assert.equal((await canceled).length, 1);
    assert.equal((await settled).instance!.state, "canceled");
    const second = await world.start();
    const settledFirst = world.settle(second);
    const canceledLate = world.cancel(second.id);
    assert.equal((await settledFirst).instance!.state, "completed");
    assert.deepEqual(await canceledLate, []);
  },

  "cancel() and claim() of one turn have one winner": async (world) => {
    const { id } = await world.addOne();
    const canceled = world.cancel(id);
    const claimed = world.claim();
    assert.equal((await canceled)[0]!.state, "canceled");
    assert.deepEqual(await claimed, []);
  },

  "cancel() takes only what matches, and final instances never": async (world) => {
    const done = await world.finish();
    const [mail, other, tagged] = await world.add({}, { kind: "other" }, { uniqueKey: "u" });
    const cancel = async (query: object, limit = 100) =>
      (await world.store.cancel({ at: world.at, query, limit })).value.map(({ id }) => id);
    assert.deepEqual(await cancel({ ids: [done.id, "unknown"] }), []);
    assert.deepEqual(await cancel({ states: ["completed"] }), []);
    assert.deepEqual(await cancel({ kinds: ["other"], states: ["processing"] }), []);
    assert.deepEqual(await cancel({ uniqueKey: "u" }), [tagged!.id]);
    assert.deepEqual(await cancel({ kinds: ["other"] }), [other!.id]);
    const [more] = await world.add({});
    assert.deepEqual(await cancel({}, 1), [mail!.id]);
    assert.deepEqual(await cancel({ states: ["scheduled"] }), [more!.id]);
  },

  "fault 112: enqueue() replaces a holder that was claimed before its time as if it waited": async (
    world,
  ) => {
    const first = await world.addOne({ ...REPLACE, dueAt: DUE });
    const claims = await claimEarly(world);
    const hints = world.hints();
    world.advance(49);
    const second = world.newInstance(REPLACE);
    const value = await world.enqueue(second);
    const replaced = value[0]!.replaced!;
    const { id, state, reason, attempt, processedAt } = replaced;
    assert.deepEqual([id, state, reason], [first.id, "canceled", "replaced"]);
    assert.deepEqual([attempt, processedAt], [0, null]);
    assert.deepEqual(await world.store.get(id), replaced);
    assert.equal(await world.states(id), "created scheduled canceled:replaced");
    // Its claim has ended, and its node is notified.
    for (const claim of claims) {
      const key = { id, fence: claim.fence };
      assert.deepEqual(await hints.first(1, "cancel"), [{ type: "cancel", claims: [key] }]);
      const renewal = { at: world.at, node: "n1", claims: [key], leaseMs: LEASE_MS };
      assert.equal((await world.store.renew(renewal)).value[0]!.status, "stale");
      const outcome = { type: "release", dueAt: DUE, isUnstarted: true } as const;
      assert.equal((await world.settle(claim, { outcome })).status, "repeated");
    }
    assert.deepEqual((await world.claim(9)).map((claimed) => claimed.id), [second.id]);
    world.advance(LEASE_MS);
    await world.reap();
    assert.deepEqual(await world.store.get(id), replaced);
  },

  "fault 112: enqueue() does not replace what was claimed early once its time has come": async (
    world,
  ) => {
    const { id } = await world.addOne({ ...REPLACE, dueAt: DUE });
    await claimEarly(world);
    world.advance(50);
    await world.claim(9);
    await refuses(world.add(REPLACE), "conflict", id);
    const { state, cancelRequestedAt } = (await world.store.get(id))!;
    assert.deepEqual([state, cancelRequestedAt], ["processing", null]);
  },

  "fault 112: what is replaced before its time leaves its slot to the next": async (world) => {
    await world.add({ ...REPLACE, priority: 0, dueAt: DUE }, { dueAt: DUE });
    await claimEarly(world, ONE_AT_ONCE);
    const second = await world.addOne({ ...REPLACE, dueAt: DUE + 50 });
    assert.equal(second.state, "scheduled");
    world.advance(50);
    await claimEarly(world, ONE_AT_ONCE);
    const { items } = await world.store.list({ states: ["processing"] }, { limit: 9 });
    assert.deepEqual(items.map(({ uniqueKey }) => uniqueKey), [null]);
  },

  "fault 112: a tick replaces the holder of its key that was claimed before its time": async (
    world,
  ) => {
    const first = await world.addOne({ ...REPLACE, dueAt: DUE });
    await claimEarly(world);
    await world.putSchedule({ cursor: START - 60_000, nextAt: START });
    const scheduleId = SCHEDULE;
    const fire = world.newInstance({ ...REPLACE, scheduleId, scheduledFor: START });
    const result = await world.fire(START - 60_000, [START], { fires: [fire] });
    assert.deepEqual(
      result.replaced.map(({ id, state, attempt }) => [id, state, attempt]),
      [[first.id, "canceled", 0]],
    );
    assert.deepEqual(idsOf(await world.claim(9)), [fire.id]);
  },

  "fault 112: cancel() of what was claimed before its time ends it without a run": async (
    world,
  ) => {
    const { id } = await world.addOne({ ...REPLACE, dueAt: DUE });
    const [claimed] = await claimEarly(world);
    await world.cancel(id);
    const error = { name: "Error", message: "not started" };
    const reason = "canceled";
    const final = { type: "final", state: reason, reason, resultsJson: null, error } as const;
    if (claimed) await world.settle(claimed, { outcome: { ...final, isFailure: false } });
    assert.equal((await world.store.get(id))!.state, "canceled");
    world.advance(50);
    assert.deepEqual(await world.claim(9), []);
    assert.notEqual((await world.addOne(REPLACE)).id, id);
  },
};
