import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { plainInstance } from "../../../src/conformance/world/plain_instance.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { SqliteReader } from "../../../src/store/sqlite/reader.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";

const defer = (callback: () => void) => systemClock.defer(callback);
const ids = createIdSource(systemClock, systemRandom);

/** A store and a reader of its file. */
async function readerWorld() {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-reader-"));
  const path = join(folder, "jobs.db");
  const store = new SqliteStore({ path, defer });
  await store.open({ at: systemClock.now(), node: "n" });
  const reader = new SqliteReader({ path, defer });
  reader.open();
  return {
    path,
    store,
    reader,
    enqueue: async (kind: string) => {
      const at = systemClock.now();
      const instances = [plainInstance({ id: ids(), kind, dueAt: at.wallMs })];
      const { value } = await store.enqueue({ at, instances });
      return value[0]!.instance;
    },
    async [Symbol.asyncDispose]() {
      reader.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("SqliteReader sees everything acknowledged, even of kinds new to it", async () => {
  await using world = await readerWorld();
  const { reader, enqueue } = world;
  for (const kind of ["mail", "sum"]) {
    const instance = await enqueue(kind);
    assert.deepEqual(await reader.get(instance.id), instance);
    const byKind = await reader.list({ kinds: [kind] }, { limit: 10 });
    assert.deepEqual(byKind.items, [instance]);
  }
  const all = await reader.list({}, { limit: 10, order: "oldest" });
  assert.deepEqual(all.items.map(({ kind }) => kind), ["mail", "sum"]);
  const since = await reader.list({ after: all.items[1]!.createdAt }, { limit: 10 });
  assert.ok(since.items.some(({ kind }) => kind === "sum"));
});

test("SqliteReader returns the same pages, history and logs as the store", async () => {
  await using world = await readerWorld();
  const { store, reader, enqueue } = world;
  const { id } = await enqueue("mail");
  await enqueue("mail");
  const at = systemClock.now();
  const [claimed] = (await store.claim({
    at,
    node: "n",
    kinds: new Set(["mail"]),
    limit: 1,
    leaseMs: 10_000,
    limits: { kinds: new Map(), pools: [] },
  })).value;
  const key = { id: claimed!.id, fence: claimed!.fence };
  const line = { at: at.wallMs, level: "info", message: "hello", source: "system" } as const;
  await store.appendLogs({ at, appends: [{ ...key, logs: [line] }] });
  assert.equal(claimed!.id, id);
  const page = { limit: 1 } as const;
  assert.deepEqual(await reader.list({}, page), await store.list({}, page));
  assert.deepEqual(await reader.history({}, page), await store.history({}, page));
  assert.deepEqual(await reader.logs({}, page), await store.logs({}, page));
  const tail = { cursor: null, limit: 5 } as const;
  assert.deepEqual(await reader.tailLogs({}, tail), await store.tailLogs({}, tail));
  assert.equal((await reader.tailLogs({}, tail)).items[0]?.message, "hello");
  assert.equal(await reader.logEnd(), await store.logEnd());
});

/** Looks for an instance twice in one read, with other work in between. */
class TwiceReader extends SqliteReader {
  twice(id: string, between: () => void) {
    return this.read("look twice", ({ tables }) => {
      const first = tables.instances.get(id)?.instance.id;
      between();
      return Promise.resolve([first, tables.instances.get(id)?.instance.id]);
    });
  }
}

test("SqliteReader reads the file as it is at one moment", async () => {
  await using world = await readerWorld();
  const { id } = await world.enqueue("mail");
  const reader = new TwiceReader({ path: world.path, defer });
  reader.open();
  const other = new DatabaseSync(world.path);
  const found = await reader.twice(id, () => other.exec("DELETE FROM instance"));
  other.close();
  assert.deepEqual(found, [id, id]);
  assert.equal(await reader.get(id), null);
  reader.close();
});

test("SqliteReader is refused when it is closed", async () => {
  await using world = await readerWorld();
  const { id } = await world.enqueue("mail");
  world.reader.close();
  await assert.rejects(world.reader.get(id), (error) => isJobError(error, "unavailable"));
  await assert.rejects(
    world.reader.list({}, { limit: 1 }),
    (error) => isJobError(error, "unavailable"),
  );
});
