import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { createLogger, silentLogger } from "../../src/platform/logger.ts";
import { MARKER_VARIABLE } from "../../src/platform/process/descendants.ts";
import { thisProcess } from "../../src/platform/process/process_identity.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { listPlaces, openFolder, socketOf } from "../../src/supervisor/supervisor_folder.ts";
import type { AbortCause, Executor, FoundAttempt } from "../../src/worker/executor.ts";
import {
  commandJob,
  isAlive,
  makeTask,
  programCommand,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";
import { linesOf, sleep, until } from "../support/wait.ts";

const isLinux = process.platform === "linux";
/** Where a supervisor of another user can be found: Deno changes the user before it starts. */
const testOfUsers = isLinux && userInfo().uid === 0 && runtimeName() !== "deno" ? test : () => {};
const root = mkdtempSync(join(tmpdir(), "survivors-"));
const executors: Executor[] = [];
const parents: ChildProcess[] = [];
let folders = 0;

after(async () => {
  for (const parent of parents) parent.kill("SIGKILL");
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(root, { recursive: true, force: true });
});

/** A folder of supervisors, and where commands may leave files. */
function makeFolder(): string {
  return join(root, String(folders += 1));
}

interface ParentOptions {
  readonly leaseMs?: number;
  readonly graceMs?: number | null;
  readonly user?: string;
  readonly recorded?: { readonly lines: number; readonly isDone: boolean };
  readonly aborts?: AbortCause;
  readonly abortsAfterMs?: number;
}

/** A daemon that runs these scripts; resolves once each has written a line. */
async function startParent(
  folder: string,
  scripts: readonly string[],
  { leaseMs = 20_000, graceMs = null, ...others }: ParentOptions = {},
): Promise<ChildProcess> {
  const [program, ...args] = programCommand("leaving_parent.ts");
  const options = JSON.stringify({ leaseMs, graceMs, ...others });
  const child = spawn(program!, [...args, folder, options, ...scripts], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  parents.push(child);
  await once(child.stdout!, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  process.kill(child.pid!, "SIGKILL");
  await whenGone(child.pid!, 5_000);
}

function makeExecutor(
  folder: string,
  options: Partial<Parameters<typeof createCommandExecutor>[0]> = {},
): Executor {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
    outliving: { folder: () => folder, graceMs: null },
    ...options,
  });
  executors.push(executor);
  return executor;
}

/** Take over a command as the job of the first daemon. */
function adopt(
  executor: Executor,
  found: FoundAttempt,
  { lines = 0, spec = {}, options = {} }: {
    readonly lines?: number;
    readonly spec?: Parameters<typeof commandJob>[1];
    readonly options?: Parameters<typeof commandJob>[2];
  } = {},
) {
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh"], spec, options);
  const { id, fence } = found;
  const task = makeTask(job, [], { instance: { id, fence } });
  return { sink, attempt: executor.survivors!.adopt(found, task, sink, lines) };
}

/** Kill the daemon of these scripts, and find what it left. */
async function findAfterKill(
  folder: string,
  scripts: readonly string[],
  options: ParentOptions = {},
) {
  await kill(await startParent(folder, scripts, options));
  const executor = makeExecutor(folder);
  return { executor, found: await executor.survivors!.find() };
}

/** Prints its process ids, works, appends to `file`, prints again and ends with `code`. */
const work = (file: string, code = 0) =>
  `echo $PPID $$; sleep 0.5; echo middle; echo ran >> ${file}; echo end; exit ${code}`;

test("adopt() continues a command whose daemon was killed, with all of its output", async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  const { executor, found } = await findAfterKill(folder, [work(file)]);
  assert.equal(found.length, 1);
  const { sink, attempt } = adopt(executor, found[0]!);
  executor.survivors!.begin();
  assert.deepEqual(await attempt.outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(sink.messages().slice(1), ["middle", "end"]);
  const [supervisorPid, pid] = sink.messages()[0]!.split(" ").map(Number);
  const [place] = sink.places;
  assert.deepEqual([place!.pid, place!.supervisorPid], [pid, supervisorPid]);
  assert.ok(place!.adoptedAt! > 0);
  if (runtimeName() === "bun" && process.platform === "linux") {
    assert.ok(sink.usages.at(-1)!.cpuMs! >= 0);
  }
  assert.deepEqual(linesOf(file), ["ran"]);
});

test("adopt() has the outcome of a command that ended while no daemon ran", async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  await kill(await startParent(folder, [work(file, 3)]));
  await until("it has ended", () => linesOf(file).length > 0);
  const executor = makeExecutor(folder);
  const [found] = await executor.survivors!.find();
  const { sink, attempt } = adopt(executor, found!);
  executor.survivors!.begin();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "error" && outcome.error.exitCode === 3);
  assert.deepEqual(sink.messages().slice(1), ["middle", "end"]);
});

