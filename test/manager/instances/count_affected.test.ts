import assert from "node:assert/strict";
import test from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import { countAffected } from "../../../src/manager/instances/count_affected.ts";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { Manager } from "../../../src/index.ts";
import { withEtcd } from "../../support/servers/etcd_server.ts";
import { withValkey } from "../../support/servers/valkey_server.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";

const OWN = async () => ["work", "system.notices", "system.notice.ops"];

test("a cancel of all counts neither notices, nor finished instances, nor those being canceled", async () => {
  const store = new MemoryStore();
  const world = new StoreWorld(store);
  await store.open({ at: world.at, node: "n1" });
  await world.add(
    ...Array.from({ length: 3 }, () => ({ kind: "work" })),
    ...Array.from({ length: 8 }, () => ({ kind: "system.notices" })),
    ...Array.from({ length: 5 }, () => ({ kind: "system.notice.ops" })),
  );
  const count = (query: object, max = 100) =>
    countAffected(store, query, { action: "cancel", max, ownKinds: OWN });
  assert.deepEqual(await count({}), { count: 3, hasMore: false });
  assert.deepEqual(await count({ states: ["scheduled", "processing"] }), {
    count: 3,
    hasMore: false,
  });
  assert.deepEqual(await count({ kinds: ["system.notices"] }), { count: 8, hasMore: false });
  assert.deepEqual(await count({ states: ["completed"] }), { count: 0, hasMore: false });
  assert.deepEqual(await count({ after: START }, 2), { count: 2, hasMore: true });
  await store.close();
});

/** A store of each type, as a URL, for as long as `body` takes. */
const STORES: Readonly<
  Record<string, (body: (url: string) => Promise<void>) => Promise<void>>
> = {
  memory: (body) => body("memory:"),
  sqlite: (body) => withTempDir({}, ({ path }) => body(`sqlite:${path}/jobs.db`)),
  valkey: (body) => withValkey({}, ({ port }) => body(`valkey://127.0.0.1:${port}/0`)),
  etcd: (body) => withEtcd({}, ({ url }) => body(url)),
};

async function assertCountsWhatChanges(store: string): Promise<void> {
  const manager = new Manager({ workers: 2, store });
  let begun = 0;
  manager.registerJob({
    kind: "naps",
    concurrency: 1,
    params: "context: Context",
    run: (context: { readonly signal: AbortSignal }) =>
      new Promise((resolve) => {
        begun += 1;
        context.signal.addEventListener("abort", resolve);
      }),
  });
  manager.registerJob({
    kind: "bad",
    run: () => {
      throw new Error("broken");
    },
  });
  await manager.start();
  const failed: Instance[] = [];
  for (let index = 0; index < 3; index++) {
    failed.push(await manager.wait(await manager.scheduleJob("bad")));
  }
  for (let index = 0; index < 4; index++) await manager.scheduleJob("naps");
  await until("a run has begun", async () => begun > 0);
  await manager.redriveInstances({ ids: [failed[0]!.id] }).then(([again]) => manager.wait(again!));
  for (const query of [{ kinds: ["bad"] }, {}, { states: ["timedOut"] as const }]) {
    const { count } = await manager.countUpTo(query, 100, "redrive");
    const redriven = await manager.redriveInstances(query, { all: true });
    assert.equal(redriven.length, count, JSON.stringify(query));
    for (const again of redriven) await manager.wait(again);
  }
  const running = await manager.lookupInstances({ state: "processing" });
  assert.equal(running.items.length, 1);
  for (const query of [{ states: ["scheduled"] as const, kind: "naps" }, {}]) {
    const { count } = await manager.countUpTo(query, 100, "cancel");
    const { length } = await manager.cancelInstances(query, { all: true });
    assert.ok(count > 0);
    assert.equal(length, count, JSON.stringify(query));
  }
  await manager.stop();
}

for (const [type, withStore] of Object.entries(STORES)) {
  test(`a count for an action on ${type} is the number that the action then changes`, () =>
    withStore(assertCountsWhatChanges));
}
