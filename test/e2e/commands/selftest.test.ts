import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { parseStoreUrl } from "../../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS } from "../../../src/core/settings/store_config.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { measureStore } from "../../../src/selftest/measure.ts";
import { createStore } from "../../../src/store/opening/open_store.ts";
import { JOBCTL, runJobctl } from "../../support/processes/daemon.ts";
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

/** Run it, and interrupt it as soon as it tries a guarantee. */
async function interrupted(args: readonly string[], guarantee: RegExp) {
  const child = spawn(JOBCTL, [...args, "-o", "json"], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => output.stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const isFirst = !guarantee.test(output.stderr);
    output.stderr += text;
    if (isFirst && guarantee.test(output.stderr)) child.kill("SIGINT");
  });
  const [code] = await once(child, "close");
  return { code, ...output };
}

// All cases hold on Valkey: test/conformance/valkey.test.ts. npm run slow -- selftest lets the
// command try them all, too.
const isWhole = process.env["JOBCTL_SELFTEST"] === "all";

test("selftest proves a Valkey in a scratch namespace, and leaves what others keep there", async () => {
  const server = await startValkey({ appendonly: true });
  try {
    await server.cli("set", "foreign", "theirs");
    const args = ["selftest", "--store", server.url, "--seconds", "1"];
    const { code, stdout, stderr } = isWhole
      ? await runJobctl(args)
      : await interrupted(args, /outcomes, retries/);
    assert.equal(code, isWhole ? 0 : 130, stdout + stderr);
    const { guarantees } = JSON.parse(stdout) as {
      readonly guarantees: readonly { readonly held: boolean; readonly cases: number }[];
    };
    assert.ok(guarantees.length >= 5 && guarantees.every(({ held }) => held), stdout);
    assert.equal(await server.cli("keys", "*"), "foreign");
  } finally {
    await server.close();
  }
});

test("round trips to a Valkey are measured by the server's clock", async () => {
  const server = await startValkey();
  try {
    const address = parseStoreUrl(server.url);
    const config = { ...STORE_DEFAULTS, address, url: server.url };
    const parts = { clock: systemClock, random: systemRandom };
    const open = () => createStore(config, { ...parts, logger: silentLogger });
    const latencies = await measureStore(open, { ...parts, measureMs: 50 });
    assert.equal(latencies.length, 4);
    for (const { operation, count, p50Ms } of latencies) {
      assert.ok(count > 0 && p50Ms > 0, operation);
    }
  } finally {
    await server.close();
  }
});
