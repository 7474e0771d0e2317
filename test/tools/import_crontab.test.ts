import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { SCHEMA } from "../../src/config/keys.ts";
import type { JobDefinition } from "../../src/core/job/job.ts";
import type { ScheduleSpec } from "../../src/core/time/schedule.ts";
import { isJobError } from "../../src/core/errors.ts";
import { readAssignment, splitCommand } from "../../src/tools/import/crontab_lines.ts";
import { importCrontabs, type ImportResult } from "../../src/tools/import/import_crontab.ts";
import { decodeCrontab, openCrontabs } from "../../src/tools/import/open_crontabs.ts";
import { nameLine } from "../../src/tools/import/kind_names.ts";
import { importSystemd } from "../../src/tools/import/import_systemd.ts";
import { verifyCrontab } from "../../src/tools/verify_crontab.ts";
import { loadProject } from "../../src/tools/load_project.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

function importText(
  text: string,
  options: { readonly isSystem?: boolean; readonly timezone?: string; readonly owner?: string } =
    {},
): ImportResult {
  const { isSystem = false, timezone = "Europe/Berlin", owner = null } = options;
  const dialect = "cronie";
  return importCrontabs([{ file: "cron", text, isSystem, owner }], { timezone, dialect });
}

function fixture(name: string): string {
  return readFileSync(new URL(`../support/crontabs/${name}`, import.meta.url), "utf8");
}

/** What the written file loads as, by kind. */
async function loaded(result: ImportResult) {
  const outcome = await loadText(result.toml);
  assert.deepEqual(outcome.problems, []);
  assert.deepEqual(outcome.warnings, []);
  return outcome;
}

for (
  const [line, expected] of [
    ["A=b", ["A", "b"]],
    ["A = b c ", ["A", "b c"]],
    [`A=" b "`, ["A", " b "]],
    [`"A"='b'`, ["A", "b"]],
    ["A=", ["A", ""]],
    ["A=b # c", ["A", "b # c"]],
    [`A="b`, null],
    [`A="b" c`, null],
    ["* * * * * a=b", null],
    ["@reboot A=b x", null],
    ["30 2 * * * x", null],
  ] as const
) {
  test(`readAssignment() reads ${JSON.stringify(line)}`, () => {
    assert.deepEqual(readAssignment(line), expected);
  });
}

for (
  const [text, command, stdin] of [
    ["x", "x", null],
    ["x %", "x ", ""],
    ["x%a", "x", "a\n"],
    ["x%a%%b", "x", "a\n\nb\n"],
    ["x%a%", "x", "a\n"],
    ["date +\\%F", "date +%F", null],
    ["x \\%%a\\%b", "x %", "a%b\n"],
    ["x \\a%b\\c", "x \\a", "b\\c\n"],
    ["x \\\\%a", "x \\\\", "a\n"],
    ["x \\\\\\%a", "x \\\\%a", null],
    ["x%a\\\\%b", "x", "a\\%b\n"],
    ["x \\", "x \\", null],
  ] as const
) {
  test(`splitCommand() takes ${JSON.stringify(text)} apart as cron does`, () => {
    assert.deepEqual(splitCommand(text), { command, stdin });
  });
}

for (
  const [line, kind] of [
    ["cd / && run-parts --report /etc/cron.hourly", "cron-hourly"],
    ["test -x /a || { cd / && run-parts --report /etc/cron.daily; }", "cron-daily"],
    ["test -x /usr/bin/certbot && perl -e 'sleep int(rand(9))' && certbot -q renew", "certbot"],
    ["pg_dump app | zstd > /b", "pg_dump-app"],
    ["php -q /var/www/cron.php > /dev/null 2>&1", "cron"],
    ["bash -c 'for i in 1 2; do x; done'", "bash"],
    ["flock -n /tmp/x.lock /opt/a/run.sh", "run"],
    ["nice -n 19 ionice -c3 /usr/bin/updatedb", "updatedb"],
    ["A=1 /usr/lib/e2scrub_all_cron", "e2scrub_all_cron"],
    ["[ -f /x ] || exit 0", "job"],
    ["$HOME/bin/daily.job", "daily-job"],
    ["'", "job"],
    ["echo hello there", "echo"],
    ["for f in a b; do gzip $f; done", "gzip"],
    ["date > /tmp/x; /opt/rotate.sh", "rotate"],
    ["mkdir -p /a && cd /a && make all", "make-all"],
    ["/usr/bin/env > /dev/null", "env"],
    ["env >& /dev/null", "env"],
    ["/usr/bin/time 2>/tmp/x < /etc/in.txt", "time"],
    ['sleep 5 > "/var/log/a b.log"; /opt/rotate.sh', "rotate"],
    ["> /tmp/out /opt/first.sh -v", "first"],
    ["awk '{ print $1 > 5 }' /x", "awk"],
  ] as const
) {
  test(`nameLine() names "${line}" ${kind}`, () => assert.equal(nameLine(line), kind));
}

