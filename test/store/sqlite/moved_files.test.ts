import assert from "node:assert/strict";
import {
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { platform } from "node:process";
import { test } from "node:test";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { isJobError, type JobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/** Row 104 of the fault catalogue: what happens to the files of a database that is open. */

const skip = platform === "win32" ? "an open file cannot be moved there" : false;

async function open(path: string): Promise<StoreWorld> {
  const store = new SqliteStore({ path, defer: systemClock.defer });
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  return new StoreWorld(store);
}

async function refused(work: Promise<unknown>): Promise<JobError> {
  try {
    await work;
  } catch (error) {
    assert.ok(isJobError(error, "unavailable"), String(error));
    return error;
  }
  assert.fail("it was accepted");
}

/** Each change that is made to a file, with what takes it back. */
const CHANGES: Readonly<Record<string, (path: string) => () => void>> = {
  removed(path) {
    renameSync(path, `${path}.away`);
    return () => renameSync(`${path}.away`, path);
  },
  replaced(path) {
    renameSync(path, `${path}.away`);
    copyFileSync(`${path}.away`, path);
    return () => renameSync(`${path}.away`, path);
  },
};

for (const suffix of ["", "-wal", "-shm", "-owner"]) {
  for (const [name, change] of Object.entries(CHANGES)) {
    test(`a store accepts nothing while its file "jobs.db${suffix}" is ${name}, row 104`, {
      skip,
    }, () =>
      withTempDir({}, async ({ path }) => {
        const file = join(path, "jobs.db");
        const world = await open(file);
        await world.add({ id: "before" });
        assert.equal(world.store.problem, null);
        const undo = change(`${file}${suffix}`);
        const { message, hint } = await refused(world.add({ id: "meanwhile" }));
        assert.ok(message.includes(`"${file}${suffix}" was re`), message);
        assert.ok(hint);
        assert.equal(world.store.problem, message);
        assert.equal((await world.store.get("before"))!.id, "before", "it is still read");
        undo();
        assert.equal(world.store.problem, null);
        await world.add({ id: "after" });
        await world.store.close();
        const again = await open(file);
        const { items } = await again.store.list({}, { limit: 10, order: "oldest" });
        assert.deepEqual(items.map(({ id }) => id), ["before", "after"]);
        await again.store.close();
      }));
  }
}

test(
  "a store accepts nothing while its file has a second name, row 104",
  { skip },
  () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      const world = await open(file);
      linkSync(file, join(path, "other.db"));
      const { message, hint } = await refused(world.add({ id: "meanwhile" }));
      assert.match(message, /second name/);
      assert.match(hint!, /-samefile/);
      // A second name of the log does no harm.
      unlinkSync(join(path, "other.db"));
      linkSync(`${file}-wal`, join(path, "other-wal"));
      await world.add({ id: "after" });
      await world.store.close();
    }),
);

test(
  "open() refuses a file with a second name, row 104",
  { skip },
  () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      await (await open(file)).store.close();
      linkSync(file, join(path, "other.db"));
      const before = readFileSync(file);
      const { message, hint } = await refused(open(file));
      assert.match(message, /2 names \(hard links\)/);
      assert.match(hint!, /-samefile/);
      assert.deepEqual(readFileSync(file), before);
      unlinkSync(join(path, "other.db"));
      await (await open(file)).store.close();
    }),
);

test("what runs keeps its claim while the file is away, and is settled when it is back, row 104", {
  skip,
}, () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const world = await open(file);
    await world.add({ id: "long" });
    const [running] = await world.claim();
    const undo = CHANGES.removed!(file);
    const claims = [{ id: running!.id, fence: running!.fence }];
    const renewal = { at: world.at, node: "n1", claims, leaseMs: 15_000 };
    // In one turn with what is refused.
    const [other, renewed] = await Promise.allSettled([
      world.add({ id: "meanwhile" }),
      world.store.renew(renewal),
    ]);
    assert.equal(other!.status, "rejected");
    assert.ok(renewed!.status === "fulfilled" && renewed.value.value[0]!.status === "renewed");
    await refused(world.settle(running!));
    undo();
    assert.equal((await world.settle(running!)).status, "settled");
    await world.store.close();
  }));

test(
  "what was accepted is in the database when its log is removed, row 104",
  { skip },
  () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      const world = await open(file);
      await world.add({ id: "one" }, { id: "two" });
      unlinkSync(`${file}-wal`);
      await refused(world.add({ id: "three" }));
      // As after kill -9: the log is gone with the process.
      const copy = join(path, "copy.db");
      copyFileSync(file, copy);
      copyFileSync(`${file}-commits`, `${copy}-commits`);
      const again = await open(copy);
      const { items } = await again.store.list({}, { limit: 10, order: "oldest" });
      assert.deepEqual(items.map(({ id }) => id), ["one", "two"]);
      await again.store.close();
      await world.store.close();
    }),
);

test(
  "close() leaves the log of another database that has taken the name, row 104",
  { skip },
  () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      const world = await open(file);
      await world.add({ id: "one" });
      for (const suffix of ["", "-wal", "-shm"]) {
        renameSync(`${file}${suffix}`, `${file}.old${suffix}`);
      }
      for (const suffix of ["", "-wal"]) {
        writeFileSync(`${file}${suffix}`, `another${suffix}`);
      }
      await world.store.close();
      assert.equal(readFileSync(file, "utf8"), "another");
      assert.equal(readFileSync(`${file}-wal`, "utf8"), "another-wal");
      // The log was copied into it.
      copyFileSync(`${file}.old`, `${file}.copy`);
      copyFileSync(`${file}-commits`, `${file}.copy-commits`);
      const again = await open(`${file}.copy`);
      assert.equal((await again.store.get("one"))!.id, "one");
      await again.store.close();
    }),
);
