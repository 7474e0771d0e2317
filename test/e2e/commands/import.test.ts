import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";

/** Crontabs and timers on the compiled file: imported, checked, and really run. */

const CRONTABS = fileURLToPath(new URL("../../support/crontabs/", import.meta.url));

const HAS_SENDMAIL = existsSync("/usr/sbin/sendmail");

/** What is said of lines below MAILTO=me on this host. */
function mailNote(jobs: string): RegExp {
  return HAS_SENDMAIL
    ? new RegExp(`^stdin: the output of ${jobs} is mailed to me, as by cron`, "m")
    : /^\/usr\/sbin\/sendmail: no output is mailed: this host has no \/usr\/sbin\/sendmail/m;
}

test("jobctl import crontab proves each line, and what it writes passes jobctl check", async () => {
  await withTempDir({}, async ({ path }) => {
    const out = join(path, "config.toml");
    const args = ["import", "crontab", join(CRONTABS, "packages"), "--dialect", "cronie"];
    const run = await runJobctl([...args, "--timezone", "Europe/Berlin", "--out", out, "--verify"]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.stdout, "");
    assert.match(run.stderr, /^Verified over 366 days: 8 of 8 lines are the same, \d+ runs$/m);
    const check = await runJobctl(["check", "--config", out, "-o", "json"]);
    assert.equal(check.code, 0, check.stderr);
    assert.equal(JSON.parse(check.stdout).jobs.length, 8);
    const again = await runJobctl([...args, "--out", out]);
    assert.equal(again.code, 6);
    assert.match(again.stderr, /already exists/);
  });
});

test("jobctl import crontab tells file and line of what it cannot carry, with exit code 3", async () => {
  const args = ["import", "crontab", "-", "--timezone", "UTC"];
  const run = await runJobctl([...args, "--dialect", "cronie"], {
    input: "MAILTO=me\n*/0 * * * * bad\n0 1 * * * good\n",
  });
  assert.equal(run.code, 3);
  const lines = run.stderr.trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => line.slice(0, 7)), [
    "stdin:2",
    HAS_SENDMAIL ? "stdin: " : "/usr/sb",
  ]);
  assert.match(run.stderr, mailNote("1 job"));
  assert.match(run.stdout, /^\[jobs\.good\]$/m);
});

test("jobctl import crontab --verify exits with 0 when its notes are only notes", async () => {
  const args = ["import", "crontab", "-", "--timezone", "UTC", "--verify"];
  const run = await runJobctl([...args, "--dialect", "debian"], {
    input: "MAILTO=me\n*/5 * * * * /usr/bin/env > /dev/null\n0 1 * * * date +%F\n",
  });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, mailNote("2 jobs"));
  const mail = HAS_SENDMAIL ? "the output of 2 of 2 lines is mailed" : "none from here";
  assert.match(run.stderr, new RegExp(`^Mail: ${mail}`, "m"));
  assert.match(run.stderr, /^stdin:3: "%" ends the command/m);
  assert.match(run.stderr, /^Verified over 366 days: 2 of 2 lines are the same/m);
  assert.match(run.stdout, /^\[jobs\.env\]$/m);
});

test("jobctl import crontab leaves out a whole file where Debian's cron ignores it, with exit code 3", async () => {
  const args = ["import", "crontab", "-", "--timezone", "UTC", "--verify"];
  const input = "5/15 * * * * bad\n0 1 * * * good\n";
  const debian = await runJobctl([...args, "--dialect", "debian"], { input });
  assert.equal(debian.code, 3);
  assert.doesNotMatch(debian.stdout, /^\[jobs/m);
  assert.match(debian.stderr, /^stdin:1: left out, .*bad minute \(.*"5-59\/15"\)$/m);
  assert.match(debian.stderr, /^stdin: left out with the 1 line that can be read: Debian's cron/m);
  assert.match(debian.stderr, /^Verified nothing: no line was imported, 2 lines were left out$/m);
  const busybox = await runJobctl([...args, "--dialect", "busybox"], { input });
  assert.equal(busybox.code, 0, busybox.stderr);
  assert.match(busybox.stdout, /^schedule = "5 \* \* \* \*"$/m);
});

test("jobctl import crontab reads several files and a folder of users' crontabs at once", async () => {
  const files = {
    "spool/cron/crontabs/root": "0 1 * * * backup\n",
    "spool/cron/crontabs/nobody": "0 2 * * * backup\n",
    "host/etc/crontab": "0 3 * * * root backup\n",
    "host/etc/anacrontab": "1 5 cron.daily run-parts /etc/cron.daily\n",
  };
  await withTempDir(files, async ({ path }) => {
    const spool = join(path, "spool/cron/crontabs");
    const paths = [spool, join(path, "host/etc/crontab"), join(path, "host/etc/anacrontab")];
    const options = ["--prefix", "{user}-", "--timezone", "UTC", "--verify"];
    const run = await runJobctl(["import", "crontab", ...paths, ...options]);
    assert.equal(run.code, 3, run.stderr);
    assert.deepEqual(run.stdout.match(/^\[jobs\..*\]$/gm), [
      "[jobs.nobody-backup]",
      "[jobs.root-backup]",
      "[jobs.root-backup-2]",
      "[jobs.own-cron-daily]",
    ]);
    assert.match(run.stderr, /crontab: read as a system crontab/);
    assert.match(run.stderr, /anacrontab: read as an anacrontab/);
    assert.match(run.stderr, /^Verified over 366 days: 3 of 3 lines are the same, 1098 runs$/m);
    const users = ["--user", "root", "--user", "nobody", "--spool", spool, "--timezone", "UTC"];
    const named = await runJobctl(["import", "crontab", ...users]);
    assert.equal(named.code, 0, named.stderr);
    assert.deepEqual(named.stdout.match(/^user = .*$/gm), ['user = "root"', 'user = "nobody"']);
    const both = await runJobctl(["import", "crontab", paths[1]!, ...users]);
    assert.equal(both.code, 2);
  });
});

test("jobctl serve runs what was imported: stdin by %, environment, home, and @reboot at each start", async () => {
  await withTempDir({}, async ({ path }) => {
    const log = join(path, "log");
    const crontab = [
      `LOG=${log}`,
      `HOME=${path}`,
      "SHELL=/bin/bash",
      `@reboot cat >> "$LOG"; echo "100\\% $PWD" >> "$LOG"; [[ 1 == 1 ]] && echo bash >> "$LOG"%one%two`,
      "",
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
    assert.match(JSON.parse(stdout)[0].cron, /^\d+ \d+ \* \* \*$/);
  } finally {
    await daemon.stop();
  }
});

const PAGE = readFileSync(new URL("../../../docs/cron.md", import.meta.url), "utf8");
for (const [line] of PAGE.matchAll(/^jobctl next .*$/gm)) {
  test(`docs/cron.md: ${line} works as it stands`, async () => {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    const run = await runJobctl(words.slice(1));
    assert.equal(run.code, 0, run.stderr);
    assert.equal(JSON.parse(run.stdout).length, 5);
  });
}
