import assert from "node:assert/strict";
import type { ClaimLimits } from "../core/job/limits.ts";
import type { Instance } from "../core/instance.ts";
import { keyOf } from "../store/records.ts";
import {
  completed,
  failed,
  idsOf,
  LEASE_MS,
  MINUTE,
  retry,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";
import { APPROVED, park, put, signal, TIME } from "./world/flow_world.ts";

const A = "mail account=a";
const B = "mail account=b";

/** Slots of each account that instances keep to their end. */
function keeping(max: number): ClaimLimits {
  const concurrency = [{ max, by: ["account"], per: "cluster", hold: "instance" }] as const;
  return { kinds: new Map([["mail", { concurrency, rate: [] }]]), pools: [] };
}

const ONE = keeping(1);

async function claim(
  world: StoreWorld,
  { limits = ONE, limit = 100, node = "n1", dueBy }: {
    limits?: ClaimLimits;
    limit?: number;
    node?: string;
    dueBy?: number;
  } = {},
): Promise<readonly Instance[]> {
  const request = { at: world.at, node, kinds: new Set(["mail"]), limits, limit };
  const ahead = dueBy === undefined ? {} : { dueBy };
  return (await world.store.claim({ ...request, leaseMs: LEASE_MS, ...ahead })).value;
}

/** Add two instances of an account, and begin the first. */
async function beginFirst(world: StoreWorld, given: Parameters<StoreWorld["addOne"]>[0] = {}) {
  const first = await world.addOne({ queueKey: A, ...given });
  const second = await world.addOne({ queueKey: A, priority: 1 });
  await world.cancel(second.id);
  const [running] = await claim(world);
  assert.equal(running!.id, first.id);
  return { running: running!, next: await world.addOne({ queueKey: A, priority: 1 }) };
}

/** Check that the next instance of the account is blocked by one that is kept. */
async function isBlocked(world: StoreWorld, { id }: Instance): Promise<void> {
  assert.deepEqual(await claim(world), []);
  const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits: ONE };
  const block = { limit: "concurrency", name: A, used: 1, max: 1, opensAt: null };
  assert.deepEqual(await world.store.blockOf({ ...request, id }), block);
  assert.deepEqual(await world.store.blocks(request), [block]);
  assert.deepEqual(await world.store.records.findProblems({ limit: 9 }), []);
}

/** Check that the next instance of the account is claimed, and nothing else. */
async function isNext(world: StoreWorld, next: Instance): Promise<void> {
  assert.deepEqual(idsOf(await claim(world)), [next.id]);
  assert.deepEqual(await world.store.records.findProblems({ limit: 9 }), []);
}

