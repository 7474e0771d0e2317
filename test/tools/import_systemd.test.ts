import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { importSystemd } from "../../src/tools/import/import_systemd.ts";
import { calendarToCron, readTimeSpan } from "../../src/tools/import/systemd_calendar.ts";
import { readUnitCommand, splitUnitWords } from "../../src/tools/import/systemd_command.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

// 40 runs of each were the same as those of "systemd-analyze calendar --iterations=40" of systemd
// 257.
const CALENDARS: readonly [text: string, cron: string][] = [
  ["Mon..Fri *-*-* 08:00:00", "0 8 * * 1-5"],
  ["daily", "0 0 * * *"],
  ["weekly UTC", "CRON_TZ=UTC 0 0 * * 1"],
  ["quarterly", "0 0 1 1,4,7,10 *"],
  ["*:0/15", "*/15 * * * *"],
  ["*:*:0/10", "*/10 * * * * *"],
  ["*-*-* 02:30:00 Europe/Berlin", "CRON_TZ=Europe/Berlin 30 2 * * *"],
  ["Sat,Sun 10:00", "0 10 * * 6,0"],
  ["Mon,Wed..Fri,", "0 0 * * 1,3-5"],
  ["Mon..Sun", "0 0 * * *"],
  ["Mon..Sun 10:00", "0 10 * * *"],
  ["12-25", "0 0 25 12 *"],
  ["*-*-2/2 4:05:06", "6 5 4 2-31/2 * *"],
  ["8..18/2:30", "30 8-18/2 * * *"],
  ["Mon *-*-1..7 06:00", "0 6 * * 1#1"],
  ["Wed,Fri *-*-8..14 9:00", "0 9 * * 3#2,5#2"],
  ["*-*~01 23:00", "0 23 L * *"],
  ["Mon *-*~07/1 04:00", "0 4 * * 1L"],
  ["Mon *-*-01 1:00", "0 1 */32 * 1"],
  ["Sun *-*-13 12:00", "0 12 13 * */8,0"],
];
for (const [text, cron] of CALENDARS) {
  test(`calendarToCron() turns "${text}" into "${cron}"`, () => {
    assert.equal(calendarToCron(text), cron);
  });
}

for (
  const [text, message] of [
    ["2026-*-* 00:00", /no years/],
    ["Fri *-*-13 12:00", /cannot require both/],
    ["*-*~03 12:00", /counted from the end/],
    ["*-2-30 0:0", /never comes/],
    ["foo bar", /"foo" is not a day/],
    ["12:00:00.5", /parts of a second/],
    ["", /is not a date/],
    ["25:00", /hour "25" is out of range/],
  ] as const
) {
  test(`calendarToCron() refuses "${text}"`, () => {
    assert.throws(
      () => calendarToCron(text),
      (error) => isJobError(error, "invalid_argument") && message.test(error.message),
    );
  });
}

test("readTimeSpan() reads systemd's spans", () => {
  const spans = ["15min", "1h 30min", "90", "5m30s", "2 hours", "1.5h", "0", "infinity"];
  assert.deepEqual(spans.map(readTimeSpan), [
    900_000,
    5_400_000,
    90_000,
    330_000,
    7_200_000,
    5_400_000,
    0,
    null,
  ]);
  for (const text of ["", "x", "5 parsecs"]) assert.throws(() => readTimeSpan(text), /time span/);
});

test("splitUnitWords() takes quotes and escapes as systemd does", () => {
  assert.deepEqual(splitUnitWords(`a "b c" 'd "e' f\\sg \\x41 ""`), [
    "a",
    "b c",
    'd "e',
    "f g",
    "A",
    "",
  ]);
  assert.throws(() => splitUnitWords('a "b'), /not closed/);
});

test("readUnitCommand() uses a shell only where there are variables", () => {
  const read = (text: string) => readUnitCommand(text, { i: "home" });
  assert.deepEqual(read("/bin/a %i %% $$x 'b c'")[0]!.argv, ["/bin/a", "home", "%", "$x", "b c"]);
  const [variable] = read('/bin/a $X "${Y} z"');
  assert.deepEqual([variable!.argv, variable!.line], [null, `/bin/a $X "\${Y}"' z'`]);
  assert.deepEqual(
    read("-/bin/a ; +/bin/b").map((one) => [
      one.line,
      one.isFailureIgnored,
      one.isPrivileged,
    ]),
    [["/bin/a", true, false], ["/bin/b", false, true]],
  );
  assert.throws(() => read("/bin/a %b"), /%b is known only at run time/);
});

