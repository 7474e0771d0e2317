import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { JOBCTL } from "../support/processes/daemon.ts";
import { linesOf, until } from "../support/wait.ts";

const UNSHARE = ["--pid", "--fork", "--mount-proc", "--kill-child"];
const skip = spawnSync("unshare", [...UNSHARE, "true"]).status !== 0 &&
  "new namespaces of processes are not allowed here";

/** Leaves orphans to the first process: two end, and one runs on. */
const ORPHANS = [
  "for i in 1 2; do (setsid sh -c 'sleep 0.2; exit 3' > /dev/null 2>&1 &); done",
  "(setsid sleep 300 > /dev/null 2>&1 &)",
].join("\n");

interface Child {
  readonly pid: number;
  readonly isDead: boolean;
  readonly name: string;
}

function childrenOf(pid: number): Child[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const [, comm, state, parent] = /\((.*)\) (.) (\d+)/.exec(
        readFileSync(`/proc/${name}/stat`, "latin1"),
      )!;
      if (Number(parent) !== pid) return [];
      return [{ pid: Number(name), isDead: state === "Z", name: comm! }];
    } catch {
      return [];
    }
  });
}

test("serve reaps orphans of its jobs when it is the first process of a container", {
  skip,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-first-"));
  writeFileSync(
    join(dir, "config.toml"),
    `
[server]
port = 0
http = ""
socket = "${dir}/socket"
[worker]
# What adopts orphans of commands ends with each of them, and leaves them to the first process.
recycle_after = 1
[jobs.orphans]
run = """
${ORPHANS}
echo done >> ${dir}/done
"""
leave_children = true
schedule = "* * * * * *"
overlap = "queue"
[jobs.exit]
run = "echo end >> ${dir}/ended; exit 7"
schedule = "* * * * * *"
overlap = "queue"
`,
  );
  const args = [...UNSHARE, JOBCTL, "serve", "--config", join(dir, "config.toml")];
  const env = { PATH: process.env.PATH, XDG_RUNTIME_DIR: dir };
  const shell = spawn("unshare", args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  shell.stderr.setEncoding("utf8").on("data", (text: string) => log += text);
  const ended = once(shell, "exit");
  try {
    await until("the first process runs", () => childrenOf(shell.pid!).length === 1);
    const first = childrenOf(shell.pid!)[0]!.pid;
    const seen = new Set<number>();
    await until("orphans have died", () => {
      for (const { pid, isDead } of childrenOf(first)) if (isDead) seen.add(pid);
      return seen.size > 2;
    });
    const early = [...seen];
    await until("they are reaped", () => {
      const left = new Set(childrenOf(first).map(({ pid }) => pid));
      return early.every((pid) => !left.has(pid));
    });
    // What still runs is left alone, and so are the exit codes of the daemon's own workers.
    assert.ok(childrenOf(first).some(({ name, isDead }) => name === "sleep" && !isDead));
    await until(
      "both jobs ran",
      () =>
        [linesOf(join(dir, "done")), linesOf(join(dir, "ended"))].every((lines) =>
          lines.length > 2
        ),
    );
    process.kill(first, "SIGTERM");
    assert.deepEqual(await ended, [0, null]);
    assert.match(log, /is ready.*pid=1\b/);
    assert.match(log, /exit\b.*\b7\b/);
    assert.doesNotMatch(log, /lost|crashes=[1-9]/);
  } finally {
    shell.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
});
