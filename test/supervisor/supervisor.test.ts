import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { createLogger, silentLogger } from "../../src/platform/logger.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { SUPERVISOR_VERSION } from "../../src/supervisor/protocol.ts";
import type { Attempt, Executor } from "../../src/worker/executor.ts";
import {
  commandJob,
  isAlive,
  makeTask,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";
import { linesOf, sleep, until } from "../support/wait.ts";

const isRoot = userInfo().uid === 0;
const isLinux = process.platform === "linux";
/** Only where the C library can be called. A test that Deno skips would keep it from `after`. */
const testWithLibrary = runtimeName() === "bun" && isLinux ? test : () => {};
const folder = mkdtempSync(join(tmpdir(), "supervisor-test-"));
const executors: Executor[] = [];

function makeExecutor(
  options: Partial<Parameters<typeof createCommandExecutor>[0]> = {},
): Executor {
  const executor = createCommandExecutor({
    clock: systemClock,
    logger: silentLogger,
    idleMs: 60_000,
    command: workerCommand(),
    ...options,
  });
  executors.push(executor);
  return executor;
}

after(async () => {
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(folder, { recursive: true, force: true });
});

function begin(
  executor: Executor,
  script: string,
  { leaseMs = 60_000, spec = {}, options = {} }: {
    readonly leaseMs?: number;
    readonly spec?: Parameters<typeof commandJob>[1];
    readonly options?: Parameters<typeof commandJob>[2];
  } = {},
) {
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh", "-c", script], spec, options);
  return { sink, attempt: executor.run(makeTask(job, [], { leaseMs }), sink) };
}

async function run(
  executor: Executor,
  script: string,
  setting: Parameters<typeof begin>[2] = {},
) {
  const { sink, attempt } = begin(executor, script, setting);
  return { outcome: await attempt.outcome, lines: sink.messages() };
}

async function parentOf(executor: Executor): Promise<number> {
  return Number((await run(executor, "echo $PPID")).lines[0]);
}

test("prepare() starts the supervisor of a job's commands, which ends if none follows", async () => {
  const executor = makeExecutor({ idleMs: 1_000 });
  const job = commandJob(["/bin/true"]);
  executor.prepare!(job);
  executor.prepare!(job);
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
  const first = await parentOf(executor);
  assert.equal(await parentOf(executor), first);
  executor.prepare!(job);
  await until("the idle supervisor has ended", () => executor.stats().alive === 0);
  // Who has no account is refused by the attempt, as without this.
  executor.prepare!(commandJob(["/bin/true"], { user: "nobody-of-this-name" }));
  assert.equal(executor.stats().alive, 0);
});

testOnBun("run() has all commands of one user in one supervisor, also at once", async () => {
  const executor = makeExecutor();
  const parents = await Promise.all(Array.from({ length: 8 }, () => parentOf(executor)));
  assert.equal(new Set(parents).size, 1);
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
});

test("run() has another supervisor for another user or priority", { skip: !isRoot }, async () => {
  const executor = makeExecutor();
  const specs = [{}, { user: "nobody" }, { nice: 3 }];
  const found = await Promise.all(
    specs.map((spec) => run(executor, "echo $PPID", { spec })),
  );
  assert.equal(new Set(found.map(({ lines }) => lines[0])).size, 3);
});

test("run() is lost with everything that runs when its supervisor is killed", async () => {
  const executor = makeExecutor();
  const script = "echo $PPID $$; sleep 600 & sleep 600";
  const begun = [begin(executor, script), begin(executor, script)];
  for (const { sink } of begun) await sink.line(" ");
  const pids = begun.map(({ sink }) => sink.messages()[0]!.split(" ").map(Number));
  process.kill(pids[0]![0]!, "SIGKILL");
  for (const { attempt } of begun) {
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "lost" && outcome.error.signal === "SIGKILL");
    assert.match(outcome.error.message, /^The supervisor of commands was killed by SIGKILL/);
  }
  for (const [, pid] of pids) await whenGone(pid!, 1_000);
  assert.equal((await run(executor, "true")).outcome.type, "ok");
});

