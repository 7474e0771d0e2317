import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { runJobctl } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";

test("selftest proves a SQLite store in a scratch folder beside it, and leaves nothing", () =>
  withTempDir({}, async ({ path }) => {
    const args = ["selftest", "--store", "sqlite:jobs.db", "--seconds", "1"];
    const { code, stdout, stderr } = await runJobctl(args, { cwd: path });
    assert.equal(code, 0, stdout + stderr);
    const { is_good, guarantees, latencies } = JSON.parse(stdout);
    assert.equal(is_good, true);
    assert.ok(guarantees.length > 10);
    assert.deepEqual(latencies.map((one: { operation: string }) => one.operation).slice(0, 3), [
      "enqueue",
      "claim",
      "settle",
    ]);
    assert.deepEqual(readdirSync(path), []);
  }));

test("selftest proves a Valkey in a scratch namespace, and leaves what others keep there", async () => {
  const server = await startValkey({ appendonly: true });
  try {
    await server.cli("set", "foreign", "theirs");
    const args = ["selftest", "--store", server.url, "--seconds", "1"];
    const { code, stdout, stderr } = await runJobctl(args);
    assert.equal(code, 0, stdout + stderr);
    assert.equal(await server.cli("keys", "*"), "foreign");
  } finally {
    await server.close();
  }
});
