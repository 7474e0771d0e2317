import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { Incident } from "../../../src/core/notices/incident.ts";
import type { NoticeSubject } from "../../../src/core/notices/notice.ts";
import { Incidents } from "../../../src/notices/incidents/incidents.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const START = Date.UTC(2026, 0, 1);
let lastId = 0;

function incidentOf(subject: NoticeSubject, rest: Partial<Incident> = {}): Incident {
  lastId += 1;
  return {
    id: `0193${String(lastId).padStart(4, "0")}-0000-7000-8000-000000000000`,
    subject,
    events: ["failed"],
    openedAt: START,
    closedAt: null,
    count: 1,
    lastAt: START,
    lastError: "exit code 1",
    lastInstanceId: null,
    lastVersion: null,
    lastExitCode: 1,
    acknowledgedBy: null,
    acknowledgedAt: null,
    notified: ["ops"],
    ...rest,
  };
}

/** The same clock with turns of its own, which it counts. */
function turning(clock: SimClock): { readonly clock: Clock; readonly turns: () => number } {
  let count = 0;
  const defer = (callback: () => void) => {
    count += 1;
    queueMicrotask(callback);
  };
  const timer: Clock["timer"] = (delayMs, callback) => clock.timer(delayMs, callback);
  return { clock: { now: () => clock.now(), timer, defer }, turns: () => count };
}

async function world() {
  const clock = new SimClock(START);
  const store = new MemoryStore({ defer: (run) => queueMicrotask(run) });
  await store.open({ at: clock.now(), node: "a" });
  const incidents = new Incidents({ store, clock: turning(clock).clock });
  /** Write the memo of a subject as the code that processes news does. */
  const put = async (key: string, data: string, expectedVersion: number | null = null) => {
    const value = { watch: "ends", data } as const;
    const change = { key, expectedVersion, value, isProcessed: false, instances: [] };
    await store.putMemo({ at: clock.now(), ...change });
  };
  const add = async (type: NoticeSubject["type"], name: string, rest: Partial<Incident> = {}) => {
    const incident = incidentOf({ type, name }, rest);
    await put(`${type}:${name}`, JSON.stringify({ streak: 3, incident, collected: ["x"] }));
    return incident;
  };
  const names = async (...args: Parameters<Incidents["list"]>) => {
    const { items, nextToken } = await incidents.list(...args);
    return { names: items.map(({ subject }) => subject.name), nextToken };
  };
  return { clock, store, incidents, put, add, names };
}

const JOB = { type: "job", name: "backup" } as const;
const PAGE = { limit: 10 };

test("list() has the open incidents of every kind of subject, and of nothing else", async () => {
  const { add, put, names } = await world();
  for (const type of ["channel", "store", "daemon", "node", "job"] as const) await add(type, type);
  await add("job", "closed", { closedAt: START + 1 });
  await put("job:well", JSON.stringify({ incident: null, streak: 0 }));
  await put("job:fresh", "");
  await put("job:broken", '{"openedAt"');
  await put("silence:job", JSON.stringify({ incident: incidentOf(JOB) }));
  const open = ["job", "node", "daemon", "store", "channel"];
  assert.deepEqual(await names({}, PAGE), { names: open, nextToken: null });
  const all = await names({ withClosed: true }, PAGE);
  assert.deepEqual(all.names, ["closed", ...open]);
});

test("list() of a kind has that job's incident, and not one of a kind that begins so", async () => {
  const { add, names } = await world();
  await add("job", "backup-db");
  await add("node", "backup");
  assert.deepEqual((await names({ kind: "backup" }, PAGE)).names, []);
  await add("job", "backup");
  assert.deepEqual((await names({ kind: "backup" }, PAGE)).names, ["backup"]);
  assert.deepEqual((await names({ kind: "backup", jobs: ["shop-*"] }, PAGE)).names, []);
});

test("list() of some jobs has no incident of others, nor of nodes", async () => {
  const { add, names } = await world();
  await add("job", "shop-a");
  await add("job", "mail");
  await add("node", "shop-b");
  assert.deepEqual((await names({ jobs: ["shop-*"] }, PAGE)).names, ["shop-a"]);
});

