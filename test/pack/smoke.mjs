// Runs on the oldest Node that the packed library serves, in a folder of its own where it is
// installed: scripts/pack.mjs.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { convertArguments, Manager, nextTicks, readSignature, resultsOf } from "ts-job";
import { httpStatusOf, JobError } from "ts-job/client";
import { testFlow } from "ts-job/testing";

const MAIN = new URL("./node_modules/ts-job/bin/jobctl.js", import.meta.url).pathname;

/** A job on a store, through the library. */
async function runInline(store) {
  const manager = new Manager({ store, workers: 2 });
  manager.registerJob({ kind: "sum", params: "x: number, y: number", run: (x, y) => x + y });
  await manager.start();
  const instance = await manager.scheduleJob("sum", { arguments: ["42", "58"] });
  const final = await manager.wait(instance, 10_000);
  assert.deepEqual([final.state, resultsOf(final)], ["completed", [100]]);
  await manager.stop();
}

/** A function with steps, in virtual time. */
async function runFlow() {
  const flow = testFlow(async (ctx) => {
    await ctx.sleep("night", "8h");
    await Promise.all([ctx.step("work", () => 1), ctx.step("work", () => 2)]);
  });
  await flow.run();
  await flow.advance("8h");
  assert.match(flow.error.message, /two of "work" apart.*: smoke\.mjs:\d+ and smoke\.mjs:\d+/);
}

/** A module in a worker process, through the daemon and the CLI. */
async function runDaemon() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  mkdirSync("jobs");
  writeFileSync("jobs/sum.ts", "export default (x: number, y: number) => x + y;\n");
  const server = `port = ${port}\nhttp = ""\nsocket = ""\nauth = { mode = "none" }\n`;
  writeFileSync(
    "config.toml",
    `modules = ["jobs"]\nstore = { url = "memory:" }\n[server]\n${server}`,
  );
  const daemon = spawn(process.execPath, [MAIN, "serve", "--config", "config.toml"], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  const lines = [];
  // The daemon says on standard error where it listens.
  for await (const line of createInterface({ input: daemon.stderr })) {
    lines.push(line);
    if (line.includes(`:${port}`)) break;
  }
  try {
    const args = [MAIN, "schedule", "sum", "40", "2", "--wait", "-o", "json"];
    args.push("--port", String(port));
    const answer = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
    const instance = JSON.parse(answer);
    assert.equal(instance.state, "completed", `${answer}\n${lines.join("\n")}`);
  } finally {
    daemon.kill("SIGTERM");
    await once(daemon, "exit");
  }
}

assert.equal(process.versions.node, "22.18.0");
const contract = readFileSync(createRequire(import.meta.url).resolve("ts-job/job.proto"), "utf8");
assert.match(contract, /^service JobService \{/m);
assert.equal(httpStatusOf(new JobError("not_found", "no such job")), 404);
const [tick] = nextTicks("30 2 * * *", {
  timezone: "Europe/Berlin",
  after: new Date("2026-03-29T00:00:00Z"),
  count: 1,
});
assert.equal(tick.toISOString(), "2026-03-29T01:00:00.000Z");
const signature = readSignature("export default (x: number, on: Date) => {};");
assert.deepEqual(convertArguments(signature, ["1", "2026-01-01"])[0], 1);
assert.match(
  execFileSync(process.execPath, [MAIN, "--version"], { encoding: "utf8" }),
  /^\d+\.\d+/,
);
await runInline("memory:");
await runInline("sqlite:jobs.db");
await runFlow();
await runDaemon();
console.log(`The packed library works on Node ${process.versions.node}`);
