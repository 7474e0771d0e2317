import assert from "node:assert/strict";
import { linkSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lookAtSqlite } from "../../../src/maintenance/doctor/sqlite_look.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/** What is done to the files of a closed store, and how a start would refuse them. */
const CHANGES: Readonly<Record<string, readonly [(path: string) => void, RegExp]>> = {
  "with a second name": [(path) => linkSync(path, `${path}.other`), /it has 2 names/],
  "that is gone": [(path) => renameSync(path, `${path}.away`), /\d+ commits? .*missing/],
  "with a flipped bit": [(path) => {
    const { atime, mtime } = statSync(path);
    const bytes = readFileSync(path);
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(path, bytes);
    utimesSync(path, atime, mtime);
  }, /its content has changed since it was closed, but nothing wrote to it/],
};

for (const [what, [change, why]] of Object.entries(CHANGES)) {
  test(`lookAtSqlite() finds that a start would refuse a file ${what}`, () =>
    withTempDir({}, async ({ path: folder }) => {
      const path = join(folder, "jobs.db");
      assert.equal((await lookAtSqlite(path)).type, "missing");
      const store = new SqliteStore({ path, defer: systemClock.defer });
      const at = systemClock.now();
      await store.open({ at, node: "n" });
      await store.setPause({ at, kind: null, until: null, reason: "" });
      await store.close();
      assert.equal((await lookAtSqlite(path)).type, "whole");
      change(path);
      const look = await lookAtSqlite(path);
      assert.ok(look.type === "refused", JSON.stringify(look));
      assert.match(look.why, why);
      assert.notEqual(look.remedy, null);
      await assert.rejects(store.open({ at, node: "n" }), { message: look.why });
    }));
}
