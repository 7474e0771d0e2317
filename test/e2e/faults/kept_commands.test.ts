import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { fileURLToPath } from "node:url";
import { type Build, keepCommands } from "../../support/cluster/kept_commands.ts";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { sleep, until } from "../../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** The source as another version. */
const OTHER: Build = {
  program: [
    join(ROOT, "node_modules/.bin/bun"),
    ...["--preload", join(ROOT, "test/support/released/other_version.mjs")],
    join(ROOT, "src/main.ts"),
  ],
  env: { OTHER_VERSION: "99.1.0", OTHER_FORMAT: "same" },
};

/** Longer runs: npm run kills -- --commands. */
const SHORT = { running: 8, secondsMax: 6, leaseMs: 15_000 } as const;

for (const [store, ends] of [["sqlite", 3], ["valkey", 2]] as const) {
  test(`kill -9 of the daemon again and again ends no command and loses no output on ${store}`, async () => {
    const seed = Math.floor(Math.random() * 1e6);
    const { violations } = await keepCommands({ ...SHORT, store, seed, how: "kill", ends });
    assert.deepEqual(violations, [], `seed ${seed}`);
  });
}

test("commands run on while two builds of the daemon take turns", async () => {
  const seed = Math.floor(Math.random() * 1e6);
  const options = { ...SHORT, seed, store: "sqlite", how: "both", ends: 3 } as const;
  const { violations } = await keepCommands({ ...options, builds: [{ program: [JOBCTL] }, OTHER] });
  assert.deepEqual(violations, [], `seed ${seed}`);
});

const HELD = `
[worker]
lease = "5s"
[jobs.held]
run = 'echo $$ >>"$JOB_ARG_file"; sleep 60'
params = "file: string"
on_crash = "terminate"
`;

/** Start a command that takes a minute, and return its process. */
async function startHeld(daemon: Daemon): Promise<number> {
  const file = join(daemon.dir, "held");
  const { code, stderr } = await daemon.ask(["schedule", "held", file]);
  assert.equal(code, 0, stderr);
  await until("it runs", () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
  return Number(readFileSync(file, "utf8"));
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.startsWith("Z");
  } catch {
    return false;
  }
}

/** The supervisor above a command. */
function parentOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1]);
}

async function heldInstance(daemon: Daemon): Promise<Record<string, unknown>> {
  const { stdout } = await daemon.ask(["list", "instances", "--kind", "held"]);
  return (JSON.parse(stdout) as Record<string, unknown>[])[0]!;
}

test("nothing of a daemon runs after its lease if no other one takes over", async () => {
  const daemon = await startDaemon({ toml: HELD });
  try {
    const pid = await startHeld(daemon);
    const supervisor = parentOf(pid);
    await daemon.kill();
    await sleep(500);
    assert.ok(isAlive(pid), "it waits for the next daemon");
    await until("both have ended", () => !isAlive(pid) && !isAlive(supervisor), 6_000);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("kill -9 of a supervisor that was taken over ends its commands at once, and they are lost", async () => {
  let daemon = await startDaemon({ toml: HELD });
  try {
    const pid = await startHeld(daemon);
    await daemon.kill();
    daemon = await daemon.restart();
    assert.ok(isAlive(pid));
    process.kill(parentOf(pid), "SIGKILL");
    await until("the command has ended", () => !isAlive(pid), 2_000);
    await until("it is lost", async () => (await heldInstance(daemon)).state === "terminated");
    assert.equal((await heldInstance(daemon)).reason, "lost");
  } finally {
    await daemon.stop({ force: true });
  }
});

test("one supervisor runs all commands, also those of a daemon that has adopted it", async () => {
  if (process.platform !== "linux") return;
  let daemon = await startDaemon({ toml: HELD });
  try {
    const pid = await startHeld(daemon);
    for (let count = 0; count < 2; count++) {
      await daemon.kill();
      daemon = await daemon.restart();
      rmSync(join(daemon.dir, "held"));
      assert.equal(parentOf(await startHeld(daemon)), parentOf(pid));
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("a command that ended while no daemon ran has its real end", async () => {
  const toml = HELD.replace("sleep 60", "sleep 1").replace("on_crash", 'timeout = "2s"\non_crash');
  let daemon = await startDaemon({ toml });
  try {
    const pid = await startHeld(daemon);
    await daemon.kill();
    await until("it has ended", () => !isAlive(pid));
    await sleep(2_000);
    daemon = await daemon.restart();
    await until("it is recorded", async () => (await heldInstance(daemon)).state === "completed");
    const { instances: [instance] } = await daemon.client().lookupInstances({ query: {} });
    const { processedAt, completedAt } = instance!;
    const tookMs = Number(timestampMs(completedAt!)) - Number(timestampMs(processedAt!));
    assert.ok(tookMs >= 1_000 && tookMs < 2_500, `${tookMs} ms`);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("jobctl stop ends commands that SIGTERM would keep", async () => {
  const toml = `${HELD}drain = "0s"\n`.replace("[worker]", '[worker]\non_stop = "keep"');
  let daemon = await startDaemon({ toml });
  try {
    const pid = await startHeld(daemon);
    await daemon.terminate();
    assert.ok(isAlive(pid));
    daemon = await daemon.restart();
    assert.equal((await heldInstance(daemon)).state, "processing");
    const { code } = await daemon.jobctl(["stop", "--yes"]);
    assert.equal(code, 0);
    await daemon.exited;
    assert.ok(!isAlive(pid));
  } finally {
    await daemon.stop({ force: true });
  }
});

const WAITS = `export default async function waits(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}\n`;

test("SIGTERM waits for modules longer than the lease, and its commands run on all the while", async () => {
  const toml = HELD.replace("[worker]", '[worker]\non_stop = "keep"').replace('"5s"', '"2s"');
  let daemon = await startDaemon({ toml, modules: { "waits.ts": WAITS } });
  try {
    const pid = await startHeld(daemon);
    assert.equal((await daemon.ask(["schedule", "waits", "6000"])).code, 0);
    await until("both run", async () => {
      const { stdout } = await daemon.ask(["list", "instances", "--state", "processing"]);
      return JSON.parse(stdout).length === 2;
    });
    daemon = await daemon.restart();
    assert.ok(isAlive(pid));
    const { stdout } = await daemon.ask(["list", "instances"]);
    const found = JSON.parse(stdout) as Record<string, unknown>[];
    const states = found.map(({ kind, state, attempts }) => `${kind} ${state} ${attempts}`).sort();
    assert.deepEqual(states, ["held processing 1", "waits completed 1"]);
  } finally {
    await daemon.stop({ force: true });
  }
});
