// What is left of commands whose supervisor dies at the worst moment.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { isAlive, whenGone } from "../../support/attempts.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { linesOf, until } from "../../support/wait.ts";

interface Begun {
  readonly pid: number;
  readonly supervisor: number;
}

/** A job that notes its processes in the file of its argument, and then executes `then`. */
function jobThat(then: string): string {
  return `[jobs.work]\nrun = 'echo $$ $PPID >> "$1"; exec ${then}'\nparams = "file: string"\n`;
}

function begunIn(file: string): readonly Begun[] {
  return linesOf(file).map((line) => {
    const [pid, supervisor] = line.split(" ").map(Number) as [number, number];
    return { pid, supervisor };
  });
}

async function begin(daemon: Daemon, file: string): Promise<Begun> {
  const { code, stderr } = await daemon.ask(["schedule", "work", file]);
  assert.equal(code, 0, stderr);
  await until("it runs", () => linesOf(file).length === 1);
  return begunIn(file)[0]!;
}

/** Nothing of the first run remains beside the second one. */
async function checkAlone(file: string, first: Begun): Promise<void> {
  await until("it runs again", () => linesOf(file).length === 2);
  assert.equal(isAlive(first.pid), false, "it ran beside the next run");
}

function endAll(file: string): void {
  for (const { pid } of begunIn(file)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
}

test("a supervisor that dies during an upgrade of the daemon leaves nothing beside the next run", async () => {
  await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    copyFileSync(JOBCTL, program);
    const file = join(path, "begun");
    const env = { JOBCTL_SERVER_AUTH_MODE: "none" };
    const daemon = await startDaemon({ toml: jobThat("sleep 60"), program: [program], env });
    try {
      const first = await begin(daemon, file);
      const upgrade = daemon.jobctl(["upgrade-daemon"]);
      await daemon.logged(/Left running commands to the next daemon/);
      process.kill(first.supervisor, "SIGKILL");
      const { code, stderr } = await upgrade;
      assert.equal(code, 0, stderr);
      await checkAlone(file, first);
    } finally {
      endAll(file);
      await daemon.stop({ force: true });
    }
  });
});

test("a command without environment does not outlive a kill of daemon and supervisor, where it has a control group", async () => {
  await withTempDir({}, async ({ path }) => {
    const file = join(path, "begun");
    let daemon = await startDaemon({ toml: jobThat("env -i sleep 60") });
    try {
      const first = await begin(daemon, file);
      if (!/\/jobctl-[0-9a-f]+\//.test(readFileSync(`/proc/${first.pid}/cgroup`, "utf8"))) return;
      daemon.signal("SIGSTOP");
      process.kill(first.supervisor, "SIGKILL");
      await daemon.kill();
      daemon = await daemon.restart();
      await whenGone(first.pid, 2_000);
      await checkAlone(file, first);
    } finally {
      endAll(file);
      await daemon.stop({ force: true });
    }
  });
});
