import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { BACKUP_KIND } from "../../src/core/settings/backup_settings.ts";
import { isJobError } from "../../src/core/errors.ts";
import { checkBackup, linesOf } from "../../src/maintenance/backup.ts";
import { restoreBackup } from "../../src/maintenance/restore.ts";
import { hashOf as hashOfSecret, Sessions } from "../../src/manager/sessions/sessions.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import type { Store } from "../../src/store/store.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { fileStore, filledStore, hashOf, memoryStore, workOn } from "./moving_world.ts";
import type { StoreWorld } from "../../src/conformance/world/store_world.ts";

async function backup(world: StoreWorld): Promise<string> {
  const { steps } = await workOn(world, { type: "backup" });
  const decoder = new TextDecoder();
  return steps.map((step) => step.type === "chunk" ? decoder.decode(step.bytes) : "").join("");
}

async function* inParts(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  // Cuts lines and characters.
  for (let from = 0; from < bytes.length; from += 97) yield bytes.subarray(from, from + 97);
}

const restore = (text: string, store: Store) =>
  restoreBackup(() => linesOf(inParts(text)), {
    store,
    clock: systemClock,
    node: "n1",
    progress: () => {},
  });

const open = (store: Store) => store.open({ at: systemClock.now(), node: "n1" });

test("restore fills an empty store with what the backup's store held", () =>
  withTempDir({}, async ({ path: folder }) => {
    const world = await filledStore(fileStore(folder, "a.db"), 30);
    const running = await world.start();
    const text = await backup(world);
    const store = fileStore(folder, "b.db");
    const { hash, left_out, header } = await restore(text, store);
    assert.equal(hash, await hashOf(world.store));
    assert.equal(left_out, 0);
    const { recovered, epoch } = await open(store);
    assert.ok(epoch > header.epoch, "row 87: the epoch rises over that of the backup");
    assert.deepEqual(recovered.map(({ id }) => id), [running.id]);
    const request = { node: "n1", kinds: new Set(["mail"]), limit: 1, leaseMs: 1_000 };
    const { value: [again] } = await store.claim({ at: systemClock.now(), ...request });
    assert.ok(again!.fence > running.fence, "row 87: fences rise over those of the backup");
    await store.close();
    await world.store.close();
  }));

test("restore refuses a store that holds anything, and one that moved", async () => {
  const world = await filledStore(memoryStore(), 3);
  const text = await backup(world);
  await world.store.close();
  await assert.rejects(restore(text, world.store), /it has 3 instances and 1 schedule\b/);
});

test("restore checks the whole backup before it writes anything", async () => {
  const text = await backup(await filledStore(memoryStore(), 5));
  const lines = text.trimEnd().split("\n");
  const bad: readonly [string, RegExp][] = [
    ["", /it is empty/],
    ["{}\n", /it is not a backup/],
    ["hello\n", /a line is not JSON/],
    ["x\n", /Cannot read the backup/],
    [lines.slice(0, -1).join("\n"), /its end is missing/],
    [[...lines.slice(0, 4), ...lines.slice(5)].join("\n"), /the hash of its records/],
    [text.replace("hällo", "hello"), /the hash of its records/],
    [[...lines, lines[1]].join("\n"), /something follows its end/],
    [[lines[0], lines[3], lines[2], ...lines.slice(4)].join("\n"), /out of order/],
    [text.replace('"format":1', '"format":9'), /format 9/],
    [text.replace(/"instance":\d+/, '"instance":7'), /counts of its records are not those/],
    [lines.join("\n").replace('"type":"log"', '"type":"lug"'), /type "lug"/],
  ];
  for (const [damaged, message] of bad) {
    const store = memoryStore();
    await assert.rejects(restore(damaged, store), (error) => {
      assert.ok(isJobError(error, "invalid_argument"), String(error));
      assert.match(error.message, message);
      return true;
    });
    await open(store);
    assert.equal((await store.stats()).kinds.size, 0);
  }
});

test("restore that is broken off goes on when it is run again, and takes no other backup", async () => {
  const text = await backup(await filledStore(memoryStore(), 600));
  const other = await backup(await filledStore(memoryStore(), 3));
  const store = memoryStore();
  const write = store.records.writeRecords.bind(store.records);
  let left = 1;
  store.records.writeRecords = (request) =>
    left-- > 0 ? write(request) : Promise.reject(new Error("it broke"));
  await assert.rejects(restore(text, store), /it broke/);
  store.records.writeRecords = write;
  await assert.rejects(open(store), (error) => isJobError(error, "conflict"));
  await assert.rejects(restore(other, store), /being filled from backup/);
  await restore(text, store);
  await open(store);
  assert.equal(await hashOf(store), (await checkBackup(linesOf(inParts(text)))).end.hash);
});

