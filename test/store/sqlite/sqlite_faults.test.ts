import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { execPath, getuid, pid } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ErrorCode, isJobError, type JobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { APPLICATION_ID, migrate, MIGRATIONS } from "../../../src/store/sqlite/schema.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const CHILD = fileURLToPath(new URL("./sqlite_child.ts", import.meta.url));

async function open(path: string): Promise<StoreWorld> {
  const store = new SqliteStore({ path, defer: systemClock.defer });
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  return new StoreWorld(store);
}

/** A database with one waiting and one running instance, closed well. */
async function makeDatabase(path: string): Promise<void> {
  const world = await open(path);
  await world.add({ id: "one" }, { id: "two" });
  await world.store.close();
}

async function refusal(path: string, code: ErrorCode = "unavailable"): Promise<JobError> {
  try {
    await open(path);
  } catch (error) {
    assert.ok(isJobError(error, code), `${code} expected: ${error}`);
    assert.ok(error.message.includes(path), error.message);
    assert.ok(error.hint, "no remedy is named");
    return error;
  }
  assert.fail("the store opened");
}

/**
 * Check that opening is refused with a message like `pattern`, and that every file stays as it is.
 */
async function assertRefused(path: string, pattern: RegExp): Promise<void> {
  const before = readFileSync(path);
  assert.match((await refusal(path)).message, pattern);
  assert.deepEqual(readFileSync(path), before);
}

async function startChild(path: string, end?: "exit" | "throw" | "empty"): Promise<ChildProcess> {
  const isDeno = "Deno" in globalThis;
  const args = [...(isDeno ? ["run", "-A", "--no-check"] : []), CHILD, path];
  const child = spawn(execPath, [...args, ...(end ? [end] : [])], {
    stdio: ["ignore", "pipe", end ? "ignore" : "inherit"],
  });
  await once(child.stdout!, "data");
  return child;
}

async function killChild(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

test("open() completes an interrupted migration, row 8", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE marker (x)");
    const broken = [...MIGRATIONS, "CREATE TABLE half (x); SELECT no_such_function()"];
    assert.throws(() => migrate(db, 0, broken));
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    assert.deepEqual(tables.map(({ name }) => name), ["marker"]);
    assert.equal(db.prepare("PRAGMA user_version").get()!.user_version, 0);
    db.exec("DROP TABLE marker");
    db.close();
    await (await open(file)).store.close();
  }));

test("open() migrates the content of an earlier format", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const db = new DatabaseSync(file);
    migrate(db, 0, MIGRATIONS.slice(0, 1));
    db.exec(`
      INSERT INTO kind (id, name, scheduled, completed, ready) VALUES (1, 'mail', 1, 1, 1);
      INSERT INTO instance (seq, id, kind, state, ready, priority, due_at, created_at, scheduled_at, settled_at, expire_at,
        retry_max, crashes_max, timeout_ms, keep_success_ms, keep_failure_ms, arguments)
      VALUES (1, 'done', 1, 3, NULL, 5, 1, 1, 1, 2, 9000000000000, 0, 3, 0, 1, 1, '[]'),
        (2, 'waits', 1, 1, 1, 5, 1, 1, 1, NULL, NULL, 0, 3, 0, 1, 1, '["x"]');
      INSERT INTO log (instance, attempt, fence, seq, at, level, source, message)
      VALUES (1, 1, 7, 1, 2, 'info', 'job', 'hello');
      UPDATE meta SET seq = 2, rev = 5, at = 2;
    `);
    db.close();
    const world = await open(file);
    const { items } = await world.store.logs({}, { limit: 10 });
    assert.deepEqual(items.map(({ instanceId, message }) => [instanceId, message]), [
      ["done", "hello"],
    ]);
    const [running] = await world.claim();
    assert.deepEqual([running!.id, running!.argumentsJson], ["waits", '["x"]']);
    assert.equal((await world.settle(running!)).status, "settled");
    await world.store.close();
    assert.equal(
      new DatabaseSync(file).prepare("PRAGMA user_version").get()!.user_version,
      MIGRATIONS.length,
    );
  }));

test("a full disk refuses new work and loses nothing, row 26", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    const pages = new DatabaseSync(file).prepare("PRAGMA page_count").get()!.page_count as number;
    const store = new SqliteStore({ path: file, defer: systemClock.defer, pagesMax: pages + 4 });
    await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
    const world = new StoreWorld(store);
    const [running] = await world.claim();
    const accepted: string[] = [];
    let refused: unknown;
    while (!refused) {
      const argumentsJson = JSON.stringify("x".repeat(1_000));
      await world.addOne({ argumentsJson }).then(
        ({ id }) => accepted.push(id),
        (error) => refused = error,
      );
    }
    assert.ok(isJobError(refused, "resource_exhausted"), String(refused));
    assert.ok(refused.hint);
    const { scheduled } = (await store.stats()).kinds.get("mail")!;
    assert.equal(scheduled, accepted.length + 1);
    assert.equal((await world.settle(running!)).status, "settled");
    await store.close();
    const again = await open(file);
    for (const id of accepted) assert.ok(await again.store.get(id), `lost ${id}`);
    assert.equal((await again.store.get(running!.id))!.state, "completed");
    await again.addOne({ id: "after" });
    await again.store.close();
  }));

