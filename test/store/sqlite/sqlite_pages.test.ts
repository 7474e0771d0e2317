import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("SqliteStore releases its pages later once per time of use, and not when it is closed", async () => {
  await withTempDir({}, async (dir) => {
    const planned: (() => void)[] = [];
    const store = new SqliteStore({
      path: join(dir.path, "pages.db"),
      defer: systemClock.defer,
      later: (callback) => void planned.push(callback),
    });
    await store.open({ at: systemClock.now(), node: "n" });
    await store.list({}, { limit: 10 });
    assert.equal(planned.length, 1);
    // The release itself does not count as use: an unused store plans nothing.
    planned.pop()!();
    assert.equal(planned.length, 0);
    await store.list({}, { limit: 10 });
    await store.list({}, { limit: 10 });
    assert.equal(planned.length, 1);
    await store.close();
    planned.pop()!();
    assert.equal(planned.length, 0);
  });
});
