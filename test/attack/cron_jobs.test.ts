import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { linesOf, until } from "../support/wait.ts";

/**
 * Imported crontabs on the compiled file, amid a configuration that means the opposite of what cron
 * does.
 */

const HOSTILE = `
[worker]
count = 1
drain = "100ms"
[defaults]
timeout = "2s"
deadline = "3s"
jitter = "1h"
overlap = "skip"
misfire = "all"
kill_after = "200ms"
on_crash = "retry"
retry = { max = 3, backoff = "fixed", initial = "20ms" }
`;

async function imported(crontab: string): Promise<string> {
  const run = await runJobctl(["import", "crontab", "-", "--timezone", "UTC", "--verify"], {
    input: `${crontab}\n`,
  });
  assert.equal(run.code, 0, run.stderr);
  return run.stdout;
}

interface Row {
  readonly kind: string;
  readonly state: string;
  readonly reason: string;
  readonly uuid: string;
}

async function instancesOf(daemon: Daemon, kind: string) {
  const { stdout } = await daemon.ask(["list", "instances", "--kind", kind, "-o", "json"]);
  const rows = JSON.parse(stdout) as readonly Row[];
  return rows.map((row) => ({ ...row, id: row.uuid, state: row.state.toLowerCase() }));
}

async function untilState(daemon: Daemon, kind: string, state: string) {
  let found: Awaited<ReturnType<typeof instancesOf>>[number] | undefined;
  await until(`${kind} is ${state}`, async () => {
    found = (await instancesOf(daemon, kind)).find((row) => row.state === state);
    return found !== undefined;
  });
  return found!;
}

async function logOf(daemon: Daemon, id: string): Promise<string> {
  return (await daemon.ask(["logs", id, "-o", "json"])).stdout;
}

test("an imported crontab runs as under cron, whatever [defaults] and worker.count say", async () => {
  await withTempDir({}, async ({ path }) => {
    const at = (name: string) => join(path, name);
    const crontab = [
      ...Array.from({ length: 6 }, (_, index) => `@reboot exec sleep 30${index}`),
      `@reboot echo ran >> ${at("fails")}; exit 1`,
      `@reboot (until [ -e ${at("go")} ]; do sleep 0.02; done; echo talks; echo late > ${
        at("left")
      }) & echo left`,
      `@reboot sleep 3; echo slow > ${at("slow")}`,
    ].join("\n");
    const toml = await imported(crontab);
    writeFileSync(at("vars"), 'PLACE="by the sea"\nGREETING=hello\n', { mode: 0o600 });
    const daemon = await startDaemon({
      toml: `${HOSTILE}
[jobs.plain]
run = 'ionice -p $$; nice; echo "$PLACE and $GREETING"'
env_file = ["${at("vars")}", "-${at("missing")}"]
env = { GREETING = "own" }
ionice = "best-effort:6"
nice = 7
[jobs.keeps]
run = "(exec sleep 300) & echo started"
[jobs.finishes]
run = "touch ${at("begun")}; sleep 1; touch ${at("finished")}"
drain = "10s"
timeout = "0"
deadline = "0"
worker_slot = false
${toml}`,
    });
    try {
      // Six commands that hang leave the only worker to the others.
      const plain = await daemon.ask(["schedule", "plain", "--wait"]);
      assert.equal(plain.code, 0, plain.stderr);
      const said = await logOf(daemon, (await untilState(daemon, "plain", "completed")).id);
      assert.match(said, /best-effort: prio 6/);
      assert.match(said, /"message": "7"/);
      // What a file gives may be a secret.
      assert.match(said, /"message": "\*\*\* and own"/);
      const kinds = /^\[jobs\.(.*)\]$/gm;
      const names = [...toml.matchAll(kinds)].map(([, name]) => name!);
      const [failing, leaving, slow] = [names[6]!, names[7]!, names[8]!];
      await untilState(daemon, failing, "terminated");
      const left = await untilState(daemon, leaving, "completed");
      assert.match(
        await logOf(daemon, left.id),
        /Left running by the command: sh \(\d+\)/,
      );
      writeFileSync(at("go"), "");
      await until("what was left running has gone on", () => existsSync(at("left")));
      const keeps = await daemon.ask(["schedule", "keeps", "--wait"]);
      assert.equal(keeps.code, 0, keeps.stderr);
      const kept = await untilState(daemon, "keeps", "completed");
      assert.match(
        await logOf(daemon, kept.id),
        /Ended with the command, which left them running: \w+ \(\d+\); leave_children = true/,
      );
      await untilState(daemon, slow, "completed");
      // Not the timeout, not the deadline, not the retries of [defaults].
      assert.equal(readFileSync(at("slow"), "utf8"), "slow\n");
      assert.deepEqual(linesOf(at("fails")), ["ran"]);
      for (const name of names.slice(0, 6)) {
        assert.deepEqual((await instancesOf(daemon, name)).map(({ state }) => state), [
          "processing",
        ]);
      }
      const finishing = await daemon.ask(["schedule", "finishes"]);
      assert.equal(finishing.code, 0, finishing.stderr);
      await until("the last one has begun", () => existsSync(at("begun")));
      await daemon.terminate();
      // Its own drain is longer than that of the workers.
      assert.ok(existsSync(at("finished")));
      const again = await daemon.restart();
      try {
        const stopped = await untilState(again, names[0]!, "terminated");
        assert.equal(stopped.reason, "drained");
      } finally {
        await again.stop({ force: true });
      }
    } finally {
      await daemon.stop({ force: true });
    }
  });
});
