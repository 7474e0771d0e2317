import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { JOBCTL, startDaemon } from "../../support/processes/daemon.ts";

const TOML = `
[jobs.backup]
run = "echo copying; echo careful >&2; echo copied"
schedule = "@daily"
[jobs.broken]
run = "echo oops; exit 3"
[jobs.slow]
run = "echo begun; sleep 60"
`;
const TEXT = { JOBCTL_OUTPUT: undefined };

test("jobctl run shows the output of a job and ends with its outcome; ids are found by any part", async () => {
  const daemon = await startDaemon({ toml: TOML });
  const jobctl = (args: readonly string[]) => daemon.jobctl(args, { env: TEXT });
  try {
    const backup = await jobctl(["run", "backup"]);
    assert.deepEqual([backup.code, backup.stdout], [0, "copying\ncopied\n"]);
    assert.match(backup.stderr, /^careful\nDone in \S+\n$/);
    const broken = await jobctl(["run", "broken"]);
    assert.deepEqual([broken.code, broken.stdout], [3, "oops\n"]);
    const id = /^Failed: exit 3, after .*\nSee jobctl describe (\S+)\n$/.exec(broken.stderr)![1]!;

    for (const part of [id.slice(-8), id.slice(9, 23), id.slice(14), "last", "last:broken"]) {
      const shown = await jobctl(["get", "instance", part, "-o", "name"]);
      assert.deepEqual([shown.code, shown.stdout], [0, `${id}\n`], `${part}: ${shown.stderr}`);
    }
    const log = await jobctl(["logs", "backup"]);
    const lines = log.stdout.trimEnd().split("\n").map((line) => line.split(" ").at(-1));
    // The two streams of a command are read side by side.
    assert.deepEqual(lines.toSorted(), ["careful", "copied", "copying"]);
    const both = await jobctl(["retry", id.slice(0, 4)]);
    assert.equal(both.code, 2);
    assert.match(both.stderr, /hint: Give more.*\n\S+ {2}broken {2}failed .*\n\S+ {2}backup /);
    const near = await jobctl(["run", "bakcup"]);
    assert.equal(near.code, 4);
    assert.match(near.stderr, /Did you mean "backup"/);
  } finally {
    await daemon.stop();
  }
});

test("jobctl run leaves the run to itself when a signal ends the watch", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const argv = ["run", "slow", "--socket", join(daemon.dir, "jobctl.sock")];
    // Of the environment only what programs need.
    const child = spawn(JOBCTL, argv, { env: { PATH: process.env.PATH, HOME: process.env.HOME } });
    const [first] = await once(child.stdout, "data");
    assert.equal(String(first), "begun\n");
    let stderr = "";
    child.stderr.on("data", (text) => stderr += String(text));
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    assert.equal(code, 130, stderr);
    const id = /^The run continues: jobctl logs -f (\S+)\n$/.exec(stderr)![1]!;
    const running = await daemon.jobctl(["get", "instance", id, "-o", "json"]);
    assert.equal(JSON.parse(running.stdout).state, "processing");
    const canceled = await daemon.jobctl(["cancel", id.slice(-12), "-o", "name"]);
    assert.deepEqual([canceled.code, canceled.stdout], [0, `${id}\n`]);
  } finally {
    await daemon.stop({ force: true });
  }
});
