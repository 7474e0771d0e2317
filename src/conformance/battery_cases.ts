import assert from "node:assert/strict";
import { isJobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { type Store, STORE_FORMAT } from "../store/store.ts";
import type { ClaimLimits, JobLimits } from "../core/job/limits.ts";
import {
  completed,
  idsOf,
  LEASE_MS,
  line,
  MINUTE,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

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

function ofMail(limits: Partial<JobLimits>, pools: ClaimLimits["pools"] = []): ClaimLimits {
  return { kinds: new Map([["mail", { concurrency: [], rate: [], ...limits }]]), pools };
}

function claimAs(world: StoreWorld, node: string, limits: ClaimLimits, kinds = ["mail"]) {
  return world.store.claim({
    at: world.at,
    node,
    limits,
    kinds: new Set(kinds),
    limit: 10,
    leaseMs: LEASE_MS,
  });
}

/** Cases of combined features. The model of test/model found each of them. */
export const combinedCases: StoreCases = {
  "reap() ends at its deadline also what is held behind another": async (world) => {
    await world.putSchedule();
    await world.fire(START, [START + MINUTE], { overlap: "queue" });
    world.advance(MINUTE);
    const [running] = await world.claim();
    const ticks = [2, 3].map((count) => START + count * MINUTE);
    const fires = ticks.map((scheduledFor, index) =>
      world.newInstance({
        scheduleId: SCHEDULE,
        scheduledFor,
        dueAt: scheduledFor,
        deadlineAt: index === 0 ? START + MINUTE + 5_000 : null,
      })
    );
    await world.fire(START + MINUTE, ticks, { overlap: "queue", fires });
    world.advance(5_000);
    const [late] = await world.reap();
    assert.equal(late?.id, fires[0]!.id);
    assert.equal(late?.reason, "deadline");
    world.advance(2 * MINUTE);
    await world.settle(running!);
    assert.deepEqual(idsOf(await world.claim(5)), [fires[1]!.id]);
  },

  "backfill() leaves out a tick whose unique key is held": async (world) => {
    await world.putSchedule();
    const holder = await world.addOne({ uniqueKey: "k" });
    world.advance(3 * MINUTE);
    const fires = [1, 2].map((count) =>
      world.newInstance({
        scheduleId: SCHEDULE,
        scheduledFor: START + count * MINUTE,
        uniqueKey: "k",
      })
    );
    const request = {
      at: world.at,
      backfill: { scheduleId: SCHEDULE, fires, overlap: "queue" as const },
    };
    assert.deepEqual((await world.store.backfill(request)).value, []);
    await world.cancel(holder.id);
    const { value } = await world.store.backfill(request);
    assert.deepEqual(value.map(({ id }) => id), [fires[0]!.id]);
    assert.deepEqual(await world.fateTexts(), ["1-1 fired 1"]);
  },

  "advance() records each tick once when the cursor was put back": async (world) => {
    await world.putSchedule();
    world.advance(6 * MINUTE);
    const missed = { fate: "missed", reason: null, instanceId: null } as const;
    const at = (from: number, to: number) => ({
      from: START + from * MINUTE,
      to: START + to * MINUTE,
      count: to - from + 1,
      ...missed,
    });
    await world.fire(START, [START + 4 * MINUTE], { fates: [at(2, 3)] });
    await world.putSchedule({ generation: 2 }, 1);
    const again = { generation: 2, fates: [at(1, 5)] };
    const ticks = [3, 6].map((count) => START + count * MINUTE);
    const { accepted } = await world.fire(START, ticks, { ...again, overlap: "allow" });
    assert.deepEqual(accepted.map(({ scheduledFor }) => scheduledFor), [START + 6 * MINUTE]);
    const expected = ["1-1 missed 1", "2-3 missed 2", "4-4 fired 1", "5-5 missed 1", "6-6 fired 1"];
    assert.deepEqual(await world.fateTexts(), expected);
  },

  "claim() and nextDue() by other limits are not held up by a rate of another node": async (
    world,
  ) => {
    const slow = ofMail({ rate: [{ max: 1, perMs: MINUTE, by: ["account"] }] });
    const free = ofMail({});
    await claimAs(world, "n1", slow);
    await claimAs(world, "n2", free);
    const [, second] = await world.add({ queueKey: "x" }, { queueKey: "x" });
    assert.equal((await claimAs(world, "n1", slow)).value.length, 1);
    const request = { at: world.at, node: "n2", kinds: new Set(["mail"]), limits: free };
    assert.equal((await world.store.nextDue(request)).instanceAt, START);
    const { value } = await claimAs(world, "n2", free);
    assert.deepEqual(value.map(({ id }) => id), [second!.id]);
  },

  "nextDue() waits no longer for a rate when the clock was set back": async (world) => {
    const slow = ofMail({ rate: [{ max: 1, perMs: MINUTE, by: ["account"] }] });
    await world.add({ queueKey: "x" }, { queueKey: "x" });
    await claimAs(world, "n1", slow);
    world.wallMs -= 60 * MINUTE;
    const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits: slow };
    assert.equal((await world.store.nextDue(request)).instanceAt, world.wallMs);
    assert.deepEqual((await claimAs(world, "n1", slow)).value, []);
    assert.equal((await world.store.nextDue(request)).instanceAt, world.wallMs + MINUTE);
  },

  "subscribe() tells when a slot of a pool is free for another kind": async (world) => {
    const kinds = ["mail", "report"];
    const pools = [{ name: "p", kinds: new Set(kinds), max: 1 }];
    const [first] = await world.add({ crashesMax: 0, priority: 1 }, { kind: "report" });
    assert.equal((await claimAs(world, "n1", ofMail({}, pools), kinds)).value[0]!.id, first!.id);
    const log = world.hints();
    world.advance(LEASE_MS);
    assert.equal((await world.reap())[0]!.reason, "lost");
    assert.deepEqual((await log.first(1)).map(({ type }) => type), ["instances"]);
  },

  "redrive() refuses a batch that names an id twice": async (world) => {
    const { id: retryOf } = await world.finish();
    const input = world.newInstance({ retryOf });
    const request = { at: world.at, instances: [input, input], isForced: true };
    await assert.rejects(world.store.redrive(request), { code: "invalid_argument" });
    assert.equal(await world.store.get(input.id), null);
  },
};
