import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../../support/processes/daemon.ts";
import { until } from "../../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

function exampleJobs(): Record<string, string> {
  const names = readdirSync(join(ROOT, "jobs")).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(ROOT, "jobs", name), "utf8")]),
  );
}

test("config.example.toml starts, says what runs next and runs heartbeat", async () => {
  const toml = readFileSync(join(ROOT, "config.example.toml"), "utf8");
  const daemon = await startDaemon({ toml, modules: exampleJobs() });
  try {
    await until("the log says what is next", () => daemon.log().includes("jobctl status"));
    await daemon.logged(/Next run of heartbeat at=\S+:00\.000Z/);
    const { code, stdout, stderr } = await daemon.jobctl(["run", "heartbeat", "-o", "name"]);
    assert.equal(code, 0, stderr);
    await until("heartbeat completed", async () => {
      const shown = await daemon.jobctl(["get", "instance", stdout.trim(), "-o", "json"]);
      return JSON.parse(shown.stdout).state === "completed";
    });
  } finally {
    await daemon.stop();
  }
});
