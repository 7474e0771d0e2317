import assert from "node:assert/strict";
import { STORE_FORMAT } from "../store/store.ts";
import { LEASE_MS, refuses, type StoreCases } from "./world/store_world.ts";

/** Cases of opening, closing and hints. */
export const openCases: StoreCases = {
  "open() tells who the store is, and the same data keep their id": async (world) => {
    const request = { at: world.at, node: "n1" };
    await world.store.close();
    const first = await world.store.open(request);
    await world.store.close();
    const second = await world.store.open(request);
    assert.match(first.storeId, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    assert.equal(second.storeId, first.storeId);
    assert.equal(second.epoch, first.epoch + 1);
    assert.equal(second.format, STORE_FORMAT);
    assert.deepEqual(second.recovered, []);
  },

  "open() takes back what an owner was processing, without waiting": async (world) => {
    const running = await world.start({ crashesMax: 1 });
    const waiting = await world.addOne({ dueAt: world.wallMs + LEASE_MS + 1_000 });
    const recovered = await world.reopen();
    assert.deepEqual(recovered.map(({ id, state, reason }) => [id, state, reason]), [
      [running.id, "scheduled", "lost"],
    ]);
    assert.equal(recovered[0]!.crashes, 1);
    assert.equal((await world.settle(running)).status, "stale");
    const [again] = await world.claim();
    assert.equal(again!.id, running.id);
    assert.equal(again!.attempt, 2);
    assert.ok(again!.fence > running.fence);
    assert.equal((await world.store.get(waiting.id))!.state, "scheduled");
  },

  "open() keeps claims whose job code still runs": async (world) => {
    const { store } = world;
    const [kept, other, stale] = [await world.start(), await world.start(), await world.start()];
    const claims = [kept, { id: stale.id, fence: stale.fence + 1 }];
    await store.close();
    const keeps = { claims, leaseMs: LEASE_MS };
    const { recovered } = await store.open({ at: world.at, node: "n1", keeps });
    // Opening takes nothing back if other processes may have claims.
    const lost = world.fixture.isShared ? [] : [other.id, stale.id];
    assert.deepEqual(recovered.map(({ id }) => id).sort(), lost);
    assert.deepEqual(await store.get(kept.id), kept);
    const { value } = await store.renew({
      at: world.at,
      node: "n1",
      leaseMs: LEASE_MS,
      claims: [{ id: kept.id, fence: kept.fence }],
    });
    assert.equal(value[0]!.status, "renewed");
    assert.equal((await world.settle(kept)).status, "settled");
    assert.deepEqual(await store.records.findProblems({ limit: 9 }), []);
  },

  "open() ends what crashed too often and what was to be canceled": async (world) => {
    const fragile = await world.start({ crashesMax: 0 });
    const unwanted = await world.start();
    await world.cancel(unwanted.id);
    const recovered = await world.reopen();
    const found = new Map(recovered.map((one) => [one.id, `${one.state}:${one.reason}`]));
    assert.equal(found.get(fragile.id), "terminated:lost");
    assert.equal(found.get(unwanted.id), "canceled:canceled");
  },

  "close() makes every operation unavailable": async (world) => {
    await world.store.close();
    const { store, at } = world;
    const attempts = [
      () => store.enqueue({ at, instances: [] }),
      () => store.claim({ at, node: "n1", kinds: new Set(), limit: 1, leaseMs: 1 }),
      () => store.get("x"),
      () => store.list({}, { limit: 1 }),
      () => store.stats(),
      () => store.nextDue({ at, kinds: new Set() }),
      () => store.retain({ at, limit: 1 }),
    ];
    for (const attempt of attempts) {
      await refuses(attempt(), "unavailable");
    }
  },

  "close() finishes what was asked before": async (world) => {
    const accepted = world.add({});
    await world.store.close();
    const [instance] = await accepted;
    await world.store.open({ at: world.at, node: "n1" });
    assert.equal((await world.store.get(instance!.id))!.id, instance!.id);
  },

  "every operation has a higher revision and no earlier time": async (world) => {
    const { store } = world;
    const at = () => world.at;
    const kinds = new Set(["mail"]);
    const seen: { rev: number; at: number }[] = [];
    seen.push(await store.enqueue({ at: at(), instances: [world.newInstance()] }));
    world.wallMs -= 3_600_000;
    seen.push(await store.claim({ at: at(), node: "n1", kinds, limit: 1, leaseMs: 1_000 }));
    seen.push(await store.renew({ at: at(), node: "n1", claims: [], leaseMs: 1_000 }));
    seen.push(await store.setPause({ at: at(), kind: null, until: null, reason: "" }));
    await store.close();
    const { rev } = await store.open({ at: at(), node: "n1" });
    seen.push({ rev: rev!, at: seen.at(-1)!.at });
    seen.push(await store.removePause({ at: at(), kind: null }));
    for (const [index, { rev, at }] of seen.entries()) {
      if (index === 0) continue;
      assert.ok(rev > seen[index - 1]!.rev, `rev ${rev} after ${seen[index - 1]!.rev}`);
      assert.ok(at >= seen[index - 1]!.at);
    }
  },

  "subscribe() tells of changes after the commit, until stopped": async (world) => {
    const log = world.hints();
    await world.add({}, {});
    await world.putSchedule();
    await world.pause("other");
    const [running] = await world.claim();
    await world.cancel(running!.id);
    const types = (await log.first(4)).map(({ type }) => type);
    assert.deepEqual(types, ["instances", "schedules", "pauses", "cancel"]);
    log.stop();
    const later = world.hints();
    await world.add({});
    await later.first(1);
    assert.equal(log.hints.length, 4);
  },
};