const BACKUP_TIMER = `[Unit]
Description=Backup timer
[Timer]
OnCalendar=Mon..Fri *-*-* 08:00:00
OnCalendar=*-*-01 03:00 UTC
RandomizedDelaySec=10min
Persistent=true
WakeSystem=true
`;
const BACKUP_SERVICE = `# A comment
[Unit]
Description=Back up %i
[Service]
Type=oneshot
User=nobody
WorkingDirectory=/srv
Environment="A=b c" D=e
EnvironmentFile=-/etc/default/backup
IOSchedulingClass=best-effort
IOSchedulingPriority=7
UMask=0027
Nice=5
TimeoutStartSec=2h
TimeoutStopSec=30
SuccessExitStatus=2 TEMPFAIL
PrivateTmp=yes
ExecStart=/usr/bin/backup \\
  --all "a b"
`;

test("importSystemd() carries a timer and its service, and tells the rest by line", async () => {
  const files = { "backup.timer": BACKUP_TIMER, "backup.service": BACKUP_SERVICE };
  await withTempDir(files, async ({ path }) => {
    const { toml, notes } = importSystemd(`${path}/backup.timer`, { timezone: "Asia/Tokyo" });
    assert.deepEqual(
      notes.map(({ file, line, text, isLoss }) => [
        `${file.slice(path.length + 1)}:${line}`,
        text.split(/[= ]/, 1)[0],
        isLoss,
      ]),
      [
        ["backup.timer:8", "WakeSystem", true],
        ["backup.service:17", "written", true],
      ],
    );
    const outcome = await loadText(toml);
    assert.deepEqual(outcome.problems, []);
    const job = outcome.job("backup");
    const { argv, cwd, env, user, umask, successCodes } = job.command!;
    assert.deepEqual({ argv, cwd, env, user, umask, successCodes }, {
      argv: ["/usr/bin/backup", "--all", "a b"],
      cwd: "/srv",
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        A: "b c",
        D: "e",
      },
      user: "nobody",
      umask: 0o027,
      successCodes: [0, 2, 75],
    });
    assert.deepEqual([job.command!.nice, job.command!.ionice], [5, "best-effort:7"]);
    assert.match(toml, /^env_file = \["-\/etc\/default\/backup"\]$/m);
    // It would run without its private /tmp.
    assert.match(toml, /^# Disabled: it would run without PrivateTmp=yes\nenabled = false$/m);
    assert.equal(job.isEnabled, false);
    assert.deepEqual([job.options.timeoutMs, job.options.killAfterMs], [7_200_000, 30_000]);
    assert.deepEqual(
      job.schedules.map(({ cron, timezone, misfire, overlap, jitterMs }) => [
        cron,
        timezone,
        misfire,
        overlap,
        jitterMs,
      ]),
      [
        ["0 8 * * 1-5", "Asia/Tokyo", "latest", "skip", 600_000],
        ["0 3 1 * *", "UTC", "latest", "skip", 600_000],
      ],
    );
  });
});

