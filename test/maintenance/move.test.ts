import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreWorld } from "../../src/conformance/world/store_world.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { fileStore, filledStore, hashOf, memoryStore, workOn } from "./moving_world.ts";

const TO = "sqlite:new.db";
const MIGRATE = { type: "migrate", to: TO, prefix: null } as const;
const MAINTENANCE = { node: "n1", isMaintenance: true } as const;

const open = (store: Store) => store.open({ at: systemClock.now(), node: "n1" });

test("migrate moves everything, and only the target is opened from then on", () =>
  withTempDir({}, async ({ path: folder }) => {
    const world = await filledStore(fileStore(folder, "old.db"), 40);
    const before = await hashOf(world.store);
    const target = fileStore(folder, "new.db");
    const { report } = await workOn(world, MIGRATE, { target });
    assert.deepEqual(report.source, report.target);
    assert.equal((report.source as { hash: string }).hash, before);
    await assert.rejects(world.addOne(), (error) => isJobError(error, "unavailable"));
    await world.store.close();
    await assert.rejects(open(world.store), (error) => {
      assert.ok(isJobError(error, "conflict") && error.message.includes(TO));
      assert.match(error.hint!, /store\.url = "sqlite:new\.db"/);
      return true;
    });
    await open(target);
    assert.equal(await hashOf(target), before);
    assert.deepEqual(await target.records.findProblems({ limit: 10 }), []);
    await target.close();
    // Asked again, it says so; --undo brings the older copy back.
    await world.store.open({ ...MAINTENANCE, at: systemClock.now() });
    const { report: again } = await workOn(world, MIGRATE, { target });
    assert.deepEqual(again, { to: TO, is_repeated: true });
    await workOn(world, { type: "undo" });
    await world.addOne();
    await world.store.close();
  }));

test("migrate copies what changes between its passes and in the cut", async () => {
  const world = await filledStore(memoryStore(), 30);
  const target = memoryStore();
  const read = target.records.readRecords.bind(target.records);
  let reads = 0;
  target.records.readRecords = async (request) => {
    if (++reads === 2) {
      await world.addOne();
      await world.finish({}, { logs: [{ at: 1, level: "info", message: "x", source: "job" }] });
    }
    return await read(request);
  };
  const suspend = async () => {
    await world.store.cancel({ at: world.at, query: {}, limit: 1 });
    return () => {};
  };
  const { report } = await workOn(world, MIGRATE, { target, suspend });
  assert.deepEqual(report.source, report.target);
  await open(target);
  assert.equal(await hashOf(target), await hashOf(world.store));
});

test("migrate that is broken off anywhere leaves the source in use and goes on when run again", async () => {
  for (let writes = 0; writes < 6; writes++) {
    const world = await filledStore(memoryStore(), 300);
    const target = memoryStore();
    const records = target.records;
    const [write, mark] = [records.writeRecords.bind(records), records.setMark.bind(records)];
    let left = writes;
    const breaking = <T>(run: () => Promise<T>) => {
      if (left-- > 0) return run();
      return Promise.reject(new Error("the target broke"));
    };
    records.writeRecords = (request) => breaking(() => write(request));
    records.setMark = (request) => breaking(() => mark(request));
    let isBroken = false;
    await workOn(world, MIGRATE, { target }).catch(() => isBroken = true);
    Object.assign(records, { writeRecords: write, setMark: mark });
    if (isBroken && await world.store.records.getMark() === null) {
      await world.addOne();
      if (writes > 0) await assert.rejects(open(target), (error) => isJobError(error, "conflict"));
    }
    const { report } = await workOn(world, MIGRATE, { target });
    if (!report.is_repeated) assert.deepEqual(report.source, report.target);
    await open(target);
    assert.equal(await hashOf(target), await hashOf(world.store), `after ${writes} writes`);
  }
});

test("migrate refuses a target that holds data, is filled from elsewhere, or is the source", async () => {
  const world = await filledStore(memoryStore(), 3);
  const used = memoryStore();
  await (await filledStore(used, 1)).store.close();
  await assert.rejects(workOn(world, MIGRATE, { target: used }), (error) => {
    assert.ok(isJobError(error, "conflict"));
    assert.match(error.message, /it has 1 instance and 1 schedule\b/);
    return true;
  });
  const half = memoryStore();
  await half.open({ ...MAINTENANCE, at: systemClock.now() });
  const receiving = { type: "receiving", from: "store other" } as const;
  await half.records.setMark({ at: systemClock.now(), mark: receiving });
  await half.close();
  await assert.rejects(workOn(world, MIGRATE, { target: half }), /filled from store other/);
  await assert.rejects(workOn(world, MIGRATE, { target: world.store }), /it is the same store/);
  await world.addOne();
});

test("migrate gives up when attempts of other nodes do not end, and takes the drain back", async () => {
  const world = await filledStore(memoryStore(), 3);
  await world.start();
  await assert.rejects(
    workOn(world, MIGRATE, { target: memoryStore(), drainMs: 150 }),
    /1 attempt still runs/,
  );
  assert.equal(await world.store.records.getMark(), null);
  await world.addOne();
});