test("run() ends a command before its deadline although its supervisor is frozen", {
  skip: !isLinux,
}, async () => {
  const executor = makeExecutor();
  const frozen = begin(executor, "echo $PPID $$; sleep 600", {
    leaseMs: 1_500,
    options: { killAfterMs: 200 },
  });
  await frozen.sink.line(" ");
  const [supervisor, pid] = frozen.sink.messages()[0]!.split(" ").map(Number);
  process.kill(supervisor!, "SIGSTOP");
  await whenGone(pid!, 2_000);
  process.kill(supervisor!, "SIGCONT");
  const outcome = await frozen.attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "lease");
});

testOnBun("run() has the result of a command that ended before it was aborted for its lease", {
  skip: !isLinux,
}, async () => {
  const outliving = { folder: () => join(folder, "outliving"), graceMs: null };
  const { attempt, sink } = begin(makeExecutor({ outliving }), "echo up; sleep 0.3; exit 3");
  await sink.line("");
  // This process does not hear of the end.
  const endMs = performance.now() + 1_500;
  while (performance.now() < endMs);
  attempt.abort("lease");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "error" && outcome.error.exitCode === 3, JSON.stringify(outcome));
});

test("run() has other commands go on when one stops its supervisor", {
  skip: !isLinux,
}, async () => {
  const executor = makeExecutor();
  const { outcome } = await run(executor, "kill -STOP $PPID");
  assert.equal(outcome.type, "ok");
  assert.equal((await run(executor, "true")).outcome.type, "ok");
});

test("extend() keeps commands beyond their first deadline", async () => {
  const executor = makeExecutor();
  const begun = [1, 2, 3].map(() => begin(executor, "sleep 1; echo end", { leaseMs: 600 }));
  const untilMs = systemClock.now().monotonicMs + 60_000;
  for (const { attempt } of begun) attempt.extend(untilMs);
  for (const { attempt, sink } of begun) {
    assert.equal((await attempt.outcome).type, "ok");
    assert.deepEqual(sink.messages(), ["end"]);
  }
});

test("abort() ends a command that waits for its supervisor to start", async () => {
  const file = join(folder, "unstarted");
  const { attempt } = begin(makeExecutor(), `touch ${file}`);
  attempt.abort("canceled");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.isUnstarted);
  assert.deepEqual(linesOf(file), []);
});

testOnBun("run() ends an idle supervisor after idleMs, and one that is worn out", async () => {
  const idle = makeExecutor({ idleMs: 50 });
  await whenGone(await parentOf(idle), 2_000);
  const worn = makeExecutor({ recycle: { runs: 2, memoryBytes: 1e12 } });
  const parents = [await parentOf(worn), await parentOf(worn), await parentOf(worn)];
  assert.equal(parents[0], parents[1]);
  assert.notEqual(parents[1], parents[2]);
  await whenGone(parents[0]!, 2_000);
});

testOnBun(
  "the results that a supervisor keeps are limited until their outcomes are recorded",
  async () => {
    const results = join(folder, "results");
    const executor = makeExecutor({ outliving: { folder: () => results, graceMs: null } });
    const script = "head -c 1000000 /dev/zero | tr '\\0' x >$JOB_RESULT_FILE";
    const begun = Array.from({ length: 40 }, () => begin(executor, script).attempt);
    const ended: Attempt[] = [];
    for (const attempt of begun) void attempt.outcome.then(() => ended.push(attempt));
    await until("as many have ended as are kept", () => ended.length >= 33);
    await sleep(1_000);
    assert.ok(ended.length <= 35, `${ended.length}`);
    begun.at(-1)!.abort("canceled");
    await begun.at(-1)!.outcome;
    for (const attempt of ended.slice()) attempt.outcomeRecorded!();
    for (const attempt of begun.slice(0, -1)) assert.equal((await attempt.outcome).type, "ok");
  },
);

