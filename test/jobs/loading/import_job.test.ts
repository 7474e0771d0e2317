import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { importJob } from "../../../src/jobs/loading/import_job.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("importJob() gives the function and handlers of each form of a default export", async () => {
  const files = {
    "a.ts": "export default (x: number) => x + 1;",
    "b.ts": "export default { priority: 2, run(x: number) { return x * this.priority; }, " +
      "onComplete() { return this.priority; } };",
    "c.ts": "export default [{ kind: 'c1', run: () => 1 }, { kind: 'c2', run: () => 2 }];",
  };
  await withTempDir(files, async (directory) => {
    const path = (name: string) => `${directory.path}/${name}`;
    assert.equal((await importJob(path("a.ts"), "a", "v1")).run(1), 2);
    const b = await importJob(path("b.ts"), "b", "v1");
    assert.equal(b.run(4), 8);
    assert.equal(b.handlers.onComplete?.(null as never, []), 2);
    assert.equal(b.handlers.onTerminate, undefined);
    assert.equal((await importJob(path("c.ts"), "c2", "v1")).run(), 2);
  });
});

test("importJob() runs relative imports and enums", async () => {
  const files = {
    "lib/color.ts": "export enum Color { Red = 'r' }",
    "a.ts": "import { Color } from './lib/color.ts';\nimport type { Context } from 'ts-job';\n" +
      "export default (_: Context): string => Color.Red;",
  };
  await withTempDir(files, async ({ path }) => {
    assert.equal((await importJob(`${path}/a.ts`, "a", "v1")).run(), "r");
  });
});

test("importJob() loads a module anew when its version changed, and only then", async () => {
  await withTempDir({ "a b#1.ts": "export default () => 1;" }, async (directory) => {
    const path = `${directory.path}/a.ts`;
    directory.write("a.ts", "export default () => 1;");
    const first = await importJob(path, "a", "v1");
    directory.write("a.ts", "export default () => 2;");
    assert.equal((await importJob(path, "a", "v1")).run(), 1);
    assert.equal((await importJob(path, "a", "v2")).run(), 2);
    assert.equal(first.run(), 1);
    const odd = await importJob(`${directory.path}/a b#1.ts`, "odd", "v1");
    assert.equal(odd.run(), 1);
  });
});

test("importJob() says not_found when the module no longer defines the job", async () => {
  const files = { "a.ts": "export default [{ kind: 'b', run() {} }];" };
  await withTempDir(files, async ({ path }) => {
    await assert.rejects(
      () => importJob(`${path}/a.ts`, "a", "v1"),
      (error) => isJobError(error, "not_found") && /no longer defines it/.test(error.message),
    );
  });
});

test("importJob() passes on what the module throws", async () => {
  await withTempDir({ "a.ts": "throw new RangeError('at load');" }, async ({ path }) => {
    await assert.rejects(() => importJob(`${path}/a.ts`, "a", "v1"), RangeError);
  });
});
