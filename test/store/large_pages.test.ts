import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { plainInstance } from "../../src/conformance/world/plain_instance.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { createIdSource } from "../../src/platform/ids.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import type { PageRequest, Store } from "../../src/store/store.ts";

const ids = createIdSource(systemClock, systemRandom);
const COUNT = 12;
const ARGUMENT = "x".repeat(1_000_000);

const STORES: Readonly<Record<string, (folder: string) => Store>> = {
  memory: () => new MemoryStore({}),
  SQLite: (folder) =>
    new SqliteStore({
      path: join(folder, "jobs.db"),
      defer: (callback) => systemClock.defer(callback),
    }),
};

for (const [name, create] of Object.entries(STORES)) {
  for (const order of ["oldest", "newest"] as const) {
    test(`${name}: a page of large instances is full early, and none is left out (${order} first)`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "jobctl-pages-"));
      const store = create(folder);
      try {
        await store.open({ at: systemClock.now(), node: "n" });
        const accepted: string[] = [];
        for (let index = 0; index < COUNT; index += 1) {
          const at = systemClock.now();
          // Small ones among them: the size of a row does not predict the next one.
          const argumentsJson = index % 3 === 0 ? "[]" : JSON.stringify([ARGUMENT]);
          const instance = plainInstance({ id: ids(), dueAt: at.wallMs, argumentsJson });
          await store.enqueue({ at, instances: [instance] });
          accepted.push(instance.id);
        }
        const found: string[] = [];
        let request: PageRequest = { limit: 1_000, order };
        for (let pages = 0;; pages += 1) {
          assert.ok(pages <= COUNT, "pages do not end");
          const page = await store.list({}, request);
          const chars = page.items.reduce((sum, one) => sum + one.argumentsJson.length, 0);
          assert.ok(chars < 3_100_000, `a page of ${chars} characters`);
          found.push(...page.items.map(({ id }) => id));
          if (page.nextToken === null) break;
          request = { ...request, token: page.nextToken };
        }
        assert.deepEqual(found, order === "oldest" ? accepted : accepted.toReversed());
      } finally {
        await store.close();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
}
