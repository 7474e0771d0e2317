import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/** A store of one's own, in the compiled file. */

const EXAMPLE = readFileSync(new URL("../../../examples/my-store.ts", import.meta.url), "utf8");
const SUM = "export default (x: number, y: number): number => x + y;\n";
const env = { JOBCTL_STORE_URL: "./my-store.ts" };

test("the compiled daemon runs on the store of a module, and has everything after kill -9", async () => {
  const modules = { "sum.ts": SUM, "../my-store.ts": EXAMPLE };
  let daemon = await startDaemon({ modules, env });
  try {
    const first = await daemon.jobctl(["schedule", "sum", "42", "58", "--wait"]);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /100/);
    await daemon.kill();
    daemon = await daemon.restart();
    const { stdout } = await daemon.jobctl(["list", "instances"]);
    assert.match(stdout, /"completed"/);
  } finally {
    await daemon.stop();
  }
});

test("the compiled daemon says what is wrong with a module that is no store", async () => {
  await withTempDir({
    "config.toml": '[store]\nurl = "./my-store.ts"\n',
    "my-store.ts": "export default { load() {}, commit() {} };\n",
  }, async ({ path }) => {
    const { code, stderr } = await runJobctl(["serve", "--config", "config.toml"], { cwd: path });
    assert.notEqual(code, 0);
    assert.match(stderr, /my-store\.ts": it is an incomplete ReplicaMedium: version, watch/);
  });
});
