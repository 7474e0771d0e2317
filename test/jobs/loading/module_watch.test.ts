import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ModuleWatch } from "../../../src/jobs/loading/module_watch.ts";
import { readSourceFile } from "../../../src/jobs/types/read_source.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { loadModules } from "../../support/processes/job_modules.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/** A clock that goes on by so many milliseconds whenever it is looked at. */
function goingClock(stepMs: number) {
  const time = { ms: 0 };
  const now = () => ({ monotonicMs: time.ms += stepMs, wallMs: time.ms });
  return { time, clock: { now } as unknown as Clock };
}

for (const [tookMs, isNew] of [[4, true], [50, false]] as const) {
  test(`ModuleWatch.current() reads a module that takes ${tookMs} ms ${isNew ? "at once" : "after a rest"}`, async () => {
    await withTempDir({ "a.ts": "export default () => 1;\n" }, async ({ path, write }) => {
      const job = (await loadModules({}, { modules: [path] })).jobs.a!;
      const { time, clock } = goingClock(tookMs);
      const watch = new ModuleWatch(clock);
      const versionOf = () => {
        const { source } = watch.current(job);
        return source.type === "module" ? source.version : null;
      };
      const first = versionOf();
      write("a.ts", "export default () => 22;\n");
      time.ms += 800;
      assert.equal(versionOf() !== first, isNew);
      time.ms += 1_200;
      assert.notEqual(versionOf(), first);
    });
  });
}

test("readSourceFile() does not wait for a pipe, and reads no more than it may", async () => {
  await withTempDir({ "file.ts": "0123456789" }, ({ path }) => {
    const pipe = join(path, "pipe.ts");
    execFileSync("mkfifo", [pipe]);
    assert.throws(() => readSourceFile(pipe, 10), /it is not a regular file/);
    const file = join(path, "file.ts");
    assert.equal(readSourceFile(file, 10), "0123456789");
    assert.equal(readSourceFile(file, 9), null);
    assert.throws(() => readSourceFile(join(path, "none.ts"), 10), { code: "ENOENT" });
  });
});
