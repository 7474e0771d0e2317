import assert from "node:assert/strict";
import type { Instance } from "../core/instance.ts";
import {
  canonicalText,
  comparePlaces,
  keyOf,
  type RecordKey,
  type StoreRecord,
} from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { textFields } from "./world/plain_instance.ts";
import {
  failed,
  LEASE_MS,
  line,
  MINUTE,
  readPages,
  refuses,
  retry,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

const ERROR = { name: "Error", message: "böse \u{1f4a5}", exitCode: 3 };

/** One of everything: states, attempts, held ticks, fates, pauses, rate starts, lines. */
async function fill(world: StoreWorld): Promise<void> {
  const { store } = world;
  const argumentsJson = '["ü\u{1f600}",9007199254740993]';
  await world.finish({ ...textFields(), argumentsJson }, { logs: [line("done")] });
  await world.finish({ uniqueKey: "kept", unique: { forMs: MINUTE, onConflict: "keep" } });
  const dead = await world.finish({}, {
    outcome: failed(),
    version: "7",
    usage: { maxRssBytes: 4_096, cpuMs: null },
  });
  await store.redrive({
    at: world.at,
    instances: [world.newInstance({ retryOf: dead.id, dueAt: START + MINUTE })],
    isForced: false,
  });
  const again = await world.start({ retryMax: 5, deadlineAt: START + 10 * MINUTE });
  await world.settle(again, {
    outcome: retry(START + MINUTE, ERROR),
    logs: [line("first"), line("2")],
  });
  const child = { parentId: again.id, flowId: again.id };
  await world.cancel((await world.addOne({ queueKey: "mail acme", uniqueKey: "u", ...child })).id);
  const limits = {
    kinds: new Map([["rated", { concurrency: [], rate: [{ max: 1, perMs: MINUTE, by: [] }] }]]),
    pools: [],
  };
  await world.add({ kind: "rated" }, { kind: "rated" });
  const kinds = new Set(["rated"]);
  const claim = { at: world.at, node: "n1", kinds, limits, limit: 1, leaseMs: LEASE_MS };
  const { value: [rated] } = await store.claim(claim);
  await world.settle(rated!);
  await world.putSchedule({ spec: { ...world.newSchedule().spec, overlap: "queue" } });
  await world.fire(START, [START + MINUTE, START + 2 * MINUTE], {
    overlap: "queue",
    fates: [{
      from: START - MINUTE,
      to: START - MINUTE,
      count: 1,
      fate: "missed",
      reason: "too late",
      instanceId: null,
    }],
  });
  await world.putSchedule({ id: "other", kind: "other", nextAt: null });
  await store.setPause({ at: world.at, kind: null, until: START + MINUTE, reason: "all" });
  await store.setPause({ at: world.at, kind: "other", until: null, reason: "é" });
}

/** Every record, page by page. */
async function readAll(store: Store, limit = 100): Promise<StoreRecord[]> {
  const records: StoreRecord[] = [];
  let after: RecordKey | null = null;
  for (;;) {
    const page = await store.records.readRecords({ after, limit });
    assert.ok(page.records.length <= limit);
    records.push(...page.records);
    if (page.isEnd) return records;
    if (page.records.length > 0) after = keyOf(page.records.at(-1)!);
  }
}

/** The compared texts: without the store's own numbers. */
function textsOf(records: readonly StoreRecord[]): readonly string[] {
  return records.filter(({ type }) => type !== "head").map(canonicalText);
}

function instancesOf(records: readonly StoreRecord[]): readonly Instance[] {
  return records.flatMap((one) => one.type === "instance" ? [one.instance] : []);
}

async function empty(world: StoreWorld): Promise<void> {
  const keys = (await readAll(world.store)).map(keyOf);
  await world.store.records.removeRecords({ at: world.at, keys });
}

/** Cases of records: moving, backing up and restoring a store. */
export const recordCases: StoreCases = {
  "readRecords() gives everything in the order of places, whatever the size of its pages": async (
    world,
  ) => {
    await fill(world);
    const records = await readAll(world.store);
    const places = records.map(keyOf);
    assert.deepEqual([...places].sort(comparePlaces), places);
    for (const limit of [1, 2, 3]) {
      assert.deepEqual(await readAll(world.store, limit), records);
    }
    const counts: Record<string, number> = {};
    for (const { type } of records) counts[type] = (counts[type] ?? 0) + 1;
    assert.equal(counts.head, 1);
    assert.equal(counts.schedule, 2);
    assert.equal(counts.pause, 2);
    assert.equal(counts.instance, 10);
    assert.equal(counts.tick, 3);
    assert.equal(counts.log, 3);
    const held = records.filter((one) => one.type === "instance" && one.isHeld);
    assert.equal(held.length, 1);
  },

  "writeRecords() puts back what was read, twice as well as once": async (world) => {
    await fill(world);
    const records = await readAll(world.store);
    const stats = await world.store.stats();
    const flowId = instancesOf(records).find(({ flowId }) => flowId !== null)!.flowId!;
    await empty(world);
    assert.deepEqual(textsOf(await readAll(world.store)), []);
    assert.equal((await world.store.stats()).kinds.size, 0);
    for (let time = 0; time < 2; time++) {
      const { value } = await world.store.records.writeRecords({ at: world.at, records });
      assert.equal(value, records.length);
      assert.deepEqual(textsOf(await readAll(world.store)), textsOf(records));
      assert.deepEqual(await world.store.stats(), stats);
      assert.equal((await readPages((page) => world.store.list({ flowId }, page), 1)).length, 2);
    }
    const orders = (all: readonly StoreRecord[]) => all.map((one) => "order" in one && one.order);
    assert.deepEqual(orders(await readAll(world.store)), orders(records));
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "what was put back goes on: claims, holds, keys, retries, logs, ticks and deletion": async (
    world,
  ) => {
    await fill(world);
    const records = await readAll(world.store);
    await empty(world);
    await world.store.records.writeRecords({ at: world.at, records });
    await world.resume(null);
    // The key is taken as before.
    const unique = { forMs: MINUTE, onConflict: "keep" } as const;
    const input = world.newInstance({ uniqueKey: "kept", unique });
    const [same] = await world.enqueue(input);
    assert.equal(same!.outcome, "sameKey");
    // The fired tick does not fire again, and the held one waits for it.
    const again = await world.fire(START + 2 * MINUTE, [START + 2 * MINUTE]);
    assert.deepEqual(again.accepted, []);
    world.advance(2 * MINUTE);
    const claimed = await world.claim(10);
    assert.equal(claimed.length, 3);
    const [retried] = claimed.filter(({ attempt }) => attempt === 2);
    assert.equal(retried!.failures, 1);
    const tick = claimed.find(({ scheduledFor }) => scheduledFor === START + MINUTE);
    await world.settle(tick!, { logs: [line("tick")] });
    const [next] = await world.claim(10);
    assert.equal(next!.scheduledFor, START + 2 * MINUTE);
    const lines = await world.store.logs({}, { limit: 10 });
    assert.equal(lines.items.length, 4);
    const tail = await world.store.tailLogs({}, { cursor: null, limit: 10 });
    assert.deepEqual(tail.items.at(-1)!.message, "tick");
    world.advance(10 * MINUTE);
    assert.ok((await world.retain()).length >= 5);
  },

  "writeRecords() replaces what changed and removes with its key what is gone": async (world) => {
    const gone = await world.finish({}, { logs: [line("x")] });
    const { id } = await world.addOne();
    const before = await readAll(world.store);
    const [running] = (await world.claim(2)).filter((one) => one.id === id);
    await world.settle(running!, { outcome: retry(START + MINUTE, ERROR), logs: [line("one")] });
    const after = await readAll(world.store);
    await empty(world);
    await world.store.records.writeRecords({ at: world.at, records: before });
    await world.store.records.writeRecords({ at: world.at, records: after });
    assert.deepEqual(textsOf(await readAll(world.store)), textsOf(after));
    const record = after.find((one) => one.type === "instance" && one.instance.id === gone.id)!;
    const keys = [keyOf(record), keyOf(record)];
    const { value } = await world.store.records.removeRecords({ at: world.at, keys });
    assert.equal(value, 1);
    assert.equal(await world.store.get(gone.id), null);
    const items = await world.logs();
    assert.deepEqual(items.map(({ message }) => message), ["one"]);
  },

  "writeRecords() never lets times, epochs and orders fall": async (world) => {
    const head = (await readAll(world.store))[0]!;
    assert.ok(head.type === "head");
    const raised = { ...head, at: START + MINUTE, epoch: 7_000 };
    const lower = { ...head, at: 1, epoch: 1 };
    await world.store.records.writeRecords({ at: world.at, records: [raised, lower] });
    const added = await world.store.enqueue({ at: world.at, instances: [world.newInstance()] });
    assert.equal(added.at, raised.at);
    await world.store.close();
    const { epoch } = await world.store.open({ at: world.at, node: "n1" });
    assert.ok(epoch > raised.epoch);
    const one = (await readAll(world.store)).find(({ type }) => type === "instance")!;
    assert.ok(one.type === "instance");
    const instance = { ...one.instance, id: world.newId() };
    const far = { ...one, order: one.order + 1_000, instance };
    await world.store.records.writeRecords({ at: world.at, records: [far] });
    const last = await world.addOne();
    const orders = (await readAll(world.store)).flatMap((record) =>
      record.type === "instance" ? [[record.instance.id, record.order] as const] : []
    );
    assert.deepEqual(orders.at(-1)![0], last.id);
    assert.ok(orders.at(-1)![1] > far.order);
  },

  "writeRecords() takes an id to another order, with its lines; lines of nobody are left out":
    async (
      world,
    ) => {
      const { id } = await world.finish({}, { logs: [line("mine")] });
      const records = await readAll(world.store);
      const one = records.find(({ type }) => type === "instance")!;
      const log = records.find(({ type }) => type === "log")!;
      assert.ok(one.type === "instance" && log.type === "log");
      const stray = {
        ...log,
        order: log.order + 5,
        line: { ...log.line, instanceId: world.newId() },
      };
      const moved = { ...one, order: one.order + 5 };
      const { value } = await world.store.records.writeRecords({
        at: world.at,
        records: [moved, stray],
      });
      assert.equal(value, 1);
      const found = await readAll(world.store);
      assert.deepEqual(
        found.flatMap((record) => record.type === "instance" ? [record.order] : []),
        [moved.order],
      );
      const items = await world.logs({ instanceId: id });
      assert.deepEqual(items.map(({ message }) => message), ["mine"]);
    },

  "writeRecords() of a processing instance holds no lease": async (world) => {
    const running = await world.start();
    const records = await readAll(world.store);
    await empty(world);
    await world.store.records.writeRecords({ at: world.at, records });
    assert.equal((await world.settle(running)).status, "stale");
    assert.equal((await world.store.get(running.id))!.state, "processing");
    const [recovered] = await world.reopen();
    assert.deepEqual([recovered!.id, recovered!.state, recovered!.crashes], [
      running.id,
      "scheduled",
      1,
    ]);
    const [again] = await world.claim();
    assert.ok(again!.fence > running.fence);
  },

  "readRecords() leaves out and repeats nothing while others write": async (world) => {
    const ids = (await world.addMany(20)).map(({ id }) => id);
    const seen: string[] = [];
    let after: RecordKey | null = { type: "pause", kind: "\u{10ffff}" };
    for (let page = 0;; page++) {
      const { records, isEnd } = await world.store.records.readRecords({ after, limit: 3 });
      for (const record of records) {
        if (record.type === "instance") seen.push(record.instance.id);
      }
      if (isEnd) break;
      if (records.length > 0) after = keyOf(records.at(-1)!);
      if (page > 8) continue;
      // Before, at and behind the cursor.
      await world.settle((await world.claim())[0]!);
      await world.addOne();
    }
    assert.deepEqual(seen.slice(0, ids.length), ids);
    assert.equal(new Set(seen).size, seen.length);
  },

  "setMark() drains: nothing is claimed or begun, what runs settles, until its time": async (
    world,
  ) => {
    const { store } = world;
    const running = await world.start();
    await world.addOne();
    const until = START + MINUTE;
    const mark = { type: "draining", to: "valkey://h/0", until } as const;
    await store.records.setMark({ at: world.at, mark });
    assert.deepEqual(await store.records.getMark(), mark);
    assert.deepEqual(await world.claim(), []);
    const due = await store.nextDue({ at: world.at, kinds: new Set(["mail"]) });
    assert.equal(due.instanceAt, until);
    await refuses(world.add({}), "unavailable", "valkey://h/0");
    await refuses(world.putSchedule(), "unavailable", "valkey://h/0");
    await refuses(
      store.setPause({ at: world.at, kind: null, until: null, reason: "" }),
      "unavailable",
      "valkey://h/0",
    );
    assert.equal((await world.settle(running, { logs: [line("ran")] })).status, "settled");
    world.advance(MINUTE);
    assert.equal((await world.claim()).length, 1);
    await world.add({});
    assert.equal(await store.records.getMark(), null);
  },

  "setMark() moved refuses every write, and an opening by name": async (world) => {
    const { store } = world;
    const running = await world.start();
    const mark = { type: "moved", to: "valkey://h/0" } as const;
    await store.records.setMark({ at: world.at, mark });
    await refuses(world.add({}), "unavailable", "valkey://h/0");
    await refuses(world.claim(), "unavailable", "valkey://h/0");
    await refuses(world.settle(running), "unavailable", "valkey://h/0");
    assert.equal((await store.get(running.id))!.state, "processing");
    await store.close();
    await refuses(store.open({ at: world.at, node: "n1" }), "conflict", "valkey://h/0");
    const { recovered } = await store.open({ at: world.at, node: "n1", isMaintenance: true });
    assert.deepEqual(recovered, []);
    assert.deepEqual(await store.records.getMark(), mark);
    await store.records.setMark({ at: world.at, mark: null });
    await world.reopen();
    assert.equal((await world.claim()).length, 1);
  },

  "a store that is being filled is opened by nobody else": async (world) => {
    const { store } = world;
    await store.records.setMark({ at: world.at, mark: { type: "receiving", from: "there" } });
    await store.close();
    await refuses(store.open({ at: world.at, node: "n1" }), "conflict", "there");
    await store.open({ at: world.at, node: "n1", isMaintenance: true });
    await store.records.setMark({ at: world.at, mark: null });
    await world.reopen();
    await world.addOne();
  },

  "findProblems() finds none in a store that was used": async (world) => {
    await fill(world);
    await world.start();
    assert.deepEqual(await world.store.records.findProblems({ limit: 100 }), []);
    assert.equal((await world.store.records.removeOrphans({ at: world.at, limit: 100 })).value, 0);
    const { bytes } = await world.store.records.size();
    assert.ok(bytes === null || bytes > 0);
    await world.store.records.compact();
    assert.equal((await world.store.stats()).schedules, 2);
  },
};
