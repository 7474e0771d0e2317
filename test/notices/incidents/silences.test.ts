import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { Silences } from "../../../src/notices/incidents/silences.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function world() {
  const clock = new SimClock(START);
  const store = new MemoryStore({ defer: (run) => queueMicrotask(run) });
  await store.open({ at: clock.now(), node: "a" });
  const silences = new Silences({ store, clock });
  const stored = async () =>
    (await store.listMemos({ prefix: "silence:", after: null, limit: 10 })).map(({ key }) => key);
  return { clock, store, silences, stored };
}

test("list() has the silences in force, that of everything first", async () => {
  const { clock, silences } = await world();
  const until = START + HOUR;
  await silences.set("backup", { until, reason: "disk", by: "eva" });
  await silences.set(null, { until: START + 2 * HOUR, by: "tom" });
  const backup = { kind: "backup", since: START, until, reason: "disk", by: "eva" };
  const all = { kind: null, since: START, until: START + 2 * HOUR, reason: "", by: "tom" };
  assert.deepEqual(await silences.list(), [all, backup]);
  await clock.advance(HOUR - 1);
  assert.deepEqual(await silences.list(), [all, backup]);
  await clock.advance(1);
  assert.deepEqual(await silences.list(), [all]);
});

test("set() keeps the beginning of the silence that it replaces, but not of one that ended", async () => {
  const { clock, silences } = await world();
  await silences.set("backup", { until: START + 2 * HOUR, reason: "disk", by: "eva" });
  await clock.advance(HOUR);
  const until = START + HOUR + 1_000;
  const shorter = await silences.set("backup", { until, by: "tom" });
  assert.deepEqual(shorter, { kind: "backup", since: START, until, reason: "disk", by: "tom" });
  const other = await silences.set("backup", { until, reason: "new", by: "tom" });
  assert.equal(other.reason, "new");
  await clock.advance(1_000);
  const next = await silences.set("backup", { until: START + 5 * HOUR, by: "eva" });
  assert.equal(next.since, START + HOUR + 1_000);
});

test("remove() ends a silence now, and keeps it for its summary", async () => {
  const { clock, store, silences } = await world();
  await silences.set("backup", { until: START + 2 * HOUR, reason: "disk", by: "eva" });
  assert.equal(await silences.remove(null), false);
  assert.equal(await silences.remove("back"), false);
  await clock.advance(HOUR);
  assert.equal(await silences.remove("backup"), true);
  assert.equal(await silences.remove("backup"), false);
  assert.deepEqual(await silences.list(), []);
  const [memo] = await store.listMemos({ prefix: "silence:", after: null, limit: 1 });
  const ended = { kind: "backup", since: START, until: START + HOUR, reason: "disk", by: "eva" };
  assert.deepEqual(JSON.parse(memo!.data), ended);
});

test("deleteOld() deletes those that ended a day ago", async () => {
  const { clock, silences, stored } = await world();
  await silences.set(null, { until: START + HOUR, by: "eva" });
  await silences.set("backup", { until: START + HOUR + 1, by: "eva" });
  await clock.advance(HOUR + DAY - 1);
  await silences.deleteOld();
  assert.deepEqual(await stored(), ["silence:", "silence:backup"]);
  await clock.advance(1);
  await silences.deleteOld();
  assert.deepEqual(await stored(), ["silence:backup"]);
});

test("set() refuses a time that is past, or more than 31 days ahead", async () => {
  const { silences, stored } = await world();
  for (const until of [START, START - 1, NaN, Infinity, 1e300, START + 31 * DAY + 1]) {
    await assert.rejects(silences.set("backup", { until, by: "eva" }), (error) => {
      return isJobError(error, "invalid_argument") && error.path === "until" && error.hint !== "";
    });
  }
  assert.deepEqual(await stored(), []);
  await silences.set("backup", { until: START + 31 * DAY, by: "eva" });
  await silences.set("web", { until: START + 1, by: "eva" });
});

test("set() refuses a reason of more than 1,000 characters", async () => {
  const { silences } = await world();
  const until = START + HOUR;
  await silences.set("backup", { until, reason: "x".repeat(1_000), by: "eva" });
  await assert.rejects(
    silences.set("backup", { until, reason: "x".repeat(1_001), by: "eva" }),
    (error) => isJobError(error, "invalid_argument") && error.path === "reason",
  );
});

test("set() is repeated when another caller was first", async () => {
  const { clock, store, silences } = await world();
  let isFirst = true;
  const slow = new Silences({
    clock,
    store: {
      putMemo: (request) => store.putMemo(request),
      async listMemos(query) {
        const memos = await store.listMemos(query);
        if (isFirst) await silences.set("backup", { until: START + HOUR, by: "tom" });
        isFirst = false;
        return memos;
      },
    },
  });
  await slow.set("backup", { until: START + 2 * HOUR, by: "eva" });
  const [found] = await silences.list();
  assert.deepEqual([found?.by, found?.until], ["eva", START + 2 * HOUR]);
});