test("restore takes a backup of a version that did not record what attempts used", async () => {
  const world = await filledStore(memoryStore(), 3);
  const text = await backup(world);
  const older = text.replaceAll('"usage":null,', "");
  assert.ok(older.length < text.length, text.slice(0, 2_000));
  const store = memoryStore();
  const { hash } = await restore(older, store);
  assert.equal(hash, await hashOf(world.store));
  await open(store);
  assert.deepEqual((await store.list({}, { limit: 9 })).items.map(({ usage }) => usage), [
    ...[null, null, null],
  ]);
});

test("backup leaves out the fate of a tick whose instance came too late for it", async () => {
  const world = await filledStore(memoryStore(), 600);
  const read = world.store.records.readRecords.bind(world.store.records);
  let pages = 0;
  world.store.records.readRecords = async (request) => {
    const page = await read(request);
    // When all instances were read, and no fate yet.
    if (++pages === 2) {
      world.wallMs = systemClock.now().wallMs;
      const [cursor, tick] = [world.wallMs - 1, world.wallMs];
      await world.putSchedule({ id: "late", cursor, nextAt: tick });
      await world.fire(cursor, [tick], { scheduleId: "late" });
    }
    return page;
  };
  const text = await backup(world);
  assert.doesNotMatch(text, /"type":"tick"/);
  await restore(text, memoryStore());
});

test("gc deletes what is past its retention, verify finds nothing, info counts", async () => {
  const world = await filledStore(memoryStore(), 9);
  await world.finish({ keepSuccessMs: 1 });
  world.wallMs -= 86_400_000;
  const { report: info } = await workOn(world, { type: "info" });
  assert.equal(info.instances, 10);
  assert.equal(info.schedules, 1);
  await new Promise<void>((resolve) => systemClock.timer(5, resolve));
  const { report: gc } = await workOn(world, { type: "gc", compacts: true });
  assert.deepEqual([gc.instances, gc.orphans], [1, 0]);
  const { report: verified } = await workOn(world, { type: "verify" });
  assert.deepEqual(verified, { problems: [], is_whole: true });
});

test("gc counts what it has deleted as it goes on, and at the end once", async () => {
  const world = await filledStore(memoryStore(), 0);
  for (let count = 0; count < 251; count += 1) await world.finish({ keepSuccessMs: 1 });
  world.wallMs -= 86_400_000;
  await new Promise<void>((resolve) => systemClock.timer(5, resolve));
  const { steps, report } = await workOn(world, { type: "gc", compacts: false });
  assert.deepEqual(steps.slice(0, -1), [{ type: "progress", text: "250 instances deleted" }]);
  assert.equal(report.instances, 251);
});

test("info measures a SQLite file and its write-ahead log, and finds the last backup by schedule", () =>
  withTempDir({}, async ({ path }) => {
    const world = await filledStore(fileStore(path, "a.db"), 3);
    const { report: before } = await workOn(world, { type: "info" });
    assert.equal(before.backup_at, null);
    assert.ok(Number(before.bytes) > 0 && Number(before.wal_bytes) > 0, JSON.stringify(before));
    const { settledAt } = await world.finish({ kind: BACKUP_KIND });
    const { report } = await workOn(world, { type: "info" });
    assert.equal(report.backup_at, new Date(settledAt!).toISOString());
    await world.store.close();
  }));

test("verify names an index of a SQLite file that somebody deleted", () =>
  withTempDir({}, async ({ path }) => {
    const { store } = await filledStore(fileStore(path, "a.db"), 3);
    // While it is open: an opening makes it anew.
    const db = new DatabaseSync(join(path, "a.db"));
    db.exec("DROP INDEX instance_ready");
    db.close();
    assert.deepEqual(await store.records.findProblems({ limit: 9 }), [
      { check: "index instance_ready", message: "it is missing" },
    ]);
    await store.close();
  }));

test("restore leaves out the sessions and codes of a backup, which may be forged", async () => {
  const opened = await filledStore(memoryStore(), 3);
  const sessions = new Sessions({ store: opened.store, clock: systemClock, random: systemRandom });
  const owner = {
    name: "root",
    role: "admin",
    jobs: null,
    proof: '{"type":"owner","uid":0}',
  } as const;
  const { secret } = await sessions.open(owner, "127.0.0.1");
  const { code } = await sessions.createCode(owner);
  const text = await backup(opened);
  assert.match(text, /"session:[0-9a-f]{64}"/);
  assert.match(text, /"login-code:[0-9a-f]{64}"/);
  const store = memoryStore();
  const { counts, left_out } = await restore(text, store);
  assert.deepEqual([counts["memo"], counts["instance"], left_out], [1, 3, 0]);
  await open(store);
  const restored = new Sessions({ store, clock: systemClock, random: systemRandom });
  assert.equal(await restored.use(hashOfSecret(secret), "127.0.0.1"), null);
  assert.equal(await restored.redeemCode(code), null);
});