testOnBun(
  "new commands outlive the daemon again once their supervisor can be recorded",
  async () => {
    const home = join(folder, "blocked");
    writeFileSync(home, "");
    let laterMs = 0;
    const now = () => {
      const { wallMs, monotonicMs } = systemClock.now();
      return { wallMs, monotonicMs: monotonicMs + laterMs };
    };
    const clock = { ...systemClock, now };
    const log: string[] = [];
    const logger = createLogger({
      ...{ clock: systemClock, level: "info", format: "text" },
      write: (line) => log.push(line),
    });
    const folderOf = () => join(home, "commands");
    const executor = makeExecutor({
      clock,
      logger,
      outliving: { folder: folderOf, graceMs: null },
    });
    const first = await parentOf(executor);
    rmSync(home);
    mkdirSync(home);
    assert.equal(await parentOf(executor), first, "not yet tried again");
    laterMs = 10_001;
    const { attempt, sink } = begin(executor, "echo $PPID; sleep 600");
    await sink.line("");
    assert.notEqual(Number(sink.messages()[0]), first);
    await whenGone(first, 2_000);
    assert.equal(attempt.canLeave, true);
    assert.deepEqual(log.map((line) => /Commands will|again/.exec(line)?.[0]), [
      "Commands will",
      "again",
    ]);
    attempt.abort("canceled");
    await attempt.outcome;
    await executor.stop();
    assert.equal(existsSync(folderOf()), false, "nothing is recorded there any more");
  },
);

test("stop() ends what runs and every supervisor, and refuses further commands", async () => {
  const executor = makeExecutor();
  const { sink, attempt } = begin(executor, "trap '' TERM; echo $PPID $$; sleep 600", {
    options: { killAfterMs: 100 },
  });
  await sink.line(" ");
  const pids = sink.messages()[0]!.split(" ").map(Number);
  await executor.stop();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "drain");
  for (const pid of pids) assert.equal(isAlive(pid), false);
  assert.equal((await run(executor, "true")).outcome.type, "lost");
});

test("run() keeps what a command leaves with leavesChildren, and only that", {
  skip: !isLinux,
}, async () => {
  const executor = makeExecutor();
  const [left, other] = [join(folder, "left"), join(folder, "other")];
  const leave = (file: string) =>
    `(setsid sh -c 'echo $$ > ${file}; exec sleep 600' &)
    until [ -s ${file} ] && grep -q sleep /proc/$(cat ${file})/comm; do sleep 0.01; done; echo end`;
  const kept = await run(executor, leave(left), { spec: { leavesChildren: true } });
  assert.equal(kept.lines[0], "end");
  assert.match(kept.lines[1]!, /^Left running by the command: sleep \(\d+\)$/);
  const ended = await run(executor, leave(other));
  assert.match(ended.lines[1]!, /^Ended with the command, which left them running: sleep \(\d+\);/);
  await whenGone(Number(readFileSync(other, "utf8")), 1_000);
  const pid = Number(readFileSync(left, "utf8"));
  assert.equal(isAlive(pid), true);
  await executor.stop();
  assert.equal(isAlive(pid), true);
  process.kill(pid, "SIGKILL");
});

/** Starts a process without environment, session and parent, which writes its number to `file`. */
const escape = (file: string) =>
  `(env -i setsid sh -c "echo \\$\\$ > ${file}; exec sleep 600" < /dev/null > /dev/null 2>&1 &)
   until [ -s ${file} ]; do sleep 0.01; done`;

testOnBun(
  "run() ends a process that shows no more whose it is once all have ended that may have started it",
  async () => {
    const executor = makeExecutor({ hasCgroups: false });
    const [file, go] = [join(folder, "escaped"), join(folder, "go")];
    const longer = begin(executor, `echo up; until [ -e ${go} ]; do sleep 0.02; done`);
    await longer.sink.line("up");
    await run(executor, escape(file));
    const pid = Number(readFileSync(file, "utf8"));
    assert.equal(isAlive(pid), true, "the other command may have started it");
    writeFileSync(go, "");
    await longer.attempt.outcome;
    await whenGone(pid, 1_000);
  },
);

testWithLibrary("run() ends the children of a process that shows no more whose it is", async () => {
  const file = join(folder, "children");
  const script = `(env -i setsid sh -c "sleep 600 & echo \\$! > ${file}; wait" > /dev/null 2>&1 &)
    until [ -s ${file} ]; do sleep 0.01; done`;
  await run(makeExecutor({ hasCgroups: false }), script);
  await whenGone(Number(readFileSync(file, "utf8")), 1_000);
});

