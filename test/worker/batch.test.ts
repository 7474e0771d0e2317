import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type JobDefinition, NO_HANDLERS } from "../../src/core/job/job.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import type { AttemptOutcome } from "../../src/worker/executor.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { WorkerProcess } from "../../src/worker/process/worker_process.ts";
import {
  makeJob,
  makeTask,
  programCommand,
  RecordingSink,
  workerCommand,
} from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";

/** Does what its second argument says, after appending its number to the file. */
const MODULE = `
import { appendFileSync, writeSync } from "node:fs";
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ACTS = {
  nothing: () => {},
  print: (number) => console.log("line of " + number),
  write: (number) => { process.stdout.write("part of " + number); },
  spin: (number, ms) => { const end = Date.now() + ms; while (Date.now() < end); },
  wait: (number, ms) => wait(ms),
  announce: (number, ms) => { console.log("waits"); return wait(ms); },
  fail: (number) => { throw new Error("failure of " + number); },
  exit: () => process.exit(0),
  kill: () => { process.kill(process.pid, "SIGKILL"); for (;;); },
  reject: (number) => void Promise.reject(new Error("rejection of " + number)),
  timer: () => void setTimeout(() => {}, 60_000),
  global: () => { Array.prototype.ours = () => {}; },
  directory: () => process.chdir("/"),
  forge: (number) => {
    for (let run = 1; run < 100; run++) {
      process.send({ type: "result", run, result: { type: "ok", resultsJson: "[\\"forged\\"]" }, reuse: "clean", isSilent: true });
    }
    return wait(200);
  },
  large: () => "x".repeat(40_000),
  scribble: () => { writeSync(5, Buffer.alloc(8_192), 0, 8_192, 4_096); },
  clock: () => { performance.now = () => 0; },
};
export default async function work(file, act, number, ms) {
  if (file !== "") appendFileSync(file, number + "\\n");
  const result = await ACTS[act](number, ms);
  return result ?? [process.pid, [].ours === undefined, process.cwd()];
}
`;

const folder = mkdtempSync(join(tmpdir(), "batch-test-"));
const path = join(folder, "work.js");
writeFileSync(path, MODULE);
// Keeps the process alive while its only workers end.
const hold = systemClock.timer(600_000, () => {});
let executor = makeExecutor();
after(async () => {
  await executor.stop();
  hold.cancel();
  rmSync(folder, { recursive: true, force: true });
});
let worlds = 0;
/** Most times that attempts are begun together until some are in one message. */
const TRIES_MAX = 100;

interface Ended {
  readonly number: number;
  readonly outcome: AttemptOutcome;
  readonly sink: RecordingSink;
}

/** Two workers, which tests share: what a job does to its worker is not seen by the next one. */
function makeExecutor() {
  return createProcessExecutor({
    ...{ clock: systemClock, logger: silentLogger, count: 2, idleMs: 60_000 },
    command: workerCommand(),
  });
}

/** End the workers, and begin with new ones. */
async function renewExecutor(): Promise<void> {
  await executor.stop();
  executor = makeExecutor();
  await executor.start();
}

/**
 * Two workers of a new job that is known to be short and silent. Of the attempts run next, the
 * first is in one worker and all others are in one batch of the other.
 */
