import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { checkCluster } from "../../support/cluster/cluster_check.ts";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { withKills } from "../../support/cluster/kill_run.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

const COUNT = 120;

/** Appends `uuid fence` to a file: what a job did to the world. */
const APPEND = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function append(ctx: Context, file: string, ms = 50): Promise<void> {
  appendFileSync(file, ctx.instance.id + " " + ctx.fence + "\\n");
  await new Promise((done) => setTimeout(done, ms));
}
`;
const SPIN = `
import { writeFileSync } from "node:fs";
export default function spin(file: string): void {
  writeFileSync(file, String(process.pid));
  for (;;);
}
`;

function isAlive(pid: number): boolean {
  try {
    // A zombie still has its number: what counts is whether it can run.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.startsWith("Z");
  } catch {
    return false;
  }
}

/** Processes whose environment or command line has `marker`. */
function processesWith(marker: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(marker) && isAlive(pid);
    } catch {
      return false;
    }
  });
}

async function list(daemon: Daemon, ...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await daemon.ask(["list", "instances", ...args]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Accept `count` instances in one request; gives their UUIDs. */
async function submit(daemon: Daemon, file: string, count: number): Promise<readonly string[]> {
  const requests = Array.from({ length: count }, () => ({ kind: "append", arguments: [file] }));
  const { instances } = await daemon.client().scheduleJobs({ requests });
  return instances.map((instance) => instance.uuid);
}

/**
 * What must hold once the faults are over: D1, E2, E3 and X1, and every instance has ended well.
 */
async function checkRuns(daemon: Daemon, accepted: readonly string[], file: string): Promise<void> {
  const states = [JobState.SCHEDULED, JobState.PROCESSING];
  await until("every instance is final", async () => {
    const { instances } = await daemon.client().lookupInstances({ query: { states, pageSize: 1 } });
    return instances.length === 0;
  }, 120_000);
  const reasons = new Map<string, string>();
  let token: string | undefined;
  do {
    const page = await daemon.client().lookupInstances({
      query: { kind: "append", pageToken: token },
    });
    for (const { uuid, reason } of page.instances) reasons.set(uuid, reason ?? "");
    token = page.nextPageToken;
  } while (token);
  assert.equal(new Set(accepted).size, COUNT);
  for (const id of accepted) assert.equal(reasons.get(id), "ok", `instance ${id}`);
  const fences = new Map<string, number>();
  const seen = new Set<string>();
  for (const line of linesOf(file)) {
    const [id, fence] = line.split(" ");
    // E3: one fence runs job code once. E2 and X1: a later effect never has a lower fence.
    assert.ok(!seen.has(line), `fence ${fence} of ${id} ran twice`);
    seen.add(line);
    assert.ok(Number(fence) > (fences.get(id!) ?? 0), `fence of ${id} fell`);
    fences.set(id!, Number(fence));
  }
  for (const id of accepted) assert.ok(fences.has(id), `instance ${id} never ran`);
}

test("faults 1 to 6: kill -9 of the daemon at six moments loses nothing and runs nothing twice at once", async () => {
  const seed = Math.floor(Math.random() * 1e6);
  const { violations, figures } = await withKills({ kills: 6, seed }, checkCluster);
  assert.deepEqual(violations, [], `npm run kills -- --kills 6 --seed ${seed}`);
  const { kills, lost, stale, overlaps } = figures;
  assert.deepEqual({ kills, lost, stale, overlaps }, { kills: 6, lost: 0, stale: 0, overlaps: 0 });
});

test("fault 11: a daemon stopped for three leases loses nothing and runs nothing twice at once", async () => {
  const daemon = await startDaemon({
    toml: `[worker]\ncount = 4\nlease = "1s"\n[defaults]\ncrashes_max = 20\n`,
    modules: { "append.ts": APPEND },
  });
  try {
    const file = join(daemon.dir, "effects.txt");
    const accepted: string[] = [];
    for (let stop = 0; stop < 2; stop++) {
      accepted.push(...await submit(daemon, file, COUNT / 2));
      await sleep(100 + Math.random() * 700);
      daemon.signal("SIGSTOP");
      await sleep(3_000);
      daemon.signal("SIGCONT");
    }
    await checkRuns(daemon, accepted, file);
  } finally {
    await daemon.stop();
  }
});

test("faults 4, 5 and 6: a running instance runs again within a second of the restart after kill -9", async () => {
  let daemon = await startDaemon({ modules: { "append.ts": APPEND } });
  try {
    const file = join(daemon.dir, "effects.txt");
    await daemon.ask(["schedule", "append", file, "600000"]);
    await until("it runs", () => existsSync(file));
    await daemon.kill();
    daemon = await daemon.restart();
    const readyAt = Date.now();
    await until("it runs again", () => readFileSync(file, "utf8").trim().split("\n").length === 2);
    assert.ok(Date.now() - readyAt < 1_000, `It took ${Date.now() - readyAt} ms`);
    const [first, second] = readFileSync(file, "utf8").trim().split("\n").map((line) =>
      line.split(" ")
    );
    assert.equal(first![0], second![0]);
    assert.ok(Number(second![1]) > Number(first![1]));
  } finally {
    await daemon.stop({ force: true });
  }
});

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  test(`fault 5: no spinning worker and no command's grandchild outlives a daemon ended by ${signal}`, async () => {
    const marker = `30${Math.floor(Math.random() * 1e6)}`;
    const daemon = await startDaemon({
      toml: `[worker]\nlease = "3s"\n[jobs.parent]\nrun = "sleep ${marker} & sleep ${marker}"\n`,
      modules: { "spin.ts": SPIN },
    });
    try {
      const file = join(daemon.dir, "spin.pid");
      await daemon.ask(["schedule", "spin", file]);
      await daemon.ask(["schedule", "parent"]);
      await until(
        "both run",
        () =>
          existsSync(file) && readFileSync(file, "utf8") !== "" &&
          processesWith(marker).length >= 2,
      );
      const spinning = Number(readFileSync(file, "utf8"));
      assert.ok(isAlive(spinning));
      if (signal === "SIGKILL") await daemon.kill();
      else process.kill(daemon.pid, signal);
      // Stopped for three leases: the guard ends job code when the first one does.
      await until(
        "nothing of theirs lives",
        () => !isAlive(spinning) && processesWith(marker).length === 0,
        9_000,
      );
      if (signal === "SIGSTOP") process.kill(daemon.pid, "SIGCONT");
    } finally {
      await daemon.stop({ force: true });
    }
  });
}

