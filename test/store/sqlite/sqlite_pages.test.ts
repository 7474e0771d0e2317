import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("SqliteStore releases its pages later once per time of use, and not when it is closed", async () => {
  await withTempDir({}, async (dir) => {
    const planned = new Set<() => void>();
    const store = new SqliteStore({
      path: join(dir.path, "pages.db"),
      defer: systemClock.defer,
      later: (callback) => {
        planned.add(callback);
        return { cancel: () => planned.delete(callback) };
      },
    });
    await store.open({ at: systemClock.now(), node: "n" });
    await store.list({}, { limit: 10 });
    const [release] = planned;
    assert.equal(planned.size, 1);
    planned.clear();
    release!();
    assert.equal(planned.size, 0, "the release itself counts as use");
    await store.list({}, { limit: 10 });
    await store.list({}, { limit: 10 });
    assert.equal(planned.size, 1);
    // Nothing runs: an idle daemon does not wake up once more for the pages.
    await store.reap({ at: systemClock.now(), limit: 10 });
    assert.equal(planned.size, 0);
    await store.list({}, { limit: 10 });
    assert.equal(planned.size, 1);
    await store.close();
    assert.equal(planned.size, 0);
  });
});