testOnBun("adopt() says when a command ended, and counts its time limit until then", async () => {
  const folder = makeFolder();
  await kill(await startParent(folder, [work(`${folder}.txt`)]));
  await until("it has ended", () => linesOf(`${folder}.txt`).length > 0);
  await sleep(2_000);
  const executor = makeExecutor(folder);
  const [found] = await executor.survivors!.find();
  const { sink, attempt } = adopt(executor, found!, { options: { timeoutMs: 2_000 } });
  executor.survivors!.begin();
  assert.equal((await attempt.outcome).type, "ok");
  const [agoMs] = sink.endedAgoMs;
  assert.ok(agoMs! >= 1_900 && agoMs! < 4_000, `${agoMs}`);
});

testOnBun("adopt() repeats no line that the store has", async () => {
  const folder = makeFolder();
  const script = "echo one; echo two; sleep 0.5; echo three";
  const recorded = { lines: 1, isDone: false };
  const { executor, found } = await findAfterKill(folder, [script], { recorded });
  // The daemon had recorded one more than the supervisor knew.
  const { sink, attempt } = adopt(executor, found[0]!, { lines: 2 });
  executor.survivors!.begin();
  await attempt.outcome;
  assert.deepEqual(sink.messages(), ["three"]);
});

testOnBun("find() does not return a command whose outcome is recorded", async () => {
  const recorded = { lines: 0, isDone: true };
  const { found } = await findAfterKill(makeFolder(), ["echo 1", "echo 2; sleep 5"], { recorded });
  assert.equal(found.length, 1);
});

const testOfLinux = isLinux && runtimeName() === "bun" ? test : () => {};
testOfLinux("a supervisor lets output wait while a daemon waits for it", async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  // Fast enough to fill the pipe, and too slow to fill what is kept for the next daemon.
  const print = 'line=$(printf %8000s); while :; do echo "$line"; sleep 0.01; done';
  await kill(await startParent(folder, [`echo $$ > ${file}; echo up; ${print}`]));
  const pid = Number(linesOf(file)[0]);
  const printed = () => /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))![1];
  const [place] = listPlaces(folder);
  let before: string | undefined;
  await until("its output waits", async () => {
    const caller = connect(socketOf(place!));
    await once(caller, "connect");
    await sleep(1_000);
    before = printed();
    await sleep(400);
    caller.destroy();
    return printed() === before;
  });
  await until("its output is read again", () => printed() !== before);
  const executor = makeExecutor(folder);
  await executor.survivors!.find();
  executor.survivors!.begin();
  await whenGone(pid, 2_000);
});

test("find() changes nothing, also if nobody adopts", async () => {
  const folder = makeFolder();
  const parent = await startParent(folder, ["echo $$; sleep 2"]);
  const looking = makeExecutor(folder);
  assert.equal((await looking.survivors!.find()).length, 1);
  looking.survivors!.leave();
  assert.equal((await looking.survivors!.find()).length, 1);
  assert.equal(parent.exitCode, null);
  await kill(parent);
});

testOnBun("adopt() counts the time limit from the start of the command", async () => {
  const folder = makeFolder();
  await kill(await startParent(folder, ["echo up; sleep 30"]));
  // More than it may take to end the command, on a busy machine, too.
  await sleep(3_000);
  const executor = makeExecutor(folder);
  const found = await executor.survivors!.find();
  const startMs = systemClock.now().monotonicMs;
  const timeoutMs = Math.ceil(found[0]!.ageMs) + 300;
  const { attempt } = adopt(executor, found[0]!, { options: { timeoutMs } });
  executor.survivors!.begin();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  assert.ok(systemClock.now().monotonicMs - startMs < timeoutMs);
});

