import assert from "node:assert/strict";
import type { Instance } from "../core/instance.ts";
import type { NewInstance } from "../store/store.ts";
import {
  completed,
  failed,
  idsOf,
  readPages,
  refuses,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

async function redrive(world: StoreWorld, pasts: readonly string[], isForced = false) {
  const instances = pasts.map((retryOf) => world.newInstance({ retryOf }));
  return (await world.store.redrive({ at: world.at, instances, isForced })).value;
}

async function deadIds(world: StoreWorld): Promise<readonly string[]> {
  const dead = await readPages((page) => world.store.list({ isDead: true }, page), 2);
  return dead.map(({ id }) => id);
}

const die = (world: StoreWorld, given: Partial<NewInstance> = {}): Promise<Instance> =>
  world.finish(given, { outcome: failed() });

/** Cases of running again. */
export const redriveCases: StoreCases = {
  "list() gives the dead letters: what failed for good and was not run again": async (world) => {
    const first = await die(world);
    await world.finish();
    const canceled = await world.addOne();
    await world.cancel(canceled.id);
    const late = await world.addOne({ deadlineAt: world.wallMs });
    await world.reap();
    const other = await die(world, { kind: "other" });
    assert.deepEqual(await deadIds(world), [other.id, late.id, first.id]);
    assert.deepEqual(idsOf(await world.list({ isDead: true, kinds: ["other"] })), [other.id]);
    const none = await world.store.list({ isDead: true, states: ["completed"] }, { limit: 9 });
    assert.deepEqual(none.items, []);
    const [byId] = await world.list({ isDead: true, ids: [first.id] });
    assert.equal(byId!.id, first.id);
  },

  "redrive() accepts a new instance in place of a dead one, once": async (world) => {
    const dead = await die(world, { argumentsJson: "[1]" });
    world.advance(1_000);
    const [first] = await redrive(world, [dead.id]);
    assert.equal(first!.outcome, "accepted");
    assert.equal(first!.instance!.retryOf, dead.id);
    assert.equal(first!.past!.redrivenAs, first!.instance!.id);
    assert.deepEqual(await world.store.get(dead.id), first!.past);
    assert.deepEqual({ ...first!.past, redrivenAs: null }, dead);
    assert.deepEqual(await deadIds(world), []);
    const [second] = await redrive(world, [dead.id]);
    assert.equal(second!.outcome, "repeated");
    assert.equal(second!.instance!.id, first!.instance!.id);
    const [claimed, ...others] = await world.claim(10);
    assert.deepEqual([claimed!.id, others], [first!.instance!.id, []]);
  },

  "redrive() accepts another when it is forced": async (world) => {
    const dead = await die(world);
    const [first] = await redrive(world, [dead.id]);
    const [second] = await redrive(world, [dead.id], true);
    assert.equal(second!.outcome, "accepted");
    assert.notEqual(second!.instance!.id, first!.instance!.id);
    assert.equal((await world.store.get(dead.id))!.redrivenAs, second!.instance!.id);
    assert.equal((await world.list({ retryOf: dead.id })).length, 2);
  },

  "redrive() takes each of a batch once, though it is named twice": async (world) => {
    const dead = await die(world);
    const results = await redrive(world, [dead.id, dead.id]);
    assert.deepEqual(results.map(({ outcome }) => outcome), ["accepted", "repeated"]);
    assert.equal(results[1]!.instance!.id, results[0]!.instance!.id);
  },

  "redrive() marks no instance that is no dead letter": async (world) => {
    const done = await world.finish({}, { outcome: completed() });
    for (const _ of [1, 2]) {
      const [result] = await redrive(world, [done.id]);
      assert.equal(result!.outcome, "accepted");
      assert.equal(result!.past!.redrivenAs, null);
    }
  },

  "redrive() writes nothing for what is unfinished or gone": async (world) => {
    const waiting = await world.addOne();
    const running = await world.start({ priority: 0 });
    const results = await redrive(world, [waiting.id, running.id, world.newId()]);
    assert.deepEqual(results.map(({ outcome }) => outcome), ["unfinished", "unfinished", "gone"]);
    assert.equal((await world.list()).length, 2);
  },

  "redrive() refuses all when one of them is not right": async (world) => {
    const dead = await die(world);
    const good = world.newInstance({ retryOf: dead.id });
    for (const bad of [{ retryOf: null }, { retryOf: dead.id, id: dead.id }]) {
      const instances = [good, world.newInstance(bad)];
      await refuses(
        world.store.redrive({ at: world.at, instances, isForced: false }),
        "invalid_argument",
      );
    }
    assert.deepEqual(await deadIds(world), [dead.id]);
  },

  "redrive() answers no instance when that of the first time is deleted": async (world) => {
    const dead = await die(world, { keepFailureMs: 1_000_000 });
    const [first] = await redrive(world, [dead.id]);
    const [running] = await world.claim();
    await world.settle(running!);
    world.advance(60_000);
    assert.deepEqual(
      (await world.store.retain({ at: world.at, limit: 9 })).value,
      [first!.instance!.id],
    );
    const [again] = await redrive(world, [dead.id]);
    assert.deepEqual([again!.outcome, again!.instance], ["repeated", null]);
  },
};