async function world(options: Partial<JobDefinition["options"]> = {}) {
  const source = { type: "module", path, entry: "work", version: "1" } as const;
  const job = { ...makeJob("work", source, options), hasHandler: NO_HANDLERS };
  const file = join(folder, `begun-${worlds++}`);
  writeFileSync(file, "");
  const order: number[] = [];
  const begin = (number: number, act: string, ms = 0, target = file) => {
    const sink = new RecordingSink();
    const attempt = executor.run(makeTask(job, [target, act, number, ms]), sink);
    const ended = attempt.outcome.then((outcome): Ended => {
      order.push(number);
      return { number, outcome, sink };
    });
    return { attempt, sink, ended };
  };
  // As the dispatcher does: no more at once than workers, not counting those that wait in the
  // executor.
  const queue: (() => void)[] = [];
  let held = 0;
  const pump = () => {
    while (queue.length > 0 && held - executor.waiting < 2) {
      held += 1;
      queue.shift()!();
    }
  };
  const insist = async (number: number, act: string, ms: number): Promise<Ended> => {
    const ended = await new Promise<Ended>((resolve) => {
      queue.push(() => resolve(begin(number, act, ms).ended));
      pump();
    });
    held -= 1;
    pump();
    const { outcome } = ended;
    // It is released if no worker becomes free for long.
    const isGivenBack = outcome.type === "aborted" && outcome.cause === "drain";
    return isGivenBack ? await insist(number, act, ms) : ended;
  };
  const run = (acts: readonly (string | readonly [act: string, ms: number])[]) =>
    Promise.all(acts.map((act, index) => {
      const [name, ms] = typeof act === "string" ? [act, 0] : act;
      return insist(index, name, ms);
    }));
  for (let count = 0; count < 20; count++) {
    await Promise.all([begin(-1, "nothing", 0, "").ended, begin(-1, "nothing", 0, "").ended]);
  }
  order.length = 0;
  const begun = () => readFileSync(file, "utf8").split("\n").slice(0, -1).map(Number);
  return { run, begin, insist, order, begun };
}

function valueOf({ outcome }: Ended): unknown {
  assert.ok(outcome.type === "ok", JSON.stringify(outcome));
  return JSON.parse(outcome.resultsJson)[0];
}

/** Where it ran, and what it met there. */
function surroundingsOf(ended: Ended) {
  const [pid, isPrototypeIntact, directory] = valueOf(ended) as [number, boolean, string];
  return { pid, isPrototypeIntact, directory };
}

function pidOf(ended: Ended): number {
  return surroundingsOf(ended).pid;
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

testOnBun("run() executes each of many short attempts once, without a log line", async () => {
  const { run, begun } = await world();
  const all = await run(Array.from({ length: 20 }, () => "nothing"));
  assert.deepEqual(sorted(begun()), all.map(({ number }) => number));
  assert.deepEqual(all.flatMap(({ sink }) => sink.messages()), []);
});

for (const act of ["print", "write"]) {
  const testIt = act === "print" ? testOnBun : test;
  testIt(`run() logs the ${act} of one attempt of a batch for that attempt`, async () => {
    const { run, begun } = await world();
    const all = await run(["nothing", "nothing", "nothing", act, "nothing", act, "nothing"]);
    const printed = all.filter(({ sink }) => sink.entries.length > 0);
    assert.deepEqual(printed.map(({ number, sink }) => [number, ...sink.messages()]), [
      [3, `${act === "print" ? "line" : "part"} of 3`],
      [5, `${act === "print" ? "line" : "part"} of 5`],
    ]);
    assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4, 5, 6]);
  });
}

for (const act of ["spin", "wait"]) {
  const testIt = act === "wait" ? testOnBun : test;
  testIt(`run() lets no attempt of a batch wait for one with a long ${act}`, async () => {
    const { run, begun, order } = await world();
    const all = await run(["nothing", "nothing", [act, 700], "nothing", "nothing"]);
    for (const ended of all) valueOf(ended);
    assert.equal(order.at(-1), 2, "the long one ends last");
    assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4]);
  });
}

testOnBun("run() fails only the attempts of a batch that throw", async () => {
  const { run } = await world();
  const all = await run(["nothing", "nothing", "fail", "nothing", "fail"]);
  assert.deepEqual(all.map(({ outcome }) => outcome.type), ["ok", "ok", "error", "ok", "error"]);
  for (const { number, outcome } of all) {
    if (outcome.type === "error") assert.equal(outcome.error.message, `failure of ${number}`);
  }
});

for (const [act, type] of [["exit", "error"], ["kill", "lost"]] as const) {
  const testIt = act === "exit" ? testOnBun : test;
  testIt(
    `run() keeps the results before a ${act} in a batch, and runs the others elsewhere`,
    async () => {
      const { run, begun } = await world();
      const all = await run(["nothing", "nothing", "nothing", act, "nothing", "nothing"]);
      const types = all.map(({ outcome }) => outcome.type);
      assert.deepEqual(types, ["ok", "ok", "ok", type, "ok", "ok"]);
      assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4, 5]);
    },
  );
}

