import assert from "node:assert/strict";
import type { ClaimLimits, JobLimits } from "../core/job/limits.ts";
import type { Instance } from "../core/instance.ts";
import type { NewInstance } from "../store/store.ts";
import {
  idsOf,
  LEASE_MS,
  retry,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

const limitsOf = (limits: Partial<JobLimits>, kind = "mail"): ClaimLimits => ({
  kinds: new Map([[kind, { concurrency: [], rate: [], ...limits }]]),
  pools: [],
});
const atOnce = (max: number, by: readonly string[] = [], per: "cluster" | "node" = "cluster") =>
  limitsOf({ concurrency: [{ max, by, per }] });
const inSpan = (max: number, perMs: number, by: readonly string[] = []) =>
  limitsOf({ rate: [{ max, perMs, by }] });
/** An instance in the queue of an account. */
const of = (account: string, given: Partial<NewInstance> = {}) => ({
  queueKey: `mail account=${account}`,
  ...given,
});
const BY = ["account"];

async function claim(
  world: StoreWorld,
  limits: ClaimLimits,
  options: { limit?: number; kinds?: readonly string[]; node?: string; dueBy?: number } = {},
): Promise<readonly Instance[]> {
  const { limit = 100, kinds = ["mail"], node = "n1", ...rest } = options;
  const common = { at: world.at, node, kinds: new Set(kinds), limits, limit };
  return (await world.store.claim({ ...common, leaseMs: LEASE_MS, ...rest })).value;
}

async function nextAt(world: StoreWorld, limits: ClaimLimits): Promise<number | null> {
  const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits };
  return (await world.store.nextDue(request)).instanceAt;
}

