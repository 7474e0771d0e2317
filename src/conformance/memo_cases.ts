import assert from "node:assert/strict";
import { isJobError } from "../core/errors.ts";
import { MEMO_CHARS_MAX, type NewInstance, NEWS_KIND, NEWS_MAX } from "../store/store.ts";
import { addNews, keysOf, memoOf, newsOf, notices, put, watch } from "./world/memo_world.ts";
import { idsOf, MINUTE, refuses, START, type StoreCases } from "./world/store_world.ts";

/** Longest key of a memo, in characters. */
const KEY_LENGTH_MAX = 512;
/** Most characters of the detail of news that are kept. */
const DETAIL_CHARS_MAX = 2_000;

const isConflict = (error: unknown) => isJobError(error, "conflict");

/** Cases of memos alone. */
const documentCases: StoreCases = {
  "putMemo() writes only over the version that it expects": async (world) => {
    const value = { watch: "never", data: '{"ä":"😀\\u0000"}' } as const;
    const first = await put(world, { key: "k", value });
    assert.deepEqual(first, { key: "k", version: 1, ...value, news: [], droppedNews: 0 });
    assert.deepEqual(await memoOf(world.store, "k"), first);
    for (const expectedVersion of [null, 0, 2]) {
      await refuses(put(world, { key: "k", expectedVersion }), "conflict");
      const deletion = put(world, { key: "k", expectedVersion, value: null });
      await refuses(deletion, "conflict");
    }
    assert.deepEqual(await memoOf(world.store, "k"), first);
    const second = await put(world, { key: "k", expectedVersion: 1 });
    assert.deepEqual([second!.version, second!.watch, second!.data], [2, "failures", "{}"]);
    await refuses(put(world, { key: "k", expectedVersion: 1 }), "conflict");
    await refuses(put(world, { key: "other", expectedVersion: 1 }), "conflict");
    assert.deepEqual(await keysOf(world, ""), ["k"]);
  },

  "putMemo() deletes, and a memo written after that starts at version 1": async (world) => {
    assert.equal(await put(world, { key: "k", value: null }), null);
    await addNews(world, "k", [newsOf("a")]);
    await put(world, { key: "k", expectedVersion: 1 });
    assert.equal(await put(world, { key: "k", expectedVersion: 2, value: null }), null);
    assert.equal(await memoOf(world.store, "k"), null);
    await refuses(put(world, { key: "k", expectedVersion: 2 }), "conflict");
    const again = await put(world, { key: "k" });
    assert.deepEqual([again!.version, again!.news], [1, []]);
  },

  "putMemo() accepts instances with the memo, or none": async (world) => {
    const there = await world.addOne({ argumentsJson: "[1]" });
    const instances = [
      world.newInstance({ argumentsJson: '["ü"]' }),
      world.newInstance({ id: there.id, argumentsJson: "[2]" }),
      world.newInstance({ dueAt: START + MINUTE, queueKey: "acme", uniqueKey: "u" }),
    ];
    await put(world, { key: "k", instances: [...instances, instances[0]!] });
    const items = await world.list();
    assert.deepEqual(idsOf(items), [there.id, instances[0]!.id, instances[2]!.id]);
    assert.deepEqual(items.map((one) => one.argumentsJson), ["[1]", '["ü"]', "[]"]);
    const claimed = await world.claim(10);
    assert.deepEqual(claimed.map(({ id }) => id), [there.id, instances[0]!.id]);
    const late = world.newInstance();
    await refuses(put(world, { key: "k", instances: [late] }), "conflict");
    assert.equal(await world.store.get(late.id), null);
    await put(world, { key: "k", expectedVersion: 1, value: null, instances: [late] });
    assert.equal((await world.store.get(late.id))!.state, "scheduled");
  },

  "putMemo() announces what it accepts": async (world) => {
    const hints = world.hints();
    await put(world, { key: "k", instances: [world.newInstance({ dueAt: START + MINUTE })] });
    assert.deepEqual(await hints.first(1), [{ type: "instances", dueAt: START + MINUTE }]);
  },

  "putMemo() and addNews() have limits": async (world) => {
    const longest = "ä".repeat(KEY_LENGTH_MAX);
    await put(world, { key: longest });
    await addNews(world, longest, [newsOf("a")]);
    for (const key of ["", `${longest}k`, "a\0b", "a\ud800b"]) {
      await refuses(put(world, { key }), "invalid_argument");
      await refuses(addNews(world, key, [newsOf("a")]), "invalid_argument");
    }
    const data = "ü".repeat(MEMO_CHARS_MAX);
    const largest = await put(world, { key: "k", value: { watch: "failures", data } });
    assert.equal(largest!.data, data);
    const larger = { watch: "failures", data: `${data}!` } as const;
    await refuses(put(world, { key: "k", expectedVersion: 1, value: larger }), "invalid_argument");
    const invalid = [{ ...world.newInstance(), kind: "" }] satisfies NewInstance[];
    await refuses(put(world, { key: "new", instances: invalid }), "invalid_argument");
    assert.equal(await memoOf(world.store, "new"), null);
  },

  "putMemo() and addNews() keep every text in the same form": async (world) => {
    await put(world, { key: "k", value: { watch: "failures", data: '"\ud800"' } });
    const cut = `${"x".repeat(DETAIL_CHARS_MAX - 1)}😀`;
    await addNews(world, "k", [
      newsOf("ä 1", { detail: "a\0b\udc00", event: "grün", instanceId: "i" }),
      newsOf("ä 2", { detail: "y".repeat(DETAIL_CHARS_MAX) }),
      newsOf("ä 3", { detail: cut, at: START - 1 }),
    ]);
    const { data, news } = (await memoOf(world.store, "k"))!;
    assert.equal(data, '"\ufffd"');
    assert.deepEqual(news, [
      newsOf("ä 1", { detail: "a\ufffdb\ufffd", event: "grün", instanceId: "i" }),
      newsOf("ä 2", { detail: "y".repeat(DETAIL_CHARS_MAX) }),
      newsOf("ä 3", { detail: `${"x".repeat(DETAIL_CHARS_MAX - 1)}\ufffd`, at: START - 1 }),
    ]);
  },

  "listMemos() lists a prefix in the order of code points": async (world) => {
    const sorted = [
      "a",
      "a:",
      "a:B",
      "a:b",
      "a:b:c",
      "a:ä",
      "a:\ue000",
      "a:😀",
      "a:\u{10ffff}!",
      "b",
      "é",
    ];
    for (const key of sorted.toReversed()) await put(world, { key });
    assert.deepEqual(await keysOf(world, ""), sorted);
    assert.deepEqual(await keysOf(world, "a:"), sorted.slice(1, 9));
    assert.deepEqual(await keysOf(world, "a:b"), ["a:b", "a:b:c"]);
    assert.deepEqual(await keysOf(world, "a:😀"), ["a:😀"]);
    assert.deepEqual(await keysOf(world, "c"), []);
    assert.deepEqual(await keysOf(world, "a:", "a:b"), sorted.slice(4, 9));
    assert.deepEqual(await keysOf(world, "a:", "a:bb"), sorted.slice(5, 9));
    assert.deepEqual(await keysOf(world, "a:", "Z"), sorted.slice(1, 9));
    assert.deepEqual(await keysOf(world, "a:", "a:😀"), ["a:\u{10ffff}!"]);
    assert.deepEqual(await keysOf(world, "a:", "b"), []);
    for (const limit of [1, 2, 3]) {
      const found: string[] = [];
      for (;;) {
        const page = await keysOf(world, "a", found.at(-1) ?? null, limit);
        assert.ok(page.length <= limit);
        found.push(...page);
        if (page.length < limit) break;
      }
      assert.deepEqual(found, sorted.slice(0, 9));
    }
    for (const limit of [0, 1_001]) {
      await refuses(keysOf(world, "", null, limit), "invalid_argument");
    }
  },

  "listMemos() gives many large memos whole": async (world) => {
    const data = "ü".repeat(MEMO_CHARS_MAX);
    const keys = Array.from({ length: 60 }, (_, index) => `k${String(index).padStart(2, "0")}`);
    for (const key of keys) await put(world, { key, value: { watch: "failures", data } });
    const memos = await world.store.listMemos({ prefix: "k", after: null, limit: 50 });
    assert.deepEqual(memos.map(({ key }) => key), keys.slice(0, 50));
    assert.ok(memos.every((memo) => memo.data === data));
  },

  "removeMemos() deletes a prefix by key, up to its limit": async (world) => {
    const remove = async (prefix: string, limit: number) =>
      (await world.store.removeMemos({ at: world.at, prefix, limit })).value;
    for (const key of ["a:1", "a:2", "a:3", "b"]) await addNews(world, key, [newsOf("x")]);
    assert.equal(await remove("a:", 2), 2);
    assert.deepEqual(await keysOf(world, ""), ["a:3", "b"]);
    assert.equal(await remove("a:", 2), 1);
    assert.equal(await remove("a:", 2), 0);
    const again = await put(world, { key: "a:1" });
    assert.deepEqual([again!.version, again!.news], [1, []]);
    for (const limit of [0, 1_001]) await refuses(remove("", limit), "invalid_argument");
    assert.deepEqual(await keysOf(world, ""), ["a:1", "b"]);
  },
};