test("importCrontabs() writes Debian's own crontab, and cron's behaviour with it", async () => {
  const result = importText(fixture("debian"), { isSystem: true });
  assert.deepEqual(result.notes, []);
  const { job } = await loaded(result);
  const weekly = job("cron-weekly");
  assert.equal(weekly.command!.user, "root");
  assert.equal(weekly.description, null);
  assert.deepEqual(weekly.command!.argv.slice(0, 3), [
    "/bin/sh",
    "-c",
    "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }",
  ]);
  const [{ cron, timezone, overlap, misfire, jitterMs }] = weekly.schedules as [ScheduleSpec];
  assert.deepEqual([cron, timezone, overlap, misfire, jitterMs], [
    "47 6 * * 7",
    "Europe/Berlin",
    "allow",
    "skip",
    0,
  ]);
});

test("importCrontabs() carries environment, shell, home, zone, delay, stdin and comments", async () => {
  const result = importText(
    [
      "PATH=/opt/bin:/bin",
      "GREETING=\"a ${b} 'c'\"",
      "SHELL=/bin/bash",
      "HOME=/srv",
      "CRON_TZ=Asia/Tokyo",
      "RANDOM_DELAY=5",
      "# Sends the",
      "# report",
      "30 2 * * * mail -s x\\%y boss%Hello%there",
      "",
      "# Far from it",
      "",
      "@reboot start",
      "",
    ].join("\n"),
    { owner: "www-data" },
  );
  assert.deepEqual(result.notes.map(({ line, isLoss }) => [line, isLoss]), [[9, false]]);
  assert.match(result.notes[0]!.text, /^"%" ends the command after "mail -s x%y boss"/);
  const { job } = await loaded(result);
  const mail = job("mail");
  assert.equal(mail.description, "Sends the report");
  const { argv, cwd, env, user, stdin } = mail.command!;
  assert.deepEqual({ argv, cwd, env, user, stdin }, {
    argv: ["/bin/bash", "-c", "mail -s x%y boss", "jobctl"],
    cwd: "/srv",
    env: {
      CRON_TZ: "Asia/Tokyo",
      RANDOM_DELAY: "5",
      PATH: "/opt/bin:/bin",
      GREETING: "a ${b} 'c'",
      SHELL: "/bin/bash",
      HOME: "/srv",
    },
    user: "www-data",
    stdin: { text: "Hello\nthere\n" },
  });
  assert.deepEqual([mail.schedules[0]!.timezone, mail.schedules[0]!.jitterMs], [
    "Asia/Tokyo",
    300_000,
  ]);
  const start = job("start");
  assert.deepEqual([start.description, start.schedules[0]!.cron, start.schedules[0]!.jitterMs], [
    null,
    "@reboot",
    0,
  ]);
});

test("importCrontabs() tells by line what it cannot carry", () => {
  const { notes, imported } = importText(fixture("odd"), { isSystem: true });
  assert.deepEqual(notes.map(({ line, isLoss }) => [line, isLoss]), [
    [10, false],
    [12, true],
    [13, true],
    [15, true],
    [16, true],
  ]);
  assert.match(notes[0]!.text, /^"%" ends the command/);
  assert.match(notes[1]!.text, /cron refuses it too: .*bad minute/);
  assert.match(notes[2]!.text, /day of month "30" never comes in month "2"/);
  assert.match(notes[4]!.text, /cron expects five fields and a command/);
  assert.equal(imported.length, 7);
});

