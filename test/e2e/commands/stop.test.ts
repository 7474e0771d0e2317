import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { until } from "../../support/wait.ts";

const TOML = `
[jobs.short]
run = "until [ -e go ]; do sleep 0.1; done"
cwd = "."

[jobs.long]
run = "sleep 100"
`;

/** Run `jobctl stop`, and call `onText` with what it has written to stderr so far. */
async function stopOf(daemon: Daemon, onText: (text: string) => void) {
  const child = spawn(JOBCTL, ["stop", "--port", String(daemon.port), "-o", "json"], {
    cwd: daemon.dir,
    env: { ...process.env, JOBCTL_TOKEN_FILE: join(daemon.dir, "token") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => onText(stderr += text));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

/** Start a run, and wait until its program runs. */
async function runOf(daemon: Daemon, kind: string): Promise<string> {
  const { stdout } = await daemon.jobctl(["schedule", kind, "-o", "name"]);
  const id = stdout.trim();
  await until("it runs", async () => {
    const { stdout } = await daemon.jobctl(["get", "instance", id]);
    return JSON.parse(stdout).state === "processing";
  });
  return id;
}

test("jobctl stop lets what runs end, says so, and the daemon ends with exit code 0", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const id = await runOf(daemon, "short");
    const { code, stdout, stderr } = await stopOf(daemon, (text) => {
      if (text.includes("Waiting for 1 instance: short ")) {
        writeFileSync(join(daemon.dir, "go"), "");
      }
    });
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).is_stopped, true);
    assert.match(
      stderr,
      /^Stopping node \S+: 1 running instance has at most \w+ to end\nThe next daemon will run what is aborted\nWaiting for 1 instance: short /,
    );
    assert.deepEqual(await daemon.exited, { code: 0, signal: null });
    const again = await daemon.restart();
    const { stdout: found } = await again.jobctl(["get", "instance", id]);
    assert.equal(JSON.parse(found).state, "completed");
    await again.terminate();
  } finally {
    await daemon.stop();
  }
});

test("jobctl stop --now ends a stop that waits, and what runs is run again elsewhere", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    await runOf(daemon, "long");
    const { node } = await daemon.client().getStatus({});
    const other = await daemon.jobctl(["stop", "--node", `not-${node}`]);
    assert.equal(other.code, 6, other.stderr);
    const waiting = await daemon.jobctl(["stop", "--wait-timeout", "1s"]);
    assert.equal(waiting.code, 124, waiting.stderr);
    assert.equal((await daemon.client().getStatus({})).isDraining, true);
    // Also over TCP, with a token.
    const now = await daemon.jobctl(["stop", "--now", "--node", node], {
      env: { JOBCTL_SOCKET: "none" },
    });
    assert.equal(now.code, 0, now.stderr);
    assert.deepEqual(await daemon.exited, { code: 0, signal: null });
    assert.equal((await daemon.jobctl(["stop"])).code, 7);
  } finally {
    await daemon.stop();
  }
});
