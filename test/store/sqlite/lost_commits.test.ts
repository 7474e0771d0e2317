import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isJobError, type JobError } from "../../../src/core/errors.ts";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { bootId } from "../../../src/platform/process/process_identity.ts";
import { counterPath, readCommitNote } from "../../../src/store/sqlite/commit_counter.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import type { SqliteOptions } from "../../../src/store/sqlite/owned_database.ts";
import { scanWal } from "../../../src/store/sqlite/wal_file.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { sleep } from "../../support/wait.ts";

const FILES = ["", "-wal", "-commits"];
const FRAME_BYTES = 24 + 4_096;
const COUNT = 8;

async function open(path: string, options: SqliteOptions = {}): Promise<StoreWorld> {
  const store = new SqliteStore({ path, defer: systemClock.defer, ...options });
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  return new StoreWorld(store);
}

async function idsOf(path: string, options: SqliteOptions = {}): Promise<readonly string[]> {
  const { store } = await open(path, options);
  const { items } = await store.list({}, { limit: 100, order: "oldest" });
  await store.close();
  return items.map(({ id }) => id);
}

async function refusal(path: string): Promise<JobError> {
  try {
    await idsOf(path);
  } catch (error) {
    assert.ok(isJobError(error, "unavailable"), String(error));
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.hint ?? "", /--salvage/);
    return error;
  }
  assert.fail("the store opened");
}

/** A copy of the files that a kill -9 would leave at this moment. */
function leave(from: string, to: string, endings = FILES): string {
  for (const ending of endings) copyFileSync(`${from}${ending}`, `${to}${ending}`);
  return to;
}

function flip(file: string, bit: number): void {
  const bytes = readFileSync(file);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(file, bytes);
}

/** As if the machine had been restarted since. */
function reboot(path: string): void {
  const file = counterPath(path);
  const text = readFileSync(file, "latin1");
  if (bootId() !== null) writeFileSync(file, text.replace(bootId()!, "0".repeat(bootId()!.length)));
}

/** A killed store, with the acknowledged ids and the length of its log after each. */
async function killed(folder: string) {
  const live = join(folder, "live.db");
  const path = join(folder, "killed.db");
  const world = await open(live);
  const ids: string[] = [];
  const ends: number[] = [];
  for (let index = 0; index < COUNT; index++) {
    ids.push((await world.addOne({ id: `id-${index}` })).id);
    ends.push(readFileSync(`${live}-wal`).length);
    // The count beside it when all but two existed.
    if (index === COUNT - 3) copyFileSync(counterPath(live), join(folder, "early-commits"));
    if (index === COUNT - 2) copyFileSync(counterPath(live), join(folder, "late-commits"));
  }
  leave(live, path);
  await world.store.close();
  return { path, ids, ends };
}

test("open() has everything that was acknowledged or is refused, whichever bit of the log flips, row 99", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path, ids } = await killed(folder);
    const bytes = readFileSync(`${path}-wal`).length;
    assert.deepEqual(await idsOf(leave(path, join(folder, "whole.db"))), ids);
    let refused = 0;
    const bits = [...Array(32).keys()].map((byte) => byte * 8)
      .concat(Array.from({ length: 60 }, (_, index) => Math.floor((index + 0.5) * bytes * 8 / 60)));
    for (const bit of bits) {
      mkdirSync(join(folder, String(bit)), { recursive: true });
      const copy = leave(path, join(folder, String(bit), "jobs.db"));
      flip(`${copy}-wal`, bit);
      const found = await idsOf(copy).catch((error: unknown) => error);
      if (found instanceof Error) {
        assert.ok(isJobError(found, "unavailable"), `bit ${bit}: ${found}`);
        assert.match(found.message, /\d+ commits? up to .* missing/, `bit ${bit}`);
        refused += 1;
      } else assert.deepEqual(found, ids, `bit ${bit}`);
    }
    assert.ok(refused > 60, `only ${refused} of ${bits.length} were refused`);
  }));