test("list() gives each incident once over pages, whose tokens name only what was shown", async () => {
  const { add, put, names } = await world();
  for (let index = 0; index < 450; index++) {
    const name = `j${String(index).padStart(3, "0")}`;
    if (index % 3 === 0) await add("job", name);
    else await put(`job:${name}`, JSON.stringify({ incident: null }));
  }
  await add("node", "n");
  const found: string[] = [];
  let token: string | undefined;
  do {
    const page = await names({}, { limit: 50, ...(token === undefined ? {} : { token }) });
    assert.ok(page.names.length > 0 && page.names.length <= 50);
    found.push(...page.names);
    if (page.nextToken !== null) assert.equal(page.nextToken, `job:${page.names.at(-1)}`);
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
  assert.equal(found.length, 151);
  assert.equal(new Set(found).size, 151);
});

test("list() lets others run between its reads", async () => {
  const { clock, store, put } = await world();
  for (let index = 0; index < 450; index++) await put(`job:j${1_000 + index}`, "");
  const { clock: counting, turns } = turning(clock);
  await new Incidents({ store, clock: counting }).list({}, PAGE);
  assert.equal(turns(), 4);
});

test("list() refuses a token that is none", async () => {
  const { names } = await world();
  for (const token of ["x", "silence:", "watcher:a"]) {
    await assert.rejects(
      names({}, { limit: 1, token }),
      (error) => isJobError(error, "invalid_argument") && error.path === "page_token",
    );
  }
});

test("acknowledge() keeps the rest of the memo, and its news", async () => {
  const { clock, store, incidents, add } = await world();
  const before = await add("job", "backup");
  const at = clock.now();
  const news = [{ id: "n", event: "failed", at: START, instanceId: null, detail: null }];
  await store.addNews({ at, key: "job:backup", news, noticeId: before.id });
  await clock.advance(1_000);
  const { incident, isChanged } = await incidents.acknowledge(JOB, { by: "eva", id: before.id });
  const wanted = { ...before, acknowledgedBy: "eva", acknowledgedAt: START + 1_000 };
  assert.deepEqual([incident, isChanged], [wanted, true]);
  const [memo] = await store.listMemos({ prefix: "job:backup", after: null, limit: 1 });
  assert.deepEqual(JSON.parse(memo!.data), { streak: 3, incident: wanted, collected: ["x"] });
  assert.equal(memo!.watch, "ends");
  assert.deepEqual(memo!.news, news);
});

test("acknowledge() keeps the first name", async () => {
  const { incidents, add } = await world();
  await add("job", "backup");
  await incidents.acknowledge(JOB, { by: "eva" });
  const { incident, isChanged } = await incidents.acknowledge(JOB, { by: "tom" });
  assert.deepEqual([incident.acknowledgedBy, isChanged], ["eva", false]);
});

test("acknowledge() takes back what anybody acknowledged, once", async () => {
  const { incidents, add, clock } = await world();
  const { id } = await add("job", "backup");
  await incidents.acknowledge(JOB, { by: "eva" });
  const undo = { by: "tom", id, isUndo: true };
  const { incident, isChanged } = await incidents.acknowledge(JOB, undo);
  assert.deepEqual(
    [incident.acknowledgedBy, incident.acknowledgedAt, isChanged],
    [null, null, true],
  );
  assert.equal((await incidents.acknowledge(JOB, undo)).isChanged, false);
  clock.shiftWall(5);
  const again = await incidents.acknowledge(JOB, { by: "tom" });
  assert.deepEqual([again.incident.acknowledgedBy, again.isChanged], ["tom", true]);
  await assert.rejects(
    incidents.acknowledge({ type: "job", name: "web" }, undo),
    (error) => isJobError(error, "not_found") && /take back the acknow/.test(error.message),
  );
});

test("acknowledge() closes an incident with the name of the caller, so that a next one is new", async () => {
  const { clock, incidents, store, add } = await world();
  const before = await add("job", "backup", { acknowledgedBy: "tom", acknowledgedAt: START });
  await clock.advance(1_000);
  const close = { by: "eva", id: before.id, isClose: true };
  const { incident, isChanged } = await incidents.acknowledge(JOB, close);
  const wanted = { ...before, closedAt: START + 1_000, closedReason: "closed by eva" };
  assert.deepEqual([incident, isChanged], [wanted, true]);
  const [memo] = await store.listMemos({ prefix: "job:backup", after: null, limit: 1 });
  const { streak, notified, collected } = JSON.parse(memo!.data);
  assert.deepEqual([memo!.watch, streak, notified, collected], ["failures", 0, {}, ["x"]]);
  await assert.rejects(
    incidents.acknowledge(JOB, close),
    (error) => isJobError(error, "not_found") && /Cannot close the incident/.test(error.message),
  );
});

test("acknowledge() does not touch another incident than the one that is meant", async () => {
  const { incidents, add, names } = await world();
  const { id } = await add("job", "backup");
  const other = id.replace("0193", "0194");
  await assert.rejects(
    incidents.acknowledge(JOB, { by: "eva", id: other }),
    (error) => isJobError(error, "conflict") && error.path === "id",
  );
  assert.deepEqual((await names({}, PAGE)).names, ["backup"]);
});

test("list() and acknowledge() find the incident of a channel that cannot deliver", async () => {
  const { incidents, put, names } = await world();
  const incident = incidentOf({ type: "channel", name: "ops" });
  await put("job:system.notice.ops", JSON.stringify({ incident }));
  assert.deepEqual((await names({}, PAGE)).names, ["ops"]);
  assert.deepEqual((await names({ jobs: ["*"] }, PAGE)).names, []);
  assert.deepEqual((await names({ kind: "system.notice.ops" }, PAGE)).names, []);
  const job = { type: "job", name: "system.notice.ops" } as const;
  await assert.rejects(
    incidents.acknowledge(job, { by: "eva" }),
    (error) => isJobError(error, "not_found"),
  );
  const channel = { type: "channel", name: "ops" } as const;
  const { isChanged } = await incidents.acknowledge(channel, { by: "eva", id: incident.id });
  assert.ok(isChanged);
});

test("acknowledge() finds no closed incident, and none of another type", async () => {
  const { incidents, add } = await world();
  await add("job", "backup", { closedAt: START + 1 });
  await add("job", "web");
  for (
    const subject of [JOB, { type: "node", name: "web" }, { type: "job", name: "we" }] as const
  ) {
    await assert.rejects(
      incidents.acknowledge(subject, { by: "eva" }),
      (error) => isJobError(error, "not_found"),
    );
  }
});

test("acknowledge() works on the newest state when others change the memo meanwhile", async () => {
  const { clock, store, put } = await world();
  const first = incidentOf(JOB);
  const write = (count: number, version: number | null) =>
    put("job:backup", JSON.stringify({ incident: { ...first, count } }), version);
  await write(1, null);
  let reads = 0;
  const incidents = new Incidents({
    clock,
    store: {
      putMemo: (request) => store.putMemo(request),
      async listMemos(query) {
        const memos = await store.listMemos(query);
        reads += 1;
        if (reads <= 3) await write(reads + 1, memos[0]!.version);
        return memos;
      },
    },
  });
  const { incident } = await incidents.acknowledge(JOB, { by: "eva" });
  assert.deepEqual([incident.count, reads], [4, 4]);
});

test("acknowledge() gives up when the memo never rests", async () => {
  const { clock, store, put } = await world();
  await put("job:backup", JSON.stringify({ incident: incidentOf(JOB) }));
  let puts = 0;
  const incidents = new Incidents({
    clock,
    store: {
      listMemos: (query) => store.listMemos(query),
      putMemo(request) {
        puts += 1;
        return store.putMemo({ ...request, expectedVersion: 99 });
      },
    },
  });
  await assert.rejects(
    incidents.acknowledge(JOB, { by: "eva" }),
    (error) => isJobError(error, "conflict") && /others keep changing it/.test(error.message),
  );
  assert.equal(puts, 20);
});
