import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/platform/clock.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { isAlive, whenGone } from "../support/attempts.ts";
import { withTempDir } from "../support/temp_dir.ts";

interface Daemon {
  readonly child: ChildProcess;
  readonly spinningPid: number;
  readonly grandchildPid: number;
  readonly exited: Promise<void>;
  readonly output: () => string;
}

const pause = (ms: number) => new Promise<void>((resolve) => systemClock.timer(ms, resolve));

async function pidIn(path: string): Promise<number> {
  // Another process writes it, so there is no event to await.
  for (let tries = 0; tries < 1_000; tries++) {
    if (existsSync(path) && statSync(path).size > 0) return Number(readFileSync(path, "utf8"));
    await pause(10);
  }
  throw new Error(`Nobody wrote ${path}; there are ${readdirSync(join(path, ".."))}`);
}

function startDaemon(leaseMs: number): Promise<Daemon> {
  return withTempDir({}, async ({ path }) => {
    const program = fileURLToPath(
      new URL("../support/processes/executor_parent.ts", import.meta.url),
    );
    const files = [join(path, "spin"), join(path, "command")];
    const runtime = runtimeName() === "deno" ? ["run", "-A", "--no-check"] : [];
    const child = spawn(process.execPath, [...runtime, program, ...files, String(leaseMs)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout!.on("data", (chunk: Uint8Array) => output += String(chunk));
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const [spinningPid, grandchildPid] = await Promise.all(files.map(pidIn));
    return {
      child,
      spinningPid: spinningPid!,
      grandchildPid: grandchildPid!,
      exited,
      output: () => output,
    };
  });
}

// The guard or the worker's own connection may notice first, by chance: so try several times.
for (let round = 1; round <= 3; round++) {
  test(`guard ends a spinning worker and a command's grandchild when the daemon is killed, round ${round}`, async () => {
    const daemon = await startDaemon(15_000);
    process.kill(daemon.child.pid!, "SIGKILL");
    await daemon.exited;
    const startMs = systemClock.now().monotonicMs;
    await Promise.all([whenGone(daemon.spinningPid, 2_000), whenGone(daemon.grandchildPid, 2_000)]);
    const tookMs = systemClock.now().monotonicMs - startMs;
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
  });
}

test("guard ends them at the lease's deadline when the daemon is frozen, and the daemon continues", async () => {
  const leaseMs = 1_000;
  const daemon = await startDaemon(leaseMs);
  // While their leases are renewed, they outlive several of them.
  await pause(2 * leaseMs);
  assert.ok(isAlive(daemon.spinningPid) && isAlive(daemon.grandchildPid));
  process.kill(daemon.child.pid!, "SIGSTOP");
  const startMs = systemClock.now().monotonicMs;
  await Promise.all([whenGone(daemon.spinningPid, 4_000), whenGone(daemon.grandchildPid, 4_000)]);
  const tookMs = systemClock.now().monotonicMs - startMs;
  assert.ok(tookMs <= leaseMs + 100, `took ${tookMs} ms`);
  process.kill(daemon.child.pid!, "SIGCONT");
  for (let tries = 0; tries < 400 && daemon.output().split("\n").length < 3; tries++) {
    await pause(10);
  }
  process.kill(daemon.child.pid!, "SIGKILL");
  await daemon.exited;
  const types = daemon.output().trim().split("\n").map((line) => JSON.parse(line).type);
  assert.equal(types.length, 2);
  assert.ok(types.every((type) => type === "lost" || type === "aborted"), types.join());
});
