import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { withTempDir } from "../../support/temp_dir.ts";

for (const fsync of ["full", "normal"] as const) {
  test(`SqliteStore says whether a power loss takes what it acknowledged when fsync is ${fsync}`, async () => {
    await withTempDir({}, async ({ path }) => {
      const file = `${path}/jobs.db`;
      const store = new SqliteStore({ path: file, defer: (run) => systemClock.defer(run), fsync });
      const info = await store.open({ at: systemClock.now(), node: "a" });
      assert.equal(info.isDurable, fsync === "full");
      await store.close();
      const db = new DatabaseSync(file);
      assert.equal(db.prepare("PRAGMA quick_check").get()?.quick_check, "ok");
      db.close();
    });
  });
}