test("adopt() lets a command be aborted, and moves its deadline", async () => {
  const { executor, found } = await findAfterKill(
    makeFolder(),
    ["echo up; sleep 30", "echo up; sleep 2.5; echo end"],
    { leaseMs: 2_000 },
  );
  const [first, second] = found.map((each) => adopt(executor, each));
  second!.attempt.extend(systemClock.now().monotonicMs + 20_000);
  executor.survivors!.begin();
  first!.attempt.abort("canceled");
  const canceled = await first!.attempt.outcome;
  assert.ok(canceled.type === "aborted" && canceled.cause === "canceled");
  assert.equal((await second!.attempt.outcome).type, "ok");
  assert.deepEqual(second!.sink.messages(), ["up", "end"]);
});

testOnBun("begin() ends what was found and not adopted", async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  const { executor } = await findAfterKill(folder, [`echo $$ > ${file}; cat ${file}; sleep 60`]);
  executor.survivors!.begin();
  await whenGone(Number(linesOf(file)[0]), 3_000);
});

for (
  const [what, options] of [
    // Long enough for a busy machine to start the daemon that is killed.
    ["its lease", { leaseMs: 3_000 }],
    ["the time that its supervisor was given", { leaseMs: 60_000, graceMs: 1_000 }],
  ] as const
) {
  const testIt = what === "its lease" ? test : testOnBun;
  testIt(
    `a command that no daemon takes over ends with ${what}, and its supervisor too`,
    async () => {
      const folder = makeFolder();
      const file = `${folder}.txt`;
      await kill(
        await startParent(folder, [`echo $PPID $$ > ${file}; cat ${file}; sleep 60`], options),
      );
      const [supervisor, pid] = linesOf(file)[0]!.split(" ").map(Number);
      await whenGone(pid!, 5_000);
      await whenGone(supervisor!, 5_000);
      await until("its record is gone", () => listPlaces(folder).length === 0);
      // The next daemon learns from it that the command was killed.
      assert.equal(listPlaces(folder, "ended").length, 1);
    },
  );
}

testOnBun("find() gives a daemon that alone has the store as long again to start", async () => {
  for (const [graceMs, isLonger] of [[2_500, true], [null, false]] as const) {
    const folder = makeFolder();
    const options = { leaseMs: 2_500, graceMs };
    await kill(await startParent(folder, ["echo $$; sleep 60"], options));
    const executor = makeExecutor(folder);
    await sleep(1_000);
    const [found] = await executor.survivors!.find();
    assert.equal(found!.leftMs > 2_000, isLonger, `${found!.leftMs}`);
    executor.survivors!.leave();
  }
});

test("a supervisor without commands ends with its daemon", async () => {
  const folder = makeFolder();
  const recorded = { lines: 0, isDone: true };
  await kill(await startParent(folder, ["echo $PPID"], { recorded }));
  await until("its files are gone", () => listPlaces(folder).length === 0);
});

test("a supervisor that no daemon can find ends what it runs", async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  const parent = await startParent(folder, [`echo $$ > ${file}; cat ${file}; sleep 60`]);
  rmSync(folder, { recursive: true });
  await kill(parent);
  await whenGone(Number(linesOf(file)[0]), 2_000);
});

test("find() ends what a dead supervisor of a dead daemon left", { skip: !isLinux }, async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  const parent = await startParent(folder, [`echo $PPID $$ > ${file}; cat ${file}; sleep 60`]);
  const [supervisor, pid] = linesOf(file)[0]!.split(" ").map(Number);
  process.kill(parent.pid!, "SIGSTOP");
  process.kill(supervisor!, "SIGKILL");
  await kill(parent);
  assert.equal(isAlive(pid!), true);
  const executor = makeExecutor(folder);
  assert.deepEqual(await executor.survivors!.find(), []);
  await whenGone(pid!, 2_000);
  assert.deepEqual(listPlaces(folder), []);
});

test("a supervisor that was stopped continues when a daemon looks for it", {
  skip: !isLinux,
}, async () => {
  const folder = makeFolder();
  const file = `${folder}.txt`;
  const parent = await startParent(folder, [`echo $PPID > ${file}; cat ${file}; sleep 2`]);
  await kill(parent);
  process.kill(Number(linesOf(file)[0]), "SIGSTOP");
  const executor = makeExecutor(folder);
  assert.equal((await executor.survivors!.find()).length, 1);
});

