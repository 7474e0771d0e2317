import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { exportCrontab } from "../../src/tools/export_crontab.ts";
import type { Dialect } from "../../src/tools/import/dialect.ts";
import { importCrontabs } from "../../src/tools/import/import_crontab.ts";
import { loadProject } from "../../src/tools/load_project.ts";
import { withTempDir } from "../support/temp_dir.ts";

const NOW = Date.UTC(2026, 10, 24, 12);

/** The jobs of a configuration as a crontab of a host in UTC, for cronie. */
function exported(toml: string, timezone = "UTC", dialect: Dialect = "cronie") {
  return withTempDir({ "config.toml": toml }, async ({ path }) => {
    const { jobs, problems } = await loadProject(`${path}/config.toml`, { env: {}, nowMs: NOW });
    assert.deepEqual(problems, []);
    return exportCrontab(jobs, { timezone, dialect });
  });
}

test("exportCrontab() writes commands, their surroundings and their input", async () => {
  const { text, isSystem, notes } = await exported(`
[defaults]
overlap = "allow"
misfire = "skip"
[jobs.a]
description = "Reports"
run = "date +%F | mail me"
schedule = ["30 2 * * *", "0 0 4 * * ?", "@reboot"]
env = { A = "b c" }
umask = "027"
cwd = "/srv"
stdin = { text = "x\\n10%\\n" }
[jobs.b]
command = ["/bin/echo", "it's"]
schedule = "@daily"
timezone = "Asia/Tokyo"
jitter = "90s"
params = "...words: unknown[]"
args = ["x y", 3]
[jobs.c]
command = ["/bin/true"]
schedule = "@hourly"
`);
  assert.deepEqual([isSystem, notes], [false, []]);
  const command = `export A='b c'; umask 027; cd /srv || exit 1; date +\\%F | mail me%x%10\\%`;
  assert.deepEqual(text.trimEnd().split("\n").filter((line) => line !== ""), [
    "SHELL=/bin/sh",
    "# a: Reports",
    `30 2 * * * ${command}`,
    `0 4 * * * ${command}`,
    `@reboot ${command}`,
    "# b",
    "CRON_TZ=Asia/Tokyo",
    "RANDOM_DELAY=2",
    `@daily /bin/echo 'it'\\''s' 'x y' 3`,
    "# c",
    "CRON_TZ=",
    "RANDOM_DELAY=0",
    "@hourly /bin/true",
  ]);
});

test("exportCrontab() tells what a crontab cannot say, and writes no secret", async () => {
  await withTempDir({ "secret": "hunter2secret" }, async ({ path }) => {
    const { text, notes, isSystem } = await exported(`
[jobs.a]
run = "x"
user = "nobody"
schedule = ["@every 15m", "*/10 * * * * *", "0 0 L * *", "0 0 * * *"]
env = { P = { file = "${path}/secret" } }
timeout = "1h"
retry = 2
[jobs.b]
run = "x\\ny"
schedule = "@daily"
[jobs.idle]
run = "x"
`);
    assert.equal(isSystem, true);
    assert.match(text, /^0 0 \* \* \* nobody x$/m);
    assert.doesNotMatch(text, /hunter2/);
    assert.deepEqual(notes.map(({ kind, text }) => `${kind}: ${text}`), [
      'a: left out: cron has no schedule like "@every 15m"',
      'a: left out: cron has no schedule like "*/10 * * * * *"',
      'a: left out: cron has no schedule like "0 0 L * *"',
      "a: variables given by reference are left out: a crontab must not contain secrets",
      'a: cron has none of: timeout 1h, retries, overlap "skip", misfire "latest"',
      "b: left out: a crontab has no commands of several lines",
    ]);
  });
});

test("exportCrontab() writes what importCrontabs() read, so that both say the same", async () => {
  const crontab = readFileSync(new URL("../support/crontabs/packages", import.meta.url), "utf8");
  const options = { timezone: "Europe/Berlin", dialect: "debian" } as const;
  const first = importCrontabs(
    [{ file: "a", text: crontab, isSystem: true, owner: null }],
    options,
  );
  const { text, notes } = await exported(first.toml, "Europe/Berlin", "debian");
  assert.deepEqual(notes, []);
  const second = importCrontabs([{ file: "b", text, isSystem: true, owner: null }], options);
  const lines = (result: typeof first) =>
    result.imported.map((
      { job },
    ) => [job.schedule, job.user, job.run?.replace(/^export \S+; /, "")])
      .sort();
  assert.deepEqual(lines(second), lines(first));
});