/** Cases of the inbox of a memo. */
const inboxCases: StoreCases = {
  "addNews() creates a memo and adds what does not wait yet": async (world) => {
    const [a, b, c] = [newsOf("a"), newsOf("b", { detail: "β" }), newsOf("c")];
    assert.equal(await addNews(world, "k", []), 0);
    assert.equal(await memoOf(world.store, "k"), null);
    assert.equal(await addNews(world, "k", [b, a, b]), 2);
    const rest = { key: "k", watch: "failures", data: "", droppedNews: 0 };
    assert.deepEqual(await memoOf(world.store, "k"), { ...rest, version: 1, news: [b, a] });
    assert.equal(await addNews(world, "k", [newsOf("a", { detail: "again" }), b]), 0);
    assert.deepEqual(await memoOf(world.store, "k"), { ...rest, version: 1, news: [b, a] });
    assert.equal(await addNews(world, "k", [a, c]), 1);
    assert.deepEqual(await memoOf(world.store, "k"), { ...rest, version: 2, news: [b, a, c] });
    await refuses(put(world, { key: "k", expectedVersion: 1 }), "conflict");
    const kept = await put(world, { key: "k", expectedVersion: 2 });
    assert.deepEqual([kept!.version, kept!.news], [3, [b, a, c]]);
    const read = await put(world, { key: "k", expectedVersion: 3, isProcessed: true });
    assert.deepEqual([read!.version, read!.news], [4, []]);
    assert.deepEqual(await memoOf(world.store, "k"), read);
    assert.equal(await addNews(world, "k", [a]), 1);
    assert.deepEqual((await memoOf(world.store, "k"))!.data, "{}");
  },

  "addNews() accepts an instance only into an empty inbox": async (world) => {
    const [first, second, third] = [world.newId(), world.newId(), world.newId()];
    world.advance(1);
    const hints = world.hints();
    await addNews(world, 'k/"ä\\\n\x7f', [newsOf("a")], first);
    assert.deepEqual(await hints.first(1), [{ type: "instances", dueAt: START + 1 }]);
    await addNews(world, 'k/"ä\\\n\x7f', [newsOf("b")], second);
    assert.deepEqual((await notices(world)).map(({ id }) => id), [first]);
    await put(world, { key: 'k/"ä\\\n\x7f', expectedVersion: 2 });
    await addNews(world, 'k/"ä\\\n\x7f', [newsOf("c")], second);
    await put(world, { key: 'k/"ä\\\n\x7f', expectedVersion: 4, isProcessed: true });
    await addNews(world, 'k/"ä\\\n\x7f', [newsOf("d")], third);
    const [one, other, ...more] = await notices(world);
    assert.deepEqual([one!.id, other!.id, more], [first, third, []]);
    const plain = await world.addOne({
      kind: NEWS_KIND,
      argumentsJson: JSON.stringify(['k/"ä\\\n\x7f']),
      priority: 0,
      retryMax: -1,
      crashesMax: 1_000_000_000,
      timeoutMs: 0,
      keepSuccessMs: 0,
      keepFailureMs: 7 * 86_400_000,
    });
    assert.deepEqual({ ...one, id: plain.id }, plain);
    const claimed = await world.claim(10, [NEWS_KIND]);
    assert.deepEqual(claimed.map(({ id }) => id), [first, third, plain.id]);
  },

  "addNews() accepts no instance whose id exists": async (world) => {
    const { id } = await world.finish();
    await addNews(world, "k", [newsOf("a")], id);
    assert.deepEqual(await notices(world), []);
    assert.equal((await memoOf(world.store, "k"))!.news.length, 1);
  },

  "addNews() counts what comes into a full inbox": async (world) => {
    const news = Array.from({ length: NEWS_MAX }, (_, index) => newsOf(`n${index}`));
    assert.equal(await addNews(world, "k", news.slice(0, -1)), NEWS_MAX - 1);
    assert.equal(await addNews(world, "k", news), 1);
    const full = (await memoOf(world.store, "k"))!;
    assert.deepEqual([full.news, full.droppedNews, full.version], [news, 0, 2]);
    assert.equal(await addNews(world, "k", news), 0);
    assert.equal(await addNews(world, "k", [newsOf("x"), news[0]!, newsOf("x")]), 1);
    const over = (await memoOf(world.store, "k"))!;
    // The reader of the first ones is not held up by news that finds no room.
    assert.deepEqual([over.news, over.droppedNews, over.version], [news, 1, 2]);
    const kept = await put(world, { key: "k", expectedVersion: 2, droppedNews: 1 });
    assert.deepEqual([kept!.news.length, kept!.droppedNews], [NEWS_MAX, 1]);
    assert.equal(await addNews(world, "k", [newsOf("z")]), 1);
    const processed = { isProcessed: true, droppedNews: 1 };
    const read = await put(world, { key: "k", expectedVersion: 3, ...processed });
    assert.deepEqual([read!.news, read!.droppedNews, read!.version], [[], 1, 4]);
    assert.equal((await notices(world)).length, 1);
    const many = [...news, newsOf("x"), newsOf("y")];
    assert.equal(await addNews(world, "k", many), NEWS_MAX + 2);
    const again = (await memoOf(world.store, "k"))!;
    assert.deepEqual([again.news, again.droppedNews, again.version], [news, 3, 5]);
    assert.equal((await notices(world)).length, 2);
  },

  "memos of several connections have one version": async (world) => {
    const stores = await world.connect(2);
    const other = stores[1]!;
    const outcomes = await Promise.allSettled(stores.map((store, index) => {
      return put(world, { key: "job:mail", value: { watch: "never", data: `${index}` } }, store);
    }));
    const failures = outcomes.filter(({ status }) => status === "rejected");
    assert.equal(failures.length, 1);
    assert.ok(isConflict((failures[0] as PromiseRejectedResult).reason));
    // News about a watched subject reaches all nodes.
    await watch(world);
    const ends = { value: { watch: "ends", data: "" }, isProcessed: true } as const;
    await put(world, { key: "job:mail", expectedVersion: 1, ...ends }, other);
    const { id } = await world.finish();
    const memo = await memoOf(other, "job:mail");
    assert.deepEqual(memo!.news.map((one) => one.id), [id]);
    // News processed elsewhere do not come again.
    await put(world, { key: "job:mail", expectedVersion: 3, isProcessed: true });
    await put(world, { key: "k", ...ends }, other);
    assert.deepEqual((await memoOf(other, "job:mail"))!.news, []);
    await world.disconnect(stores);
  },

  "addNews() and putMemo() happen once if the answer is lost": async (world) => {
    if (!world.fixture.cutNext) return;
    const instances = [world.newInstance()];
    await world.fixture.cutNext("after");
    assert.equal((await put(world, { key: "k", instances }))!.version, 1);
    await world.fixture.cutNext("after");
    assert.equal(await addNews(world, "k", [newsOf("a")]), 1);
    await world.fixture.cutNext("before");
    assert.equal(await addNews(world, "k", [newsOf("b")]), 1);
    assert.equal((await memoOf(world.store, "k"))!.version, 3);
    assert.equal((await notices(world)).length, 1);
  },
};

/** Cases of memos, and of the inbox that each has. */
export const memoCases: StoreCases = { ...documentCases, ...inboxCases };