/** Cases of slots that instances keep from their first attempt to their end. */
export const slotCases: StoreCases = {
  "an instance keeps its slot while it is parked, and continues before others": async (world) => {
    const { running, next } = await beginFirst(world);
    assert.equal(running.slotKey, A);
    await park(world, running, { ...TIME, until: world.wallMs + MINUTE });
    await isBlocked(world, next);
    const other = await world.addOne({ queueKey: B });
    assert.deepEqual(idsOf(await claim(world)), [other.id]);
    world.advance(MINUTE);
    const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits: ONE };
    assert.equal((await world.store.nextDue(request)).instanceAt, world.wallMs);
    await world.settle(other);
    const [again] = await claim(world);
    assert.deepEqual([again!.id, again!.resumes, again!.slotKey], [running.id, 1, A]);
    await isBlocked(world, next);
    const { instance: done } = await world.settle(again!);
    assert.deepEqual(await world.store.get(running.id), done);
    await isNext(world, next);
  },

  "an instance keeps its slot while it waits for a signal, a retry, or after a crash": async (
    world,
  ) => {
    const { running, next } = await beginFirst(world, { retryMax: 3 });
    await park(world, running, APPROVED);
    await isBlocked(world, next);
    await signal(world, running.id);
    const [second] = await claim(world);
    assert.equal(second!.id, running.id);
    await world.settle(second!, { outcome: retry(world.wallMs + MINUTE) });
    await isBlocked(world, next);
    world.advance(MINUTE);
    const [third] = await claim(world);
    assert.equal(third!.id, running.id);
    world.advance(LEASE_MS + 1);
    await world.reap();
    const [fourth] = await claim(world);
    assert.equal(fourth!.id, running.id);
    await isBlocked(world, next);
    await world.settle(fourth!, { outcome: failed() });
    await isNext(world, next);
  },

  "a cancel frees the slot of an instance that waits, and says so": async (world) => {
    const { running, next } = await beginFirst(world);
    await park(world, running, APPROVED);
    await isBlocked(world, next);
    const hints = world.hints();
    await world.cancel(running.id);
    await hints.first(1, "instances");
    hints.stop();
    await isNext(world, next);
  },

  "an instance that takes back its steps keeps its slot until it has": async (world) => {
    const { running, next } = await beginFirst(world);
    await put(world, running, { key: "a", data: "1" });
    await park(world, running, APPROVED);
    await world.cancel(running.id);
    await isBlocked(world, next);
    world.advance(1);
    const [canceling] = await claim(world);
    assert.equal(canceling!.id, running.id);
    await world.settle(canceling!, { outcome: failed() });
    await isNext(world, next);
  },

  "a deadline frees the slot of an instance that waits": async (world) => {
    const { running, next } = await beginFirst(world, { deadlineAt: world.wallMs + MINUTE });
    await park(world, running, APPROVED);
    await isBlocked(world, next);
    world.advance(MINUTE);
    await world.reap();
    await isNext(world, next);
  },

  "a claim that is released before its start keeps nothing": async (world) => {
    const { running, next } = await beginFirst(world);
    await world.settle(running, {
      outcome: { type: "release", dueAt: world.wallMs, isUnstarted: true },
    });
    const released = (await world.store.get(running.id))!;
    assert.deepEqual([released.slotKey, released.queueKey, released.attempt], [null, A, 0]);
    await isNext(world, next);
    await isBlocked(world, released);
    await world.settle((await world.store.get(next.id))!);
    await isNext(world, released);
  },

  "kept slots outlast another opening, and a copy of the store": async (world) => {
    const { running, next } = await beginFirst(world);
    await park(world, running, APPROVED);
    await world.reopen();
    await isBlocked(world, next);
    const { records } = await world.store.records.readRecords({ after: null, limit: 100 });
    await world.store.records.removeRecords({ at: world.at, keys: records.map(keyOf) });
    await world.store.records.writeRecords({ at: world.at, records });
    await world.store.records.writeRecords({ at: world.at, records });
    await isBlocked(world, next);
    await signal(world, running.id);
    const [again] = await claim(world);
    assert.equal(again!.id, running.id);
    await world.settle(again!);
    await isNext(world, next);
  },

  "claims before the limit kept slots count, and keep one when they continue": async (world) => {
    await world.addOne({ queueKey: A });
    const [running] = await world.claim();
    const next = await world.addOne({ queueKey: A, priority: 1 });
    await isBlocked(world, next);
    await park(world, running!, { ...TIME, until: world.wallMs });
    await world.cancel(next.id);
    const [again] = await claim(world);
    assert.deepEqual([again!.id, again!.slotKey], [running!.id, A]);
  },

  "an instance that continues after a wait is no start for a rate": async (world) => {
    const rate = [{ max: 2, perMs: MINUTE, by: [] }];
    const limits = { kinds: new Map([["mail", { concurrency: [], rate }]]), pools: [] };
    await world.addOne();
    for (let resumes = 0; resumes < 4; resumes++) {
      const [running] = await claim(world, { limits });
      assert.equal(running!.resumes, resumes);
      await park(world, running!, { ...TIME, until: world.wallMs });
    }
    await world.addOne({ priority: 1 });
    assert.equal((await claim(world, { limits, limit: 1 })).length, 1);
    await world.addOne();
    assert.deepEqual(await claim(world, { limits }), [], "the rate is used up");
    world.advance(MINUTE);
    assert.equal((await claim(world, { limits })).length, 2);
  },

  "a hundred flows of three accounts never keep more than two slots each": async (world) => {
    const limits = keeping(2);
    const accounts = [A, B, "mail account=c"];
    await world.add(...Array.from({ length: 99 }, (_, index) => {
      return { queueKey: accounts[index % 3]!, priority: index % 4, retryMax: 9 };
    }));
    let left = 99;
    for (let round = 0; left > 0; round++) {
      assert.ok(round < 400, `${left} are left`);
      const nodes = ["n1", "n2", "n3"];
      const claims = await Promise.all(
        nodes.map((node) => claim(world, { limits, node, limit: 2 })),
      );
      const open = await world.list({ states: ["scheduled", "processing"] });
      const kept = Map.groupBy(open.filter(({ attempt }) => attempt > 0), ({ slotKey }) => slotKey);
      assert.equal(kept.has(null), false);
      for (const [key, all] of kept) assert.ok(all.length <= 2, `${key}: ${all.length}`);
      for (const [index, instance] of claims.flat().entries()) {
        const turn = (round + index) % 5;
        if (turn === 0) await world.cancel(instance.id);
        const { instance: after } = turn === 1
          ? await world.settle(instance, { outcome: retry(world.wallMs + 5) })
          : turn < 3
          ? { instance: await park(world, instance, { ...TIME, until: world.wallMs + 3 }) }
          : await world.settle(instance, { outcome: completed() });
        if (after!.state !== "scheduled") left -= 1;
      }
      world.advance(2);
    }
    assert.deepEqual(await world.store.records.findProblems({ limit: 9 }), []);
  },
};
