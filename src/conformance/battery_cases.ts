import assert from "node:assert/strict";
import { isJobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { type Store, STORE_FORMAT } from "../store/store.ts";
import { completed, LEASE_MS, line, type StoreCases, type StoreWorld } from "./store_world.ts";

const CONNECTIONS = 4;
const CLAIMERS = 50;
const INSTANCES = 2_000;
const KINDS = new Set(["mail"]);

/** Values that stores have lost: digits beyond 2^53, wide characters, number-like texts, markup. */
const TEXTS = [
  "[9007199254740993,-9007199254740993,0.1,1e-7]",
  '["\u{1f600}\u{10ffff}","ü","e\u0301","\u202e","\u2028"]',
  '["","0","01","1e3","null","\\\\u0000","\\u001b[31m"]',
  '[{"a":{"b":[null,true]},"":1,"__proto__":2}]',
  JSON.stringify(["x".repeat(100_000)]),
];

/** Claim and settle until nothing is left. @returns the claimed instances */
async function work(world: StoreWorld, store: Store, index: number): Promise<Instance[]> {
  const node = `n${index % CONNECTIONS + 1}`;
  const all: Instance[] = [];
  for (;;) {
    const limit = 1 + (index + all.length) % 20;
    const claim = { at: world.at, node, kinds: KINDS, limit, leaseMs: LEASE_MS };
    const { value } = await store.claim(claim);
    if (value.length === 0) return all;
    all.push(...value);
    const settlements = value.map(({ id, fence }) => ({
      id,
      fence,
      logs: [],
      outcome: completed(JSON.stringify([index])),
    }));
    const settled = await store.settle({ at: world.at, node, settlements });
    assert.ok(settled.value.every(({ status }) => status === "settled"));
  }
}

/** Retry a write, like a caller without a response does. */
async function retrying<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await write();
    } catch (error) {
      if (tries === 50 || !isJobError(error, "unavailable")) throw error;
    }
  }
}

/** Cases of contention, of lost responses and of other data on the server. */
export const batteryCases: StoreCases = {
  "50 claimers over 4 connections take 2,000 instances, each once": async (world) => {
    const stores = await world.connect(CONNECTIONS);
    for (let from = 0; from < INSTANCES; from += 500) {
      await world.addMany(500);
    }
    const claimers = Array.from(
      { length: CLAIMERS },
      (_, index) => work(world, stores[index % CONNECTIONS]!, index),
    );
    const taken = (await Promise.all(claimers)).flat();
    assert.equal(taken.length, INSTANCES);
    assert.equal(new Set(taken.map(({ id }) => id)).size, INSTANCES);
    const counts = (await world.store.stats()).kinds.get("mail")!;
    assert.deepEqual([counts.completed, counts.processing, counts.scheduled], [INSTANCES, 0, 0]);
    await world.disconnect(stores);
  },

  "every write under an old fence is refused, whatever connection it comes by": async (world) => {
    const stores = await world.connect(2);
    const { id, fence } = await world.start();
    world.advance(LEASE_MS);
    await world.reap();
    const [again] = await world.claim();
    assert.equal(again!.id, id);
    assert.ok(again!.fence > fence);
    for (const store of stores) {
      const at = world.at;
      const settlements = [{ id, fence, logs: [line("late")], outcome: completed() }];
      const settled = await store.settle({ at, node: "n1", settlements });
      assert.equal(settled.value[0]!.status, "stale");
      const renewed = await store.renew({
        at,
        node: "n1",
        claims: [{ id, fence }],
        leaseMs: LEASE_MS,
      });
      assert.equal(renewed.value[0]!.status, "stale");
      const appends = [{ id, fence, logs: [line("late")], progress: { done: 1, total: null } }];
      assert.deepEqual((await store.appendLogs({ at, appends })).value, [{ id, fence }]);
    }
    const instance = await world.store.get(id);
    assert.deepEqual([instance!.state, instance!.progress], ["processing", null]);
    assert.deepEqual(await world.logs(), []);
    await world.disconnect(stores);
  },

  "what one connection was answered the others read, and a hint wakes them": async (world) => {
    const [, other] = await world.connect(2);
    const woken = new Promise<void>((resolve) => {
      other!.subscribe((hint) => hint.type === "instances" && resolve());
    });
    const { id } = await world.addOne();
    assert.equal((await other!.get(id))!.id, id);
    await woken;
    const claim = { at: world.at, node: "n2", kinds: KINDS, limit: 1, leaseMs: LEASE_MS };
    const { value: [claimed] } = await other!.claim(claim);
    assert.equal(claimed!.id, id);
    assert.deepEqual(await world.claim(), []);
    assert.equal((await world.store.get(id))!.node, "n2");
    await world.disconnect([other!]);
  },

  "an answer that was lost changes nothing twice: enqueue, claim, settle": async (world) => {
    const { fixture, store } = world;
    for (const when of ["before", "after"] as const) {
      const input = world.newInstance();
      await fixture.cutNext?.(when);
      await retrying(() => store.enqueue({ at: world.at, instances: [input] }));
      await fixture.cutNext?.(when);
      const claimed = await retrying(() => world.claim(1));
      const claim = claimed[0] ?? await takeBack(world);
      assert.equal(claim!.id, input.id);
      await fixture.cutNext?.(when);
      const settled = await retrying(() => world.settle(claim!));
      assert.ok(settled.status === "settled" || settled.status === "repeated");
      const counts = (await store.stats()).kinds.get("mail")!;
      assert.deepEqual([counts.scheduled, counts.processing], [0, 0]);
    }
    assert.equal((await store.stats()).kinds.get("mail")!.completed, 2);
  },

  "values are kept as they are: digits past 2^53, every character, long texts": async (world) => {
    const added = await world.add(...TEXTS.map((argumentsJson) => ({ argumentsJson })));
    const claimed = await world.claim(TEXTS.length);
    for (const [index, instance] of claimed.entries()) {
      assert.equal(instance.argumentsJson, TEXTS[index]);
      await world.settle(instance, {
        outcome: completed(TEXTS[index]!),
        logs: [line(TEXTS[index]!)],
      });
    }
    for (const [index, { id }] of added.entries()) {
      assert.equal((await world.store.get(id))!.resultsJson, TEXTS[index]);
      const items = await world.logs({ instanceId: id });
      assert.equal(items[0]!.message, TEXTS[index]);
    }
  },

  "another opening has a higher epoch, the same data and the same format": async (world) => {
    const { id } = await world.addOne();
    await world.store.close();
    const first = await world.store.open({ at: world.at, node: "n1" });
    await world.store.close();
    const second = await world.store.open({ at: world.at, node: "n1" });
    assert.ok(second.epoch > first.epoch);
    assert.equal(second.storeId, first.storeId);
    assert.equal(second.format, STORE_FORMAT);
    assert.equal((await world.store.get(id))!.id, id);
  },

  "data of others beside the store stays as it is": async (world) => {
    const check = await world.fixture.foreign?.();
    await world.finish();
    await world.putSchedule();
    world.advance(10 * 60_000);
    await world.retain();
    await world.store.clearInstances({
      at: world.at,
      query: {},
      settledBefore: Number.MAX_SAFE_INTEGER,
      limit: 100,
    });
    const { records } = await world.store.records.readRecords({ after: null, limit: 100 });
    assert.equal(records.some(({ type }) => type === "instance"), false);
    await check?.();
  },
};

/** A claim with a lost response has no owner: it ends with its lease. */
async function takeBack(world: StoreWorld): Promise<Instance | undefined> {
  world.advance(LEASE_MS);
  await world.reap();
  return (await world.claim(1))[0];
}