test("importCrontabs() names kinds once each", () => {
  const { imported } = importText("1 * * * * a\n2 * * * * a\n3 * * * * /b/a.sh\n");
  assert.deepEqual(imported.map(({ job }) => job.kind), ["a", "a-2", "a-3"]);
});

test("decodeCrontab() takes Latin-1 where the bytes are no UTF-8", () => {
  assert.equal(decodeCrontab(new Uint8Array([0x61, 0xe4])), "aä");
  assert.equal(decodeCrontab(new TextEncoder().encode("aä")), "aä");
});

test("openCrontabs() takes the names of a directory that run-parts takes", async () => {
  const line = "* * * * * root true\n";
  const files = { "a": line, "b-1_C": line, "c.dpkg-old": line, "d~": line, ".e": line };
  await withTempDir(files, ({ path }) => {
    const { crontabs, notes } = openCrontabs(path, {
      isSystem: null,
      owner: null,
      dialect: "debian",
    });
    assert.deepEqual(
      crontabs.map(({ file, isSystem }) => [file.slice(path.length + 1), isSystem]),
      [
        ["a", true],
        ["b-1_C", true],
      ],
    );
    assert.deepEqual(notes.map(({ file }) => file.slice(path.length + 1)), [
      ".e",
      "c.dpkg-old",
      "d~",
    ]);
  });
  assert.throws(
    () => openCrontabs("/nowhere/crontab", { isSystem: true, owner: null, dialect: "debian" }),
    (error) => isJobError(error, "not_found"),
  );
});

for (const timezone of ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "UTC"]) {
  test(`verifyCrontab() finds every run of the packages' crontabs the same in ${timezone}`, async () => {
    const result = importText(fixture("packages"), { isSystem: true, timezone });
    assert.deepEqual(result.notes, []);
    const checks = await verifyCrontab(result, NOW);
    assert.equal(checks.length, 8);
    for (const { kind, problem, differsAt, cronCount } of checks) {
      assert.deepEqual([kind, problem, differsAt], [kind, null, null]);
      assert.ok(cronCount > 0);
    }
  });
}

test("verifyCrontab() compares nicknames, @reboot and what is picked for ~", async () => {
  const lines = ["@hourly a", "@weekly b", "@reboot c", "~ 3 * * * d", "5~9,~ 20~22 * * 1~3 e"];
  const checks = await verifyCrontab(importText(`${lines.join("\n")}\n`), NOW);
  assert.deepEqual(checks.map(({ kind, problem, differsAt }) => [kind, problem, differsAt]), [
    ["a", null, null],
    ["b", null, null],
    ["c", null, null],
    ["d", null, null],
    ["e", null, null],
  ]);
  assert.deepEqual(checks.slice(0, 4).map(({ ourCount }) => ourCount), [8_784, 52, 0, 366]);
});

test("verifyCrontab() compares the runs of a job whose user is not on this host, and tells so", async () => {
  const result = importText("0 1 * * * no-such-user x\n", { isSystem: true });
  const [check] = await verifyCrontab(result, NOW);
  assert.deepEqual([check!.ourCount, check!.differsAt, check!.problem], [366, null, null]);
  assert.match(check!.warning!, /no such user/);
});

/** A value of each key of [defaults] that is not what imported jobs have. */
const OTHER_DEFAULTS: Readonly<Record<string, string>> = {
  priority: "-3",
  timeout: '"1s"',
  deadline: '"2s"',
  kill_after: '"1ms"',
  overlap: '"replace"',
  misfire: '"all"',
  misfire_within: '"3s"',
  jitter: '"1h"',
  crashes_max: "9",
  on_crash: '"retry"',
  on_drain: '"retry"',
  "retry.max": "4",
  "retry.backoff": '"fixed"',
  "retry.initial": '"5s"',
  "retry.cap": '"30s"',
  "retry.jitter": "0.9",
  "retry.on": '["timeout"]',
  "retry.not_on": "[75]",
  "keep.success": '"1h"',
  "keep.failure": '"1h"',
  "output.size_max": '"1kB"',
  "output.lines_max": "10",
};

/** What a job without retries and takeovers, whose missed ticks are skipped, does not use. */
function used({ options, schedules }: JobDefinition): unknown {
  const { crashesMax: _, retry: { max }, ...rest } = options;
  return {
    ...rest,
    retryMax: max,
    schedules: schedules.map(({ spec }) => ({
      ...spec,
      misfireWithinMs: spec.misfire === "skip" ? 0 : spec.misfireWithinMs,
    })),
  };
}

