import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { watchNames } from "../../../src/platform/files/name_watch.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { sleep, until } from "../../support/wait.ts";

const LINUX = {
  skip: (runtimeName() !== "bun" || process.platform !== "linux") && "only Bun on Linux",
};

test(
  "watchNames() reports files that are renamed, added and removed, but no writes",
  LINUX,
  async () => {
    await withTempDir({ "a.db": "text" }, async ({ path }) => {
      let count = 0;
      const file = join(path, "a.db");
      const unwatch = watchNames(file, () => void (count += 1));
      assert.ok(unwatch !== null);
      const reported = async (change: () => void) => {
        const before = count;
        change();
        await until("the change is reported", () => count > before);
      };
      await reported(() => renameSync(file, `${file}.old`));
      await reported(() => writeFileSync(file, "another"));
      await reported(() => rmSync(file));
      await reported(() => renameSync(`${file}.old`, file));
      const before = count;
      for (let index = 0; index < 100; index++) writeFileSync(file, `${index}`);
      // The signal of a change comes after those of the writes before it.
      await reported(() => writeFileSync(`${file}.new`, ""));
      assert.equal(count, before + 1);
      unwatch();
      rmSync(file);
      await sleep(20);
      assert.equal(count, before + 1);
    });
  },
);

test("watchNames() returns null for a file that is not there", LINUX, () => {
  assert.equal(watchNames("/nowhere/a.db", () => {}), null);
});
