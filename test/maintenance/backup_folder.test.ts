import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { type ErrorCode, isJobError } from "../../src/core/errors.ts";
import { checkBackup } from "../../src/maintenance/backup.ts";
import { readBackup } from "../../src/maintenance/backup_file.ts";
import { backUpToFolder } from "../../src/maintenance/backup_folder.ts";
import type { StoreStep } from "../../src/maintenance/step.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { filledStore, hashOf, memoryStore, workOn } from "./moving_world.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 31, 3);

const world = await filledStore(memoryStore(), 12);
const { steps } = await workOn(world, { type: "backup" });
const storeId = storeIdOf(steps);

function storeIdOf(of: readonly StoreStep[]): string {
  const report = of.find((step) => step.type === "report")!;
  return String(report.report.store_id);
}

async function* given(list: readonly StoreStep[]): AsyncGenerator<StoreStep> {
  yield* list;
}

/** One backup into a folder, with the lines of its log. */
async function backUp(
  path: string,
  options: { readonly keep?: number; readonly day?: number; readonly of?: readonly StoreStep[] } =
    {},
): Promise<{ readonly file: string; readonly lines: readonly string[] }> {
  const { keep = 3, day = 0, of = steps } = options;
  const lines: string[] = [];
  const file = await backUpToFolder(given(of), { path, keep }, {
    nowMs: START + day * DAY,
    log: (level, message) => void lines.push(`${level} ${message}`),
  });
  return { file, lines };
}

const nameOf = (time: string) => `jobctl-${storeId.slice(0, 8)}-${time}.jsonl.gz`;
const dayName = (day: number) =>
  nameOf(new Date(START + day * DAY).toISOString().replaceAll(/[-:]/g, ""));

function refused(code: ErrorCode, found: RegExp) {
  return (error: unknown) => {
    assert.ok(isJobError(error, code), String(error));
    assert.match(error.message, found);
    assert.ok(error.hint, "no hint");
    return true;
  };
}

test("backUpToFolder() writes a whole backup that only its owner reads", () =>
  withTempDir({}, async ({ path }) => {
    const { file, lines } = await backUp(path);
    assert.equal(file, join(path, nameOf("20260131T030000.000Z")));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(path), [nameOf("20260131T030000.000Z")]);
    const { end } = await checkBackup(readBackup(file));
    assert.equal(end.hash, await hashOf(world.store));
    assert.match(lines[0]!, /^info Wrote and verified ".*": 12 instances, \d+ bytes$/);
  }));

test("backUpToFolder() keeps as many as it is told, and never deletes another file", () =>
  withTempDir({}, async ({ path }) => {
    const other = `jobctl-00000000-20200101T000000.000Z.jsonl.gz`;
    const kept = [
      other,
      "jobs.jsonl.gz",
      `${nameOf("20200101T000000.000Z")}.mine`,
      `copy-of-${nameOf("20200101T000000.000Z")}`,
      nameOf("2020-01-01"),
      `.${other}.part`,
    ];
    for (const name of kept) writeFileSync(join(path, name), "x");
    mkdirSync(join(path, nameOf("20200102T000000.000Z")));
    symlinkSync("/etc/hostname", join(path, nameOf("20200103T000000.000Z")));
    const strange = [nameOf("20200102T000000.000Z"), nameOf("20200103T000000.000Z")];
    for (let day = 0; day < 5; day++) await backUp(path, { day });
    const wanted = [...kept, ...strange, dayName(2), dayName(3), dayName(4)];
    assert.deepEqual(readdirSync(path).sort(), wanted.sort());
    const { lines } = await backUp(path, { day: 5 });
    assert.ok(lines.includes(`info Removed the old backup "${join(path, dayName(2))}"`));
    assert.ok(lines.some((line) => line.endsWith("it is not a regular file")), lines.join("\n"));
    const { lines: one } = await backUp(path, { day: 6, keep: 1 });
    assert.equal(one.filter((line) => line.startsWith("info Removed the old")).length, 3);
  }));

test("backUpToFolder() writes nowhere else, whatever id a server gives the store", () =>
  withTempDir({ "backups/.keep": "" }, async ({ path }) => {
    const of = steps.map((step) => {
      if (step.type !== "chunk") return step;
      const text = new TextDecoder().decode(step.bytes).replace(storeId, "/../../x");
      return { ...step, bytes: new TextEncoder().encode(text) };
    });
    const folder = join(path, "backups");
    await assert.rejects(
      () => backUp(folder, { of }),
      refused("invalid_argument", /its id is not that of a store/),
    );
    assert.deepEqual(readdirSync(path), ["backups"]);
    assert.deepEqual(readdirSync(folder), [".keep"]);
  }));

test("backUpToFolder() keeps the new backup although the clock went back", () =>
  withTempDir({}, async ({ path }) => {
    await backUp(path, { day: 9 });
    await backUp(path, { day: 8 });
    await backUp(path, { day: 1, keep: 2 });
    assert.deepEqual(readdirSync(path).sort(), [dayName(1), dayName(9)].sort());
  }));

test("backUpToFolder() removes what an interrupted backup left", () =>
  withTempDir({}, async ({ path }) => {
    const left = `.${dayName(-1)}.part`;
    writeFileSync(join(path, left), "half");
    const { lines } = await backUp(path);
    assert.deepEqual(readdirSync(path), [dayName(0)]);
    assert.match(lines[0]!, /^warn Removed ".*\.part", which an interrupted backup left$/);
  }));

