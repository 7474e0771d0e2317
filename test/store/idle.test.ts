import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE_MS, START, StoreWorld } from "../../src/conformance/world/store_world.ts";
import { GroupCommit } from "../../src/store/ledger/group.ts";
import { LedgerStore } from "../../src/store/ledger/store.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";

/** Tables that count transactions, looks at deadlines, and calls of rest(). */
class CountedTables extends MemoryTables {
  count = 0;
  looks = 0;
  restCount = 0;

  constructor() {
    super();
    const { instances } = this;
    const pastDeadline = instances.pastDeadline.bind(instances);
    instances.pastDeadline = (...range) => {
      this.looks += 1;
      return pastDeadline(...range);
    };
  }

  rest(): void {
    this.restCount += 1;
  }

  override begin(): boolean {
    this.count += 1;
    return super.begin();
  }
}

async function openWorld() {
  const tables = new CountedTables();
  const store = new LedgerStore((publish) => new GroupCommit(tables, {}, publish));
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  const world = new StoreWorld(store);
  // After a claim the store knows that there is no deadline.
  await world.claim(1);
  return { tables, store, world };
}

test("reap() begins no transaction while nothing can be taken back", async () => {
  const { tables, store, world } = await openWorld();
  await world.add({});
  const [claimed] = await world.claim(1);
  tables.count = 0;
  world.advance(LEASE_MS - 1);
  assert.deepEqual((await store.reap({ at: world.at, limit: 10 })).value, []);
  assert.equal(tables.count, 0);
  world.advance(1);
  const { value } = await store.reap({ at: world.at, limit: 10 });
  assert.deepEqual(value.map(({ id }) => id), [claimed!.id]);
  assert.equal(tables.count, 1);
});

test("reap() takes back a claim that open() kept once its lease ends", async () => {
  const { store, world } = await openWorld();
  const kept = await world.start();
  await store.close();
  await store.open({ at: world.at, node: "n1", keeps: { claims: [kept], leaseMs: LEASE_MS } });
  world.advance(LEASE_MS - 1);
  assert.deepEqual(await world.reap(), []);
  world.advance(1);
  assert.deepEqual((await world.reap()).map(({ id }) => id), [kept.id]);
});

test("reap() reads no tables while nothing can be taken back", async () => {
  const { tables, store, world } = await openWorld();
  await store.reap({ at: world.at, limit: 10 });
  tables.looks = 0;
  for (let count = 0; count < 3; count++) await store.reap({ at: world.at, limit: 10 });
  assert.equal(tables.looks, 0);
  await world.add({ deadlineAt: world.at.wallMs + 1_000 });
  world.advance(1_000);
  assert.equal((await store.reap({ at: world.at, limit: 10 })).value.length, 1);
  assert.ok(tables.looks > 0);
});

test("reap() calls rest() of the tables unless something runs", async () => {
  const { tables, store, world } = await openWorld();
  await store.reap({ at: world.at, limit: 10 });
  assert.equal(tables.restCount, 1);
  await world.add({});
  await world.claim(1);
  await store.reap({ at: world.at, limit: 10 });
  assert.equal(tables.restCount, 1);
});

test("a store of one process announces its first claim, and the first after it had none", async () => {
  const { store, world } = await openWorld();
  let count = 0;
  store.subscribe(({ type }) => count += type === "claims" ? 1 : 0);
  await world.add({});
  await world.add({});
  const [first] = await world.claim(1);
  assert.equal(count, 1);
  const [second] = await world.claim(1);
  assert.equal(count, 1);
  for (const each of [first!, second!]) await world.settle(each);
  await world.add({});
  await world.claim(1);
  assert.equal(count, 2);
});

test("reap() ends an instance past a deadline that was added after it found none", async () => {
  const { store, world } = await openWorld();
  assert.deepEqual((await store.reap({ at: world.at, limit: 10 })).value, []);
  const [added] = await world.add({ deadlineAt: world.at.wallMs + 1_000 });
  world.advance(1_000);
  const { value } = await store.reap({ at: world.at, limit: 10 });
  assert.deepEqual(value.map(({ id }) => id), [added!.id]);
});

test("renew() of an only owner begins no transaction", async () => {
  const { tables, store, world } = await openWorld();
  await world.add({});
  const claims = (await world.claim(1)).map(({ id, fence }) => ({ id, fence }));
  tables.count = 0;
  world.advance(LEASE_MS - 1);
  const renewed = await store.renew({ at: world.at, node: "n1", claims, leaseMs: LEASE_MS });
  assert.equal(renewed.value[0]!.status, "renewed");
  world.advance(LEASE_MS - 1);
  assert.deepEqual((await store.reap({ at: world.at, limit: 10 })).value, []);
  assert.equal(tables.count, 0);
});
