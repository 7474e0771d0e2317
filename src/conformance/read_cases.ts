import assert from "node:assert/strict";
import type { InstanceQuery } from "../store/store.ts";
import {
  failed,
  LEASE_MS,
  readPages,
  refuses,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

async function listed(world: StoreWorld, query: InstanceQuery): Promise<readonly string[]> {
  const items = await readPages((page) => world.store.list(query, page), 2, "oldest");
  return items.map(({ id }) => id);
}

/** Cases of reading. */
export const readCases: StoreCases = {
  "get() answers null for an unknown id": async (world) => {
    assert.equal(await world.store.get("unknown"), null);
  },

  "list() filters by every condition": async (world) => {
    const parent = await world.finish();
    world.advance(1_000);
    const [mail, other, keyed, child] = await world.add(
      {},
      { kind: "other", scheduleId: "s", scheduledFor: START },
      { uniqueKey: "u", kind: "third" },
      { retryOf: parent.id, scheduleId: "s", scheduledFor: START + 1, kind: "third" },
    );
    await world.cancel(child!.id);
    const [running] = await world.claim(1, ["other"]);
    assert.equal(running!.id, other!.id);
    const ids = (...instances: { id: string }[]) => instances.map(({ id }) => id);
    const expected: [InstanceQuery, readonly string[]][] = [
      [{}, ids(parent, mail!, other!, keyed!, child!)],
      [{ ids: [keyed!.id, mail!.id, "unknown", mail!.id] }, ids(mail!, keyed!)],
      [{ ids: [keyed!.id, mail!.id], kinds: ["mail"] }, ids(mail!)],
      [{ kinds: ["mail"] }, ids(parent, mail!)],
      [{ kinds: ["third", "mail"] }, ids(parent, mail!, keyed!, child!)],
      [{ kinds: [] }, []],
      [{ kinds: ["unknown"] }, []],
      [{ states: ["scheduled"] }, ids(mail!, keyed!)],
      [{ states: ["completed", "processing", "canceled"] }, ids(parent, other!, child!)],
      [{ states: ["scheduled"], kinds: ["third"] }, ids(keyed!)],
      [{ scheduleId: "s" }, ids(other!, child!)],
      [{ scheduleId: "s", states: ["processing", "scheduled"] }, ids(other!)],
      [{ scheduleId: "s", kinds: ["third"] }, ids(child!)],
      [{ uniqueKey: "u" }, ids(keyed!)],
      [{ uniqueKey: "none" }, []],
      [{ retryOf: parent.id }, ids(child!)],
      [{ after: START + 1_000 }, ids(mail!, other!, keyed!, child!)],
      [{ before: START + 1_000 }, ids(parent)],
      [{ before: START }, []],
      [{ after: START, before: START + 1_000, kinds: ["mail"] }, ids(parent)],
      [{ after: START + 1_001 }, []],
    ];
    for (const [query, wanted] of expected) {
      assert.deepEqual(await listed(world, query), wanted, JSON.stringify(query));
    }
  },

  "list() filters by the end, the node and a text of arguments": async (world) => {
    const first = await world.finish();
    world.advance(1_000);
    const [other, text] = await world.add(
      { kind: "other" },
      { argumentsJson: '["Grüße an ALLE",{"n":1}]' },
    );
    const [claimed] = await world.claim(1, ["other"], "n2");
    assert.equal(claimed!.id, other!.id);
    const { settledAt } = (await world.store.get(first.id))!;
    const ids = (...instances: { id: string }[]) => instances.map(({ id }) => id);
    const expected: [InstanceQuery, readonly string[]][] = [
      [{ endedAfter: settledAt! }, ids(first)],
      [{ endedAfter: settledAt! + 1 }, []],
      [{ endedBefore: settledAt! + 1 }, ids(first)],
      [{ endedBefore: settledAt! }, []],
      [{ endedAfter: 0, endedBefore: START * 2, kinds: ["mail"] }, ids(first)],
      [{ node: "n2" }, ids(other!)],
      [{ node: "n1" }, ids(first)],
      [{ node: "n2", kinds: ["mail"] }, []],
      [{ text: "grüße AN" }, ids(text!)],
      [{ text: '"n":1' }, ids(text!)],
      [{ text: "grüße", kinds: ["other"] }, []],
      [{ text: "nothing" }, []],
      [{ text: "alle", ids: [other!.id, text!.id] }, ids(text!)],
    ];
    for (const [query, wanted] of expected) {
      assert.deepEqual(await listed(world, query), wanted, JSON.stringify(query));
    }
  },

  "cancel() takes only instances with a text in their arguments": async (world) => {
    const [kept, gone] = await world.add({ argumentsJson: '["a"]' }, { argumentsJson: '["B"]' });
    const request = { at: world.at, query: { text: "b" }, limit: 10 };
    const { value } = await world.store.cancel(request);
    assert.deepEqual(value.map(({ id, state }) => [id, state]), [[gone!.id, "canceled"]]);
    assert.equal((await world.store.get(kept!.id))!.state, "scheduled");
    assert.deepEqual((await world.store.cancel(request)).value, []);
  },

  "list() ends a page after as many rows as it may look at": async (world) => {
    const few = 3;
    for (let batch = 0; batch < 6; batch++) {
      world.advance(1_000);
      await world.addMany(1_000);
    }
    const [last] = await world.add({ argumentsJson: '["needle"]' });
    for (const order of ["oldest", "newest"] as const) {
      const found: string[] = [];
      let lookedTo = order === "oldest" ? 0 : Infinity;
      let pages = 0;
      let token: string | undefined;
      do {
        const request = { limit: few, order, lookMax: 2_000, token };
        const page = await world.store.list({ text: "NEEDLE" }, request);
        found.push(...page.items.map(({ id }) => id));
        if (page.lookedTo !== undefined) {
          assert.ok(order === "oldest" ? page.lookedTo >= lookedTo : page.lookedTo <= lookedTo);
          lookedTo = page.lookedTo;
          assert.ok(Math.abs(lookedTo - START) <= 7_000, String(lookedTo));
          assert.ok(page.nextToken !== null);
        }
        token = page.nextToken ?? undefined;
        pages += 1;
      } while (token !== undefined);
      assert.deepEqual(found, [last!.id]);
      assert.ok(pages >= 3 && pages <= 8, `${pages} pages`);
    }
  },

  "list() finds what begins with an id, and nothing else": async (world) => {
    const [one, two, other] = await world.add(
      { id: "01a20ec9-4c4a-7000-9e94-b92c64a87e2f" },
      { id: "01a20ec9-4cb3-7000-a26b-53e02d43398a", kind: "other" },
      { id: "01a20eca-0000-7000-a26b-53e02d43398a" },
    );
    const expected: [InstanceQuery, readonly string[]][] = [
      [{ idPrefix: "01a20ec" }, [one!.id, two!.id, other!.id]],
      [{ idPrefix: "01a20ec9" }, [one!.id, two!.id]],
      [{ idPrefix: "01a20ec9", kinds: ["other"] }, [two!.id]],
      [{ idPrefix: "01a20ec9-4cb" }, [two!.id]],
      [{ idPrefix: other!.id }, [other!.id]],
      [{ idPrefix: "01a2", ids: [two!.id] }, [two!.id]],
      [{ idPrefix: "9999" }, []],
      [{ idPrefix: "99999999" }, []],
    ];
    for (const [query, wanted] of expected) {
      assert.deepEqual(await listed(world, query), wanted, JSON.stringify(query));
    }
  },

  "findIds() finds the ids that contain a text, and no more than asked for": async (world) => {
    const [one, two, other] = await world.add(
      { id: "01a20ec9-4c4a-7000-9e94-b92c64a87e2f" },
      { id: "01a20ec9-4cb3-7000-a26b-53e02d43398a", kind: "other" },
      { id: "01a20eca-0000-7000-a26b-53e02d87e2ff" },
    );
    const find = async (part: string, limit = 10) =>
      (await world.store.findIds({ part, limit })).toSorted();
    assert.deepEqual(await find("01a20ec9"), [one!.id, two!.id]);
    assert.deepEqual(await find("a87e2f"), [one!.id]);
    assert.deepEqual(await find("87e2f"), [one!.id, other!.id]);
    assert.deepEqual(await find("-a26b-53"), [two!.id, other!.id]);
    assert.deepEqual(await find(two!.id), [two!.id]);
    assert.deepEqual(await find("9999"), []);
    // A percent sign or a dot of a pattern is only a character.
    assert.deepEqual(await find("%"), []);
    assert.deepEqual(await find("01a20ec9.4c"), []);
    assert.equal((await find("01a2", 2)).length, 2);
    await refuses(find("01a2", 0), "invalid_argument");
  },

  "findIds() finds one id among many": async (world) => {
    const id = "01a20ec9-4c4a-7000-9e94-b92c64a87e2f";
    for (let batch = 0; batch < 7; batch++) {
      await world.addMany(1_000);
      if (batch === 3) await world.add({ id });
    }
    const find = (part: string, enough?: number) =>
      world.store.findIds({ part, limit: 2, ...(enough === undefined ? {} : { enough }) });
    assert.deepEqual(await find("c64a87e2f"), [id]);
    // The limit counts only from the first match.
    assert.deepEqual(await find("c64a87e2f", 1), [id]);
    assert.deepEqual(await find("c64a87e20", 1), []);
    // An aborted search returns the instances found so far.
    const signal = AbortSignal.abort();
    const ended = await world.store.findIds({ part: "c64a87e20", limit: 2, signal });
    assert.deepEqual(ended, []);
  },

  "list() gives the newest first unless asked": async (world) => {
    const added = await world.add({}, {}, {});
    const { items, nextToken } = await world.store.list({}, { limit: 2 });
    assert.deepEqual(items.map(({ id }) => id), [added[2]!.id, added[1]!.id]);
    const rest = await world.store.list({}, { limit: 2, token: nextToken! });
    assert.deepEqual(rest.items.map(({ id }) => id), [added[0]!.id]);
    assert.equal(rest.nextToken, null);
  },

  "list() pages neither lose nor repeat what stays while others come and go": async (world) => {
    for (const order of ["newest", "oldest"] as const) {
      const kept = await world.addMany(20, { kind: "kept" });
      const gone = await world.addMany(20, { kind: "kept" });
      const seen: string[] = [];
      let token: string | undefined;
      let round = 0;
      do {
        const page = await world.store.list({ kinds: ["kept"] }, { limit: 3, order, token });
        seen.push(...page.items.map(({ id }) => id));
        token = page.nextToken ?? undefined;
        await world.add({ kind: "kept" }, { kind: "kept" });
        const { id } = gone[round % gone.length]!;
        await world.cancel(id);
        world.advance(120_000);
        await world.retain();
        round += 1;
      } while (token !== undefined && round < 200);
      assert.equal(new Set(seen).size, seen.length);
      for (const { id } of kept) assert.ok(seen.includes(id), `${order}: lost ${id}`);
      await world.store.cancel({ at: world.at, query: {}, limit: 1_000 });
      world.advance(999_999);
      await world.retain(1_000);
    }
  },

  "list() loses nothing that changes its state while it reads": async (world) => {
    const expected: string[] = [];
    for (let batch = 0; batch < 3; batch++) {
      const added = await world.addMany(1_000);
      expected.push(...added.map(({ id }) => id));
    }
    const reading = readPages(
      (page) => world.store.list({ kinds: ["mail"] }, page),
      1_000,
      "oldest",
    );
    const working = async () => {
      for (let round = 0; round < 20; round++) {
        for (const instance of await world.claim(150)) void world.settle(instance);
      }
    };
    const [items] = await Promise.all([reading, working()]);
    assert.deepEqual(items.map(({ id }) => id), expected);
  },

  "list() merges many kinds and states in one order": async (world) => {
    const kinds = Array.from({ length: 9 }, (_, index) => `k${index}`);
    const added = await world.add(
      ...Array.from({ length: 90 }, (_, index) => ({ kind: kinds[(index * 5) % 9]! })),
    );
    await world.claim(30, kinds.slice(0, 5));
    const states = ["processing", "scheduled"] as const;
    assert.deepEqual(await listed(world, { states }), added.map(({ id }) => id));
    const running = await listed(world, { states: ["processing"] });
    assert.equal(running.length, 30);
  },

  "pages refuse a limit out of bounds and a token not given by the list": async (world) => {
    const { store } = world;
    await world.add({}, {});
    const { nextToken } = await store.list({}, { limit: 1 });
    for (const limit of [0, 1_001, 0.5]) {
      await refuses(store.list({}, { limit }), "invalid_argument");
    }
    for (const token of ["x", "", "WzFd", "\ud800", "a".repeat(5_000)]) {
      await refuses(store.list({}, { limit: 1, token }), "invalid_argument");
      await refuses(store.logs({}, { limit: 1, token }), "invalid_argument");
      await refuses(store.listSchedules({}, { limit: 1, token }), "invalid_argument");
    }
    await refuses(store.history({}, { limit: 1, token: nextToken! }), "invalid_argument");
    await refuses(
      store.listFates({ scheduleId: "s" }, { limit: 1, token: "x" }),
      "invalid_argument",
    );
  },

  "history() of many instances goes by acceptance and filters by kind and time": async (world) => {
    const first = await world.finish();
    world.advance(100);
    const second = await world.start({ kind: "other" });
    world.advance(100);
    await world.settle(second, { outcome: failed() });
    const read = async (query: object) => {
      const list = (page: object) => world.store.history(query, page as { limit: number });
      const entries = await readPages(list, 3);
      return entries.map(({ instanceId, state }) => `${instanceId === first.id ? 1 : 2} ${state}`);
    };
    const all = [
      "1 created",
      "1 scheduled",
      "1 processing",
      "1 completed",
      "2 created",
      "2 scheduled",
      "2 processing",
      "2 terminated",
    ];
    assert.deepEqual(await read({}), all);
    assert.deepEqual(await read({ kind: "other" }), all.slice(4));
    assert.deepEqual(await read({ after: START + 100 }), all.slice(4));
    assert.deepEqual(await read({ after: START + 101 }), ["2 terminated"]);
    assert.deepEqual(await read({ before: START + 200 }), all.slice(0, 7));
    assert.deepEqual(await read({ before: START + 100 }), all.slice(0, 4));
    assert.deepEqual(await read({ instanceId: first.id, kind: "other" }), []);
    assert.deepEqual(await read({ instanceId: "unknown" }), []);
  },

  "history() shows a takeover and pages through many attempts": async (world) => {
    const { id } = await world.addOne({ crashesMax: 20 });
    for (let attempt = 1; attempt <= 10; attempt++) {
      await world.claim();
      world.advance(LEASE_MS);
      await world.reap();
    }
    const entries = await readPages(
      (page) => world.store.history({ instanceId: id }, page),
      4,
    );
    assert.equal(entries.length, 22);
    const attempts = entries.filter(({ state }) => state === "processing");
    assert.deepEqual(attempts.map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.ok(entries.every((entry, index) => index === 0 || entry.at >= entries[index - 1]!.at));
    assert.equal(entries.at(-1)!.reason, "lost");
  },

  "logs() go by instance, time, level and kind, oldest first": async (world) => {
    const line = (at: number, level: "debug" | "warn" | "error", message: string) =>
      ({ at, level, message, source: "stdout" }) as const;
    const first = await world.finish({}, {
      logs: [line(START + 5, "debug", "a"), line(START + 1, "error", "b")],
    });
    await world.finish({ kind: "other" }, {
      logs: [line(START + 3, "warn", "c"), line(START + 5, "warn", "d")],
    });
    const read = async (query: object) => {
      const list = (page: object) => world.store.logs(query, page as { limit: number });
      return (await readPages(list, 2)).map(({ message }) => message).join("");
    };
    assert.equal(await read({}), "bcad");
    assert.equal(await read({ instanceId: first.id }), "ab");
    assert.equal(await read({ kind: "other" }), "cd");
    assert.equal(await read({ level: "warn" }), "bcd");
    assert.equal(await read({ level: "error" }), "b");
    assert.equal(await read({ after: START + 3 }), "cad");
    assert.equal(await read({ before: START + 5 }), "bc");
    assert.equal(await read({ after: START + 2, before: START + 5, kind: "other" }), "c");
    assert.equal(await read({ instanceId: first.id, before: START + 5 }), "b");
    assert.equal(await read({ instanceId: "unknown" }), "");
  },

  "tailLogs() go on after a cursor in the order written, over a restart and a deletion": async (
    world,
  ) => {
    const line = (at: number, level: "debug" | "error", message: string) =>
      ({ at, level, message, source: "stdout" }) as const;
    const { store } = world;
    const nothing = await store.logEnd();
    const first = await world.finish({}, {
      logs: [line(START + 9, "debug", "a"), line(START + 1, "error", "b")],
    });
    const middle = await store.logEnd();
    await world.finish({ kind: "other" }, { logs: [line(START + 3, "error", "c")] });
    const read = async (cursor: string | null, query: object = {}, limit = 2) => {
      let text = "";
      for (;;) {
        const tail = await store.tailLogs(query, { cursor, limit });
        text += tail.items.map(({ message }) => message).join("");
        cursor = tail.cursor;
        if (tail.isEnd) return { text, cursor };
      }
    };
    const whole = await read(null);
    assert.equal(whole.text, "abc");
    assert.equal((await read(nothing)).text, "abc");
    assert.equal((await read(middle)).text, "c");
    assert.equal((await read(null, {}, 1)).text, "abc");
    assert.equal((await read(null, { instanceId: first.id })).text, "ab");
    assert.equal((await read(middle, { instanceId: first.id })).text, "");
    assert.equal((await read(null, { kind: "other" })).text, "c");
    assert.equal((await read(null, { level: "error" }, 1)).text, "bc");
    assert.equal((await read(null, { instanceId: "unknown" })).text, "");
    await store.clearLogs({ at: world.at, query: { kind: "other" }, limit: 9 });
    await store.close();
    await store.open({ at: world.at, node: "n1" });
    assert.equal((await read(whole.cursor)).text, "");
    await world.finish({}, { logs: [line(START, "debug", "d")] });
    assert.equal((await read(whole.cursor)).text, "d");
    for (const cursor of ["nonsense", "WzEsMl0"]) {
      await refuses(store.tailLogs({}, { cursor, limit: 1 }), "invalid_argument");
    }
  },

  "stats() count what the list finds, through every change of state": async (world) => {
    await world.add({}, {}, { dueAt: START + 999_999 }, { kind: "other" });
    await world.claim(2, ["mail", "other"]);
    await world.finish({ kind: "other" }, { outcome: failed() });
    await world.addOne({ kind: "gone" }).then(({ id }) => world.cancel(id));
    world.advance(LEASE_MS);
    await world.reap(1);
    const check = async () => {
      const { kinds } = await world.store.stats();
      for (const [kind, counts] of kinds) {
        for (const [state, count] of Object.entries(counts)) {
          const query = { kinds: [kind], states: [state] } as InstanceQuery;
          assert.equal((await listed(world, query)).length, count, `${kind} ${state}`);
        }
      }
      return [...kinds.keys()].sort();
    };
    assert.deepEqual(await check(), ["gone", "mail", "other"]);
    await world.store.close();
    await world.store.open({ at: world.at, node: "n1" });
    assert.deepEqual(await check(), ["gone", "mail", "other"]);
    world.advance(999_999);
    await world.retain();
    assert.deepEqual(await check(), ["mail", "other"]);
  },
};