testOnBun(
  "a command has its four descriptors, no others, and no signal that is ignored",
  async () => {
    const script = "exec 9< /proc/$$/status; ls /proc/$$/fd; grep SigIgn <&9";
    const { lines } = await run(makeExecutor(), script);
    assert.deepEqual(lines, ["0", "1", "2", "3", "9", "SigIgn:\t0000000000000000"]);
  },
);

testOnBun("a command fails when a variable contains a NUL character", async () => {
  const { outcome } = await run(makeExecutor(), "true", { spec: { env: { A: "a\0b" } } });
  assert.ok(outcome.type === "error");
  assert.match(outcome.error.message, /^Cannot run the command "\/bin\/sh": .*(NUL|null)/i);
});

testOnBun(
  "a command says what is missing when its script has no first line for an interpreter",
  async () => {
    const file = join(folder, "script");
    writeFileSync(file, "echo never\n", { mode: 0o755 });
    const { outcome } = await run(makeExecutor(), "", { spec: { argv: [file] } });
    assert.ok(outcome.type === "error");
    assert.match(
      outcome.error.message,
      /script": not a program; .* first line such as #!\/bin\/sh$/,
    );
  },
);

/** A program in place of the supervisor that sends these messages. */
function forged(messages: readonly unknown[]): readonly string[] {
  const file = join(folder, `forged-${executors.length}.ts`);
  const lines = messages.map((message) => `process.send!(${JSON.stringify(message)});`);
  writeFileSync(
    file,
    `process.on("message", () => {\n${lines.join("\n")}\n});
process.send!({ type: "hello", version: ${SUPERVISOR_VERSION}, pid: process.pid });
process.once("disconnect", () => process.exit(0));\n`,
  );
  return runtimeName() === "deno"
    ? [process.execPath, "run", "-A", "--no-check", file]
    : [process.execPath, file];
}

for (
  const [what, message] of [
    ["unreadable", { type: "ended", run: 1, result: { type: "ok", resultsJson: "[oops]" } }],
    ["unknown", { type: "oops" }],
    ["of a second start", { type: "hello", version: SUPERVISOR_VERSION, pid: 1 }],
    ["with process 1", { type: "started", run: 1, pid: 1 }],
  ] as const
) {
  testOnBun(
    `a supervisor that sends a message ${what} is ended, and its commands are lost`,
    async () => {
      const log: string[] = [];
      const logger = createLogger({
        clock: systemClock,
        level: "warn",
        format: "text",
        write: (line) => log.push(line),
      });
      const { outcome } = await run(makeExecutor({ command: forged([message]), logger }), "true");
      assert.equal(outcome.type, "lost");
      await until(
        "it is logged",
        () => log.some((line) => line.includes("supervisor of commands")),
      );
    },
  );
}

testOnBun("messages for commands that a supervisor was not given are dropped", async () => {
  const command = forged([
    { type: "started", run: 7, pid: 4_000_000 },
    { type: "log", run: 7, first: 0, entries: [] },
    { type: "ended", run: 7, result: { type: "ok", resultsJson: "[1]" }, stderrTail: "" },
    { type: "ended", run: 1, result: { type: "ok", resultsJson: "[2]" }, stderrTail: "" },
  ]);
  const { outcome } = await run(makeExecutor({ command }), "true");
  assert.deepEqual(outcome, { type: "ok", resultsJson: "[2]" });
});

test("run() is lost with the reason when the supervisor speaks another version or cannot start", async () => {
  const file = join(folder, "version.ts");
  writeFileSync(
    file,
    `process.send!({ type: "hello", version: 999, pid: process.pid });
setInterval(() => {}, 1_000);\n`,
  );
  const command = forged([]).slice(0, -1).concat(file);
  const { outcome } = await run(makeExecutor({ command }), "true");
  assert.ok(outcome.type === "lost");
  assert.match(
    outcome.error.message,
    /speaks version 999 of the protocol, this daemon \d+: restart/,
  );
  const missing = makeExecutor({ command: ["/nonexistent/program"] });
  const { outcome: other } = await run(missing, "true");
  assert.ok(other.type === "lost");
  assert.match(other.error.message, /^The supervisor of commands could not be started: /);
  assert.equal(missing.stats().failedStarts, 1);
});