test("run() logs a late error for the attempt of the batch that caused it", async () => {
  const { run, begun } = await world();
  const all = await run(["nothing", "nothing", "reject", "nothing", "nothing"]);
  for (const ended of all) valueOf(ended);
  await all[2]!.sink.line("rejection of 2");
  const logged = all.filter(({ sink }) => sink.entries.length > 0);
  assert.deepEqual(logged.map(({ number }) => number), [2]);
  assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4]);
});

test("receive() begins no run before the late errors of the previous one have shown", () => {
  const work = join(folder, "reject.js");
  writeFileSync(
    work,
    `export default function work(run) { if (run === 1) void Promise.reject(new Error("late")); }`,
  );
  const [program, ...args] = programCommand("fast_daemon.ts");
  const { stdout, stderr } = spawnSync(program!, [...args, work], {
    encoding: "utf8",
    env: { ...process.env, JOBCTL_WORKER: "fast-daemon" },
  });
  // Behind the markers that end the output of a run.
  const text = stdout.split("\n").at(-1) || "[]";
  const sent = JSON.parse(text) as { readonly type: string; readonly run: number }[];
  assert.deepEqual(
    sent.map(({ type, run }) => [type, run]),
    [["result", 1], ["late", 1], ["refused", 2]],
    stderr,
  );
});

for (const act of ["timer", "directory"]) {
  const testIt = act === "timer" ? testOnBun : test;
  testIt(`run() lets no attempt of a batch meet the ${act} that an earlier one left`, async () => {
    const { run, begun } = await world();
    const all = await run(["nothing", "nothing", act, "nothing", "nothing"]);
    await all[2]!.sink.line("Ended with its worker, because it was left behind");
    const changed = pidOf(all[2]!);
    for (const number of begun().slice(begun().indexOf(2) + 1)) {
      assert.notEqual(pidOf(all[number]!), changed);
      assert.notEqual(surroundingsOf(all[number]!).directory, "/");
    }
  });
}

testOnBun("run() replaces the worker after a batch that changed a prototype", async () => {
  const { run } = await world();
  const all = await run(["nothing", "nothing", "global", "nothing", "nothing"]);
  const changed = pidOf(all[2]!);
  const next = await run(["nothing", "nothing", "nothing", "nothing", "nothing"]);
  for (const ended of next) {
    assert.notEqual(pidOf(ended), changed);
    assert.equal(surroundingsOf(ended).isPrototypeIntact, true);
  }
});

testOnBun("run() returns results of a batch that do not fit into its memory", async () => {
  const { run, begun } = await world();
  const all = await run(["nothing", "large", "large", "large", "nothing"]);
  assert.deepEqual(all.slice(1, 4).map((ended) => (valueOf(ended) as string).length), [
    40_000,
    40_000,
    40_000,
  ]);
  assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4]);
});

test("abort() ends an attempt of a batch before it begins, and one that is running", async () => {
  const { begin, begun } = await world({ killAfterMs: 100 });
  const acts = ["nothing", "nothing", "announce", "nothing", "nothing"];
  const all = acts.map((act, number) => begin(number, act, 60_000));
  // The batch has been sent, and nothing is known about it yet.
  await new Promise((resolve) => systemClock.defer(() => resolve(null)));
  all[3]!.attempt.abort("canceled");
  const waiting = await all[3]!.ended;
  // On a slow machine the job is not known to be short, so that all begin at once.
  const isAborted = waiting.outcome.type === "aborted" && waiting.outcome.cause === "canceled";
  assert.ok(isAborted || begun().includes(3));
  await all[4]!.ended;
  // Unless its worker has ended with the canceled one.
  await Promise.race([all[2]!.sink.line("waits"), all[2]!.ended]);
  all[2]!.attempt.abort("lease");
  const { outcome: running } = await all[2]!.ended;
  const isLost = running.type === "aborted" && running.isUnstarted === true;
  assert.ok(isLost || running.type === "aborted" && running.cause === "lease");
  const ran = isLost ? [] : [2];
  for (const number of [0, 1, 4]) {
    const ended = await all[number]!.ended;
    const { outcome } = ended;
    // Its worker ended for an attempt before it.
    if (outcome.type === "aborted" && outcome.isUnstarted) continue;
    valueOf(ended);
    ran.push(number);
  }
  assert.deepEqual(sorted(begun()).filter((number) => number !== 3), sorted(ran));
});