async function loadAmid(defaults: string, toml: string): Promise<readonly JobDefinition[]> {
  return await withTempDir({ "c.toml": `${defaults}\n${toml}` }, async ({ path }) => {
    const { jobs, problems } = await loadProject(`${path}/c.toml`, { env: {}, nowMs: NOW });
    assert.deepEqual(problems, []);
    return jobs;
  });
}

test("importers write each key of [defaults] that could change a job", async () => {
  const crontab = importText("30 2 * * * a\nCRON_TZ=UTC\n@reboot b\n").toml;
  const systemd = await withTempDir({
    "t.timer": "[Timer]\nOnCalendar=daily\nPersistent=true\n",
    "t.service": "[Service]\nExecStart=/bin/true\n",
  }, ({ path }) => importSystemd(path, { timezone: "UTC" }).toml);
  for (const toml of [crontab, systemd]) {
    const plain = (await loadAmid("", toml)).map(used);
    const notices = /^defaults\.(?:notify|silence|on_change|expect\..*)$/;
    const keys = Object.keys(SCHEMA.keys).filter((name) => name.startsWith("defaults."));
    for (const key of keys.filter((name) => !notices.test(name))) {
      const value = OTHER_DEFAULTS[key.replace("defaults.", "")];
      assert.ok(value, `${key} needs a value here`);
      assert.deepEqual((await loadAmid(`${key} = ${value}`, toml)).map(used), plain, key);
    }
  }
});

test("importers leave it to [defaults] which notices there are about a job", async () => {
  const crontab = importText("30 2 * * * a\n");
  const defaults = 'defaults.silence = "sat 02:00-04:00"\ndefaults.expect.learn = true';
  const [job] = await loadAmid(defaults, crontab.toml);
  assert.deepEqual(job!.options.silence, ["sat 02:00-04:00"]);
  assert.equal(job!.options.expect.learn, true);
  assert.deepEqual((await verifyCrontab(crontab, NOW)).map(({ problem }) => problem), [null]);
});

test("verifyCrontab() finds each key that is left to [defaults]", async () => {
  const result = importText("30 2 * * * a\n");
  const names = Object.keys(OTHER_DEFAULTS).map((name) => name.replace(/\..*/, ""));
  for (const name of new Set(names)) {
    const isWritten = new RegExp(`^${name} = .*$`, "m").test(result.toml);
    const toml = result.toml.replace(new RegExp(`^${name} = .*\n`, "m"), "");
    const [check] = await verifyCrontab({ ...result, toml }, NOW);
    if (isWritten) assert.match(check!.problem ?? "", new RegExp(`^${name}\\b.* is left to`));
    else assert.ok(["misfire_within", "crashes_max"].includes(name), name);
  }
});

test("importCrontabs() refuses what is no text, and shows no long lines whole", () => {
  assert.throws(() => importText("\x7fELF\0"), /not text/);
  const { notes } = importText(`${"1".repeat(100_000)} * * * * x\n`);
  assert.ok(notes[0]!.text.length < 200);
});

test("verifyCrontab() finds a run that is not the same, and a job that is not there", async () => {
  const result = importText("30 2 * * * a\n30 2 * * * b\n");
  const changed = {
    ...result,
    toml: result.toml.replace('"30 2 * * *"', '"30 2 * * 1-6"').replace("jobs.b", "jobs.c"),
  };
  const [a, b] = await verifyCrontab(changed, NOW);
  assert.deepEqual([a!.cronCount, a!.ourCount], [366, 314]);
  assert.equal(new Date(a!.differsAt!).getUTCDay(), 0);
  assert.equal(b!.problem, "the written job does not load");
});