test("exportCrontab() tells once what cron lacks for several schedules of a job", async () => {
  const { text, notes } = await exported(
    '[jobs.a]\nrun = "x"\nschedule = ["@daily", "@weekly"]\n',
  );
  assert.match(text, /@daily x[^]*@weekly x/);
  assert.deepEqual(notes.map((note) => note.text), [
    'cron has none of: overlap "skip", misfire "latest"',
  ]);
});

/** A configuration of jobs that a cron could run, each with the given lines. */
function jobsOf(jobs: Readonly<Record<string, string>>): string {
  return Object.entries(jobs).map(([kind, lines]) =>
    `[jobs.${kind}]\nmisfire = "skip"\n${lines}\n${lines.includes("run") ? "" : 'run = "x"\n'}`
  ).join("");
}

test("exportCrontab() leaves out other zones, and reports jitter, where cron has neither", async () => {
  const toml = jobsOf({
    a: 'schedule = "30 2 * * *"\ntimezone = "Europe/Berlin"\noverlap = "allow"',
    b: 'schedule = "@daily"\njitter = "90s"\noverlap = "allow"',
    c: 'schedule = "@reboot"\ntimezone = "Europe/Berlin"\noverlap = "allow"',
  });
  const debian = await exported(toml, "UTC", "debian");
  assert.doesNotMatch(debian.text, /CRON_TZ|RANDOM_DELAY|^30 2/m);
  assert.match(debian.text, /^@daily x$[^]*^@reboot x$/m);
  assert.deepEqual(debian.notes.map(({ kind, text }) => `${kind}: ${text}`), [
    "a: left out: Debian's cron has one time zone for all jobs, this one is in Europe/Berlin",
    "b: cron has none of: jitter 1m30s",
  ]);
  const berlin = await exported(toml, "Europe/Berlin", "debian");
  assert.match(berlin.text, /^30 2 \* \* \* x$/m);
  const cronie = await exported(toml);
  assert.deepEqual(cronie.notes, []);
  assert.match(cronie.text, /^CRON_TZ=Europe\/Berlin\n30 2/m);
  const supercronic = await exported(toml, "UTC", "supercronic");
  assert.match(supercronic.notes[0]!.text, /^left out: supercronic has one time zone/);
});

test("exportCrontab() writes what the dialect reads in the same way, and nothing else", async () => {
  const toml = jobsOf({
    days: 'schedule = "0 3 */2 * *"',
    weekdays: 'schedule = "*/15 9-17 * * mon-fri"',
    hash: 'schedule = "@daily"\nrun = "x # y"',
    input: 'schedule = "@daily"\nstdin = { text = "a" }\nuser = "nobody"',
  });
  const busybox = await exported(toml, "UTC", "busybox");
  assert.equal(busybox.isSystem, false);
  assert.match(busybox.text, /^@daily x$[^]*^\*\/15 9-17 \* \* mon-fri x$/m);
  assert.deepEqual(busybox.notes.map(({ kind, text }) => `${kind}: ${text}`), [
    'days: left out: cron has no schedule like "0 3 */2 * *"',
    'hash: left out: busybox crond cuts a line at "#"',
    "input: standard input is not carried over: busybox crond has none",
    'input: user "nobody" is not carried over: busybox crond reads only users\' crontabs',
  ]);
  const supercronic = await exported(toml, "UTC", "supercronic");
  assert.match(supercronic.text, /^\*\/15 9-17 \* \* mon-fri x$/m);
  assert.match(supercronic.text, /^0 3 \*\/2 \* \* x$/m);
  const both = await exported(jobsOf({ a: 'schedule = "0 3 */2 * mon"' }), "UTC", "supercronic");
  assert.match(both.notes[0]!.text, /no schedule like/);
});

test("exportCrontab() escapes % only where it ends the command", async () => {
  const toml = '[jobs.a]\nrun = "date +%F"\nschedule = "@daily"\n';
  for (const dialect of ["debian", "cronie"] as const) {
    assert.match((await exported(toml, "UTC", dialect)).text, /^@daily date \+\\%F$/m);
  }
  for (const dialect of ["busybox", "supercronic"] as const) {
    assert.match((await exported(toml, "UTC", dialect)).text, /^@daily date \+%F$/m);
  }
});
