import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { copyFileSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { test } from "node:test";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/**
 * Row 105 of the fault catalogue: single bits that flip at rest. `npm run slow -- flips` flips 200
 * of each kind.
 */

const FLIPS = Number(env.JOBCTL_FLIPS ?? 24);
const INSTANCES = 60;
const FILES = ["", "-wal", "-commits"];

async function open(path: string, warn: (message: string) => void = () => {}) {
  const store = new SqliteStore({ path, defer: systemClock.defer, warn });
  await store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
  return new StoreWorld(store);
}

/** Everything that a store shows. */
async function contentOf({ store }: StoreWorld): Promise<string> {
  const page = { limit: 1_000, order: "oldest" } as const;
  const { items } = await store.list({}, page);
  const schedules = await store.listSchedules({}, { limit: 100 });
  const logs = await store.logs({}, page);
  const stats = [...(await store.stats()).kinds];
  const found = await Promise.all(items.map(({ id }) => store.get(id)));
  return JSON.stringify([items, schedules, logs, stats, found]);
}

function idsOf(content: string): readonly string[] {
  const [items, , , , found] = JSON.parse(content);
  return [...items, ...found].map(({ id }) => id);
}

/** A store with waiting and ended instances, logs and schedules. */
async function fill(path: string): Promise<StoreWorld> {
  const world = await open(path);
  for (let count = 0; count < INSTANCES; count++) {
    const argumentsJson = JSON.stringify(`file-${count}`);
    await world.addOne({ argumentsJson, uniqueKey: count % 3 === 0 ? `key ${count}` : null });
  }
  const log = { at: START, level: "info", source: "job", message: "a line of its log" } as const;
  for (const running of await world.claim(INSTANCES / 2)) {
    await world.settle(running, { logs: [log] });
  }
  for (const id of ["a", "b", "c"]) await world.putSchedule({ id });
  return world;
}

function leave(from: string, to: string): void {
  for (const ending of FILES) {
    rmSync(`${to}${ending}`, { force: true });
    if (statSync(`${from}${ending}`, { throwIfNoEntry: false })) {
      copyFileSync(`${from}${ending}`, `${to}${ending}`);
    }
  }
}

type Fate = "refused" | "warned" | "without effect" | "unseen";

/** What becomes of a store in which one bit has flipped. */
async function fateOf(path: string, before: string): Promise<Fate> {
  const warnings: string[] = [];
  let world: StoreWorld;
  try {
    world = await open(path, (message) => warnings.push(message));
  } catch (error) {
    assert.ok(isJobError(error, "unavailable"), String(error));
    assert.ok(error.message.includes(path), error.message);
    assert.ok(error.hint);
    return "refused";
  }
  try {
    if (await contentOf(world) === before) return "without effect";
    assert.ok(warnings.every((message) => message.includes(path)));
    assert.deepEqual(idsOf(await contentOf(world)), idsOf(before), "an accepted instance is gone");
    return warnings.length > 0 ? "warned" : "unseen";
  } catch (error) {
    assert.ok(isJobError(error, "unavailable"), String(error));
    return "refused";
  } finally {
    await world.store.close().catch(() => {});
  }
}

/** The fates of random flips of the database; `keepsTime` as damage does, which no program made. */
async function flipAll(
  folder: string,
  { master, before, keepsTime }: {
    readonly master: string;
    readonly before: string;
    readonly keepsTime: boolean;
  },
): Promise<Record<Fate, number>> {
  const fates = { refused: 0, warned: 0, "without effect": 0, unseen: 0 };
  const random = seededRandom(7);
  const path = join(folder, "flipped.db");
  for (let count = 0; count < FLIPS; count++) {
    leave(master, path);
    const bytes = readFileSync(path);
    const bit = Math.floor(random.next() * bytes.length * 8);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, bytes);
    const { mtime } = statSync(master);
    if (keepsTime) utimesSync(path, mtime, mtime);
    fates[await fateOf(path, before)] += 1;
  }
  return fates;
}

test("a flipped bit in a store that was closed is refused by name, row 105", () =>
  withTempDir({}, async ({ path: folder }) => {
    const master = join(folder, "master.db");
    const world = await fill(master);
    const before = await contentOf(world);
    await world.store.close();
    const fates = await flipAll(folder, { master, before, keepsTime: true });
    assert.deepEqual(fates, { refused: FLIPS, warned: 0, "without effect": 0, unseen: 0 });
  }));

test("a flipped bit that a program seems to have written is refused or reported, row 105", () =>
  withTempDir({}, async ({ path: folder }) => {
    const master = join(folder, "master.db");
    const world = await fill(master);
    const before = await contentOf(world);
    await world.store.close();
    const fates = await flipAll(folder, { master, before, keepsTime: false });
    assert.equal(fates.unseen, 0, JSON.stringify(fates));
    assert.ok(fates.refused > 0, JSON.stringify(fates));
  }));

test("a flipped bit in a store that was killed is refused, or changes a value at most, row 105", () =>
  withTempDir({}, async ({ path: folder }) => {
    const live = join(folder, "live.db");
    const world = await fill(live);
    const before = await contentOf(world);
    await world.store.close();
    // What was accepted before is in the file, whose pages have no checksums.
    const again = await open(live);
    const master = join(folder, "master.db");
    leave(live, master);
    const fates = await flipAll(folder, { master, before, keepsTime: false });
    await again.store.close();
    assert.ok(fates.refused > 0 && fates.unseen < FLIPS / 2, JSON.stringify(fates));
  }));

test("open() refuses an index that lacks a row, which quick_check does not look at, row 105", () =>
  withTempDir({}, async ({ path: folder }) => {
    const master = join(folder, "jobs.db");
    const world = await fill(master);
    const { items: [first] } = await world.store.list({}, { limit: 1, order: "oldest" });
    await world.store.close();
    const bytes = readFileSync(master);
    // The id is in its row, and in the index of ids: a changed id in the index hides the row.
    const places: number[] = [];
    for (let at = bytes.indexOf(first!.id); at >= 0; at = bytes.indexOf(first!.id, at + 1)) {
      places.push(at);
    }
    let refused = 0;
    for (const place of places) {
      const changed = Buffer.from(bytes);
      changed[place + 9]! ^= 1;
      const path = join(folder, `changed${place}.db`);
      writeFileSync(path, changed);
      try {
        await (await open(path)).store.close();
      } catch (error) {
        assert.ok(isJobError(error, "unavailable"));
        if (/integrity_check/.test(error.message)) refused += 1;
      }
    }
    assert.ok(refused >= 2, `${refused} of ${places.length}`);
  }));
