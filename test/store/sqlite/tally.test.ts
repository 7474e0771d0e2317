import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { SqliteTables } from "../../../src/store/sqlite/tables.ts";
import { multiplyInstance } from "../../support/worlds/many_instances.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const COUNT = 60_000;

/** Tables with {@link COUNT} instances, every hundredth of them failed. */
async function withTables(run: (tables: SqliteTables) => void): Promise<void> {
  await withTempDir({}, async ({ path }) => {
    const file = `${path}/tally.db`;
    const store = new SqliteStore({ path: file, defer: systemClock.defer });
    const world = new StoreWorld(store);
    await store.open({ at: world.at, node: "n1" });
    await world.finish();
    await store.close();
    const db = new DatabaseSync(file);
    multiplyInstance(db, { count: COUNT, set: { state: "iif(n % 100 = 0, 4, 3)" } });
    db.close();
    const tables = new SqliteTables(file);
    tables.openToRead();
    tables.kinds.read();
    try {
      run(tables);
    } finally {
      tables.close();
    }
  });
}

test("tally() reads no more than it may, and estimates what is larger", async () => {
  await withTables(({ instances }) => {
    const bounds = [1, 20_001, 20_011, 60_001, 60_002];
    const tally = (state: "completed" | "terminated", read: number) =>
      instances.tally({ type: "kindState", kind: "mail", state }, bounds, { rows: COUNT, read });
    const exact = [19_800, 10, 39_590, 0];
    const whole = tally("completed", 1_000_000);
    assert.deepEqual([whole.counts, whole.isEstimate], [exact, false]);
    const { counts, isEstimate, readCount } = tally("completed", 4_000);
    assert.equal(isEstimate, true);
    assert.ok(readCount <= 6_000, `read ${readCount}`);
    for (const [span, count] of counts.entries()) {
      const off = Math.abs(count - exact[span]!);
      assert.ok(off <= exact[span]! * 0.03, `span ${span}: ${count}, wanted ${exact[span]}`);
    }
    // What is small stays exact beside it.
    assert.equal(counts[1], 10);
    assert.deepEqual(tally("terminated", 4_000).counts, [200, 0, 400, 0]);
  });
});

test("tally() finds nothing of a kind that has no instances", async () => {
  await withTables(({ instances }) => {
    const most = { rows: 0, read: 10 };
    for (const index of [{ type: "kindState", state: "completed" }, { type: "later" }] as const) {
      assert.deepEqual(instances.tally({ ...index, kind: "none" }, [1, 2], most).counts, [0]);
    }
  });
});