/** What goes wrong with the steps of a backup, and what is then found. */
const BROKEN: readonly (readonly [string, readonly StoreStep[], RegExp])[] = [
  [
    "is another one than was read",
    steps.map((step) =>
      step.type === "report" ? { ...step, report: { ...step.report, hash: "0" } } : step
    ),
    /it is another backup/,
  ],
  [
    "lost a part",
    steps.filter((_, index) => index !== 1),
    /Cannot read the backup/,
  ],
];

for (const [what, of, found] of BROKEN) {
  test(`backUpToFolder() keeps no file that ${what}, and deletes no earlier one`, () =>
    withTempDir({}, async ({ path }) => {
      await backUp(path, { keep: 1 });
      await assert.rejects(
        backUp(path, { day: 1, keep: 1, of }),
        refused("internal", found),
      );
      assert.deepEqual(readdirSync(path), [dayName(0)]);
    }));
}

test("backUpToFolder() that is stopped midway leaves nothing", () =>
  withTempDir({}, async ({ path }) => {
    await backUp(path, { keep: 1 });
    async function* stopped(): AsyncGenerator<StoreStep> {
      yield* steps.slice(0, 2);
      assert.equal(readdirSync(path).length, 2);
      throw new Error("stopped");
    }
    const context = { nowMs: START + DAY, log: () => {} };
    await assert.rejects(backUpToFolder(stopped(), { path, keep: 1 }, context), /stopped/);
    assert.deepEqual(readdirSync(path), [dayName(0)]);
  }));

test("backUpToFolder() refuses a folder that is missing, or none", () =>
  withTempDir({ "file": "x" }, async ({ path }) => {
    const nowhere = join(path, "no where");
    await assert.rejects(backUp(nowhere), (error) => {
      assert.ok(isJobError(error, "not_found"), String(error));
      assert.match(error.hint ?? "", /install -d -m 0700 '.*no where'$/);
      return true;
    });
    await assert.rejects(backUp(join(path, "file")), refused("invalid_argument", /not a folder/));
    assert.equal(readFileSync(join(path, "file"), "utf8"), "x");
  }));

const noUsers = process.getuid === undefined && "needs a system with users";

for (const mode of [0o777, 0o1777]) {
  test(`backUpToFolder() refuses a folder of mode ${mode.toString(8)}, also behind a link`, {
    skip: noUsers,
  }, () =>
    withTempDir({}, async ({ path }) => {
      const folder = join(path, "open");
      mkdirSync(folder);
      chmodSync(folder, mode);
      symlinkSync(folder, join(path, "link"));
      for (const name of ["open", "link"]) {
        const wanted = refused("permission_denied", /every user can write to it/);
        await assert.rejects(backUp(join(path, name)), wanted);
      }
      assert.deepEqual(readdirSync(folder), []);
    }));
}

test("backUpToFolder() follows a link of its own user to a folder that is safe", {
  skip: noUsers,
}, () =>
  withTempDir({}, async ({ path }) => {
    mkdirSync(join(path, "disk"));
    symlinkSync("disk", join(path, "backups"));
    await backUp(join(path, "backups"));
    assert.deepEqual(readdirSync(join(path, "disk")), [dayName(0)]);
  }));

test("backUpToFolder() refuses a link of another user", {
  skip: process.getuid?.() !== 0 && "only root can give a link to another user",
}, () =>
  withTempDir({}, async ({ path }) => {
    mkdirSync(join(path, "disk"));
    symlinkSync("disk", join(path, "backups"));
    execFileSync("chown", ["-h", "65534", join(path, "backups")]);
    await assert.rejects(
      backUp(join(path, "backups")),
      refused("permission_denied", /it belongs to/),
    );
  }));

/** Mount a small disk there; null if this machine allows none. */
function mountSmall(path: string): (() => void) | null {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", path], {
      stdio: "ignore",
    });
    return () => execFileSync("umount", [path]);
  } catch {
    return null;
  }
}

test("backUpToFolder() on a full disk leaves the earlier backup, and no half one", (t) =>
  withTempDir({}, async ({ path }) => {
    const unmount = mountSmall(path);
    if (unmount === null) return t.skip("needs to mount a small disk");
    try {
      await backUp(path, { keep: 1 });
      writeFileSync(join(path, "filler"), new Uint8Array(56 * 1024));
      await assert.rejects(backUp(path, { day: 1, keep: 1, of: large() }), (error) => {
        assert.ok(isJobError(error, "resource_exhausted"), String(error));
        assert.match(error.message, /^Cannot write ".*": .*(ENOSPC|no space)/i);
        assert.match(error.hint ?? "", /Free space/);
        return true;
      });
      assert.deepEqual(readdirSync(path).sort(), ["filler", dayName(0)].sort());
    } finally {
      unmount();
    }
  }));

/** Steps of a backup that does not compress. */
function large(): readonly StoreStep[] {
  const bytes = new Uint8Array(300_000);
  for (let from = 0; from < bytes.length; from += 60_000) {
    crypto.getRandomValues(bytes.subarray(from, from + 60_000));
  }
  return [steps[0]!, { type: "chunk", bytes }, ...steps.slice(1)];
}

test("backUpToFolder() names the unit's setting for a folder that is read-only", (t) =>
  withTempDir({}, async ({ path }) => {
    const unmount = mountSmall(path);
    if (unmount === null) return t.skip("needs to mount a small disk");
    try {
      execFileSync("mount", ["-o", "remount,ro", path]);
      // Deno's access() looks at the mode only, so there it is found when the file is created.
      const remedy = runtimeName() === "deno" ? /EROFS/ : /: add ReadWritePaths=\//;
      await assert.rejects(backUp(path), refused("permission_denied", remedy));
    } finally {
      unmount();
    }
  }));