test("run() stops only the attempt of a batch that reaches its timeout", async () => {
  const { run } = await world({ timeoutMs: 700, killAfterMs: 100 });
  const all = await run(["nothing", "nothing", ["spin", 60_000], "nothing", ["wait", 60_000]]);
  const causes = all.map(({ outcome }) =>
    outcome.type === "aborted" ? outcome.cause : outcome.type
  );
  assert.deepEqual(causes, ["ok", "ok", "timeout", "ok", "timeout"]);
});

testOnBun(
  "run() ends every attempt of a batch in which one overwrites the results",
  async () => {
    const { run, begun } = await world();
    const all = await run(["nothing", "nothing", "nothing", "scribble", "nothing", "nothing"]);
    for (const { outcome } of all) assert.ok(["ok", "lost"].includes(outcome.type));
    assert.equal(new Set(begun()).size, begun().length);
  },
);

testOnBun("run() ends every attempt of a batch in which one stops the clock", async () => {
  const { run } = await world();
  const all = await run(["nothing", "nothing", "clock", "nothing", "nothing"]);
  for (const ended of all) valueOf(ended);
});

testOnBun("run() sends waiting attempts in one message", async () => {
  const { begin } = await world();
  const { run } = WorkerProcess.prototype;
  const sizes: number[] = [];
  WorkerProcess.prototype.run = function (first, followers = []) {
    if (followers.length > 0) sizes.push(followers.length);
    run.call(this, first, followers);
  };
  try {
    // What the machine does besides can make the job seem long for a while.
    for (let tries = 0; tries < TRIES_MAX && sizes.length === 0; tries++) {
      const all = Array.from({ length: 12 }, (_, number) => begin(number, "nothing"));
      await Promise.all(all.map(({ ended }) => ended));
    }
  } finally {
    WorkerProcess.prototype.run = run;
  }
  assert.ok(sizes.length > 0);
});

test("run() ends an attempt that forges results, and begins nothing twice", async () => {
  // The numbers of its attempts are among those that it forges.
  await renewExecutor();
  const { run, begun } = await world();
  const all = await run(["nothing", "nothing", "forge", "nothing", "nothing", "nothing"]);
  const [forger] = all.splice(2, 1);
  const { outcome } = forger!;
  assert.ok(outcome.type === "error", JSON.stringify(outcome));
  assert.match(outcome.error.message, /"result" without the token/);
  for (const ended of all) assert.notEqual(valueOf(ended), "forged");
  assert.deepEqual(sorted(begun()), [0, 1, 2, 3, 4, 5]);
});

test("stop() releases the waiting attempts of a batch and aborts the running one", async () => {
  const { begin } = await world({ killAfterMs: 100 });
  const all = ["nothing", ["wait"], "nothing", "nothing"].map((act, number) =>
    begin(number, String(act), 60_000)
  );
  await new Promise((resolve) => systemClock.defer(() => resolve(null)));
  await renewExecutor();
  const [, second] = await Promise.all(all.map(({ ended }) => ended));
  assert.ok(second!.outcome.type === "aborted" && second!.outcome.cause === "drain");
});

test("run() begins each of many attempts once, whatever the others of its batch do", {
  timeout: 60_000,
}, async () => {
  const { insist, begun } = await world();
  const acts = ["nothing", "print", "fail", "exit", "reject", "timer", "global", "large"];
  const runOne = async (number: number): Promise<void> => {
    // Mostly what keeps the job short and silent.
    const act = number % 7 === 3 ? acts[(number * 31 + 11) % acts.length]! : "nothing";
    const { outcome } = await insist(number, act, 0);
    const isFailure = act === "fail" || act === "exit";
    assert.equal(outcome.type, isFailure ? "error" : "ok", `${number}: ${JSON.stringify(outcome)}`);
  };
  const length = runtimeName() === "bun" ? 140 : 60;
  const numbers = Array.from({ length }, (_, number) => number);
  for (let from = 0; from < numbers.length; from += 20) {
    await Promise.all(numbers.slice(from, from + 20).map(runOne));
  }
  assert.deepEqual(sorted(begun()), numbers);
});
