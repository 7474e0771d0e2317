import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../support/processes/daemon.ts";
import { linesOf, sleep, until } from "../support/wait.ts";

/**
 * Starts a process without parent, environment, session and output, and waits until it runs: its
 * number is in the file `$1`.
 */
const ESCAPE = [
  '(env -i setsid sh -c "echo \\$\\$ > $1; exec sleep 300" < /dev/null > /dev/null 2>&1 &)',
  'until [ -s "$1" ]; do sleep 0.01; done',
].join("\n");

const MODULES = {
  "escape.ts": `
import { spawnSync } from "node:child_process";
export default function escape(file: string): void {
  spawnSync("/bin/sh", ["-c", ${JSON.stringify(ESCAPE)}, "sh", file]);
}
`,
  "escape_and.ts": `
import { spawnSync } from "node:child_process";
export default async function escape_and(file: string, next: string): Promise<void> {
  spawnSync("/bin/sh", ["-c", ${JSON.stringify(ESCAPE)}, "sh", file]);
  if (next === "exit") process.exit(3);
  if (next === "throw") setTimeout(() => { throw new Error("uncaught"); });
  await new Promise((done) => setTimeout(done, 300_000));
}
`,
  "append.ts": `
import { appendFileSync } from "node:fs";
export default async function append(file: string): Promise<void> {
  appendFileSync(file, process.pid + "\\n");
  await new Promise((done) => setTimeout(done, 20));
}
`,
};

const COMMANDS = (file: string) => `
[worker]
lease = "2s"
[jobs.escape_command]
command = ["/bin/sh", "-c", ${JSON.stringify(ESCAPE)}, "sh", "${file}"]
[jobs.escape_and]
kill_after = "1s"
[jobs.wait]
command = ["/bin/sh", "-c", "echo $$ > ${file}; exec sleep 300"]
[jobs.input]
command = ["/bin/cat"]
stdin = { text = "some input" }
`;

/** "" when it is gone; a zombie is: it cannot run. */
function stateOf(pid: number): string {
  try {
    const state = /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))![1]!;
    return state === "Z" || state === "X" ? "" : state;
  } catch {
    return "";
  }
}

function numberIn(file: string): number {
  const [line] = linesOf(file);
  assert.ok(line, `nothing in ${file}`);
  return Number(line);
}

/**
 * Processes of our file that were begun with one of its hidden subcommands in the temporary folder
 * `scratch`.
 */
function helpersOf(scratch: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return /\0__(worker|supervisor|describe)\0/.test(
        readFileSync(`/proc/${pid}/cmdline`, "latin1"),
      ) &&
        readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TMPDIR=${scratch}\0`) &&
        stateOf(pid) !== "";
    } catch {
      return false;
    }
  });
}

/** A daemon whose temporary folder is its own, and a file that its jobs write to. */
async function withDaemon(
  body: (parts: { daemon: Daemon; file: string; scratch: string }) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "jobctl-orphans-"));
  const scratch = join(root, "scratch");
  mkdirSync(scratch);
  const file = join(root, "file");
  const daemon = await startDaemon({
    toml: COMMANDS(file),
    modules: MODULES,
    env: { TMPDIR: scratch },
  });
  try {
    await body({ daemon, file, scratch });
  } finally {
    await daemon.stop({ force: true });
    rmSync(root, { recursive: true, force: true });
  }
}

test("what clears its environment, leaves its session and loses its parent ends with its attempt", async () => {
  await withDaemon(async ({ daemon, file }) => {
    for (const args of [["escape_command"], ["escape", file]]) {
      const ran = await daemon.jobctl(["schedule", ...args, "--wait"]);
      assert.equal(ran.code, 0, ran.stderr);
      const pid = numberIn(file);
      await until(`process ${pid} of ${args[0]} is gone`, () => stateOf(pid) === "", 2_000);
      rmSync(file);
    }
  });
});

test("it also ends when the attempt is canceled, and when the module ends its process", async () => {
  await withDaemon(async ({ daemon, file }) => {
    for (const next of ["wait", "exit", "throw"]) {
      const { instance } = await daemon.client().scheduleJob({
        kind: "escape_and",
        arguments: [file, next],
      });
      await until("the process runs", () => linesOf(file).length > 0);
      if (next === "wait") {
        await daemon.client().cancelInstances({ query: { uuid: instance!.uuid } });
      }
      const pid = numberIn(file);
      await until(`process ${pid} is gone after ${next}`, () => stateOf(pid) === "", 5_000);
      rmSync(file);
    }
  });
});

test("a worker that is stopped goes when the daemon is killed, and a command when no daemon comes", async () => {
  await withDaemon(async ({ daemon, file, scratch }) => {
    await daemon.jobctl(["schedule", "wait"]);
    await until("the command runs", () => linesOf(file).length > 0);
    const workers = helpersOf(scratch);
    assert.ok(workers.length > 0);
    // As the daemon does right before it kills one.
    for (const pid of workers) process.kill(pid, "SIGSTOP");
    await daemon.kill();
    await until("the workers are gone", () => workers.every((pid) => stateOf(pid) === ""), 6_000);
    const command = numberIn(file);
    await until("the command is gone", () => stateOf(command) === "", 1_000);
  });
});

for (const stop of [false, true]) {
  const what = stop ? "was stopped" : "spins";
  test(`a process that loads modules and ${what} goes when what began it is killed`, async () => {
    const root = mkdtempSync(join(tmpdir(), "jobctl-orphans-"));
    const marker = join(root, "loading");
    try {
      mkdirSync(join(root, "jobs"));
      const source = `import { writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify(marker)}, String(process.pid)); for (;;);
export default () => {};`;
      writeFileSync(join(root, "jobs", "spin.ts"), source);
      writeFileSync(join(root, "config.toml"), 'modules = ["jobs"]\n');
      const child = spawn(JOBCTL, ["check", "--config", "config.toml"], {
        cwd: root,
        stdio: "ignore",
      });
      await until("the module loads", () => existsSync(marker) && linesOf(marker).length > 0);
      const describer = numberIn(marker);
      if (stop) process.kill(describer, "SIGSTOP");
      child.kill("SIGKILL");
      await until(`process ${describer} is gone`, () => stateOf(describer) === "", 2_000);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
}

test("kill -9 of the daemon at any moment leaves no helper process after its lease, and the next start removes the names of its pipes", async () => {
  await withDaemon(async ({ daemon: first, file, scratch }) => {
    let daemon = first;
    for (const delayMs of [0, 7, 30, 80]) {
      const requests = Array.from(
        { length: 40 },
        (_, index) => index % 4 === 0 ? { kind: "input" } : { kind: "append", arguments: [file] },
      );
      await daemon.client().scheduleJobs({ requests });
      await sleep(delayMs);
      await daemon.kill();
      await until("its helpers are gone", () => helpersOf(scratch).length === 0, 6_000);
      const left = readdirSync(scratch);
      // A pipe has a name for less than a millisecond, which may be the moment of the kill.
      assert.deepEqual(left.filter((name) => !name.startsWith("jobctl-pipe-")), []);
      const longAgo = new Date(Date.now() - 3_600_000);
      for (const name of left) utimesSync(join(scratch, name), longAgo, longAgo);
      daemon = await daemon.restart();
      await until(
        "their names are gone",
        () => !left.some((name) => existsSync(join(scratch, name))),
      );
    }
    await daemon.stop();
    assert.deepEqual(readdirSync(scratch), []);
  });
});