test("a group that fails for a full disk takes back its leases too, row 26", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    const pages = new DatabaseSync(file).prepare("PRAGMA page_count").get()!.page_count as number;
    const store = new SqliteStore({ path: file, defer: systemClock.defer, pagesMax: pages + 1 });
    await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
    const world = new StoreWorld(store);
    const claimed = world.claim();
    const argumentsJson = JSON.stringify("x".repeat(100_000));
    const enqueued = world.addOne({ argumentsJson });
    const isFull = (error: unknown) => isJobError(error, "resource_exhausted");
    await assert.rejects(claimed, isFull);
    await assert.rejects(enqueued, isFull);
    const [again] = await world.claim();
    assert.equal(again!.attempt, 1);
    const { scheduled, processing } = (await store.stats()).kinds.get("mail")!;
    assert.deepEqual([scheduled, processing], [1, 1]);
    await store.close();
  }));

test("open() names a directory that it cannot make, row 27", async () => {
  await refusal("/dev/null/jobs.db");
});

test("open() names a read-only directory, row 27", {
  skip: getuid?.() === 0 ? "root may write everywhere" : false,
}, () =>
  withTempDir({}, async ({ path }) => {
    chmodSync(path, 0o500);
    try {
      await refusal(join(path, "jobs.db"));
    } finally {
      chmodSync(path, 0o700);
    }
  }));

test("open() names a directory in the place of the file, row 27", () =>
  withTempDir({ "jobs.db/file": "" }, async ({ path }) => {
    assert.match((await refusal(join(path, "jobs.db"))).message, /not a regular file/);
  }));

test("open() refuses what is not a database, row 28", () =>
  withTempDir({ "jobs.db": "hello, this is text".repeat(100) }, async ({ path }) => {
    await assertRefused(join(path, "jobs.db"), /not a SQLite database/);
  }));

test("open() refuses a truncated file, row 28", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    for (const bytes of [statSync(file).size - 4_096, 4_096, 1_000, 50]) {
      truncateSync(file, bytes);
      await assertRefused(file, /truncated|not a SQLite database/);
    }
  }));

test("open() refuses a damaged page, row 28", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 4_096, 8_192);
    writeFileSync(file, bytes);
    await assertRefused(file, /content has changed|quick_check|malformed/);
  }));

test("open() refuses an empty file that has a log, row 28", () =>
  withTempDir({ "jobs.db": "", "jobs.db-wal": "x" }, async ({ path }) => {
    await assertRefused(join(path, "jobs.db"), /write-ahead log of 1 bytes/);
    assert.ok(existsSync(join(path, "jobs.db-wal")));
  }));

test("open() takes an empty file for a new one, row 28", () =>
  withTempDir({ "jobs.db": "" }, async ({ path }) => {
    await (await open(join(path, "jobs.db"))).store.close();
  }));

test("open() refuses the database of another program, row 28", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE theirs (x)");
    db.close();
    await assertRefused(file, /another program/);
  }));

test("open() refuses a newer format, row 28", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99");
    assert.equal(db.prepare("PRAGMA application_id").get()!.application_id, APPLICATION_ID);
    db.close();
    await assertRefused(file, /it has format 99 of jobctl \d\S*; this is jobctl \d.*up to \d+$/);
  }));

test("open() refuses when the log of an owner that died is gone, row 29", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await killChild(await startChild(file));
    const saved = join(path, "saved-wal");
    copyFileSync(`${file}-wal`, saved);
    rmSync(`${file}-wal`);
    assert.match((await refusal(file)).message, /write-ahead log is gone/);
    assert.match((await refusal(file)).message, /write-ahead log is gone/);
    copyFileSync(saved, `${file}-wal`);
    const world = await open(file);
    assert.equal((await world.store.get("two"))!.state, "scheduled");
    await world.store.close();
  }));

for (const end of ["exit", "throw", "empty"] as const) {
  test(`open() has everything after a program that ended without close(): ${end}, row 95`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      const child = await startChild(file, end);
      if (child.exitCode === null) await once(child, "exit");
      const world = await open(file);
      for (const id of ["one", "two"]) {
        assert.equal((await world.store.get(id))!.state, "scheduled", id);
      }
      await world.store.close();
    }));
}

test("open() does without the shared memory of an owner that died, row 29", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await killChild(await startChild(file));
    rmSync(`${file}-shm`);
    const world = await open(file);
    assert.equal((await world.store.get("two"))!.state, "scheduled");
    await world.store.close();
  }));

test("open() refuses a second owner by its process id until that is killed, row 30", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const child = await startChild(file);
    try {
      const { message, hint } = await refusal(file, "conflict");
      assert.ok(message.includes(`process ${child.pid}`), message);
      assert.ok(hint?.includes(String(child.pid)), String(hint));
    } finally {
      await killChild(child);
    }
    const store = new SqliteStore({ path: file, defer: systemClock.defer });
    const info = await store.open({ at: systemClock.now(), node: "n1" });
    assert.deepEqual(info.recovered.map(({ id, reason, node }) => [id, reason, node]), [
      ["one", "lost", null],
    ]);
    assert.equal((await store.get("two"))!.state, "scheduled");
    await store.close();
  }));

