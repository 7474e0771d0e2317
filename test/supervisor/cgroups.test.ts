// Control groups of a real kernel: where this machine has version 2, and root may use it.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { Cgroup } from "../../src/platform/process/cgroup.ts";
import { commandCgroups, findCgroup, treePath } from "../../src/platform/process/cgroup_tree.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import {
  commandJob,
  isAlive,
  makeTask,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";
import { until } from "../support/wait.ts";

const tree = commandCgroups("0".repeat(32));
const isUsable = tree !== null && process.getuid?.() === 0;
const testHere = isUsable ? test : () => {};
// Without tests nothing would remove it.
const folder = isUsable ? mkdtempSync(join(tmpdir(), "cgroups-test-")) : "";
if (isUsable) chmodSync(folder, 0o777);
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

function begin(
  script: string,
  { spec, options }: {
    readonly spec?: Parameters<typeof commandJob>[1];
    readonly options?: Parameters<typeof commandJob>[2];
  } = {},
) {
  const sink = new RecordingSink();
  const job = commandJob(["/bin/sh", "-c", script], spec, options);
  return { sink, attempt: executor.run(makeTask(job), sink) };
}

async function run(script: string, setting: Parameters<typeof begin>[1] = {}) {
  const { sink, attempt } = begin(script, setting);
  return { outcome: await attempt.outcome, lines: sink.messages() };
}

/** The group of a process, within the tree of its supervisor. */
const GROUP = "sed -n 's|^0::.*/jobctl-[0-9a-f]*/||p' /proc/self/cgroup";

/** Starts a process that shows nothing of whose it is, and writes its number. */
function escapee(name: string): string {
  const path = join(folder, name);
  const inner = `echo $$ > ${path}.new; mv ${path}.new ${path}; exec sleep 600`;
  return `(setsid env -i /bin/sh -c '${inner}' </dev/null >/dev/null 2>&1 &);` +
    ` until [ -e ${path} ]; do sleep 0.01; done;`;
}

function pidIn(name: string): number {
  return Number(readFileSync(join(folder, name), "utf8"));
}

async function groupOf(pid: number): Promise<Cgroup> {
  const { root, path } = findCgroup(pid)!;
  assert.ok(path !== null && path.startsWith(root));
  return new Cgroup(path);
}

testHere("a command has a group of its own, which the next one has after it", async () => {
  const [first] = (await run(GROUP)).lines;
  assert.match(first!, /^plain\/\d+$/);
  assert.deepEqual((await run(GROUP)).lines, [first]);
  // Neither ends before the other has begun.
  const meet = (own: string, other: string) =>
    run(`${GROUP}; : > ${folder}/${own}; until [ -e ${folder}/${other} ]; do sleep 0.01; done`);
  const both = await Promise.all([meet("one", "two"), meet("two", "one")]);
  assert.equal(new Set(both.map(({ lines }) => lines[0])).size, 2);
});

testHere("a command that freezes itself does not freeze the next one", async () => {
  const own = `${findCgroup(null)!.root}$(sed -n 's|^0::||p' /proc/self/cgroup)`;
  const { sink, attempt } = begin(`echo $$; echo 1 > ${own}/cgroup.freeze; sleep 600`, {
    spec: { user: "nobody" },
  });
  await sink.line("");
  const group = await groupOf(Number(sink.messages()[0]));
  await until("it is frozen", () => group.isFrozen);
  attempt.abort("canceled");
  assert.equal((await attempt.outcome).type, "aborted");
  const next = begin("echo next", { spec: { user: "nobody" } });
  await next.sink.line("next");
  assert.equal((await next.attempt.outcome).type, "ok");
});

testHere("a command cannot make groups without end for the daemon to remove", async () => {
  const own = "$(sed -n 's|^0::||p' /proc/self/cgroup)";
  const script = [
    `cd "${findCgroup(null)!.root}${own}/.."`,
    "mkdir -p a/b/c/d 2>/dev/null; ls -d a/b a/b/c/d 2>/dev/null",
    "mkdir many; (cd many; seq 5000 | xargs mkdir 2>/dev/null); find many -mindepth 1 -type d | wc -l",
    "{ echo max > ../cgroup.max.descendants; } 2>/dev/null || echo kept",
    "find many a -depth -exec rmdir {} +",
  ].join("; ");
  const { lines } = await run(script, { spec: { user: "nobody" } });
  assert.equal(lines[0], "a/b");
  assert.ok(Number(lines[1]) > 3_000 && Number(lines[1]) < 4_096, lines.join("\n"));
  assert.equal(lines[2], "kept");
});

testHere("a command of another user has a group of its own", async () => {
  const { lines, outcome } = await run(`id -un; ${GROUP}`, { spec: { user: "nobody" } });
  assert.equal(outcome.type, "ok");
  assert.equal(lines[0], "nobody");
  assert.match(lines[1]!, /^plain\/\d+$/);
});

