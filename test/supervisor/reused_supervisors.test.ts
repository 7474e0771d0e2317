import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { isRoot } from "../../src/platform/system/accounts.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { listPlaces } from "../../src/supervisor/supervisor_folder.ts";
import type { Executor } from "../../src/worker/executor.ts";
import {
  commandJob,
  isAlive,
  makeTask,
  programCommand,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";

// New commands of a daemon that has adopted a supervisor. Only Linux shows how that was started.

const testOnLinux = process.platform === "linux" ? test : () => {};
const root = mkdtempSync(join(tmpdir(), "reused-"));
const executors: Executor[] = [];
const parents: ChildProcess[] = [];
let folders = 0;

after(async () => {
  for (const parent of parents) parent.kill("SIGKILL");
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(root, { recursive: true, force: true });
});

interface Settings {
  readonly idleMs?: number;
  readonly graceMs?: number | null;
  /** What starts the first daemon. */
  readonly starter?: readonly string[];
}

function makeExecutor(
  folder: string,
  { idleMs = 60_000, graceMs = null }: Settings = {},
): Executor {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs, command: workerCommand() },
    outliving: { folder: () => folder, graceMs },
  });
  executors.push(executor);
  return executor;
}

/** A daemon that was killed while it ran a script, and the next one, which has adopted that. */
async function adoptAfterKill(script: string, settings: Settings = {}) {
  const folder = join(root, String(folders += 1));
  const { starter = [] } = settings;
  const [program, ...args] = [...starter, ...programCommand("leaving_parent.ts")];
  const options = JSON.stringify({ leaseMs: 20_000, graceMs: null });
  const parent = spawn(program!, [...args, folder, options, script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  parents.push(parent);
  await once(parent.stdout!, "data");
  process.kill(parent.pid!, "SIGKILL");
  await whenGone(parent.pid!, 5_000);
  const executor = makeExecutor(folder, settings);
  const [found] = await executor.survivors!.find();
  const { id, fence } = found!;
  const task = makeTask(commandJob(["/bin/sh"]), [], { instance: { id, fence } });
  const sink = new RecordingSink();
  const attempt = executor.survivors!.adopt(found!, task, sink, 0);
  executor.survivors!.begin();
  await sink.line("");
  return { folder, executor, sink, attempt };
}

/** The parent and the marker of a new command. */
async function runOn(executor: Executor, spec: Parameters<typeof commandJob>[1] = {}) {
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh", "-c", "echo $PPID $JOBCTL_WORKER"], spec);
  const attempt = executor.run(makeTask(job), sink);
  assert.equal((await attempt.outcome).type, "ok");
  attempt.outcomeRecorded!();
  const [parent, marker] = sink.messages()[0]!.split(" ");
  return { parent: Number(parent), marker: marker! };
}

const WORK = "echo $PPID $JOBCTL_WORKER; sleep 0.5; echo end";

testOnLinux("run() gives a command to the supervisor that the daemon has adopted", async () => {
  const { folder, executor, sink, attempt } = await adoptAfterKill(WORK);
  const [parent, marker] = sink.messages()[0]!.split(" ");
  const second = await runOn(executor);
  assert.equal(second.parent, Number(parent));
  assert.equal(second.marker, marker!.replace(/\.1$/, ".2"), "no number is used twice");
  assert.equal((await attempt.outcome).type, "ok");
  attempt.outcomeRecorded!();
  assert.equal((await runOn(executor)).parent, Number(parent), "it is kept with nothing to do");
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
  assert.equal(listPlaces(folder).length, 1);
  assert.notEqual((await runOn(executor, { nice: 1 })).parent, Number(parent));
});

testOnLinux("find() has the commands that an adopted supervisor was given", async () => {
  const { folder, executor } = await adoptAfterKill("echo up; sleep 60");
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh", "-c", "echo up; sleep 60"]);
  const attempt = executor.run(makeTask(job), sink);
  await sink.line("up");
  const next = makeExecutor(folder);
  assert.equal((await next.survivors!.find()).length, 2);
  next.survivors!.leave();
  attempt.abort("canceled");
  await attempt.outcome;
});

testOnLinux("run() sends long arguments to a supervisor that was adopted", async () => {
  const { executor } = await adoptAfterKill(WORK);
  const sink = new RecordingSink();
  const text = "\u0001".repeat(600_000);
  const job = commandJob(["/usr/bin/wc", "-c"], { stdin: { text } });
  assert.equal((await executor.run(makeTask(job), sink).outcome).type, "ok");
  assert.deepEqual(sink.messages(), ["600000"]);
});

testOnLinux("a supervisor that was adopted ends when it was idle for idleMs", async () => {
  const { folder, executor, sink, attempt } = await adoptAfterKill(WORK, { idleMs: 300 });
  const parent = Number(sink.messages()[0]!.split(" ")[0]);
  assert.equal((await runOn(executor)).parent, parent);
  await attempt.outcome;
  attempt.outcomeRecorded!();
  await whenGone(parent, 3_000);
  assert.deepEqual(listPlaces(folder), []);
});

testOnLinux("run() starts a supervisor if the daemon would start it in another way", async () => {
  const zone = process.env.TZ;
  // Under Deno, what root starts in a session of its own has no supplementary groups.
  const groups = "Deno" in globalThis ? [] : [["setpriv", "--groups", "12345"]];
  const starters = [
    ["chrt", "--batch", "0"],
    ...isRoot() ? [...groups, ["setpriv", "--inh-caps", "+chown"]] : [],
  ];
  const ways = [
    [{ graceMs: 5_000 }, zone],
    [{}, "Asia/Tokyo"],
    ...starters.map((starter) => [{ starter }, zone] as const),
  ] as const;
  for (const [settings, TZ] of ways) {
    const { executor, sink, attempt } = await adoptAfterKill(WORK, settings);
    const parent = Number(sink.messages()[0]!.split(" ")[0]);
    try {
      if (TZ !== undefined) process.env.TZ = TZ;
      assert.notEqual((await runOn(executor)).parent, parent, JSON.stringify(settings));
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
    assert.ok(isAlive(parent));
    assert.equal((await attempt.outcome).type, "ok");
    attempt.outcomeRecorded!();
    await whenGone(parent, 3_000);
  }
});
