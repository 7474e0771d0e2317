import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isLive, type ProcessPlace } from "../../src/core/instance.ts";
import type { CommandSpec } from "../../src/core/job/job.ts";
import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import { sleep, systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { resolveAccount } from "../../src/platform/system/accounts.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { AHEAD_MS_MAX } from "../../src/core/time/ahead.ts";
import {
  commandJob,
  isAlive,
  makeTask,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";
import { until } from "../support/wait.ts";

const isRoot = userInfo().uid === 0;
const folder = mkdtempSync(join(tmpdir(), "command-test-"));
chmodSync(folder, 0o777);
const executor = createCommandExecutor({
  clock: systemClock,
  logger: silentLogger,
  idleMs: 60_000,
  command: workerCommand(),
});
after(async () => {
  await executor.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Setting {
  readonly spec?: Partial<CommandSpec>;
  readonly options?: Partial<JobOptions>;
  readonly args?: readonly unknown[];
  readonly startAt?: number;
}

function begin(script: string, { spec, options, args, startAt }: Setting = {}) {
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh", "-c", script, "jobctl"], spec, options);
  return { sink, attempt: executor.run(makeTask(job, args, { startAt }), sink) };
}

async function run(script: string, setting: Setting = {}) {
  const { sink, attempt } = begin(script, setting);
  return { outcome: await attempt.outcome, lines: sink.messages() };
}

testOnBun("a command that is given before its time begins at it", async () => {
  // Its supervisor takes some time to start.
  await run(":");
  const startAt = Date.now() + AHEAD_MS_MAX;
  const { outcome, lines } = await run("date +%s%3N", { startAt });
  assert.equal(outcome.type, "ok");
  assert.ok(Number(lines[0]) >= startAt, `${startAt - Number(lines[0])} ms too early`);
});

test("a command that is aborted before its time does not begin", async () => {
  await run(":");
  const file = join(folder, "too-early");
  const { attempt, sink } = begin(`touch ${file}`, { startAt: Date.now() + 60_000 });
  attempt.abort("drain");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.isUnstarted, JSON.stringify(outcome));
  await sleep(systemClock, 2 * AHEAD_MS_MAX);
  assert.ok(!existsSync(file));
  assert.deepEqual(sink.messages(), []);
});

test("a command succeeds without results when it exits with code 0", async () => {
  const { outcome, lines } = await run("echo out; echo err >&2");
  assert.deepEqual(outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(lines.sort(), ["err", "out"]);
});

test("a command fails with its code and the end of stderr when it exits with another", async () => {
  const { outcome } = await run("echo nothing; echo no space >&2; exit 3");
  assert.ok(outcome.type === "error");
  assert.equal(outcome.error.exitCode, 3);
  assert.equal(outcome.error.message, 'Command "/bin/sh" exited with code 3: no space');
});

test("a command fails with its signal when it is killed", async () => {
  const { outcome } = await run("kill -9 $$");
  assert.ok(outcome.type === "error" && outcome.error.signal === "SIGKILL");
});

test("a command receives its arguments unchanged", async () => {
  const args = ["a b", "$(id)", '"; id', "*", 7, { x: 1 }, ""];
  const { lines } = await run('for a; do echo "<$a>"; done', { args });
  assert.deepEqual(lines, ["<a b>", "<$(id)>", '<"; id>', "<*>", "<7>", '<{"x":1}>', "<>"]);
});

for (
  const [what, spec, args] of [
    ["was accepted when its table declared more", { hasRest: false }, ["x"]],
    ["begins with a dash", { hasRest: true }, ["x", "-exec"]],
  ] as const
) {
  test(`a command is not started with an argument that ${what}`, async () => {
    const file = join(folder, "not-started");
    const { outcome } = await run(`touch ${file}`, { spec, args });
    assert.ok(outcome.type === "error", JSON.stringify(outcome));
    assert.match(outcome.error.message, /^Cannot pass /);
    assert.ok(!existsSync(file));
  });
}

test("a command has cron's environment, its own and the instance's", async () => {
  const { lines } = await run("env | sort", {
    spec: { env: { MINE: "1", PATH: "/usr/bin:/bin:/mine" } },
    args: ["x"],
  });
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s) as [string, string]));
  const { name: username, home: homedir } = resolveAccount(null, null);
  const uuid = env.JOB_UUID;
  assert.match(env.JOB_RESULT_FILE!, /^\/dev\/fd\/\d$/);
  delete env.JOB_RESULT_FILE;
  // Deno passes the descriptor of that file in a variable.
  delete env.DENO_EXTRA_STDIO_FDS;
  delete env.PWD;
  delete env._;
  delete env.SHLVL;
  delete env.OLDPWD;
  assert.match(env.JOBCTL_WORKER!, /^[0-9a-f]{32}\.\d+$/);
  delete env.JOBCTL_WORKER;
  assert.deepEqual(env, {
    HOME: homedir,
    JOB_ARG_1: "x",
    JOB_ARGS_JSON: '["x"]',
    JOB_ATTEMPT: "1",
    JOB_FENCE: "7",
    JOB_KIND: "command",
    JOB_SCHEDULED_FOR: "2026-01-01T00:00:00.000Z",
    JOB_UUID: uuid,
    LOGNAME: username,
    MINE: "1",
    PATH: "/usr/bin:/bin:/mine",
    SHELL: "/bin/sh",
    USER: username,
  });
});

test("a command has its directory and umask and reads nothing", async () => {
  const { lines } = await run("pwd; umask; cat; echo end", { spec: { cwd: folder, umask: 0o027 } });
  assert.deepEqual(lines, [folder, "0027", "end"]);
});

const PARAMETERS = [
  { name: "to", initial: null },
  { name: "body", initial: null },
  { name: "region", initial: "eu" },
];

test("a command has its arguments by position and by name when it declares them", async () => {
  const script =
    'echo "$# $1 $3 $JOB_ARG_1 $JOB_ARG_to $JOB_ARG_3 $JOB_ARG_region ${JOB_ARG_body-unset}"';
  const { lines } = await run(script, { spec: { parameters: PARAMETERS }, args: ["a; id", null] });
  assert.deepEqual(lines, ["3 a; id eu a; id a; id eu eu unset"]);
});

for (const arg of ["body", 2]) {
  test(`a command reads an argument from its standard input when it is named ${arg} there`, async () => {
    const body = "a line\n$(id) %\n" + "x".repeat(300_000);
    const { outcome, lines } = await run('echo "$# $1 $2 $JOB_ARGS_JSON"; wc -c; exit 0', {
      spec: { parameters: PARAMETERS, stdin: { arg } },
      args: ["me", body, "us"],
    });
    assert.equal(outcome.type, "ok");
    assert.deepEqual(lines, ['2 me us ["me",null,"us"]', String(body.length)]);
  });
}

test("a command reads a text from its standard input, also when it opens it by name", async () => {
  const spec = { stdin: { text: "one\ntwo" }, user: isRoot ? "nobody" : null };
  const { lines } = await run("cat /dev/stdin; echo; wc -l < /dev/stdin; cat", { spec });
  assert.deepEqual(lines, ["one", "two", "1", "one", "two"]);
});

test("a command reads nothing when the argument for its standard input is not given", async () => {
  const { lines } = await run("wc -c; echo $#", { spec: { stdin: { arg: 3 } }, args: ["a"] });
  assert.deepEqual(lines, ["0", "1"]);
});

for (const [code, isSuccess] of [[0, false], [3, true], [4, true], [5, false]] as const) {
  test(`a command ${isSuccess ? "succeeds" : "fails"} with code ${code} when 3 and 4 are success`, async () => {
    const { outcome, lines } = await run(`exit ${code}`, { spec: { successCodes: [3, 4] } });
    assert.equal(outcome.type, isSuccess ? "ok" : "error");
    assert.deepEqual(lines, isSuccess ? [`Exit code ${code} counts as success`] : []);
  });
}

test("a command can write to /dev/stdout and /dev/stderr by name, as any user", async () => {
  const spec = { user: isRoot ? "nobody" : null };
  const script = "echo out > /dev/stdout; echo err > /dev/stderr; echo more >> /dev/stderr; exit 1";
  const { outcome, lines } = await run(script, { spec });
  assert.deepEqual(lines.sort(), ["err", "more", "out"]);
  assert.ok(outcome.type === "error" && /: err\nmore$/.test(outcome.error.message));
});

test("a command's secrets are masked in its log and its error", async () => {
  const { outcome, lines } = await run('echo "<$PW>"; echo "denied: $PW" >&2; exit 1', {
    spec: { env: { PW: "hunter2" }, secrets: ["hunter2"] },
  });
  assert.deepEqual(lines.sort(), ["<***>", "denied: ***"]);
  assert.ok(outcome.type === "error" && outcome.error.message.endsWith(": denied: ***"));
});

test("a command's output is kept up to the limits of its job", async () => {
  const options = { output: { ...JOB_DEFAULTS.output, linesMax: 10, bytesMax: 1_000 } };
  const { lines } = await run("seq 1000", { options });
  assert.deepEqual(lines.slice(0, 5), ["1", "2", "3", "4", "5"]);
  assert.match(lines[5]!, /^990 lines .* keeps 10 lines and 1000 bytes/);
  assert.deepEqual(lines.slice(6), ["996", "997", "998", "999", "1000"]);
});

for (
  const [script, results] of [
    ['echo 42 > "$JOB_RESULT_FILE"', [42]],
    ['echo "two words" >> "$JOB_RESULT_FILE"', ["two words"]],
    [`echo '{"a": [1, null]}' > "$JOB_RESULT_FILE"`, [{ a: [1, null] }]],
    ['printf "a\\nb\\n" > "$JOB_RESULT_FILE"', ["a\nb"]],
    ['echo 12345678901234567890 > "$JOB_RESULT_FILE"', ["12345678901234567890"]],
    ['echo first > "$JOB_RESULT_FILE"; echo last > "$JOB_RESULT_FILE"', ["last"]],
    ['cat "$JOB_RESULT_FILE"', []],
  ] as const
) {
  test(`a command has the result ${JSON.stringify(results)} when it does ${script}`, async () => {
    const { outcome } = await run(script, { spec: { user: isRoot ? "nobody" : null } });
    assert.ok(outcome.type === "ok", JSON.stringify(outcome));
    assert.deepEqual(JSON.parse(outcome.resultsJson), results);
  });
}

for (const size of [1_048_570, 1_048_577]) {
  test(`a command with a result of ${size} bytes ${size < 1_048_576 ? "succeeds" : "fails"}`, async () => {
    const { outcome } = await run(`head -c ${size} /dev/zero | tr '\\0' x > "$JOB_RESULT_FILE"`);
    if (size < 1_048_576) return assert.equal(outcome.type, "ok");
    assert.ok(outcome.type === "error" && /result of 1048577 bytes/.test(outcome.error.message));
  });
}

for (
  const [what, change] of [
    ["writes to its result file and empties it", "echo x >&3; : > /dev/fd/3"],
    [
      "moves the offset of its result file",
      "dd bs=1 seek=9 count=0 conv=notrunc < /dev/null >&3 2> /dev/null",
    ],
    ["locks its result file", "flock -n 3"],
    ["takes the rights to its result file away", "chmod 0 /dev/fd/3"],
  ] as const
) {
  test(`a command has a result file as new when the one before ${what}`, {
    skip: process.platform !== "linux",
  }, async () => {
    const { outcome: before } = await run(change);
    assert.equal(before.type, "ok");
    const script = `stat -Lc %a /dev/fd/3; flock -n /dev/fd/3 echo free; echo '"result"' >&3`;
    const { outcome, lines } = await run(script);
    assert.deepEqual(lines, ["666", "free"]);
    assert.deepEqual(outcome, { type: "ok", resultsJson: '["result"]' });
  });
}

test("a command is in a process group of its own", async () => {
  const { lines } = await run("echo $$; cut -d' ' -f5 /proc/$$/stat");
  assert.equal(lines[0], lines[1]);
});

for (
  const [what, spec, wanted] of [
    ["program", { argv: ["/nonexistent/program"] }, /"\/nonexistent\/program": not found/],
    ["directory", { cwd: `${folder}/none` }, /none": ENOENT/],
    ["user", { user: "no-such-user" }, /user "no-such-user": no such user/],
    ["group", { group: "no-such-group" }, /group "no-such-group": no such group/],
  ] as const
) {
  test(`a command fails with the value's name when its ${what} does not exist`, async () => {
    const { outcome } = await run("true", { spec });
    assert.ok(outcome.type === "error");
    assert.match(outcome.error.message, wanted);
  });
}

test("a command fails when its arguments are too long for the system", async () => {
  const { outcome } = await run("true", { args: ["x".repeat(200_000)] });
  assert.ok(outcome.type === "error" && /too long/.test(outcome.error.message));
});

test("a command runs as its user", { skip: !isRoot }, async () => {
  const { outcome, lines } = await run("id -un; id -gn; id -G; echo $HOME $USER $LOGNAME", {
    spec: { user: "nobody" },
  });
  assert.equal(outcome.type, "ok");
  const { home, gid } = resolveAccount("nobody", null);
  assert.deepEqual([lines[0], lines[2]], ["nobody", String(gid)]);
  assert.equal(lines[3], `${home} nobody nobody`);
});

test("a command's background children end with it", async () => {
  const file = join(folder, "background");
  const { outcome } = await run(`sleep 600 & echo $! > ${file}; exit 0`);
  assert.equal(outcome.type, "ok");
  await whenGone(Number(readFileSync(file, "utf8")), 500);
});

test("a command receives SIGTERM at its timeout and its worker stays", async () => {
  const before = await run("echo $PPID");
  const { outcome, lines } = await run('trap "echo bye; exit 0" TERM; echo up; sleep 600 & wait', {
    options: { timeoutMs: 200, killAfterMs: 5_000 },
  });
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  assert.deepEqual(lines, ["up", "bye"]);
  assert.deepEqual((await run("echo $PPID")).lines, before.lines);
});

test("a command that ignores SIGTERM is killed with its children after killAfterMs", async () => {
  const file = join(folder, "stubborn");
  const { sink, attempt } = begin(
    `trap "" TERM; sleep 600 & echo $! > ${file}; echo up; while :; do sleep 600; done`,
    { options: { killAfterMs: 300 } },
  );
  await sink.line("up");
  const startMs = systemClock.now().monotonicMs;
  attempt.abort("canceled");
  const outcome = await attempt.outcome;
  const tookMs = systemClock.now().monotonicMs - startMs;
  assert.ok(outcome.type === "aborted" && outcome.cause === "canceled");
  assert.ok(tookMs >= 300 && tookMs < 5_000, `took ${tookMs} ms`);
  // The signal is sent before the outcome is reported; the kernel may take a moment to act on it.
  await whenGone(Number(readFileSync(file, "utf8")), 500);
});

testOnBun("commands one after another lose no output when each writes megabytes", async () => {
  const script = join(folder, "large.sh");
  writeFileSync(
    script,
    "head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 99\necho; echo the end\n",
  );
  for (let round = 0; round < 2; round++) {
    const { outcome, lines } = await run(`sh ${script}`);
    assert.equal(outcome.type, "ok");
    assert.equal(lines.at(-1), "the end");
    const dropped = lines.find((line) => line.includes("dropped here"))!;
    const kept = lines.filter((line) => line.startsWith("x"));
    const bytes = kept.reduce((sum, line) => sum + line.length, 0);
    assert.equal(bytes + Number(/\((\d+) bytes\)/.exec(dropped)![1]), 20_000_000);
  }
});

test("run() stops a command that writes endlessly to its result file", async () => {
  const { outcome } = await run('exec yes > "$JOB_RESULT_FILE"');
  assert.ok(outcome.type === "error");
  assert.match(outcome.error.message, /Cannot take the result of \d+ bytes/);
});

const isCounted = runtimeName() === "bun" && process.platform === "linux";

test("the kernel's account of a command is known however short it is", async () => {
  if (!isCounted) return;
  const usageOf = async (script: string) => {
    const { sink, attempt } = begin(script);
    await attempt.outcome;
    return sink.usages.at(-1)!;
  };
  const busy = await usageOf("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
  assert.ok(busy.cpuMs! > 20, JSON.stringify(busy));
  const idle = await usageOf(":");
  assert.ok(idle.cpuMs! < 20, JSON.stringify(idle));
  // It took less than its supervisor, whose memory it shared before it began.
  assert.equal(idle.maxRssBytes, null);
});

test("the memory of a command is that of its largest process if that is large", async () => {
  if (!isCounted) return;
  const size = 300_000_000;
  const { sink, attempt } = begin(`head -c ${size} /dev/zero | tail -c ${size} | head -c 1`);
  await attempt.outcome;
  const bytes = sink.usages.at(-1)!.maxRssBytes!;
  assert.ok(bytes >= size && bytes < 2 * size, String(bytes));
});

test("a command that failed to start has used nothing", async () => {
  const sink = new RecordingSink();
  await executor.run(makeTask(commandJob(["/does/not/exist"])), sink).outcome;
  assert.deepEqual(sink.usages, []);
});

test("what all processes of a command use is known once it runs for a second", async () => {
  if (process.platform !== "linux") return;
  const { sink, attempt } = begin("sleep 60 & sleep 60 & exec 9</dev/null; wait");
  const usage = await sink.live;
  assert.equal(usage.processes, 3);
  assert.ok(usage.rssBytes > 500_000 && usage.rssBytes < 50_000_000, String(usage.rssBytes));
  assert.ok(usage.openFiles! >= 10, String(usage.openFiles));
  const [{ pid, supervisorPid, adoptedAt }] = sink.places as [ProcessPlace];
  assert.ok(isAlive(pid!) && isAlive(supervisorPid!));
  assert.equal(adoptedAt, null);
  attempt.abort("canceled");
  await attempt.outcome;
  const last = sink.usages.at(-1)!;
  assert.ok(!("rssBytes" in last) && last.maxRssBytes! >= usage.rssBytes, JSON.stringify(last));
});

testOnBun("processes that a command starts later are found too", async () => {
  if (process.platform !== "linux") return;
  const file = join(folder, "more");
  const { sink, attempt } = begin(
    `until [ -e ${file} ]; do sleep 0.1; done; sleep 60 & sleep 60 & sleep 60 & wait`,
  );
  assert.ok((await sink.live).processes < 3);
  writeFileSync(file, "");
  const isSeen = () => sink.usages.some((usage) => isLive(usage) && usage.processes === 4);
  await until("all processes are seen", isSeen);
  attempt.abort("canceled");
  await attempt.outcome;
});

test("the processor time of a process that lost its parent counts", async () => {
  if (process.platform !== "linux") return;
  const busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 60";
  const { sink, attempt } = begin(`(sh -c '${busy}' &); sleep 3`);
  assert.equal((await attempt.outcome).type, "ok");
  const { cpuMs } = sink.usages.at(-1)!;
  assert.ok(cpuMs! > 20, String(cpuMs));
});