test("importSystemd() reads a directory with templates, drop-ins and monotonic timers", async () => {
  const files = {
    "tick.timer": "[Timer]\nOnBootSec=0\nOnUnitActiveSec=15min\nUnit=work.service\n",
    "work.service":
      "[Service]\nExecStartPre=-/bin/pre\nExecStart=/bin/one\nExecStart=/bin/two ${HOME}\n",
    "work.service.d/10-own.conf": "[Service]\nExecStart=\nExecStart=/bin/three ${HOME}\nUser=u\n",
    "run@home.timer": "[Timer]\nOnCalendar=hourly\n",
    "run@.service": "[Service]\nExecStart=/bin/run %i\n",
    "gone.timer": "[Timer]\nOnCalendar=daily\n",
    "bad.timer": "[Timer]\nOnCalendar=Fri *-*-13\n",
    "bad.service": "[Service]\nExecStart=/bin/x\n",
    "template@.timer": "[Timer]\nOnCalendar=daily\n",
  };
  await withTempDir(files, async ({ path }) => {
    const { toml, notes } = importSystemd(path, { timezone: "UTC" });
    const losses = notes.filter(({ isLoss }) => isLoss)
      .map(({ file, text }) => `${file.slice(path.length + 1)}: ${text}`);
    assert.deepEqual(losses, [
      "bad.timer: Cannot convert OnCalendar=Fri *-*-13: a schedule cannot require both this weekday and this day of the month",
      "bad.timer: left out: no schedule is left",
      "gone.timer: left out: its unit gone.service is not found",
      "template@.timer: left out: it is only a template; import its instances by name (template@INSTANCE.timer)",
      'work.service.d/10-own.conf: not on this host: there is no user "u"',
    ]);
    const outcome = await loadText(toml);
    assert.deepEqual(outcome.problems, []);
    assert.deepEqual(outcome.job("run-home").command!.argv, ["/bin/run", "home"]);
    const tick = outcome.job("tick");
    assert.equal(tick.command!.argv[2], `{ /bin/pre || :; } && /bin/three "\${HOME}"`);
    assert.equal(tick.command!.user, "u");
    assert.deepEqual(tick.schedules.map(({ cron, everyMs }) => [cron, everyMs]), [
      ["@reboot", null],
      [null, 900_000],
    ]);
  });
});

/** A timer with the lines of its service, imported: the job's table, its text and what is told. */
async function importService(service: string) {
  const files = {
    "a.timer": "[Timer]\nOnCalendar=daily\n",
    "a.service": `[Service]\nExecStart=/bin/a\n${service}\n`,
  };
  return await withTempDir(files, async ({ path }) => {
    const { toml, notes } = importSystemd(`${path}/a.timer`, { timezone: "UTC" });
    const outcome = await loadText(toml);
    assert.deepEqual(outcome.problems, []);
    return { job: outcome.job("a"), notes: notes.map(({ text }) => text) };
  });
}

test("importSystemd() writes everything that [defaults] could change", async () => {
  const { job: { options, scheduleSettings, command } } = await importService("KillMode=process");
  const { timeoutMs, deadlineMs, killAfterMs, onCrash, onDrain, priority, workerSlot } = options;
  assert.deepEqual(
    { timeoutMs, deadlineMs, killAfterMs, onCrash, onDrain, priority, workerSlot },
    {
      timeoutMs: 0,
      deadlineMs: 0,
      killAfterMs: 90_000,
      onCrash: "terminate",
      onDrain: "terminate",
      priority: 5,
      workerSlot: false,
    },
  );
  assert.equal(options.retry?.max, 0);
  assert.deepEqual([scheduleSettings?.jitterMs, scheduleSettings?.misfire], [0, "skip"]);
  assert.equal(command?.leavesChildren, true);
});

test("importSystemd() leaves out masked units, and follows the links of enabled timers", async () => {
  const files = {
    "a.timer": "[Timer]\nOnCalendar=daily\n",
    "a.service": "[Service]\nExecStart=/bin/a\n",
    "b.timer": "[Timer]\nOnCalendar=daily\n",
  };
  await withTempDir(files, async ({ path }) => {
    mkdirSync(`${path}/timers.target.wants`);
    const link = (target: string, name: string) => symlinkSync(target, `${path}/${name}`);
    link("/dev/null", "b.service");
    link("/dev/null", "timers.target.wants/c.timer");
    for (const name of ["a.timer", "b.timer"]) link(`../${name}`, `timers.target.wants/${name}`);
    const { jobs, notes } = importSystemd(`${path}/timers.target.wants`, { timezone: "UTC" });
    assert.deepEqual(jobs.map(({ kind, command }) => [kind, command]), [["a", ["/bin/a"]]]);
    assert.deepEqual(notes.map(({ text, isLoss }) => [text, isLoss]), [
      ["left out: its unit b.service is masked", false],
      ["left out: it is masked", false],
    ]);
  });
});

test("importSystemd() finds users by number, too", async () => {
  const { notes } = await importService("User=0");
  assert.deepEqual(notes, []);
  assert.match((await importService("User=399999999")).notes[0]!, /there is no user "399999999"/);
});

