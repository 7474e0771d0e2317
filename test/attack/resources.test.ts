import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { JobState } from "../../src/rpc/gen/job_pb.ts";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { sleep, until } from "../support/wait.ts";

/** A daemon that has no descriptors left, on the compiled file: nothing fails for it. */

const MODULES = {
  "module.ts": `export default function module(): string { return "ran"; }`,
  "inline.ts": `
export default { kind: "inline", isolation: "inline", run: (): string => "ran" };`,
};
const TOML = `
[worker]
count = 4
[jobs.command]
run = "echo ran"
retry = 0
`;

/** A user of every system, without processes of its own. */
const USER = "games";
const UID = spawnSync("id", ["-u", USER], { encoding: "utf8" }).stdout.trim();
const TOML_OF_USER = `
[jobs.command]
run = "echo ran"
user = "${USER}"
`;

function userOf(pid: number): string | undefined {
  return /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
}

function limitDescriptors(pid: number, count: number): void {
  const { status, stderr } = spawnSync("prlimit", ["--pid", `${pid}`, `--nofile=${count}:`]);
  assert.equal(status, 0, String(stderr));
}

async function startAll(daemon: Daemon): Promise<readonly string[]> {
  const requests = ["module", "command", "inline"].map((kind) => ({ kind }));
  const { instances } = await daemon.client().scheduleJobs({ requests });
  return instances.map(({ uuid }) => uuid);
}

test("fault 94: attempts without a descriptor for them wait, and run when there is one", async () => {
  const daemon = await startDaemon({ modules: MODULES, toml: TOML });
  try {
    const client = daemon.client();
    await client.getVersion({});
    limitDescriptors(daemon.pid, readdirSync(`/proc/${daemon.pid}/fd`).length);
    const ids = await startAll(daemon);
    await until("it is told", () => daemon.log().includes("Attempts are waiting to start"));
    // Some of them are tried a second time.
    await sleep(300);
    limitDescriptors(daemon.pid, 1_024);
    for (const uuid of ids) {
      const { instance } = await client.waitInstance({ uuid, waitMs: 20_000n });
      assert.equal(JobState[instance!.state], "COMPLETED", `${instance!.kind}: ${instance!.error}`);
      assert.equal(instance!.failures + instance!.crashes, 0);
      assert.equal(instance!.attempts, 1);
    }
    const told = daemon.log().split("\n").filter((line) =>
      line.includes("Attempts are waiting to start")
    );
    assert.equal(told.length, 1);
  } finally {
    await daemon.stop();
  }
});

test("fault 94: attempts of a user who may have no more processes wait, and run when others end", {
  skip: process.getuid?.() !== 0,
}, async () => {
  const daemon = await startDaemon({ modules: MODULES, toml: TOML_OF_USER });
  const hogs: ChildProcess[] = [];
  try {
    const client = daemon.client();
    await client.getVersion({});
    const { status } = spawnSync("prlimit", ["--pid", `${daemon.pid}`, "--nproc=30:"]);
    assert.equal(status, 0);
    for (let count = 0; count < 30; count++) {
      hogs.push(spawn("setpriv", ["--reuid", USER, "--clear-groups", "sleep", "30"]));
    }
    await Promise.all(hogs.map((hog) => new Promise((resolve) => hog.once("spawn", resolve))));
    await until("they are the user's", () => hogs.every(({ pid }) => userOf(pid!) === UID));
    const { uuid } = (await client.scheduleJob({ kind: "command" })).instance!;
    await until("it is told", () => daemon.log().includes("Attempts are waiting to start"));
    for (const hog of hogs) hog.kill("SIGKILL");
    const { instance } = await client.waitInstance({ uuid, waitMs: 20_000n });
    assert.equal(JobState[instance!.state], "COMPLETED", `${instance!.error}`);
    assert.equal(instance!.failures + instance!.crashes, 0);
  } finally {
    for (const hog of hogs) hog.kill("SIGKILL");
    await daemon.stop();
  }
});