/** Cases of limits and pauses. */
export const limitCases: StoreCases = {
  "claim() takes no more of a kind than run at once": async (world) => {
    const limits = atOnce(2);
    const [first, second, third] = await world.add({}, {}, {});
    assert.deepEqual(idsOf(await claim(world, limits)), idsOf([first!, second!]));
    assert.deepEqual(await claim(world, limits, { node: "n2" }), []);
    assert.equal(await nextAt(world, limits), null);
    await world.settle((await world.store.get(first!.id))!);
    assert.equal(await nextAt(world, limits), START);
    assert.deepEqual(idsOf(await claim(world, limits)), [third!.id]);
  },

  "claim() counts every claim that is held, whoever took it and without a limit": async (world) => {
    await world.add({}, {});
    assert.equal((await world.claim(1)).length, 1);
    assert.deepEqual(await claim(world, atOnce(1)), []);
  },

  "claim() leaves other kinds alone when one is at its limit": async (world) => {
    const limits = atOnce(1);
    await world.add({ priority: 0 }, { priority: 0 });
    const other = await world.addOne({ kind: "other" });
    const claimed = await claim(world, limits, { kinds: ["mail", "other"] });
    assert.equal(claimed.length, 2);
    assert.equal(claimed[1]!.id, other.id);
  },

  "claim() counts each node for itself when a limit is per node": async (world) => {
    const limits = atOnce(1, [], "node");
    await world.add({}, {}, {});
    assert.equal((await claim(world, limits, { node: "n1" })).length, 1);
    assert.equal((await claim(world, limits, { node: "n1" })).length, 0);
    assert.equal((await claim(world, limits, { node: "n2" })).length, 1);
  },

  "claim() takes no more of a queue key than run at once": async (world) => {
    const limits = atOnce(1, BY);
    const added = await world.add(of("a"), of("a"), of("b"), of("a"), of("b"), of("c"));
    const [a1, a2, b1, a3, b2, c1] = added.map(({ id }) => id);
    const claimed = await claim(world, limits);
    assert.deepEqual(idsOf(claimed), [a1, b1, c1]);
    assert.deepEqual(await claim(world, limits), []);
    assert.equal(await nextAt(world, limits), null);
    await world.settle(claimed[0]!);
    const [second] = await claim(world, limits);
    assert.equal(second!.id, a2);
    await world.settle(claimed[1]!);
    await world.settle(second!);
    assert.deepEqual(idsOf(await claim(world, limits)), [a3, b2]);
  },

  "claim() takes the first of every queue by priority, then due time, then acceptance": async (
    world,
  ) => {
    const limits = atOnce(2, BY);
    const added = await world.add(
      of("a", { priority: 7 }),
      of("b", { dueAt: START - 5 }),
      of("a", { priority: 1 }),
      of("b", { dueAt: START - 9 }),
      {},
      of("a", { priority: 3 }),
    );
    const order = [added[2]!, added[5]!, added[3]!, added[1]!, added[4]!];
    assert.deepEqual(idsOf(await claim(world, limits)), idsOf(order));
  },

  "claim() takes a queue key in its order when a better one comes later": async (world) => {
    const limits = atOnce(1, BY);
    await world.add(of("a", { priority: 5 }), of("a", { priority: 6 }));
    const urgent = await world.addOne(of("a", { priority: 0 }));
    const delayed = await world.addOne(of("a", { priority: -1, dueAt: START + 1_000 }));
    const [first] = await claim(world, limits);
    assert.equal(first!.id, urgent.id);
    world.advance(1_000);
    await world.settle(first!);
    assert.deepEqual(idsOf(await claim(world, limits)), [delayed.id]);
  },

  "claim() takes all of every queue key when no limit is given": async (world) => {
    const added = await world.add(of("a"), of("a", { priority: 1 }), of("b"), {}, of("a"));
    const [one, two, three, four, five] = added;
    assert.deepEqual(idsOf(await world.claim(10)), idsOf([two!, one!, three!, four!, five!]));
  },

  "a slot is free again when its claim ends, however it ends": async (world) => {
    const limits = atOnce(1, BY);
    await world.addMany(6, of("a"));
    const [first] = await claim(world, limits);
    await world.settle(first!, { outcome: retry(START + 99) });
    const [second] = await claim(world, limits);
    await world.settle(second!, { outcome: { type: "release", dueAt: START + 99 } });
    const [third] = await claim(world, limits);
    world.advance(LEASE_MS + 1);
    await world.reap();
    const again = await claim(world, limits);
    assert.equal(again.length, 1);
    assert.notEqual(third!.id, undefined);
    // A requested cancel keeps the slot until the attempt has ended.
    await world.cancel(again[0]!.id);
    assert.deepEqual(await claim(world, limits), []);
    await world.settle(again[0]!);
    assert.equal((await claim(world, limits)).length, 1);
  },

  "canceling what is first in its queue lets the next be claimed": async (world) => {
    const limits = atOnce(1, BY);
    const [first, second, third, fourth] = await world.add(of("a"), of("a"), of("a"), of("a"));
    await world.cancel(first!.id);
    await world.cancel(third!.id);
    const [claimed] = await claim(world, limits);
    assert.equal(claimed!.id, second!.id);
    const query = { kinds: ["mail"], states: ["scheduled"] as const };
    await world.store.cancel({ at: world.at, query, limit: 100 });
    await world.settle(claimed!);
    assert.deepEqual(await claim(world, limits), []);
    assert.equal((await world.store.get(fourth!.id))!.state, "canceled");
    const late = await world.addOne(of("a"));
    assert.deepEqual(idsOf(await claim(world, limits)), [late.id]);
  },

  "claim() applies another limit at once to what waits": async (world) => {
    await world.addMany(6, of("a"));
    assert.equal((await claim(world, atOnce(1, BY))).length, 1);
    assert.equal((await claim(world, atOnce(3, BY))).length, 2);
    assert.equal((await claim(world, atOnce(2, BY))).length, 0);
    assert.equal((await claim(world, limitsOf({}))).length, 3);
  },

  "claim() keeps to every limit of a job": async (world) => {
    const limits = limitsOf({
      concurrency: [{ max: 2, by: BY, per: "cluster" }, { max: 3, by: [], per: "cluster" }],
    });
    const added = await world.add(of("a"), of("a"), of("a"), of("b"), of("b"));
    const [a1, a2, , b1] = added.map(({ id }) => id);
    assert.deepEqual(idsOf(await claim(world, limits)), [a1, a2, b1]);
  },

  "claim() keeps to the pool of several kinds on a node": async (world) => {
    const limits = {
      kinds: new Map(),
      pools: [{ name: "heavy", kinds: new Set(["mail", "zip"]), max: 2 }],
    };
    await world.add({}, { kind: "zip" }, {}, { kind: "zip" }, { kind: "light" });
    const kinds = ["mail", "zip", "light"];
    const claimed = await claim(world, limits, { kinds });
    assert.deepEqual(claimed.map(({ kind }) => kind), ["mail", "zip", "light"]);
    assert.equal((await claim(world, limits, { kinds })).length, 0);
    assert.equal((await claim(world, limits, { kinds, node: "n2" })).length, 2);
    await world.settle(claimed[1]!);
    assert.equal((await claim(world, limits, { kinds })).length, 0);
  },

  "claim() takes no more starts in a span than the rate, and the next when it is over": async (
    world,
  ) => {
    const limits = inSpan(2, 60_000);
    await world.add({}, {}, {}, {}, {});
    assert.equal((await claim(world, limits, { limit: 1 })).length, 1);
    world.advance(10_000);
    assert.equal((await claim(world, limits)).length, 1);
    assert.equal(await nextAt(world, limits), START + 60_000);
    world.advance(49_999);
    assert.equal((await claim(world, limits)).length, 0);
    world.advance(1);
    assert.equal(await nextAt(world, limits), START + 60_000);
    assert.equal((await claim(world, limits)).length, 1);
    assert.equal(await nextAt(world, limits), START + 70_000);
  },

  "claim() counts the rate of each queue key for itself": async (world) => {
    const limits = inSpan(1, 60_000, BY);
    const [a1, a2, b1, b2] = await world.add(of("a"), of("a"), of("b"), of("b"), of("a"));
    assert.deepEqual(idsOf(await claim(world, limits)), idsOf([a1!, b1!]));
    assert.equal(await nextAt(world, limits), START + 60_000);
    world.advance(30_000);
    const c1 = await world.addOne(of("c"));
    const a0 = await world.addOne(of("a", { priority: 0 }));
    assert.deepEqual(idsOf(await claim(world, limits)), [c1.id]);
    world.advance(30_000);
    assert.equal(await nextAt(world, limits), START + 60_000);
    assert.deepEqual(idsOf(await claim(world, limits)), [a0.id, b2!.id]);
    world.advance(60_000);
    assert.deepEqual(idsOf(await claim(world, limits)), [a2!.id]);
  },

  "claim() counts every attempt as a start": async (world) => {
    const limits = inSpan(1, 60_000);
    await world.addOne({ retryMax: 3 });
    const [first] = await claim(world, limits);
    await world.settle(first!, { outcome: retry(START) });
    assert.deepEqual(await claim(world, limits), []);
    assert.equal(await nextAt(world, limits), START + 60_000);
    world.advance(60_000);
    assert.equal((await claim(world, limits)).length, 1);
  },

  "a rate counts what is claimed early from its due time": async (world) => {
    for (const limits of [inSpan(2, 60_000), inSpan(2, 60_000, BY)]) {
      const dueAt = world.wallMs + 30;
      const [now, soon, third, fourth] = await world.add(
        of("a"),
        of("a", { dueAt }),
        of("a", { dueAt: dueAt + 1 }),
        of("a", { dueAt: dueAt + 2 }),
      );
      // A store with its own clock takes the second when it is due.
      const claimed = [...await claim(world, limits, { dueBy: dueAt })];
      world.advance(30);
      claimed.push(...await claim(world, limits));
      assert.deepEqual(idsOf(claimed), idsOf([now!, soon!]));
      world.advance(60_000 - 30);
      assert.deepEqual(idsOf(await claim(world, limits)), [third!.id]);
      assert.equal(await nextAt(world, limits), dueAt + 60_000);
      world.advance(29);
      assert.deepEqual(await claim(world, limits), []);
      world.advance(1);
      assert.deepEqual(idsOf(await claim(world, limits)), [fourth!.id]);
      world.advance(60_000);
    }
  },

  "no span has more starts than a rate of many": async (world) => {
    const limits = inSpan(100, 6_400);
    await world.addMany(400);
    const starts: number[] = [];
    for (let step = 0; step < 400; step++) {
      for (const _ of await claim(world, limits, { limit: 3 })) starts.push(world.wallMs);
      world.advance(40);
    }
    for (const from of starts) {
      const count = starts.filter((at) => at >= from && at < from + 6_400).length;
      assert.ok(count <= 100, `${count} starts from ${from}`);
    }
    // No start is delayed by more than a sixty-fourth of the window.
    assert.ok(starts.length >= 200, `${starts.length} starts`);
  },

  "a rate does not block longer than its span when the clock is set back": async (world) => {
    const day = 86_400_000;
    for (const limits of [inSpan(1, 60_000), inSpan(1, 60_000, BY)]) {
      await world.add(of("a"), of("a"));
      const [first] = await claim(world, limits);
      await claim(world, limits);
      world.wallMs -= day;
      assert.deepEqual(await claim(world, limits), []);
      const opensAt = (await nextAt(world, limits))!;
      assert.ok(opensAt <= world.wallMs + 60_000, `${opensAt - world.wallMs}`);
      world.advance(60_000);
      const [second] = await claim(world, limits);
      assert.ok(second);
      await world.settle(first!);
      await world.settle(second);
      world.advance(day);
    }
  },

  "claim() lets go at once what another rate held back": async (world) => {
    await world.add(of("a"), of("a"), of("a"));
    assert.equal((await claim(world, inSpan(1, 86_400_000, BY))).length, 1);
    assert.equal((await claim(world, inSpan(1, 86_400_000, BY))).length, 0);
    assert.equal((await claim(world, inSpan(2, 86_400_000, BY))).length, 1);
    assert.equal((await claim(world, limitsOf({}))).length, 1);
  },

  "claim() lets go what a rate held back also when it goes by one again that it went by before":
    async (
      world,
    ) => {
      const day = 86_400_000;
      const [narrow, wide] = [inSpan(1, day, BY), inSpan(2, day, BY)];
      await world.add(of("a"), of("a"), of("a"), of("a"), of("a"));
      assert.equal((await claim(world, narrow)).length, 1);
      assert.equal((await claim(world, wide)).length, 1);
      world.advance(day);
      // Nothing is delayed when it changes back to the first.
      assert.equal((await claim(world, wide, { kinds: [] })).length, 0);
      assert.equal((await claim(world, inSpan(1, day, BY))).length, 1);
      assert.equal((await claim(world, inSpan(2, day, BY))).length, 1);
    },

  "claim() counts earlier starts when the span of a rate is another": async (world) => {
    await world.add({}, {}, {});
    assert.equal((await claim(world, inSpan(1, 60_000))).length, 1);
    world.advance(40_000);
    const longer = inSpan(1, 3_600_000);
    assert.equal((await claim(world, longer)).length, 0);
    assert.equal(await nextAt(world, longer), START + 3_600_000);
    assert.equal((await claim(world, inSpan(2, 3_600_000))).length, 1);
    assert.equal((await claim(world, inSpan(1, 10_000))).length, 0);
    world.advance(10_000);
    assert.equal((await claim(world, inSpan(1, 10_000))).length, 1);
    await world.retain();
  },

  "fifty claimers never hold more than the limit": async (world) => {
    const limits = atOnce(3, BY);
    const kindLimits = limitsOf({
      concurrency: [{ max: 2, by: BY, per: "cluster" }, { max: 5, by: [], per: "cluster" }],
    });
    await world.add(
      ...Array.from(
        { length: 200 },
        (_, index) => of("abcde"[index % 5]!, { priority: index % 3 }),
      ),
    );
    let left = 200;
    for (let round = 0; left > 0; round++) {
      assert.ok(round < 1_000, `${left} are left`);
      const claims = Array.from(
        { length: 50 },
        (_, node) => claim(world, round % 2 ? limits : kindLimits, { limit: 2, node: `n${node}` }),
      );
      const claimed = (await Promise.all(claims)).flat();
      const byKey = Map.groupBy(claimed, ({ queueKey }) => queueKey);
      for (const [key, held] of byKey) assert.ok(held.length <= 3, `${key}: ${held.length}`);
      assert.ok(claimed.length <= (round % 2 ? 15 : 5), `${claimed.length}`);
      await Promise.all(claimed.map((instance) => world.settle(instance)));
      left -= claimed.length;
    }
  },

  "blockOf() and blocks() tell which limit is reached": async (world) => {
    const limits = limitsOf({
      concurrency: [{ max: 1, by: BY, per: "cluster" }, { max: 2, by: [], per: "cluster" }],
      rate: [{ max: 1, perMs: 60_000, by: BY }],
    });
    const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits };
    const [a1, a2, b1] = await world.add(
      of("a"),
      of("a"),
      of("b"),
      of("b"),
      of("a", { dueAt: START + 9 }),
    );
    const later = await world.addOne({ dueAt: START + 9 });
    const blockOf = (id: string, at = world.at) => world.store.blockOf({ ...request, at, id });
    assert.equal(await blockOf(a1!.id), null);
    assert.deepEqual(await world.store.blocks(request), []);
    const claimed = await claim(world, limits, { limit: 1 });
    const ofKey = { limit: "concurrency", name: "mail account=a", used: 1, max: 1, opensAt: null };
    assert.deepEqual(await blockOf(a2!.id), ofKey);
    assert.equal(await blockOf(b1!.id), null);
    assert.deepEqual(await world.store.blocks(request), [ofKey]);
    assert.equal((await claim(world, limits)).length, 1);
    const ofKind = { limit: "concurrency", name: "mail", used: 2, max: 2, opensAt: null };
    assert.deepEqual(await blockOf(a2!.id), ofKind);
    assert.equal(await blockOf(later.id), null);
    assert.equal(await blockOf(claimed[0]!.id), null);
    assert.deepEqual((await world.store.blocks(request))[0], ofKind);
    await world.settle(claimed[0]!);
    const ofRate = {
      limit: "rate",
      name: "mail account=a",
      used: 1,
      max: 1,
      opensAt: START + 60_000,
    };
    assert.deepEqual(await blockOf(a2!.id), ofRate);
  },

  "subscribe() tells when a slot that others wait for is free": async (world) => {
    const limits = atOnce(1);
    await world.add({}, {});
    const [first] = await claim(world, limits);
    assert.deepEqual(await claim(world, limits, { node: "n2" }), []);
    const told = new Promise<number>((resolve) => {
      world.store.subscribe((hint) => hint.type === "instances" && resolve(hint.dueAt));
    });
    await world.settle(first!);
    assert.ok(await told <= world.wallMs);
    assert.equal((await claim(world, limits, { node: "n2" })).length, 1);
  },
};
