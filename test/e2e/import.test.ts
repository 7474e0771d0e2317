import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { runJobctl, startDaemon } from "../support/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { until } from "../support/wait.ts";

/** Crontabs and timers on the compiled file: imported, checked, and really run. */

const CRONTABS = fileURLToPath(new URL("../support/crontabs/", import.meta.url));

test("jobctl import crontab proves each line, and what it writes passes jobctl check", async () => {
  await withTempDir({}, async ({ path }) => {
    const out = join(path, "config.toml");
    const args = ["import", "crontab", join(CRONTABS, "packages"), "--system"];
    const run = await runJobctl([...args, "--timezone", "Europe/Berlin", "--out", out, "--verify"]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.stdout, "");
    assert.match(run.stderr, /^Verified over 366 days: 8 of 8 lines are the same, \d+ runs$/m);
    const check = await runJobctl(["check", "--config", out, "-o", "json"]);
    assert.equal(check.code, 0, check.stderr);
    assert.equal(JSON.parse(check.stdout).jobs.length, 8);
    const again = await runJobctl([...args, "--out", out]);
    assert.equal(again.code, 6);
    assert.match(again.stderr, /exists already/);
  });
});

test("jobctl import crontab tells file and line of what it cannot carry, with exit code 3", async () => {
  const run = await runJobctl(["import", "crontab", "-", "--timezone", "UTC"], {
    input: "MAILTO=me\n*/0 * * * * bad\n0 1 * * * good\n",
  });
  assert.equal(run.code, 3);
  assert.deepEqual(run.stderr.trimEnd().split("\n").map((line) => line.slice(0, 8)), [
    "stdin:1:",
    "stdin:2:",
  ]);
  assert.match(run.stdout, /^\[jobs\.good\]$/m);
});

test("jobctl serve runs what was imported: stdin by %, environment, home, and @reboot at each start", async () => {
  await withTempDir({}, async ({ path }) => {
    const log = join(path, "log");
    const crontab = [
      `LOG=${log}`,
      `HOME=${path}`,
      "SHELL=/bin/bash",
      `@reboot cat >> "$LOG"; echo "100\\% $PWD" >> "$LOG"; [[ 1 == 1 ]] && echo bash >> "$LOG"%one%two`,
    ].join("\n");
    const imported = await runJobctl(["import", "crontab", "-", "--timezone", "UTC"], {
      input: crontab,
    });
    assert.equal(imported.code, 0, imported.stderr);
    writeFileSync(log, "");
    let daemon = await startDaemon({ toml: imported.stdout });
    const once = `one\ntwo\n100% ${path}\nbash\n`;
    const completed = async () => {
      const { stdout } = await daemon.jobctl(["list", "instances", "--state", "completed"]);
      return JSON.parse(stdout).length as number;
    };
    try {
      await until("the first run has completed", async () => await completed() === 1);
      assert.equal(readFileSync(log, "utf8"), once);
      daemon = await daemon.restart();
      await until("the second run has completed", async () => await completed() === 2);
      assert.equal(readFileSync(log, "utf8"), once + once);
    } finally {
      await daemon.stop();
    }
  });
});

test("jobctl import systemd and export crontab speak of the same runs", async () => {
  const files = {
    "a.timer": "[Timer]\nOnCalendar=Mon..Fri *-*-* 08:00:00\n",
    "a.service": "[Service]\nExecStart=/bin/echo a\n",
  };
  await withTempDir(files, async ({ path }) => {
    const run = await runJobctl(["import", "systemd", path, "--timezone", "UTC"]);
    assert.equal(run.code, 0, run.stderr);
    const config = join(path, "config.toml");
    writeFileSync(config, run.stdout);
    const back = await runJobctl(["export", "crontab", "--config", config, "--timezone", "UTC"]);
    assert.equal(back.code, 3, back.stderr);
    assert.match(back.stderr, /config\.toml: jobs\.a: cron has none of: overlap "skip"/);
    assert.match(
      back.stdout,
      /^0 8 \* \* 1-5 export PATH=\S+; umask 022; cd \/ \|\| exit 1; \/bin\/echo a$/m,
    );
  });
});

test("fault 41: the daemon, next and check refuse a date that never comes, naming the field", async () => {
  const daemon = await startDaemon({ toml: '[jobs.a]\nrun = "true"\n' });
  try {
    const cron = "0 0 30 2 *";
    const bad = join(daemon.dir, "bad.toml");
    writeFileSync(bad, `[jobs.a]\nrun = "true"\nschedule = "${cron}"\n`);
    const runs = [
      await daemon.jobctl(["schedule", "a", "--cron", cron]),
      await daemon.jobctl(["schedule", "a", "--cron", cron, "--dry-run"]),
      await runJobctl(["next", cron]),
      await runJobctl(["check", "--config", bad]),
    ];
    for (const { code, stdout, stderr } of runs) {
      assert.equal(code, 2);
      assert.match(stdout + stderr, /day of month \W*30\W* never comes in month/);
    }
    const picked = await daemon.jobctl(["schedule", "a", "--cron", "H H * * *"]);
    assert.equal(picked.code, 0, picked.stderr);
    const { stdout } = await daemon.jobctl(["list", "schedules"]);
    assert.match(JSON.parse(stdout)[0].crontab, /^\d+ \d+ \* \* \*$/);
  } finally {
    await daemon.stop();
  }
});

const PAGE = readFileSync(new URL("../../docs/cron.md", import.meta.url), "utf8");
for (const [line] of PAGE.matchAll(/^jobctl next .*$/gm)) {
  test(`docs/cron.md: ${line} works as it stands`, async () => {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    const run = await runJobctl(words.slice(1));
    assert.equal(run.code, 0, run.stderr);
    assert.equal(JSON.parse(run.stdout).length, 5);
  });
}