test("open() names how many commits are missing and where the log is damaged, row 99", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path, ends } = await killed(folder);
    flip(`${path}-wal`, (ends[COUNT - 3]! + 100) * 8);
    const before = FILES.map((ending) => readFileSync(`${path}${ending}`));
    await assert.rejects(idsOf(path, { salvages: "empty" }), /2 commits up to/);
    const frame = (ends[COUNT - 3]! - 32) / FRAME_BYTES + 1;
    assert.match(
      (await refusal(path)).message,
      new RegExp(
        `: 2 commits up to .* are missing: .*frame ${frame} of its write-ahead log is damaged`,
      ),
    );
    assert.deepEqual(FILES.map((ending) => readFileSync(`${path}${ending}`)), before);
  }));

test("open() continues without missing commits if allowed, says how many, and keeps the log, row 99", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path, ids, ends } = await killed(folder);
    flip(`${path}-wal`, (ends[COUNT - 3]! + 100) * 8);
    const log = readFileSync(`${path}-wal`);
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    assert.deepEqual(await idsOf(path, { salvages: "any", warn }), ids.slice(0, -2));
    assert.match(warnings.join(), /2 commits up to .* are missing/);
    assert.deepEqual(readFileSync(`${path}-wal.damaged`), log);
    assert.deepEqual(await idsOf(path), ids.slice(0, -2));
  }));

test("open() takes a log that a power loss tore anywhere in its last transaction, row 14", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path, ids, ends } = await killed(folder);
    const [from, to] = [ends[COUNT - 2]!, ends[COUNT - 1]!];
    assert.ok(to - from >= 2 * FRAME_BYTES, "one transaction of several frames");
    // Cut, or with a lost sector: the last commit was not acknowledged, and may be missing.
    for (let place = from; place < to; place += 1_024) {
      for (const isCut of [true, false]) {
        const copy = leave(path, join(folder, "torn.db"));
        copyFileSync(join(folder, "late-commits"), counterPath(copy));
        reboot(copy);
        const bytes = readFileSync(`${copy}-wal`);
        if (isCut) truncateSync(`${copy}-wal`, place);
        else writeFileSync(`${copy}-wal`, bytes.fill(0, place, Math.min(place + 512, to)));
        const found = await idsOf(copy);
        assert.deepEqual(found.slice(0, COUNT - 1), ids.slice(0, -1), `torn at ${place}`);
      }
    }
  }));

test("open() sees commits behind a damaged frame when the count beside it is older, row 99", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path, ends } = await killed(folder);
    copyFileSync(join(folder, "early-commits"), counterPath(path));
    reboot(path);
    flip(`${path}-wal`, (ends[COUNT - 3]! + 100) * 8);
    assert.match((await refusal(path)).message, /at least 1 commit is missing/);
    // Also without a count.
    rmSync(counterPath(path));
    assert.match((await refusal(path)).message, /with 2 commits behind it/);
  }));

test("open() refuses a file that is empty or gone and had commits, row 99", () =>
  withTempDir({}, async ({ path: folder }) => {
    const path = join(folder, "jobs.db");
    const world = await open(path);
    await world.addOne();
    await world.store.close();
    truncateSync(path, 0);
    assert.match(
      (await refusal(path)).message,
      /3 commits up to .* are missing: there is no data in it/,
    );
    rmSync(path);
    assert.match(
      (await refusal(path)).message,
      /3 commits up to .* are missing: there is no data in it/,
    );
    assert.ok(!existsSync(path));
    // As a restore or a move opens its target.
    assert.deepEqual(await idsOf(path, { salvages: "empty" }), []);
    truncateSync(path, 0);
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    assert.deepEqual(await idsOf(path, { salvages: "any", warn }), []);
    assert.match(warnings.join(), /commits? up to .* (is|are) missing/);
    assert.deepEqual(await idsOf(path), []);
  }));

test("open() refuses an older copy of the file, and takes another database in its place", () =>
  withTempDir({}, async ({ path: folder }) => {
    const path = join(folder, "jobs.db");
    await (await open(path)).store.close();
    copyFileSync(path, join(folder, "older.db"));
    const world = await open(path);
    await world.addOne();
    await world.store.close();
    // The clock of files does not advance for some milliseconds.
    await sleep(20);
    copyFileSync(join(folder, "older.db"), path);
    assert.match((await refusal(path)).message, /3 commits up to .* are missing: it has 2 of 5/);
    const other = await open(join(folder, "other.db"));
    await other.addOne({ id: "theirs" });
    await other.store.close();
    copyFileSync(join(folder, "other.db"), path);
    assert.deepEqual(await idsOf(path), ["theirs"]);
  }));

