import assert from "node:assert/strict";
import { LEASE_MS, line, readPages, refuses, START, type StoreCases } from "./world/store_world.ts";

const BACK = { newestFirst: true } as const;

/** Cases of lines of a log. */
export const logCases: StoreCases = {
  "appendLogs() numbers the lines of a claim": async (world) => {
    const running = await world.start();
    const { id, fence } = running;
    assert.deepEqual(await world.append(running, "a", "b"), []);
    await world.append(running, "c\ud800\0");
    await world.settle(running, { logs: [line("d")] });
    assert.deepEqual(await world.append(running, "late"), [{ id, fence }]);
    const items = await world.logs({ instanceId: id });
    const texts = items.map(({ seq, message }) => `${seq} ${message}`);
    assert.deepEqual(texts, ["1 a", "2 b", "3 c\ufffd\ufffd", "4 d"]);
    const { attempt, kind, source, level, at } = items[0]!;
    assert.deepEqual([attempt, kind, source, level, at], [1, "mail", "job", "info", START]);
  },

  "logs() of an instance pages from either end, and from a line": async (world) => {
    const running = await world.start();
    const [other] = [await world.addOne()];
    const { id, fence } = running;
    for (let index = 0; index < 10; index++) {
      const logs = [line(`${2 * index + 1}`), line(`${2 * index + 2}`)];
      const between = { id: other!.id, fence: 0, logs: [line("other")] };
      await world.store.appendLogs({ at: world.at, appends: [{ id, fence, logs }, between] });
    }
    const read = async (query: object, order: "newest" | "oldest") => {
      const asked = { instanceId: id, ...query, ...(order === "newest" && BACK) };
      const lines = await readPages((page) => world.store.logs(asked, page), 3);
      return lines.map(({ seq }) => seq);
    };
    const all = Array.from({ length: 20 }, (_, index) => index + 1);
    assert.deepEqual(await read({}, "oldest"), all);
    assert.deepEqual(await read({}, "newest"), all.toReversed());
    assert.deepEqual(await read({ fromLine: 7 }, "oldest"), all.slice(6));
    assert.deepEqual(await read({ fromLine: 7 }, "newest"), all.slice(0, 7).toReversed());
    assert.deepEqual(await read({ fromLine: 1 }, "newest"), [1]);
    assert.deepEqual(await read({ fromLine: 20 }, "oldest"), [20]);
    assert.deepEqual(await read({ fromLine: 21 }, "oldest"), []);
    assert.deepEqual(await read({ fromLine: 99 }, "newest"), all.toReversed());
    assert.deepEqual(await read({ level: "warn" }, "newest"), []);
    for (const query of [BACK, { fromLine: 1 }]) {
      await refuses(world.store.logs(query, { limit: 1 }), "invalid_argument");
    }
  },

  "appendLogs() takes lines without a claim under fence 0": async (world) => {
    const { id } = await world.addOne();
    const unclaimed = { id, fence: 0 };
    assert.deepEqual(await world.append(unclaimed, "a", "b"), []);
    const [running] = await world.claim();
    await world.settle(running!, { logs: [line("job")] });
    assert.deepEqual(await world.append(unclaimed, "c"), []);
    const items = await world.logs({ instanceId: id });
    assert.deepEqual(items.map(({ fence, seq, message }) => [fence === 0, seq, message]), [
      [true, 1, "a"],
      [true, 2, "b"],
      [false, 3, "job"],
      [true, 4, "c"],
    ]);
    const unknown = { id: world.newId(), fence: 0 };
    assert.deepEqual(await world.append(unknown, "x"), [unknown]);
  },

  "appendLogs() refuses an old fence": async (world) => {
    const { id, fence } = await world.start();
    world.advance(LEASE_MS);
    await world.reap();
    const [again] = await world.claim();
    const appends = [
      { id, fence, logs: [line("old")] },
      { id, fence: again!.fence, logs: [line("new")] },
    ];
    const { value } = await world.store.appendLogs({ at: world.at, appends });
    assert.deepEqual(value, [{ id, fence }]);
    const items = await world.logs({ instanceId: id });
    assert.deepEqual(items.map(({ seq, message }) => [seq, message]), [[1, "new"]]);
  },

  "appendLogs() numbers the lines of all attempts through": async (world) => {
    const first = await world.start();
    const { id } = first;
    await world.append(first, "a", "b");
    world.advance(LEASE_MS);
    await world.reap();
    const [again] = await world.claim();
    const appends = [
      { id, fence: 0, logs: [line("note")] },
      { id, fence: again!.fence, logs: [line("c")] },
      { id, fence: 0, logs: [line("note")] },
    ];
    assert.deepEqual((await world.store.appendLogs({ at: world.at, appends })).value, []);
    await world.settle(again!, { logs: [line("d")] });
    const items = await world.logs({ instanceId: id });
    const texts = items.map(({ seq, message }) => `${seq} ${message}`);
    assert.deepEqual(texts, ["1 a", "2 b", "3 note", "4 c", "5 note", "6 d"]);
  },
};