testHere("a process that hides whose it is ends with its command, while others run", async () => {
  const other = begin("echo begun; sleep 600");
  await other.sink.line("begun");
  const { outcome, lines } = await run(`${escapee("hidden")} true`);
  assert.equal(outcome.type, "ok");
  await whenGone(pidIn("hidden"), 1_000);
  assert.match(lines.join("\n"), /^Ended with the command, which left them running: sleep \(\d+\)/);
  other.attempt.abort("canceled");
  assert.equal((await other.attempt.outcome).type, "aborted");
});

testHere("a process that hides whose it is ends with its supervisor", async () => {
  const { sink, attempt } = begin(`${escapee("orphan")} echo $PPID; sleep 600`, {
    spec: { nice: 1 },
  });
  await sink.line("");
  process.kill(Number(sink.messages()[0]), "SIGKILL");
  assert.equal((await attempt.outcome).type, "lost");
  await whenGone(pidIn("orphan"), 1_000);
});

testHere("what a command leaves to run goes on", async () => {
  const { outcome } = await run(`${escapee("left")} true`, { spec: { leavesChildren: true } });
  assert.equal(outcome.type, "ok");
  const pid = pidIn("left");
  assert.equal((await run("true")).outcome.type, "ok");
  assert.ok(isAlive(pid));
  process.kill(pid, "SIGKILL");
  await whenGone(pid, 1_000);
});

testHere("a command is frozen with all of its processes, and continues", async () => {
  const path = join(folder, "frozen");
  const script = `sh -c 'while [ ! -e ${path} ]; do sleep 0.01; done; echo child' & echo $$; wait`;
  const { sink, attempt } = begin(script);
  await sink.line("");
  const group = await groupOf(Number(sink.messages()[0]));
  assert.equal(await attempt.freeze!(true), null);
  await until("it is frozen", () => group.isFrozen);
  assert.ok(group.pids.length >= 2);
  assert.equal(await attempt.freeze!(false), null);
  await run(`touch ${path}`);
  assert.equal((await attempt.outcome).type, "ok");
  assert.equal(sink.messages()[1], "child");
  assert.deepEqual(await attempt.freeze!(true), { type: "state", message: "it is ending" });
});

testHere("an abort lets a frozen command handle SIGTERM", async () => {
  const { sink, attempt } = begin("trap 'echo handled; exit 3' TERM; echo $$; sleep 600 & wait");
  await sink.line("");
  await attempt.freeze!(true);
  attempt.abort("canceled");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.error.exitCode === 3, JSON.stringify(outcome));
  assert.equal(sink.messages()[1], "handled");
});

testHere("a frozen command is killed at the end of its lease", async () => {
  const { sink, attempt } = begin("trap '' TERM; echo $$; sleep 600 & wait");
  await sink.line("");
  const pid = Number(sink.messages()[0]);
  await attempt.freeze!(true);
  attempt.extend(systemClock.now().monotonicMs + 300);
  await whenGone(pid, 2_000);
  assert.equal((await attempt.outcome).type, "aborted");
});

testHere("the time limit of a frozen command does not count", async () => {
  const timed = commandJob(["/bin/sh", "-c", "echo begun; sleep 0.2"]);
  const sink = new RecordingSink();
  const attempt = executor.run(makeTask(timed, [], { instance: { timeoutMs: 1_000 } }), sink);
  await sink.line("begun");
  await attempt.freeze!(true);
  await new Promise<void>((resolve) => void systemClock.timer(1_200, resolve));
  await attempt.freeze!(false);
  assert.equal((await attempt.outcome).type, "ok");
});

testHere("a frozen command is adopted as such, and its time limit does not count", async () => {
  const place = join(mkdtempSync(join(tmpdir(), "cgroups-adoption-")), "folder");
  const open = () =>
    createCommandExecutor({
      ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
      outliving: { folder: () => place, graceMs: null },
    });
  const job = commandJob(["/bin/sh", "-c", "echo $$; sleep 0.2; echo end"]);
  const task = makeTask(job, [], { instance: { timeoutMs: 1_500 } });
  const [earlier, later] = [open(), open()];
  const sink = new RecordingSink();
  const first = earlier.run(task, sink);
  await sink.line("");
  const group = await groupOf(Number(sink.messages()[0]));
  await first.freeze!(true);
  assert.ok(first.leave!());
  await earlier.stop();
  const [found] = await later.survivors!.find();
  const adopted = new RecordingSink();
  const second = later.survivors!.adopt(found!, task, adopted, 1);
  later.survivors!.begin();
  await new Promise<void>((resolve) => void systemClock.timer(1_600, resolve));
  assert.ok(group.isFrozen);
  assert.equal(await second.freeze!(false), null);
  assert.deepEqual(await second.outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(adopted.messages(), ["end"]);
  second.outcomeRecorded!();
  await later.stop();
  rmSync(dirname(place), { recursive: true, force: true });
});

testHere("groups are removed with their supervisor", async () => {
  const { lines: [text] } = await run("sed -n 's|^0::||p' /proc/self/cgroup", {
    spec: { nice: 2 },
  });
  const group = join(findCgroup(null)!.root, text!);
  assert.ok(existsSync(group));
  await executor.stop();
  assert.ok(!existsSync(join(group, "..", "..")), treePath(tree!));
});
