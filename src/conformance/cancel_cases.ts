import assert from "node:assert/strict";
import { START, type StoreCases } from "./store_world.ts";

/** Cases of canceling. */
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
    assert.deepEqual(await world.states(id), ["created", "scheduled", "canceled:canceled"]);
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
};
