import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { ClaimLimits } from "../../src/core/job/limits.ts";
import { GroupCommit } from "../../src/store/ledger/group.ts";
import { LedgerStore } from "../../src/store/ledger/store.ts";
import type { Row } from "../../src/store/ledger/tables/row.ts";
import type { OwnedTables } from "../../src/store/ledger/tables/tables.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";
import { SqliteTables } from "../../src/store/sqlite/tables.ts";
import { LEASE_MS, START, StoreWorld } from "../../src/conformance/world/store_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Tables that count the instances that were read. */
function countReads(
  tables: OwnedTables,
): { readonly tables: OwnedTables; readonly reads: { count: number } } {
  const reads = { count: 0 };
  const counting = <T extends object>(table: T): T =>
    new Proxy(table, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const answer: unknown = value.apply(target, args);
          if (Array.isArray(answer)) reads.count += answer.length;
          else if ((answer as Row | null)?.instance) reads.count += 1;
          return answer;
        };
      },
    });
  const counted = new Proxy(tables, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value === "function") return value.bind(target);
      return typeof value === "object" && value !== null ? counting(value) : value;
    },
  });
  return { tables: counted, reads };
}

const limitsOf = (limits: Partial<ReturnType<ClaimLimits["kinds"]["get"]>>): ClaimLimits => ({
  kinds: new Map([["mail", { concurrency: [], rate: [], ...limits }]]),
  pools: [],
});

const BLOCKS: readonly (readonly [name: string, limits: ClaimLimits])[] = [
  ["slots", limitsOf({ concurrency: [{ max: 1, by: ["account"], per: "cluster" }] })],
  ["a rate", limitsOf({ rate: [{ max: 1, perMs: 3_600_000, by: ["account"] }] })],
];

for (const [name, limits] of BLOCKS) {
  for (const type of ["memory", "sqlite"]) {
    test(`fault 76: claim() on ${type} reads as little behind a long queue blocked by ${name}`, async () => {
      await withTempDir({}, async ({ path }) => {
        const made = type === "memory" ? new MemoryTables() : new SqliteTables(join(path, "q.db"));
        const { tables, reads } = countReads(made);
        const store = new LedgerStore((publish) => new GroupCommit(tables, {}, publish));
        await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
        const world = new StoreWorld(store);
        const claim = async () => {
          const kinds = new Set(["mail"]);
          const request = { at: world.at, node: "n1", kinds, limits, limit: 4, leaseMs: LEASE_MS };
          return (await store.claim(request)).value;
        };
        // All rows of one key come before all others.
        const blocked = { queueKey: "mail account=a", priority: 0 };
        for (let left = 10; left > 0; left--) {
          await world.add(...Array.from({ length: 1_000 }, () => blocked));
        }
        await world.add(
          ...Array.from({ length: 40 }, (_, index) => ({ queueKey: `mail account=${index}` })),
        );
        const claimed = await claim();
        assert.deepEqual(claimed.map(({ priority }) => priority), [0, 5, 5, 5]);
        for (let round = 0; round < 8; round++) {
          reads.count = 0;
          const more = await claim();
          assert.equal(more.length, 4);
          assert.ok(more.every(({ queueKey }) => queueKey !== blocked.queueKey));
          assert.ok(reads.count < 200, `${reads.count} rows read`);
          for (const instance of more) await world.settle(instance);
        }
        await store.close();
      });
    });
  }
}
