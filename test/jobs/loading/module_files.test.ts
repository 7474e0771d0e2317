import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { test } from "node:test";
import { readModuleFiles, stampOf } from "../../../src/jobs/loading/module_files.ts";
import { withTempDir } from "../../support/temp_dir.ts";

for (const specifier of ["./_lib.ts", "./_lib"]) {
  test(`readModuleFiles() has another version when ${specifier} is gone, and sees it come back`, async () => {
    const files = {
      "a.ts": `import { x } from "${specifier}";\nexport default () => x;`,
      "_lib.ts": "export const x = 1;",
    };
    await withTempDir(files, ({ path }) => {
      const lib = `${path}/_lib.ts`;
      const whole = readModuleFiles(`${path}/a.ts`);
      renameSync(lib, `${path}/away`);
      const broken = readModuleFiles(`${path}/a.ts`);
      assert.notEqual(broken.version, whole.version);
      assert.notEqual(broken.hashes.get(lib), whole.hashes.get(lib));
      assert.equal(broken.stamps.get(lib), null);
      renameSync(`${path}/away`, lib);
      assert.notEqual(stampOf(lib), broken.stamps.get(lib));
      assert.equal(readModuleFiles(`${path}/a.ts`).version, whole.version);
      return Promise.resolve();
    });
  });
}
