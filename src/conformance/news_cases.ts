import assert from "node:assert/strict";
import { keyOf, type StoreRecord } from "../store/records.ts";
import {
  type MemoWatch,
  NEWS_KIND,
  NEWS_MAX,
  type RunReport,
  type Settlement,
  type Store,
} from "../store/store.ts";
import { addNews, keysOf, memoOf, newsOf, notices, put, watch } from "./world/memo_world.ts";
import {
  completed,
  failed,
  idsOf,
  LEASE_MS,
  MINUTE,
  refuses,
  retry,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

/** Set which ends of a kind are news; what waits counts as processed. */
async function watchKind(world: StoreWorld, watch: MemoWatch, kind = "mail"): Promise<void> {
  const key = `job:${kind}`;
  const expectedVersion = (await memoOf(world.store, key))?.version ?? null;
  await put(world, { key, expectedVersion, value: { watch, data: "" }, isProcessed: true });
}

/** The news of a job, as `ID EVENT`. */
async function jobNews(world: StoreWorld, kind = "mail"): Promise<readonly string[]> {
  const memo = await memoOf(world.store, `job:${kind}`);
  return (memo?.news ?? []).map(({ id, event }) => `${id} ${event}`);
}

/** The id of the instance that processes the end of another. */
function noticeIdOf(id: string): string {
  return `${id.slice(0, 14)}${id[14] === "8" ? "9" : "8"}${id.slice(15)}`;
}

/** One instance per way to end, by its event. */
async function endAll(world: StoreWorld) {
  const completedOne = await world.finish();
  const terminated = await world.finish({}, { outcome: failed() });
  const timedOut = await world.finish({}, { outcome: { ...failed(), state: "timedOut" } as never });
  const waiting = await world.addOne();
  await world.cancel(waiting.id);
  const running = await world.start();
  await world.cancel(running.id);
  await world.settle(running, { outcome: failed() });
  const again = await world.start({ retryMax: 1 });
  await world.settle(again, { outcome: retry(world.wallMs) });
  await world.cancel(again.id);
  return { completed: completedOne.id, terminated: terminated.id, timedOut: timedOut.id };
}

async function readRecords(store: Store): Promise<readonly StoreRecord[]> {
  const { records, isEnd } = await store.records.readRecords({ after: null, limit: 1_000 });
  assert.ok(isEnd);
  return records;
}

/** Cases of ends and ticks that are news. */
const endCases: StoreCases = {
  "ends are news only while a node asks for them": async (world) => {
    await endAll(world);
    assert.deepEqual(await keysOf(world, ""), []);
    await put(world, { key: "watche" });
    await put(world, { key: "job:watcher:n1" });
    await endAll(world);
    assert.deepEqual(await jobNews(world), []);
    await watch(world, "n1");
    await watch(world, "n2");
    const first = await world.finish({}, { outcome: failed() });
    await world.store.removeMemos({ at: world.at, prefix: "watcher:n1", limit: 1 });
    const second = await world.finish({}, { outcome: failed() });
    await put(world, { key: "watcher:n2", expectedVersion: 1, value: null });
    await endAll(world);
    const ends = [`${first.id} terminated`, `${second.id} terminated`];
    assert.deepEqual(await jobNews(world), ends);
    await watch(world, "n2");
    const third = await world.finish({}, { outcome: failed() });
    assert.deepEqual(await jobNews(world), [...ends, `${third.id} terminated`]);
    assert.deepEqual((await notices(world)).map(({ id }) => id), [noticeIdOf(first.id)]);
  },

  "which ends are news depends on the watch of the job": async (world) => {
    await watch(world);
    const absent = await endAll(world);
    const failures = (ids: Awaited<ReturnType<typeof endAll>>) => [
      `${ids.terminated} terminated`,
      `${ids.timedOut} timedOut`,
    ];
    assert.deepEqual(await jobNews(world), failures(absent));
    await watchKind(world, "ends");
    const ends = await endAll(world);
    assert.deepEqual(await jobNews(world), [`${ends.completed} completed`, ...failures(ends)]);
    await watchKind(world, "never");
    await endAll(world);
    assert.deepEqual(await jobNews(world), []);
    await watchKind(world, "failures");
    const again = await endAll(world);
    assert.deepEqual(await jobNews(world), failures(again));
    // A watch of one job does not affect another, and ends with its memo.
    await watchKind(world, "ends", "other");
    await watchKind(world, "ends");
    await world.store.removeMemos({ at: world.at, prefix: "job:mail", limit: 1 });
    const last = await endAll(world);
    assert.deepEqual(await jobNews(world), failures(last));
    assert.deepEqual(await jobNews(world, "other"), []);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "the end of an instance with an id of any version is processed": async (world) => {
    await watch(world);
    for (const version of ["4", "7", "8", "9"]) {
      const id = `019b76da-a800-${version}000-8000-00000000000${version}`;
      await world.finish({ id, kind: `v${version}` }, { outcome: failed() });
      const found = await notices(world);
      assert.deepEqual(found.at(-1)?.argumentsJson, `["job:v${version}"]`);
    }
  },

  "a success is news while those of a failure wait": async (world) => {
    await watch(world);
    await world.finish();
    const failure = await world.finish({}, { outcome: failed() });
    const next = await world.finish();
    await world.finish({ kind: "other" });
    assert.deepEqual(await jobNews(world), [`${failure.id} terminated`, `${next.id} completed`]);
    await watchKind(world, "failures");
    await world.finish();
    assert.deepEqual(await jobNews(world), []);
    await world.store.addNews({
      at: world.at,
      key: "job:mail",
      noticeId: "n",
      news: [newsOf("late")],
    });
    const last = await world.finish();
    assert.deepEqual((await jobNews(world)).at(-1), `${last.id} completed`);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "news of an end tell what happened, and accept one instance": async (world) => {
    await watch(world);
    world.advance(5);
    const one = await world.finish({ kind: "ü/x" }, { outcome: failed() });
    const other = await world.finish({ kind: "ü/x" }, {
      outcome: { ...failed(), reason: "failure limit" } as Settlement["outcome"],
    });
    const memo = await memoOf(world.store, "job:ü/x");
    assert.deepEqual(memo, {
      key: "job:ü/x",
      version: 2,
      watch: "ends",
      data: "",
      news: [one, other].map(({ id, state, settledAt, reason }) => ({
        id,
        event: state,
        at: settledAt!,
        instanceId: id,
        detail: reason,
      })),
      droppedNews: 0,
    });
    const [notice, ...more] = await notices(world);
    assert.deepEqual(more, []);
    assert.deepEqual(
      [notice!.id, notice!.argumentsJson, notice!.dueAt, notice!.retryMax, notice!.keepSuccessMs],
      [noticeIdOf(one.id), '["job:ü/x"]', START + 5, -1, 0],
    );
    assert.deepEqual(idsOf(await world.claim(10, [NEWS_KIND])), [notice!.id]);
  },

  "many ends in one call are all news": async (world) => {
    await watch(world);
    await watchKind(world, "ends");
    const settleAll = async (kind: string, outcome: Settlement["outcome"]) => {
      await world.addMany(30, { kind });
      const claimed = await world.claim(30, [kind]);
      const settlements = claimed.map(({ id, fence }) => ({ id, fence, logs: [], outcome }));
      const { value } = await world.store.settle({ at: world.at, node: "n1", settlements });
      assert.deepEqual(value.map(({ status }) => status), claimed.map(() => "settled"));
      for (const { id, instance } of value) assert.deepEqual(await world.store.get(id), instance);
      return claimed.map(({ id }) => `${id} ${outcome.type === "final" && outcome.state}`);
    };
    const ok = await settleAll("mail", completed());
    assert.deepEqual((await jobNews(world)).toSorted(), ok.toSorted());
    await settleAll("other", completed());
    assert.deepEqual(await jobNews(world, "other"), []);
    // The only attempt did not succeed, and has no error.
    const ended = { ...completed(null), state: "terminated" } as Settlement["outcome"];
    const bad = await settleAll("other", ended);
    assert.deepEqual((await jobNews(world, "other")).toSorted(), bad.toSorted());
    await settleAll(NEWS_KIND, ended);
    assert.deepEqual(await keysOf(world, "job:"), ["job:mail", "job:other"]);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "a lost lease, a passed deadline and a lost node are news if they end an instance": async (
    world,
  ) => {
    await watch(world);
    const late = await world.addOne({ deadlineAt: START + 1_000, dueAt: START + MINUTE });
    const lost = await world.start({ crashesMax: 0 });
    const again = await world.start({ crashesMax: 1 });
    world.advance(LEASE_MS);
    assert.equal((await world.reap()).length, 3);
    assert.deepEqual(
      (await jobNews(world)).toSorted(),
      [
        `${late.id} timedOut`,
        `${lost.id} terminated`,
      ].toSorted(),
    );
    await watchKind(world, "failures");
    assert.deepEqual(idsOf(await world.claim()), [again.id]);
    const retried = await world.start({ deadlineAt: world.wallMs + 1_000 });
    const settled = await world.settle(retried, { outcome: retry(world.wallMs + 1_000) });
    assert.equal(settled.instance!.state, "timedOut");
    assert.deepEqual(await jobNews(world), [`${retried.id} timedOut`]);
    await watchKind(world, "failures");
    const [recovered] = await world.reopen();
    assert.deepEqual([recovered!.id, recovered!.state], [again.id, "terminated"]);
    assert.deepEqual(await jobNews(world), [`${again.id} terminated`]);
  },

  "ends of the instances that process news are no news": async (world) => {
    await watch(world);
    await watchKind(world, "ends", NEWS_KIND);
    await watchKind(world, "never");
    await world.finish({ kind: NEWS_KIND });
    await world.finish({ kind: NEWS_KIND }, { outcome: failed() });
    await world.finish({ kind: NEWS_KIND }, { logs: [], version: "1" });
    assert.deepEqual(await jobNews(world, NEWS_KIND), []);
  },

  "a replaced instance is no news": async (world) => {
    await watch(world);
    await watchKind(world, "ends");
    const unique = { forMs: null, onConflict: "replace" } as const;
    await world.addOne({ uniqueKey: "u", unique });
    await world.addOne({ uniqueKey: "u", unique });
    assert.deepEqual(await jobNews(world), []);
  },

  "ends of runs elsewhere, and ticks without one, are news": async (world) => {
    await world.putSchedule();
    const ticks = [1, 2].map((minute) => START + minute * MINUTE);
    world.advance(2 * MINUTE);
    await world.fire(START, ticks, { isExpected: true });
    const runOf = (state: "completed" | "terminated" | null): RunReport => ({
      instance: world.newInstance(),
      node: "web1",
      startedAt: START,
      end: state && { at: START + 5, state, reason: "error", error: null },
      logs: [],
    });
    const record = async (runs: readonly RunReport[], tick: number) =>
      await world.store.recordRuns({
        at: world.at,
        runs,
        missed: [{ scheduleId: SCHEDULE, tick }],
      });
    await record([runOf("terminated")], ticks[0]!);
    assert.deepEqual(await jobNews(world), []);
    await watch(world);
    const [failed, done, begun] = [runOf("terminated"), runOf("completed"), runOf(null)];
    await record([failed, done, begun], ticks[0]!);
    const { news } = (await memoOf(world.store, "job:mail"))!;
    const ends = [[failed, "terminated"], [done, "completed"]] as const;
    assert.deepEqual(
      news,
      ends.map(([{ instance: { id } }, event]) => {
        return { id, event, at: START + 5, instanceId: id, detail: "error" };
      }),
    );
    await watchKind(world, "failures");
    await record([failed], ticks[1]!);
    await record([], ticks[1]!);
    assert.deepEqual(await jobNews(world), [`missed:${SCHEDULE}:${ticks[1]} missed`]);
    await world.cancel(begun.instance.id);
    assert.equal((await jobNews(world)).length, 1);
  },

  "missed ticks are news of their job": async (world) => {
    await world.putSchedule();
    const missedFrom = (from: number) => ({
      from,
      to: from + MINUTE,
      count: 2,
      reason: "too late",
      instanceId: null,
      fate: "missed" as const,
    });
    const step = async (expectedCursor: number, from: number) =>
      (await world.fire(expectedCursor, [], {
        cursor: from + 2 * MINUTE,
        fates: [missedFrom(from), {
          ...missedFrom(from + 2 * MINUTE),
          to: from + 2 * MINUTE,
          count: 1,
          fate: "skipped",
          reason: "blackout",
        }],
      })).status;
    world.advance(60 * MINUTE);
    const [first, second, third] = [START + MINUTE, START + 4 * MINUTE, START + 7 * MINUTE];
    assert.equal(await step(START, first), "advanced");
    assert.deepEqual(await jobNews(world), []);
    await watch(world);
    await watchKind(world, "never");
    assert.equal(await step(first + 2 * MINUTE, second), "advanced");
    assert.deepEqual(await jobNews(world), []);
    await watchKind(world, "failures");
    assert.equal(await step(START, third), "conflict");
    assert.deepEqual(await notices(world), []);
    assert.equal(await step(second + 2 * MINUTE, third), "advanced");
    assert.equal(await step(second + 2 * MINUTE, third), "conflict");
    const detail = JSON.stringify({
      schedule: SCHEDULE,
      from: third,
      to: third + MINUTE,
      count: 2,
    });
    const id = `missed:${SCHEDULE}:${third}`;
    const { news } = (await memoOf(world.store, "job:mail"))!;
    assert.deepEqual(news, [{ id, event: "missed", at: world.wallMs, instanceId: null, detail }]);
    const [notice, ...more] = await notices(world);
    assert.deepEqual([notice!.argumentsJson, more], ['["job:mail"]', []]);
    assert.match(
      notice!.id,
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    await watchKind(world, "failures");
    assert.equal(await step(third + 2 * MINUTE, third + 3 * MINUTE), "advanced");
    assert.equal((await notices(world)).length, 2);
  },
};

/** Cases of memos that outlive a process, or move. */
const keptCases: StoreCases = {
  "memos and watches outlive a reopening": async (world) => {
    await watch(world);
    await watchKind(world, "ends");
    await addNews(world, "k", [newsOf("a")]);
    const before = await world.store.listMemos({ prefix: "", after: null, limit: 10 });
    await world.reopen();
    const after = await world.store.listMemos({ prefix: "", after: null, limit: 10 });
    assert.deepEqual(after, before);
    const { id } = await world.finish();
    assert.deepEqual(await jobNews(world), [`${id} completed`]);
    assert.equal(await addNews(world, "k", [newsOf("a"), newsOf("b")]), 1);
    assert.deepEqual((await notices(world)).map((one) => one.argumentsJson).toSorted(), [
      '["job:mail"]',
      '["k"]',
    ]);
  },

  "memos are records like everything else": async (world) => {
    await watch(world);
    await watchKind(world, "ends");
    const { id } = await world.finish();
    const news = Array.from({ length: NEWS_MAX + 1 }, (_, index) => newsOf(`${index}`));
    await addNews(world, "😀", news);
    await put(world, { key: "ä", value: { watch: "never", data: "[1]" } });
    const records = await readRecords(world.store);
    const memos = records.filter((one) => one.type === "memo");
    assert.deepEqual(memos.map(({ memo }) => memo.key), ["job:mail", "watcher:n1", "ä", "😀"]);
    const listed = await world.store.listMemos({ prefix: "", after: null, limit: 10 });
    assert.deepEqual(memos.map(({ memo }) => memo), listed);
    const keys = records.map(keyOf);
    const { value: count } = await world.store.records.removeRecords({ at: world.at, keys });
    assert.equal(count, records.length - 1);
    assert.deepEqual(await keysOf(world, ""), []);
    await world.finish({}, { outcome: failed() });
    assert.deepEqual(await keysOf(world, ""), []);
    for (let time = 0; time < 2; time++) {
      await world.store.records.writeRecords({ at: world.at, records });
      const found = await world.store.listMemos({ prefix: "", after: null, limit: 10 });
      assert.deepEqual(found, listed);
    }
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
    // Returned instances continue.
    const next = await world.finish();
    assert.deepEqual(await jobNews(world), [`${id} completed`, `${next.id} completed`]);
    await world.store.removeMemos({ at: world.at, prefix: "watcher:", limit: 10 });
    await world.finish();
    assert.equal((await jobNews(world)).length, 2);
    const [gone] = await world.store.listMemos({ prefix: "😀", after: null, limit: 1 });
    const remove = { at: world.at, keys: [keyOf({ type: "memo", memo: gone! })] };
    assert.equal((await world.store.records.removeRecords(remove)).value, 1);
    assert.equal((await world.store.records.removeRecords(remove)).value, 0);
  },

  "memos are written while the store drains, and not after it has moved": async (world) => {
    await watch(world);
    const running = await world.start();
    const until = START + MINUTE;
    const draining = { type: "draining", to: "valkey://h/0", until } as const;
    await world.store.records.setMark({ at: world.at, mark: draining });
    assert.equal((await world.settle(running, { outcome: failed() })).status, "settled");
    assert.deepEqual(await jobNews(world), [`${running.id} terminated`]);
    await addNews(world, "k", [newsOf("a")]);
    await put(world, { key: "k", expectedVersion: 1, instances: [world.newInstance()] });
    assert.equal((await world.store.removeMemos({ at: world.at, prefix: "k", limit: 1 })).value, 1);
    const moved = { type: "moved", to: "valkey://h/0" } as const;
    await world.store.records.setMark({ at: world.at, mark: moved });
    await refuses(addNews(world, "k", [newsOf("a")]), "unavailable");
    await refuses(put(world, { key: "k" }), "unavailable");
    const removal = world.store.removeMemos({ at: world.at, prefix: "", limit: 1 });
    await refuses(removal, "unavailable");
  },
};

/** Cases of output that is news. */
const outputCases: StoreCases = {
  "output is news with the outcome that ends an instance, however it ends": async (world) => {
    const news = "output";
    const ok = await world.finish({}, { news });
    assert.deepEqual(await jobNews(world), [`output:${ok.id} output`]);
    const memo = await memoOf(world.store, "job:mail");
    const one = { event: "output", at: START, instanceId: ok.id, detail: null };
    assert.deepEqual(memo!.news, [{ id: `output:${ok.id}`, ...one }]);
    assert.deepEqual((await notices(world)).map(({ id }) => id), [noticeIdOf(ok.id)]);
    // Unlike ends, always: no node has to ask, and no memo has to watch.
    await watch(world);
    await watchKind(world, "never");
    const version = await world.finish({}, { news, version: "v2" });
    assert.deepEqual(await jobNews(world), [`output:${version.id} output`]);
    await watchKind(world, "failures");
    const failure = await world.finish({}, { news, outcome: failed() });
    const canceled = await world.start();
    await world.cancel(canceled.id);
    await world.settle(canceled, { news, outcome: failed() });
    const lost = await world.start({ crashesMax: 0 });
    const error = { name: "Error", message: "boom" };
    await world.settle(lost, { news, outcome: { type: "crash", dueAt: world.wallMs, error } });
    const expected = [
      `${failure.id} terminated`,
      `${lost.id} terminated`,
      ...[failure, canceled, lost].map(({ id }) => `output:${id} output`),
    ];
    assert.deepEqual([...await jobNews(world)].sort(), expected.sort());
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "output is no news before the end, and none of a claim that was lost": async (world) => {
    const news = "output";
    const dueAt = world.wallMs;
    const running = await world.start({ retryMax: 3 });
    await world.settle(running, { news, outcome: retry(dueAt) });
    const second = (await world.claim())[0]!;
    await world.settle(second, { news, outcome: { type: "snooze", dueAt } });
    const third = (await world.claim())[0]!;
    await world.settle(third, { news, outcome: { type: "release", dueAt } });
    assert.deepEqual(await jobNews(world), []);
    const last = (await world.claim())[0]!;
    assert.equal((await world.settle(third, { news })).status, "stale");
    assert.deepEqual(await jobNews(world), []);
    await world.settle(last, { news });
    assert.deepEqual(await jobNews(world), [`output:${last.id} output`]);
    assert.equal((await world.settle(last, { news })).status, "repeated");
    assert.deepEqual(await jobNews(world), [`output:${last.id} output`]);
  },
};

/** Cases of ends and ticks that are news, and of memos that outlive a process or move. */
export const newsCases: StoreCases = { ...endCases, ...outputCases, ...keptCases };
