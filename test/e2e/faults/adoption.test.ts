import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "../../support/processes/daemon.ts";
import { withValkey } from "../../support/servers/valkey_server.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

/** Fault 100 (A3): a daemon that is killed under running commands, and the next one. */

const COUNT = 6;
const LINES = 60;

/** Notes its begin and its end in a file, and prints all the time. */
const TOML = `[worker]
count = 8
lease = "15s"
[jobs.work]
run = '''
echo "begin $1 $JOB_ATTEMPT $JOB_FENCE" >> "$2"
for i in $(seq ${LINES}); do echo "line $i of $1"; sleep 0.0$((3 + $1)); done
echo "end $1" >> "$2"
exit $1
'''
params = "number: number, file: string"
success_codes = [0, 1, 2, 3, 4, 5, 6]
[jobs.work.output]
size_max = "1MiB"
`;

interface Shown {
  readonly uuid: string;
  readonly state: string;
  readonly attempts: number;
}

async function submit(daemon: Daemon, file: string): Promise<readonly string[]> {
  const requests = Array.from({ length: COUNT }, (_, index) => ({
    kind: "work",
    arguments: [String(index + 1), file],
  }));
  const { instances } = await daemon.client().scheduleJobs({ requests });
  return instances.map(({ uuid }) => uuid);
}

async function shown(daemon: Daemon, id: string): Promise<Shown> {
  const { code, stdout, stderr } = await daemon.ask(["get", "instance", id, "-o", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** An instance that runs says when it was taken over. */
async function checkAdopted(daemon: Daemon, id: string): Promise<void> {
  const { instance } = await daemon.client().getInstance({ uuid: id });
  assert.equal(instance!.attempts, 1);
  assert.ok(instance!.process?.adoptedAt !== undefined, "it runs, and was taken over");
}

/** Each ran once, ended by itself, and all that it printed is there once. */
async function checkWork(daemon: Daemon, ids: readonly string[], file: string): Promise<void> {
  const states = [JobState.SCHEDULED, JobState.PROCESSING];
  await until("all have ended", async () => {
    return (await daemon.client().lookupInstances({ query: { states } })).instances.length === 0;
  }, 60_000);
  for (const [index, id] of ids.entries()) {
    const { state, attempts } = await shown(daemon, id);
    assert.deepEqual({ state, attempts }, { state: "completed", attempts: 1 }, `${index + 1}`);
    const { stdout, stderr } = await daemon.ask(["logs", id, "-o", "jsonl"]);
    const texts = stdout.trim().split("\n");
    assert.notEqual(stdout, "", stderr);
    const lines = texts.map((line) => JSON.parse(line).message as string);
    const printed = Array.from({ length: LINES }, (_, line) => `line ${line + 1} of ${index + 1}`);
    assert.deepEqual(lines.filter((line) => line.startsWith("line ")), printed);
    assert.equal(lines.at(-1), `Exit code ${index + 1} counts as success`);
  }
  const notes = linesOf(file);
  for (let number = 1; number <= COUNT; number++) {
    assert.equal(notes.filter((line) => line.startsWith(`begin ${number} 1 `)).length, 1);
    assert.equal(notes.filter((line) => line === `end ${number}`).length, 1);
  }
  assert.equal(notes.length, 2 * COUNT, notes.join("\n"));
}

async function killUnderCommands(options: DaemonOptions): Promise<void> {
  let daemon = await startDaemon(options);
  try {
    const file = join(daemon.dir, "effects.txt");
    const ids = await submit(daemon, file);
    await until("all run", () => linesOf(file).length >= COUNT);
    for (const pauseMs of [0, 700, 1_100]) {
      await sleep(150);
      await daemon.kill();
      await sleep(pauseMs);
      daemon = await daemon.restart();
    }
    await checkAdopted(daemon, ids.at(-1)!);
    await checkWork(daemon, ids, file);
  } finally {
    await daemon.stop({ force: true });
  }
}

test("fault 100: commands go on while their daemon is killed, three times", async () => {
  await killUnderCommands({ toml: TOML });
});

test("fault 100: the same on Valkey, within the lease", async () => {
  await withValkey({}, async (server) => {
    await killUnderCommands({
      toml: TOML,
      env: { JOBCTL_STORE_URL: server.url, JOBCTL_NODE_ID: "node-1" },
    });
  });
});

test("fault 100: a command runs again after a kill of daemon and supervisor, and never twice at once", async () => {
  const toml = `[jobs.work]\nrun = 'echo "begin $$ $PPID" >> "$1"; sleep 1; echo "end $$" >> "$1"'
params = "file: string"\n`;
  let daemon = await startDaemon({ toml });
  try {
    const file = join(daemon.dir, "effects.txt");
    const { code, stderr } = await daemon.ask(["schedule", "work", file]);
    assert.equal(code, 0, stderr);
    await until("it runs", () => linesOf(file).length === 1);
    const [, first, supervisor] = linesOf(file)[0]!.split(" ");
    daemon.signal("SIGSTOP");
    process.kill(Number(supervisor), "SIGKILL");
    await daemon.kill();
    daemon = await daemon.restart();
    await until("it ran again", () => linesOf(file).length >= 3);
    const notes = linesOf(file).map((line) => line.split(" ").slice(0, 2).join(" "));
    const second = notes[1]!.split(" ")[1];
    assert.notEqual(second, first);
    assert.deepEqual(notes, [`begin ${first}`, `begin ${second}`, `end ${second}`]);
  } finally {
    await daemon.stop({ force: true });
  }
});