test("open() names no process of another container or host, row 30", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const first = await open(file);
    const gone = spawnSync("true").pid;
    const host = hostname();
    for (const owner of [{ pid: 1, host }, { pid: gone, host }, { pid, host: "4f2c9a" }]) {
      writeFileSync(`${file}-owner.json`, JSON.stringify({ ...owner, node: "n7" }));
      const { message, hint } = await refusal(file, "conflict");
      assert.match(message, /another container or daemon uses this volume \(node "n7" on /);
      assert.doesNotMatch(`${message} ${hint}`, /process \d/);
    }
    await first.store.close();
  }));

test("open() refuses a second store of the same process, row 30", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const first = await open(file);
    await refusal(file, "conflict");
    await refusal(file, "conflict");
    await first.store.close();
    await (await open(file)).store.close();
  }));

test("close() leaves one file, and nothing that a second opening minds", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "deep/er/jobs.db");
    await makeDatabase(file);
    assert.equal(existsSync(`${file}-wal`), false);
    assert.equal(existsSync(`${file}-owner.json`), false);
    await (await open(file)).store.close();
  }));

test("a writer beside the store delays it and does not fail it", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    const world = await open(file);
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    const added = world.addOne();
    await new Promise((resolve) => systemClock.defer(() => systemClock.defer(() => resolve(null))));
    other.exec("ROLLBACK");
    other.close();
    assert.equal((await added).state, "scheduled");
    await world.store.close();
  }));

/** The messages of a start on a database changed by SQL, and what verify finds then. */
async function lookAt(file: string): Promise<{ told: string; found: string }> {
  const told: string[] = [];
  const warn = (message: string) => void told.push(message);
  const store = new SqliteStore({ path: file, defer: systemClock.defer, warn });
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  try {
    const problems = await store.records.findProblems({ limit: 50 });
    const found = problems.map(({ check, message }) => `${check}: ${message}`).join("\n");
    return { told: told.join("\n"), found };
  } finally {
    await store.close();
  }
}

function change(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA foreign_keys = OFF");
  db.exec(sql);
  db.close();
}

for (
  const table of [
    "meta",
    "kind",
    "instance",
    "departure",
    "log",
    "schedule",
    "tick",
    "pause",
    "note",
  ]
) {
  test(`open() refuses a database by name whose table ${table} is gone`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      await makeDatabase(file);
      change(file, `DROP TABLE ${table}`);
      await assertRefused(file, new RegExp(`table "${table}" is missing`));
    }));
}

test("open() refuses a database by name that lacks a column", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    change(file, "ALTER TABLE instance DROP COLUMN version");
    await assertRefused(file, /column "version" of table "instance" is missing/);
  }));

test("open() makes a missing index anew and says so", () =>
  withTempDir({}, async ({ path }) => {
    const file = join(path, "jobs.db");
    await makeDatabase(file);
    change(file, "DROP INDEX schedule_next; DROP INDEX instance_id");
    const { told, found } = await lookAt(file);
    assert.match(told, /"schedule_next"/);
    assert.match(told, /"instance_id"/);
    assert.equal(found, "");
  }));

for (
  const [sql, table, column] of [
    ["UPDATE instance SET state = state + 64 WHERE seq = 1", "instance", "state"],
    ["UPDATE instance SET due_at = due_at - 9223372036854775807 - 1", "instance", "due_at"],
    ["UPDATE instance SET created_at = created_at + (1 << 60)", "instance", "created_at"],
    ["UPDATE instance SET kind = 4096 WHERE seq = 2", "instance", "kind"],
    ["UPDATE instance SET fence = -1 WHERE seq = 2", "instance", "fence"],
    ["UPDATE instance SET arguments = '[1' WHERE seq = 2", "instance", "arguments"],
    ["UPDATE instance SET seq = 1 << 40 WHERE seq = 2", "instance", "seq"],
    ["UPDATE kind SET ready = -5", "kind", "ready"],
    [
      "INSERT INTO schedule (id, cursor, next_at, record) VALUES ('s', 2000, 1000, '{}')",
      "schedule",
      "next_at",
    ],
    [
      "INSERT INTO tick VALUES ('s', 5, 4, 1, 'fired', NULL, NULL, 5)",
      "tick",
      "to_at",
    ],
  ] as const
) {
  test(`a start and verify name ${table}.${column} after: ${sql}`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      await makeDatabase(file);
      change(file, sql);
      const { told, found } = await lookAt(file);
      for (const text of [told, found]) {
        assert.match(
          text,
          new RegExp(`table ${table}: \\d+ rows? ha\\w+ an impossible ${column}, `),
        );
      }
    }));
}

for (const column of ["epoch", "rev", "seq", "at"]) {
  test(`open() refuses a database whose ${column} is negative`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobs.db");
      await makeDatabase(file);
      change(file, `UPDATE meta SET ${column} = -1`);
      await assertRefused(file, new RegExp(`impossible ${column}`));
    }));
}
