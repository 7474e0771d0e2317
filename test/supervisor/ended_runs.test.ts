import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { endedOf, listPlaces, recordOf } from "../../src/supervisor/supervisor_folder.ts";
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
import { until } from "../support/wait.ts";

// What is known of commands that ended while no daemon ran, long after their supervisor ended.

const root = mkdtempSync(join(tmpdir(), "ended-"));
const executors: Executor[] = [];
let folders = 0;

after(async () => {
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(root, { recursive: true, force: true });
});

function makeExecutor(folder: string): Executor {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
    outliving: { folder: () => folder, graceMs: null },
  });
  executors.push(executor);
  return executor;
}

/** Scripts whose daemon is killed, until their supervisor has ended. @returns its folder */
async function leave(scripts: readonly string[]): Promise<string> {
  const folder = join(root, String(folders += 1));
  const [program, ...args] = programCommand("leaving_parent.ts");
  const options = JSON.stringify({ leaseMs: 3_000, graceMs: 1_500 });
  const child = spawn(program!, [...args, folder, options, ...scripts], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout!, "data");
  process.kill(child.pid!, "SIGKILL");
  await whenGone(child.pid!, 5_000);
  await until("its supervisor has ended", () => listPlaces(folder).length === 0);
  return folder;
}

const SCRIPTS = [
  "echo up; sleep 0.3; echo one; exit 3",
  "echo up; sleep 0.3; echo two",
  "echo up; exec sleep 60",
];

test("adopt() has the outcome of a command long after its supervisor has ended, until it is recorded", async () => {
  const folder = await leave(SCRIPTS);
  for (const isRecorded of [false, true]) {
    const executor = makeExecutor(folder);
    const found = [...await executor.survivors!.find()].sort((a, b) => a.id < b.id ? -1 : 1);
    assert.equal(found.length, 3);
    const attempts = found.map(({ id, fence, ...rest }) => {
      const sink = new RecordingSink();
      const task = makeTask(commandJob(["/bin/sh"]), [], { instance: { id, fence } });
      const attempt = executor.survivors!.adopt({ id, fence, ...rest }, task, sink, 1);
      return { sink, attempt };
    });
    executor.survivors!.begin();
    const outcomes = await Promise.all(attempts.map(({ attempt }) => attempt.outcome));
    const ends = outcomes.map((outcome) => {
      return outcome.type === "error" ? outcome.error.exitCode : outcome.type;
    });
    assert.deepEqual(ends, [3, "ok", "lost"]);
    assert.deepEqual(attempts.map(({ sink }) => sink.messages()), [["one"], ["two"], []]);
    assert.ok(attempts[0]!.sink.endedAgoMs[0]! > 500);
    if (isRecorded) { for (const { attempt } of attempts) attempt.outcomeRecorded!(); }
    await executor.stop();
    assert.equal(listPlaces(folder, "ended").length, isRecorded ? 0 : 1);
  }
  assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
});

for (const how of ["lives", "is dead"] as const) {
  test(`find() ends what an unreadable record names, whose supervisor ${how}`, {
    skip: process.platform !== "linux",
  }, async () => {
    const folder = join(root, String(folders += 1));
    const file = `${folder}.pids`;
    const [program, ...args] = programCommand("leaving_parent.ts");
    const options = JSON.stringify({ leaseMs: 60_000, graceMs: null });
    const script = `echo $PPID $$ > ${file}; echo up; sleep 60`;
    const parent = spawn(program!, [...args, folder, options, script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(parent.stdout!, "data");
    const [supervisor, pid] = readFileSync(file, "utf8").split(" ").map(Number);
    const [place] = listPlaces(folder);
    truncateSync(recordOf(place!), 20);
    assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
    assert.equal(isAlive(pid!), true, "its daemon lives");
    if (how === "is dead") {
      process.kill(parent.pid!, "SIGSTOP");
      process.kill(supervisor!, "SIGKILL");
    }
    process.kill(parent.pid!, "SIGKILL");
    await whenGone(parent.pid!, 5_000);
    assert.equal(isAlive(pid!), true);
    assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
    await whenGone(pid!, 2_000);
    assert.deepEqual(listPlaces(folder), []);
  });
}

test("begin() forgets ends that nobody waits for", async () => {
  const folder = await leave(SCRIPTS.slice(0, 2));
  const executor = makeExecutor(folder);
  assert.equal((await executor.survivors!.find()).length, 2);
  executor.survivors!.begin();
  await until("the file is gone", () => listPlaces(folder, "ended").length === 0);
});

test("find() leaves out an end that was not written whole, and one that nobody sealed", async () => {
  const folder = await leave(SCRIPTS.slice(0, 2));
  const [place] = listPlaces(folder, "ended");
  const file = endedOf(place!);
  const text = readFileSync(file, "utf8");
  const lines = text.trimEnd().split("\n");
  writeFileSync(file, lines.slice(0, -1).join("\n") + `\n${lines.at(-1)!.slice(0, -5)}`);
  const executor = makeExecutor(folder);
  assert.equal((await executor.survivors!.find()).length, 1);
  executor.survivors!.leave();
  writeFileSync(file, text.replaceAll(/"seal":"[^"]{4}/g, '"seal":"AAAA'));
  assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
  writeFileSync(file, "");
  appendFileSync(file, "not JSON\n{}\n");
  assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
});