test("importCrontabs() writes a file that loads as what stood there, whatever the line", async () => {
  const text = fc.string({
    unit: fc.constantFrom(..."ab $'\"\\{}#%=\t~é漢😀\x01\x7f&|;<>*".match(/./gsu)!),
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(text, text, async (value, command) => {
      const line = `5 4 * * * x${command}`;
      const result = importText(`V="${value.replaceAll('"', "'")}"\n${line}\n`);
      const { job } = await loaded(result);
      const [{ job: draft }] = result.imported as [ImportResult["imported"][0]];
      const spec = job(draft.kind).command!;
      const wanted = splitCommand(`x${command}`);
      assert.equal(spec.argv[2], wanted.command.trim());
      assert.deepEqual(spec.stdin, wanted.stdin === null ? null : { text: wanted.stdin });
      assert.equal(spec.env.V, value.replaceAll('"', "'"));
    }),
    { numRuns: 100 },
  );
});

/** Import lines of a system crontab, on a host that has the users root and alice. */
function importSystem(dialect: "debian" | "cronie", file: string, lines: readonly string[]) {
  const crontab = { file, text: `${lines.join("\n")}\n`, isSystem: true, owner: null };
  const isAccount = (name: string) => ["root", "alice"].includes(name);
  const { imported, notes, leftOut } = importCrontabs([crontab], {
    ...{ timezone: "UTC", dialect, isAccount },
  });
  const texts = notes.map(({ file, line, text }) => `${file}:${line ?? ""}: ${text}`);
  return { kinds: imported.map(({ job }) => job.kind), leftOut, texts };
}

test("importCrontabs() leaves out what cron does not run because a user is missing", () => {
  const lines = ["0 1 * * * root a", "0 2 * * * ghost b", "0 3 * * * alice c"];
  const file = "/etc/cron.d/app";
  const debian = importSystem("debian", file, lines);
  assert.deepEqual([debian.kinds, debian.leftOut], [[], 3]);
  assert.match(debian.texts[0]!, /^\/etc\/cron\.d\/app:: left out with the 2 lines/);
  assert.match(debian.texts[1]!, /^\/etc\/cron\.d\/app:2: .*bad username.*no user "ghost"/);
  const cronie = importSystem("cronie", file, lines);
  assert.deepEqual([cronie.kinds, cronie.leftOut], [["a", "c"], 1]);
  assert.match(cronie.texts[0]!, /:2: left out, cron refuses it too \(bad username\)/);
});

test("importCrontabs() says of a copy that its user is missing here, and keeps the line", () => {
  const lines = ["0 1 * * * root a", "0 2 * * * ghost b"];
  for (const dialect of ["debian", "cronie"] as const) {
    const { kinds, texts } = importSystem(dialect, "/backup/web1/etc/cron.d/app", lines);
    assert.deepEqual(kinds, ["a", "b"]);
    assert.deepEqual(texts, [
      '/backup/web1/etc/cron.d/app:2: the user "ghost" is missing here: the job does not run until there is one',
    ]);
  }
});

test("importCrontabs() names a missing user column as such, also in a copy", () => {
  for (const file of ["/etc/cron.d/app", "/backup/web1/etc/cron.d/app"]) {
    const lines = [
      "0 1 * * * root a",
      "0 2 * * * /usr/bin/php /srv/b.php",
      "0 3 * * * [ -x /c ] && /c",
    ];
    const debian = importSystem("debian", file, lines);
    assert.deepEqual(debian.kinds, []);
    const missing = /the user before the command is missing, so cron takes "(\S+)" for the user/;
    const found = debian.texts.flatMap((text) => missing.exec(text)?.[1] ?? []);
    assert.deepEqual(found, ["/usr/bin/php", "["]);
    assert.deepEqual(importSystem("cronie", file, lines).kinds, ["a"]);
  }
});

test("importCrontabs() names the file of each note about mail", () => {
  const crontabs = ["one", "two"].map((name) => ({
    file: `/etc/cron.d/${name}`,
    text: `MAILTO=${name}\n0 1 * * * root ${name}\n`,
    ...{ isSystem: true, owner: null },
  }));
  const notesOf = (hasSendmail: boolean) =>
    importCrontabs(crontabs, { timezone: "UTC", dialect: "debian", hasSendmail }).notes
      .map(({ file, text }) => `${file}: ${/mailed to \w+|no output/.exec(text)?.[0]}`);
  assert.deepEqual(notesOf(true), [
    "/etc/cron.d/one: mailed to one",
    "/etc/cron.d/two: mailed to two",
  ]);
  assert.deepEqual(notesOf(false), ["/usr/sbin/sendmail: no output"]);
});
