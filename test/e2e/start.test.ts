import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../support/daemon.ts";
import { until } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The next minute, and what a busy machine needs after it. */
const MINUTE_MS_MAX = 65_000;

function exampleJobs(): Record<string, string> {
  const names = readdirSync(join(ROOT, "jobs")).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(ROOT, "jobs", name), "utf8")]),
  );
}

test("config.example.toml starts, says what runs next and fires heartbeat on its minute", async () => {
  const toml = readFileSync(join(ROOT, "config.example.toml"), "utf8");
  const daemon = await startDaemon({ toml, modules: exampleJobs() });
  try {
    await until("the log says what is next", () => daemon.log().includes("jobctl status"));
    assert.match(daemon.log(), /Next run of heartbeat at=\S+:00\.000Z/);
    const client = daemon.client();
    const firstRun = async () => {
      const { instances } = await client.lookupInstances({ query: { kind: "heartbeat" } });
      return instances.find(({ completedAt }) => completedAt !== undefined);
    };
    await until("heartbeat completed", async () => await firstRun() !== undefined, MINUTE_MS_MAX);
    const { scheduledFor, processedAt } = (await firstRun())!;
    assert.equal(Number(scheduledFor!.seconds) % 60, 0);
    assert.equal(scheduledFor!.nanos, 0);
    const lateS = Number(processedAt!.seconds - scheduledFor!.seconds);
    assert.ok(lateS >= 0 && lateS <= 2, `It began ${lateS} s after its minute`);
  } finally {
    await daemon.stop();
  }
});