test("migrate of a store whose owner died takes back what that one ran", () =>
  withTempDir({}, async ({ path: folder }) => {
    const world = await filledStore(fileStore(folder, "old.db"), 3);
    const running = await world.start({ crashesMax: 1 });
    await world.store.close();
    await world.store.open({ ...MAINTENANCE, at: systemClock.now() });
    const target = memoryStore();
    await workOn(world, MIGRATE, { target });
    await world.store.close();
    await open(target);
    const moved = await target.get(running.id);
    assert.deepEqual([moved!.state, moved!.crashes], ["scheduled", 1]);
  }));

test("migrate ends when nobody waits for it any more", async () => {
  const world = await filledStore(memoryStore(), 3);
  const abort = new AbortController();
  abort.abort();
  const given = { target: memoryStore(), signal: abort.signal };
  await assert.rejects(workOn(world, MIGRATE, given), (error) => isJobError(error, "canceled"));
  await world.addOne();
});

test("migrate to another place than the store has moved to leaves that as it is", async () => {
  const world = await filledStore(memoryStore(), 3);
  const target = memoryStore();
  await workOn(world, MIGRATE, { target });
  for (const other of [{ to: "sqlite:other.db" }, { prefix: "other" }]) {
    const work = { ...MIGRATE, ...other };
    await assert.rejects(workOn(world, work, { target: memoryStore() }), (error) => {
      assert.ok(isJobError(error, "conflict"));
      assert.match(error.message, /it has already moved to sqlite:new\.db/);
      return true;
    });
    assert.deepEqual(await world.store.records.getMark(), { type: "moved", to: TO });
  }
  await assert.rejects(world.addOne(), (error) => isJobError(error, "unavailable"));
});

test("migrate to another namespace of the same server says that it is one", async () => {
  const world = await filledStore(memoryStore(), 3);
  const target = memoryStore();
  const work = { type: "migrate", to: "valkey://host", prefix: "other" } as const;
  const { report } = await workOn(world, work, { target });
  assert.equal(report.prefix, "other");
  await world.store.close();
  await assert.rejects(open(world.store), (error) => {
    assert.ok(isJobError(error, "conflict"));
    assert.match(error.message, /moved to valkey:\/\/host with prefix "other"$/);
    assert.match(error.hint!, /store\.url = "valkey:\/\/host" and store\.prefix = "other"/);
    return true;
  });
});

test("migrate run again when the target lost everything does not say that all is well", async () => {
  const world = await filledStore(memoryStore(), 3);
  await workOn(world, MIGRATE, { target: memoryStore() });
  await assert.rejects(
    workOn(world, MIGRATE, { target: memoryStore() }),
    /that store is empty now/,
  );
  assert.equal((await world.store.records.getMark())?.type, "moved");
});

test("migrate never overwrites an older copy", async () => {
  const world = await filledStore(memoryStore(), 3);
  const target = memoryStore();
  await workOn(world, MIGRATE, { target });
  await world.store.close();
  await open(target);
  const back = workOn(new StoreWorld(target), MIGRATE, { target: world.store });
  await assert.rejects(back, /it is an older copy, whose data moved to sqlite:new\.db/);
});

test("of two runs that fill one target, the one that began last goes on", async () => {
  const world = await filledStore(memoryStore(), 600);
  const target = memoryStore();
  const write = target.records.writeRecords.bind(target.records);
  let second: Promise<unknown> | null = null;
  target.records.writeRecords = async (request) => {
    if (!second) {
      second = workOn(world, MIGRATE, { target });
      await second;
    }
    return await write(request);
  };
  await assert.rejects(workOn(world, MIGRATE, { target }), /another move is running/);
  assert.deepEqual(await world.store.records.getMark(), { type: "moved", to: TO });
});

test("two moves to different places at a time: one of them gives up, and spoils nothing", async () => {
  const world = await filledStore(memoryStore(), 3);
  const suspend = async () => {
    const other = { ...MIGRATE, to: "sqlite:other.db" };
    await assert.rejects(
      workOn(world, other, { target: memoryStore() }),
      /it is already moving to sqlite:new/,
    );
    assert.equal((await world.store.records.getMark())?.type, "draining");
    return () => {};
  };
  await workOn(world, MIGRATE, { target: memoryStore(), suspend });
  assert.equal((await world.store.records.getMark())?.type, "moved");
});

test("undo opens no store that is being filled or about to move", async () => {
  const marks = [
    { type: "receiving", from: "store other" },
    { type: "draining", to: TO, until: systemClock.now().wallMs + 60_000 },
  ] as const;
  for (const mark of marks) {
    const world = await filledStore(memoryStore(), 1);
    await world.store.records.setMark({ at: systemClock.now(), mark });
    await assert.rejects(
      workOn(world, { type: "undo" }),
      (error) => isJobError(error, "conflict"),
    );
    assert.deepEqual(await world.store.records.getMark(), mark);
  }
});
