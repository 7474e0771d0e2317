import assert from "node:assert/strict";
import type { LogEntry } from "../core/instance.ts";
import {
  failed,
  idsOf,
  line,
  readPages,
  retry,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

const lineAt = (at: number, level: LogEntry["level"] = "info") => line("x", { at, level });

/** Time by which a clock is ahead. */
const DAYS = 1_000 * 86_400_000;

async function leftovers(world: StoreWorld): Promise<readonly number[]> {
  const logs = await readPages((page) => world.store.logs({}, page), 100);
  const history = await readPages((page) => world.store.history({}, page), 100);
  return [logs.length, history.length];
}

/** Cases of deleting. */
export const retentionCases: StoreCases = {
  "retain() deletes final instances past their time, with history and logs": async (world) => {
    const success = await world.finish({}, { logs: [lineAt(START)] });
    const failure = await world.finish({}, { outcome: failed(), logs: [lineAt(START)] });
    const waiting = await world.addOne();
    world.advance(59_999);
    assert.deepEqual(await world.retain(), []);
    world.advance(1);
    assert.deepEqual(await world.retain(), [success.id]);
    world.advance(59_999);
    assert.deepEqual(await world.retain(), []);
    world.advance(1);
    assert.deepEqual(await world.retain(), [failure.id]);
    world.advance(9e9);
    assert.deepEqual(await world.retain(), []);
    assert.equal(await world.store.get(success.id), null);
    assert.equal((await world.store.get(waiting.id))!.id, waiting.id);
    assert.deepEqual(await leftovers(world), [0, 2]);
  },

  "retain() deletes at most as many as asked, the earliest first": async (world) => {
    const first = await world.finish();
    world.advance(1);
    const second = await world.finish();
    world.advance(99_999);
    assert.deepEqual(await world.retain(1), [first.id]);
    assert.deepEqual(await world.retain(1), [second.id]);
    assert.deepEqual(await world.retain(1), []);
  },

  "retain() deletes large ones in several calls, none of which is empty": async (world) => {
    const text = JSON.stringify(["x".repeat(1_000_000)]);
    const ids: string[] = [];
    for (let index = 0; index < 20; index++) {
      ids.push((await world.finish({ argumentsJson: text })).id);
    }
    world.advance(60_000);
    const deleted: string[] = [];
    for (let more = await world.retain(); more.length > 0; more = await world.retain()) {
      deleted.push(...more);
    }
    assert.deepEqual(deleted, ids);
  },

  "retain() counts from the clock that was set back by hours, not from what it was": async (
    world,
  ) => {
    world.advance(DAYS);
    const ahead = await world.finish();
    world.wallMs -= DAYS;
    const uniqueKey = "k";
    const unique = { onConflict: "keep", forMs: 60_000 } as const;
    const after = await world.finish({ uniqueKey, unique });
    assert.equal(after.settledAt, world.wallMs);
    assert.equal(after.uniqueUntil, world.wallMs + 60_000);
    const { value } = await world.store.correctTimes({ at: world.at, ids: [ahead.id, after.id] });
    assert.deepEqual(value, [ahead.id]);
    assert.equal((await world.store.get(ahead.id))!.settledAt, world.wallMs);
    world.advance(59_999);
    assert.deepEqual(await world.retain(), []);
    world.advance(1);
    assert.deepEqual([...await world.retain()].sort(), [ahead.id, after.id].sort());
  },

  "correctTimes() lets a retry wait as long as it had to, and leaves what was asked for a time":
    async (
      world,
    ) => {
      world.advance(DAYS);
      const running = await world.start();
      const dueAt = world.wallMs + 30_000;
      await world.settle(running, { outcome: retry(dueAt) });
      const later = await world.addOne({ dueAt });
      world.wallMs -= DAYS;
      const ids = [running.id, later.id, "00000000-0000-7000-8000-000000000000"];
      const { value } = await world.store.correctTimes({ at: world.at, ids });
      assert.deepEqual(value, [running.id]);
      assert.equal((await world.store.get(running.id))!.dueAt, world.wallMs + 30_000);
      assert.equal((await world.store.get(later.id))!.dueAt, dueAt);
      world.advance(29_999);
      assert.deepEqual(await world.claim(10), []);
      world.advance(1);
      const [again] = await world.claim(10);
      assert.equal(again!.id, running.id);
      assert.deepEqual((await world.store.correctTimes({ at: world.at, ids })).value, []);
      const { instance: settled } = await world.settle(again!);
      assert.equal(settled!.settledAt, world.wallMs);
    },

  "correctTimes() lets what was to run at once be due now, however far the clock was ahead": async (
    world,
  ) => {
    for (const aheadMs of [10_001, 3_600_000, DAYS]) {
      world.advance(aheadMs);
      const given = [{}, { queueKey: "q" }, { priority: 3 }];
      const added = await world.add(...given.map((one) => ({ dueAt: null, ...one })));
      // It was accepted for a time that has come by the fast clock.
      const asked = await world.addOne({ dueAt: world.wallMs - 1 });
      world.wallMs -= aheadMs;
      const ids = [...added, asked].map(({ id }) => id);
      const { value } = await world.store.correctTimes({ at: world.at, ids });
      assert.deepEqual(value, ids.slice(0, 3));
      for (const { id } of added) {
        const { dueAt, state } = (await world.store.get(id))!;
        assert.deepEqual([dueAt, state], [world.wallMs, "scheduled"]);
      }
      // It comes before instances accepted from now on.
      const later = await world.addOne({ dueAt: null, priority: 5 });
      const claimed = idsOf(await world.claim(20));
      assert.ok(claimed.indexOf(added[0]!.id) < claimed.indexOf(later.id));
      assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
      world.advance(aheadMs);
    }
    world.advance(10_000);
    const { id } = await world.addOne({ dueAt: null });
    world.wallMs -= 10_000;
    assert.deepEqual((await world.store.correctTimes({ at: world.at, ids: [id] })).value, []);
  },

  "retain() keeps what is kept forever": async (world) => {
    await world.finish({ keepSuccessMs: Number.MAX_SAFE_INTEGER });
    world.advance(1e12);
    assert.deepEqual(await world.retain(), []);
  },

  "retain() takes the attempts of retries along": async (world) => {
    const running = await world.start();
    await world.settle(running, { outcome: retry(START) });
    const [again] = await world.claim();
    await world.settle(again!);
    world.advance(60_000);
    assert.deepEqual(await world.retain(), [running.id]);
    assert.deepEqual(await leftovers(world), [0, 0]);
  },

  "retain() keeps fates longer than instances, so that no tick fires twice": async (world) => {
    const tick = START + 60_000;
    await world.putSchedule();
    world.advance(60_000);
    await world.fire(START, [tick]);
    await world.settle((await world.claim())[0]!);
    world.advance(400 * 86_400_000);
    assert.equal((await world.retain()).length, 1);
    await world.putSchedule({ generation: 2 }, 1);
    assert.deepEqual((await world.fire(START, [tick], { generation: 2 })).accepted, []);
    world.advance(1);
    await world.retain();
    assert.deepEqual(await world.fates(), []);
  },

  "a deleted instance's id can be accepted again": async (world) => {
    const input = world.newInstance();
    await world.finish(input);
    world.advance(60_000);
    await world.retain();
    const value = await world.enqueue(input);
    assert.equal(value[0]!.outcome, "accepted");
  },

  "clearInstances() deletes what matches and settled before": async (world) => {
    const old = await world.finish({}, { logs: [lineAt(START)] });
    const other = await world.finish({ kind: "other" });
    const failure = await world.finish({}, { outcome: failed() });
    const waiting = await world.addOne();
    world.advance(10);
    const recent = await world.finish({ kind: "third" });
    const clear = async (query: object, settledBefore: number, limit = 100) =>
      (await world.store.clearInstances({ at: world.at, query, settledBefore, limit })).value;
    assert.deepEqual(await clear({}, START), []);
    assert.deepEqual(await clear({ kinds: ["other"] }, START + 10), [other.id]);
    assert.deepEqual(await clear({ states: ["scheduled"] }, START + 10), []);
    assert.deepEqual(await clear({ ids: [old.id, waiting.id, recent.id] }, START + 10), [old.id]);
    assert.deepEqual(await clear({}, START + 11, 1), [failure.id]);
    assert.deepEqual(await clear({}, START + 11), [recent.id]);
    assert.deepEqual(await leftovers(world), [0, 2]);
  },

  "clearLogs() deletes lines that match and are older": async (world) => {
    const first = await world.finish({}, {
      logs: [lineAt(START, "debug"), lineAt(START + 1, "error"), lineAt(START + 9)],
    });
    await world.finish({ kind: "other" }, { logs: [lineAt(START), lineAt(START + 1)] });
    const clear = async (query: object, limit = 100) =>
      (await world.store.clearLogs({ at: world.at, query, limit })).value;
    assert.equal(await clear({ before: START }), 0);
    assert.equal(await clear({ before: START + 2, kind: "other" }, 1), 1);
    assert.equal(await clear({ before: START + 2, level: "error" }), 1);
    assert.equal(await clear({ before: START + 2, instanceId: first.id }), 1);
    assert.deepEqual(await leftovers(world), [2, 8]);
    assert.equal(await clear({}), 2);
    assert.equal((await world.store.get(first.id))!.id, first.id);
  },
};