test("adopted commands are lost when their supervisor is killed", async () => {
  const { executor, found } = await findAfterKill(makeFolder(), ["echo $PPID $$; sleep 60"]);
  const { sink, attempt } = adopt(executor, found[0]!);
  executor.survivors!.begin();
  await sink.line(" ");
  const [supervisor, pid] = sink.messages()[0]!.split(" ").map(Number);
  process.kill(supervisor!, "SIGKILL");
  assert.equal((await attempt.outcome).type, "lost");
  await whenGone(pid!, 1_000);
});

test("what a supervisor is found by is open to nobody else, and names nothing secret", async () => {
  const folder = makeFolder();
  const parent = await startParent(folder, ["echo up; sleep 60"]);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder)) {
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  }
  const [place] = listPlaces(folder);
  const { secret } = JSON.parse(readFileSync(`${place}.json`, "utf8"));
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const name of ["cmdline", "environ"]) {
      const text = await Promise.resolve().then(() => readFileSync(`/proc/${pid}/${name}`, "utf8"))
        .catch(() => "");
      assert.ok(!text.includes(secret), `${pid} ${name}`);
    }
  }
  await kill(parent);
});

test("openFolder() refuses a folder that others may enter, and one with too long a path", () => {
  const open = join(root, "open");
  openFolder(open);
  rmSync(open, { recursive: true });
  openFolder(open);
  const long = join(root, "x".repeat(100));
  assert.throws(() => openFolder(long), /paths of sockets in it have \d+ bytes, at most 104/);
});

testOnBun("find() knows the claims in a folder that was removed and made again", async () => {
  const folder = makeFolder();
  const first = makeExecutor(folder);
  const start = (script: string, spec: Parameters<typeof commandJob>[1]) => {
    const sink = new RecordingSink();
    const job = commandJob(["/bin/sh", "-c", script], spec);
    return { sink, attempt: first.run(makeTask(job), sink) };
  };
  await start("true", {}).attempt.outcome;
  rmSync(folder, { recursive: true });
  const { sink, attempt } = start("echo up; sleep 60", { nice: 1 });
  await sink.line("up");
  const next = makeExecutor(folder);
  assert.equal((await next.survivors!.find()).length, 1);
  next.survivors!.leave();
  attempt.abort("drain");
  await attempt.outcome;
});

test("find() removes the record of a supervisor that does not listen, unless its daemon lives", async () => {
  const folder = makeFolder();
  openFolder(folder);
  const record = { secret: "s", token: "t", key: "k", isForeign: false, graceMs: null };
  const own = thisProcess().process;
  const gone = "boot/pid:[1]/1/1";
  for (const [name, daemon] of [["gone", gone], ["gone too", gone], ["lives", own]]) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...record, daemon }));
  }
  writeFileSync(join(folder, "cut.json"), '{"secret":');
  assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
  assert.deepEqual(readdirSync(folder), own === null ? [] : ["lives.json"]);
});

test("find() ends what a dead supervisor left of a program that this process ran before", async () => {
  const own = thisProcess().process;
  if (own === null) return;
  const folder = makeFolder();
  openFolder(folder);
  const record = { secret: "s", token: "former", key: "k", isForeign: false, graceMs: null };
  const daemon = own.replace(/[^/]*$/, "another");
  for (const name of ["former", "same"]) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...record, daemon }));
  }
  const env = { ...process.env, [MARKER_VARIABLE]: "former.1" };
  const command = spawn("sleep", ["60"], { env, detached: true });
  try {
    assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
    await whenGone(command.pid!, 2_000);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    command.kill("SIGKILL");
  }
});

testOnBun("run() says so once, and goes on, where nothing can outlive the daemon", async () => {
  const log: string[] = [];
  const logger = createLogger({
    ...{ clock: systemClock, level: "warn", format: "text" },
    write: (line) => log.push(line),
  });
  const executor = makeExecutor(join(root, "y".repeat(120)), { logger });
  for (let count = 0; count < 2; count++) {
    const attempt = executor.run(makeTask(commandJob(["/bin/true"])), new RecordingSink());
    assert.equal((await attempt.outcome).type, "ok");
  }
  assert.equal(log.filter((line) => line.includes("Commands will end with the daemon")).length, 1);
});