test("open() reports commits lost with the machine when the store does not wait for the disk", () =>
  withTempDir({}, async ({ path: folder }) => {
    const live = join(folder, "live.db");
    const path = join(folder, "jobs.db");
    const world = await open(live, { fsync: "normal" });
    await world.addOne({ id: "first" });
    const { length } = readFileSync(`${live}-wal`);
    await world.addOne({ id: "second" });
    leave(live, path);
    await world.store.close();
    truncateSync(`${path}-wal`, length);
    assert.match((await refusal(leave(path, join(folder, "same.db")))).message, /1 commit up to/);
    reboot(path);
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    assert.deepEqual(await idsOf(path, { fsync: "normal", warn }), ["first"]);
    assert.match(warnings.join(), /fsync is "normal".*1 commit up to/);
  }));

test("open() refuses a database that was in use without its log and its count, row 105", () =>
  withTempDir({}, async ({ path: folder }) => {
    const live = join(folder, "live.db");
    const world = await open(live);
    const early = leave(live, join(folder, "early.db"), [""]);
    await world.addOne({ id: "first" });
    const path = leave(live, join(folder, "jobs.db"), [""]);
    // All in the log, or nothing at all: the file cannot tell.
    for (const one of [path, early]) {
      assert.match((await refusal(one)).message, /-wal.*-commits.* are missing/);
    }
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    assert.deepEqual(await idsOf(path, { salvages: "any", warn }), []);
    assert.match(warnings.join(), /may be lost/);
    assert.deepEqual(await idsOf(path), []);
    await world.store.close();
    // One that was closed needs neither.
    const closed = leave(live, join(folder, "closed.db"), [""]);
    assert.deepEqual(await idsOf(closed), ["first"]);
  }));

test("readCommitNote() has the other count when one is damaged, and none of a file that is no note", () =>
  withTempDir({}, async ({ path: folder }) => {
    const { path } = await killed(folder);
    const file = counterPath(path);
    const bytes = readFileSync(file);
    const { commits } = readCommitNote(path)!;
    assert.equal(commits, COUNT + 2);
    for (const slot of [0, 1]) {
      const damaged = Buffer.from(bytes);
      damaged[256 + slot * 128 + 10]! ^= 1;
      writeFileSync(file, damaged);
      assert.equal(readCommitNote(path)!.commits, commits % 2 === slot ? commits - 1 : commits);
    }
    for (const text of ["", "{}", "x".repeat(1_000), bytes.subarray(0, 256)]) {
      writeFileSync(file, text);
      assert.equal(readCommitNote(path), null);
    }
  }));

test("scanWal() counts the commits that SQLite reads: none of an earlier use of the log, none rolled back", () =>
  withTempDir({}, ({ path: folder }) => {
    const path = join(folder, "a.db");
    const db = new DatabaseSync(path);
    assert.equal(scanWal(`${path}-wal`), null);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA cache_size = 5; CREATE TABLE t (x)");
    const insert = "INSERT INTO t SELECT randomblob(3000) FROM generate_series(1, 50)"
      .replace(
        "generate_series(1, 50)",
        "(WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 50) SELECT i FROM n)",
      );
    db.exec(insert);
    // More than the cache holds: pages of it are in the log although nothing was committed.
    db.exec(`BEGIN; ${insert}; ${insert}; ROLLBACK; INSERT INTO t VALUES (1)`);
    const { brokenFrame, ...counts } = scanWal(`${path}-wal`)!;
    assert.deepEqual(counts, { commits: 3, commitsBehind: 0 });
    assert.notEqual(brokenFrame, null);
    db.exec("PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (2)");
    const again = scanWal(`${path}-wal`)!;
    assert.deepEqual([again.commits, again.commitsBehind], [1, 0]);
    db.close();
  }));
