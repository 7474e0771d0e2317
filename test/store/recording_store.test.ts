import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimLimits, UniqueRule } from "../../src/core/job/limits.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import type { Settlement } from "../../src/store/store.ts";
import {
  completed,
  failed,
  LEASE_MS,
  readPages,
  START,
  StoreWorld,
} from "../../src/conformance/world/store_world.ts";
import { checkInvariants } from "../support/invariants/invariants.ts";
import { type RecordingStore, recordStore } from "../support/servers/recording_store.ts";

const MAKE = {
  memory: () => new MemoryStore({ defer: systemClock.defer }),
  sqlite: () => new SqliteStore({ path: ":memory:", defer: systemClock.defer }),
};

async function openWorld(type: keyof typeof MAKE): Promise<[StoreWorld, RecordingStore]> {
  const store = recordStore(MAKE[type]());
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  return [new StoreWorld(store), store];
}

test("recordStore() records each step of a run once", async () => {
  const [world, store] = await openWorld("memory");
  const running = await world.start();
  const { id, fence } = running;
  const logs = [{ at: START, level: "info", message: "m", source: "job" }] as const;
  await world.store.renew({ at: world.at, node: "n1", claims: [{ id, fence }], leaseMs: 9 });
  await world.settle(running, { logs });
  await world.settle(running, { logs });
  world.advance(60_000);
  await world.store.retain({ at: world.at, limit: 9 });
  const types = store.records.map(({ type }) => type);
  assert.deepEqual(types, ["accept", "claim", "renew", "log", "settle", "delete"]);
});

test("recordStore() records fires, skips and what an opening takes back", async () => {
  const [world, store] = await openWorld("memory");
  await world.putSchedule();
  await world.fire(START, [START + 1, START + 2]);
  world.advance(5);
  await world.claim();
  await store.close();
  await store.open({ at: world.at, node: "n1" });
  const types = store.records.map(({ type }) => type);
  assert.deepEqual(types, ["skip", "fire", "accept", "claim", "release"]);
});

/** One random step of a client, a node or time. */
function step(
  world: StoreWorld,
  next: () => number,
  choice: readonly ClaimLimits[],
): Promise<unknown> {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
  const kinds = ["a", "b", "c"];
  const error = { name: "E", message: "" };
  const outcome = (dueAt: number): Settlement["outcome"] =>
    pick<Settlement["outcome"]>([
      completed(),
      completed(),
      failed(),
      { type: "retry", dueAt, reason: "error", error },
      { type: "crash", dueAt, error },
      { type: "release", dueAt },
    ]);
  const served = kinds.filter(() => next() < 0.7);
  const addOne = () => {
    const kind = pick(kinds);
    return world.add({
      kind,
      queueKey: pick([kind, `${kind} x`, `${kind} y`]),
      priority: Math.floor(next() * 3),
      dueAt: world.wallMs + Math.floor(next() * 3_000) - 1_000,
      uniqueKey: next() < 0.2 ? pick(["x", "y"]) : null,
      unique: pick(UNIQUE),
      ...(next() < 0.3 ? { waitingMax: 4 } : {}),
      retryMax: 2,
    }).catch(() => null);
  };
  const actions = [
    addOne,
    async () => {
      const request = { at: world.at, node: pick(["n1", "n2"]), kinds: new Set(served) };
      const limit = 1 + Math.floor(next() * 4);
      const limits = pick(choice);
      const claim = { ...request, limits, limit, leaseMs: LEASE_MS };
      const claimed = (await world.store.claim(claim)).value;
      for (const instance of claimed) {
        if (next() < 0.2) continue;
        const isRetry = instance.failures < 2;
        const chosen = outcome(world.wallMs + Math.floor(next() * 500));
        const logs = next() < 0.5
          ? [{ at: world.wallMs, level: "info", message: "m", source: "job" } as const]
          : [];
        await world.settle(instance, {
          logs,
          outcome: chosen.type === "retry" && !isRetry ? failed() : chosen,
        });
      }
    },
    async () => {
      const query = { kinds: [pick(kinds)] };
      await world.store.cancel({ at: world.at, query, limit: 1 });
    },
    () => world.reap(),
    () => world.store.retain({ at: world.at, limit: 5 }),
    () => world.store.setPause({ at: world.at, kind: pick(kinds), until: null, reason: "" }),
    ...kinds.map((kind) => () => world.store.removePause({ at: world.at, kind })),
    async () => world.advance(Math.floor(next() * LEASE_MS / 4)),
    async () => {
      if (next() > 0.1) return;
      await world.store.close();
      await world.store.open({ at: world.at, node: "n1" });
    },
  ];
  const weights = [0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10];
  return actions[pick(weights)]!();
}

const UNIQUE: readonly UniqueRule[] = [
  { forMs: null, onConflict: "refuse" },
  { forMs: 2_000, onConflict: "keep" },
  { forMs: null, onConflict: "replace" },
];
const BY = ["account"];
const LIMITS: readonly ClaimLimits[] = [
  { kinds: new Map(), pools: [] },
  {
    kinds: new Map([
      ["a", { concurrency: [{ max: 1, by: BY, per: "cluster" }], rate: [] }],
      ["b", { concurrency: [{ max: 2, by: [], per: "node" }], rate: [] }],
    ]),
    pools: [],
  },
  {
    kinds: new Map([
      ["a", { concurrency: [], rate: [{ max: 2, perMs: 3_000, by: BY }] }],
      ["b", { concurrency: [], rate: [{ max: 3, perMs: 1_000, by: [] }] }],
    ]),
    pools: [],
  },
];

/** Starts count only for claims with a rate: all have one, or none. */
function limitsOf(seed: number): readonly ClaimLimits[] {
  return seed % 2 === 0 ? LIMITS.slice(0, 2) : LIMITS.slice(2);
}

for (const type of ["memory", "sqlite"] as const) {
  for (let seed = 1; seed <= 10; seed++) {
    test(`${type} store keeps the invariants under random steps of seed ${seed}`, async () => {
      const [world, store] = await openWorld(type);
      const random = seededRandom(seed);
      for (let count = 0; count < 400; count++) {
        await step(world, () => random.next(), limitsOf(seed));
      }
      const snapshot = await readPages((page) => store.list({}, page), 100);
      const logs = await readPages((page) => store.logs({}, page), 100);
      const { kinds } = await store.stats();
      assert.deepEqual(
        checkInvariants({ records: store.records, snapshot, logs, counts: kinds }),
        [],
      );
      assert.ok(store.records.length > 100);
    });
  }
}

test("memory and SQLite do the same under the same random steps", async () => {
  const traces: string[] = [];
  for (const type of ["memory", "sqlite"] as const) {
    const [world, store] = await openWorld(type);
    const random = seededRandom(99);
    for (let count = 0; count < 600; count++) await step(world, () => random.next(), LIMITS);
    const snapshot = await readPages((page) => store.list({}, page), 100);
    const history = await readPages((page) => store.history({}, page), 100);
    traces.push(JSON.stringify([store.records, snapshot, history], null, 1));
  }
  assert.equal(traces[0], traces[1]);
});