test("leave() leaves a command to the next daemon, with what it prints until then", async () => {
  const folder = makeFolder();
  const [first, second] = [makeExecutor(folder), makeExecutor(folder)];
  const sink = new RecordingSink();
  const script = "echo $PPID; sleep 0.3; echo middle; sleep 0.3; echo end";
  const attempt = first.run(makeTask(commandJob(["/bin/sh", "-c", script])), sink);
  await sink.line("");
  attempt.linesRecorded!(1);
  assert.equal(attempt.leave!(), true);
  assert.deepEqual(first.stats(), { alive: 1, busy: 0 });
  await first.stop();
  assert.equal(first.stats().alive, 0);
  const [found] = await second.survivors!.find();
  const next = adopt(second, found!, { lines: 1 });
  second.survivors!.begin();
  assert.equal((await next.attempt.outcome).type, "ok");
  assert.deepEqual(next.sink.messages(), ["middle", "end"]);
  assert.equal(sink.messages().length, 1);
});

testOnBun(
  "leave() leaves nothing that is being aborted, has ended or cannot be found",
  async () => {
    const executor = makeExecutor(makeFolder());
    const run = (on: Executor, script: string) =>
      on.run(makeTask(commandJob(["/bin/sh", "-c", script])), new RecordingSink());
    const ended = run(executor, "true");
    await ended.outcome;
    assert.equal(ended.leave!(), false);
    const aborted = run(executor, "sleep 60");
    aborted.abort("canceled");
    assert.equal(aborted.leave!(), false);
    const alone = makeExecutor("", { outliving: null });
    const sink = new RecordingSink();
    const kept = alone.run(makeTask(commandJob(["/bin/sh", "-c", "echo up; sleep 60"])), sink);
    await sink.line("up");
    assert.equal(kept.leave!(), false);
    assert.equal(alone.survivors, undefined);
  },
);

testOfUsers("adopt() continues a command of another user", async () => {
  const user = "nobody";
  const script = "id -un; sleep 0.5; echo end";
  const { executor, found } = await findAfterKill(makeFolder(), [script], { user });
  const { sink, attempt } = adopt(executor, found[0]!, { spec: { user } });
  executor.survivors!.begin();
  assert.equal((await attempt.outcome).type, "ok");
  assert.deepEqual(sink.messages(), [user, "end"]);
});

for (const cause of ["timeout", "canceled", "lease"] as const) {
  testOnBun(
    `adopt() ends a command as its daemon would have: ${cause}`,
    { skip: !isLinux },
    async () => {
      const folder = makeFolder();
      const aborts = { aborts: cause };
      await kill(
        await startParent(folder, ["trap 'exit 143' TERM; echo up; sleep 60 & wait"], aborts),
      );
      const executor = makeExecutor(folder);
      const [found] = await executor.survivors!.find();
      const { attempt } = adopt(executor, found!);
      executor.survivors!.begin();
      const outcome = await attempt.outcome;
      assert.ok(outcome.type === "aborted", JSON.stringify(outcome));
      assert.equal(outcome.cause, cause);
    },
  );
}

testOnBun("adopt() learns why a command was aborted after it was found", {
  skip: !isLinux,
}, async () => {
  const folder = makeFolder();
  const script = "trap 'exit 143' TERM; echo up; sleep 60 & wait";
  const parent = await startParent(folder, [script], { aborts: "lease", abortsAfterMs: 1_500 });
  const executor = makeExecutor(folder);
  const [found] = await executor.survivors!.find();
  await sleep(3_000);
  await kill(parent);
  const { attempt } = adopt(executor, found!);
  executor.survivors!.begin();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted", JSON.stringify(outcome));
  assert.equal(outcome.cause, "lease");
});

testOnBun("a supervisor that a daemon looks at keeps what ended after the lease", {
  skip: !isLinux,
}, async () => {
  const folder = makeFolder();
  const script = "echo up; sleep 0.3; exit 3";
  await kill(await startParent(folder, [script], { leaseMs: 1_500 }));
  const executor = makeExecutor(folder);
  const [found] = await executor.survivors!.find();
  // Longer than the lease, after which the supervisor ends if nobody looks at it.
  await sleep(4_000);
  const { attempt } = adopt(executor, found!);
  executor.survivors!.begin();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "error" && outcome.error.exitCode === 3, JSON.stringify(outcome));
});