test("fault 9: SIGTERM drains: what runs finishes, nothing new is claimed, nothing is lost", async () => {
  let daemon = await startDaemon({
    toml: `[worker]\ncount = 2\ndrain = "5s"\n`,
    modules: { "append.ts": APPEND },
  });
  const file = join(daemon.dir, "effects.txt");
  const requests = Array.from({ length: 6 }, () => ({ kind: "append", arguments: [file, "1500"] }));
  await daemon.client().scheduleJobs({ requests });
  await until("two run", () => existsSync(file));
  const { code } = await daemon.terminate();
  assert.equal(code, 0);
  daemon = await daemon.restart();
  try {
    await until("all are final", async () => {
      const query = { states: [JobState.COMPLETED] };
      return (await daemon.client().lookupInstances({ query })).instances.length === 6;
    });
    const instances = await list(daemon);
    assert.ok(instances.every((instance) => instance.attempts === 1), JSON.stringify(instances));
  } finally {
    await daemon.stop();
  }
});

test("fault 9: attempts that outlast the drain are given back with their attempts kept", async () => {
  let daemon = await startDaemon({
    toml: `[worker]\ndrain = "200ms"\n[defaults]\nkill_after = "1s"\n`,
    modules: { "append.ts": APPEND },
  });
  const file = join(daemon.dir, "effects.txt");
  await daemon.ask(["schedule", "append", file, "600000"]);
  await until("it runs", () => existsSync(file));
  assert.equal((await daemon.terminate()).code, 0);
  daemon = await daemon.restart();
  try {
    await until("it runs again", () => readFileSync(file, "utf8").trim().split("\n").length === 2);
    const [instance] = await list(daemon);
    assert.equal(instance!.attempts, 2);
    assert.equal(instance!.failures ?? 0, 0);
    assert.equal(instance!.crashes ?? 0, 0);
  } finally {
    await daemon.stop({ force: true });
  }
});