test("importSystemd() lets schedules of one timer run its service once at a time", async () => {
  for (const count of [1, 2]) {
    const calendars = ["OnCalendar=daily", "OnCalendar=hourly"].slice(0, count);
    await withTempDir({
      "t.timer": `[Timer]\n${calendars.join("\n")}\n`,
      "t.service": "[Service]\nExecStart=/bin/true\n",
    }, async ({ path }) => {
      const { toml } = importSystemd(path, { timezone: "UTC" });
      const { options } = (await loadText(toml)).job("t");
      assert.equal(options.unique != null, count > 1, toml);
    });
  }
});

test("importSystemd() disables a unit that is confined, and one whose protection is off not", async () => {
  for (const line of ["DynamicUser=yes", "ProtectSystem=strict", "SystemCallFilter=@basic-io"]) {
    const { job, notes } = await importService(line);
    assert.equal(job.isEnabled, false, line);
    assert.deepEqual(notes, [`written with enabled = false: it would run without ${line}`]);
  }
  for (const line of ["DynamicUser=no", "PrivateTmp=false", "ReadOnlyPaths=/a\nReadOnlyPaths="]) {
    assert.deepEqual((await importService(line)).notes, []);
    assert.equal((await importService(line)).job.isEnabled, true, line);
  }
});

test("importSystemd() cuts a long reason at the end of a setting", async () => {
  const lines = Array.from({ length: 9 }, (_, index) => `Protect${index}x=${"a".repeat(12)}`);
  const kept = (count: number) => lines.slice(0, count).join(" ");
  assert.ok(kept(8).length < 200 && kept(9).length > 200);
  for (const [given, wanted] of [[8, kept(8)], [9, `${kept(8)} …`]] as const) {
    const { notes } = await importService(lines.slice(0, given).join("\n"));
    assert.deepEqual(notes, [`written with enabled = false: it would run without ${wanted}`]);
  }
});

test("importSystemd() tells each condition of a service, also one that says no", async () => {
  const lines = ["ConditionACPower=false", "AssertPathExists=/srv"];
  const { notes } = await importService(`[Unit]\nConditionHost=\n${lines.join("\n")}`);
  assert.deepEqual(notes, lines.map((line) => `${line} is not carried over`));
});

test("importSystemd() carries limits and the name of a program, and tells a user that is missing", async () => {
  const { job, notes } = await importService(
    "LimitNOFILE=4096:8192\nUser=no-such-user\nExecStart=\nExecStart=@/bin/busybox sh -c x",
  );
  assert.equal(job.command!.limits!.openFiles, 4_096);
  assert.deepEqual(job.command!.argv, [
    "/bin/bash",
    "-c",
    'exec -a "$0" "$@"',
    "sh",
    "/bin/busybox",
    "-c",
    "x",
  ]);
  assert.deepEqual(notes, [
    'not on this host: there is no user "no-such-user"',
  ]);
});

test("importSystemd() refuses what holds no timer", async () => {
  await withTempDir({ "a.service": "" }, ({ path }) => {
    const from = (name: string) => () => importSystemd(name, { timezone: "UTC" });
    assert.throws(from(path), (error) => isJobError(error, "not_found"));
    assert.throws(from(`${path}/none.timer`), (error) => isJobError(error, "not_found"));
    assert.throws(from(`${path}/a.service`), (error) => isJobError(error, "invalid_argument"));
    for (const name of ["timers.target.wants", "none.timer", "none"]) {
      assert.throws(from(`${path}/${name}`), { code: "not_found", message: /does not exist$/ });
    }
  });
});

test("importSystemd() refuses a template that names no instance", async () => {
  const files = {
    "dump@.timer": "[Timer]\nOnCalendar=daily\n",
    "dump@.service": "[Service]\nExecStart=/bin/dump %i\n",
  };
  await withTempDir(files, ({ path }) => {
    const from = (name: string) => importSystemd(`${path}/${name}`, { timezone: "UTC" });
    for (const name of ["dump@.timer", "dump@"]) {
      assert.throws(
        () => from(name),
        (error) =>
          isJobError(error, "invalid_argument") && /only a template$/.test(error.message) &&
          error.hint === "Name an instance: dump@INSTANCE.timer",
      );
    }
    assert.deepEqual(from("dump@app.timer").jobs.map(({ kind }) => kind), ["dump-app"]);
  });
});
