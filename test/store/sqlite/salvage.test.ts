import assert from "node:assert/strict";
import { closeSync, copyFileSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { linesOf } from "../../../src/maintenance/backup.ts";
import { restoreBackup } from "../../../src/maintenance/restore.ts";
import { salvageFile } from "../../../src/maintenance/work.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { fileStore, filledStore, hashOf, memoryStore } from "../../maintenance/moving_world.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const PAGE_BYTES = 4_096;

async function salvage(path: string) {
  const chunks: Uint8Array[] = [];
  let report: Readonly<Record<string, unknown>> = {};
  for await (const step of salvageFile(path, systemClock)) {
    if (step.type === "chunk") chunks.push(step.bytes);
    if (step.type === "report") report = step.report;
  }
  const parts = async function* () {
    yield* chunks;
  };
  return { lines: () => linesOf(parts()), report };
}

/** Overwrite the page that holds a text. */
function damage(path: string, text: string): void {
  const place = readFileSync(path).indexOf(text);
  assert.notEqual(place, -1);
  const file = openSync(path, "r+");
  const page = Math.floor(place / PAGE_BYTES);
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0xff), 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(file);
}

test("salvage of a whole file is a backup of it", () =>
  withTempDir({}, async ({ path }) => {
    const world = await filledStore(fileStore(path, "a.db"), 50);
    const hash = await hashOf(world.store);
    await world.store.close();
    const { report } = await salvage(join(path, "a.db"));
    assert.equal(report.hash, hash);
    assert.deepEqual(report.problems, []);
  }));

test("salvage returns the readable parts of a damaged file, and names the others, row 28", () =>
  withTempDir({}, async ({ path }) => {
    const world = await filledStore(fileStore(path, "a.db"), 200);
    await world.addOne({ argumentsJson: '["a needle"]' });
    await world.add(...Array.from({ length: 300 }, () => ({})));
    await world.store.close();
    const file = join(path, "a.db");
    damage(file, '["a needle"]');
    await assert.rejects(
      fileStore(path, "a.db").open({ at: systemClock.now(), node: "n1" }),
      /damaged/,
    );
    const { lines, report } = await salvage(file);
    const count = (report.counts as Record<string, number>).instance!;
    assert.ok(count > 400 && count < 501, `${count} instances`);
    assert.match(String(report.problems), /instance: some of \d+ to \d+/);
    const store = memoryStore();
    await restoreBackup(lines, { store, clock: systemClock, node: "n1", progress: () => {} });
    await store.open({ at: systemClock.now(), node: "n1" });
    assert.deepEqual(await store.records.findProblems({ limit: 10 }), []);
  }));

test("a backup refuses an instance whose state or kind is impossible, and salvage names it", () =>
  withTempDir({}, async ({ path }) => {
    const world = await filledStore(fileStore(path, "a.db"), 20);
    await world.store.close();
    const file = join(path, "a.db");
    for (
      const [name, change, found] of [
        [
          "state.db",
          "UPDATE instance SET state = 99 WHERE seq = 5",
          /^instance 5: .*it has no state$/,
        ],
        [
          "kind.db",
          "UPDATE instance SET kind = 4242 WHERE seq = 5",
          /^instance 5: .*there is no kind 4242$/,
        ],
      ] as const
    ) {
      const copy = join(path, name);
      copyFileSync(file, copy);
      const db = new DatabaseSync(copy);
      db.exec("PRAGMA foreign_keys = OFF");
      db.exec(change);
      db.close();
      const store = fileStore(path, name);
      await store.open({ at: systemClock.now(), node: "n1" });
      await assert.rejects(hashOf(store), (error) => isJobError(error, "unavailable"));
      await store.close();
      const { report } = await salvage(copy);
      const [problem] = report.problems as string[];
      assert.match(problem!, found);
      assert.equal((report.counts as Record<string, number>).instance, 19);
    }
  }));

test("salvage says which commits the file lost with its log, row 99", () =>
  withTempDir({}, async ({ path }) => {
    const world = await filledStore(fileStore(path, "live.db"), 5);
    for (const ending of ["", "-commits"]) {
      copyFileSync(join(path, `live.db${ending}`), join(path, `a.db${ending}`));
    }
    await world.store.close();
    const { report } = await salvage(join(path, "a.db"));
    assert.match(String(report.problems), /commits: \d+ commits up to .* are missing/);
  }));
