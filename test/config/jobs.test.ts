import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { loadText } from "../support/worlds/config_world.ts";

test("loadConfig() reads every key of a job's table", async () => {
  const { job, problems } = await loadText(`
[jobs.backup]
run = "pg_dump app"
shell = ["/bin/bash", "-c"]
user = "postgres"
group = "adm"
umask = "027"
nice = 10
limits = { memory = "512MB", cpu = "1m", open_files = 256 }
env = { A = "1" }
params = "day: string, count: number"
allow_dash = true
stdin = { arg = "day" }
success_codes = [0, 3]
description = "Dump"
schedule = ["30 2 * * *", "@every 15m", "CRON_TZ=Asia/Tokyo 0 0 * * *"]
timezone = "Europe/Berlin"
args = ["x", 1]
priority = 0
timeout = "2h"
kill_after = "5s"
overlap = "allow"
misfire = "skip"
misfire_within = "1h"
jitter = "10s"
retry = 3
crashes_max = 0
keep = { success = "1d" }
output = { size_max = "64KiB" }
`);
  assert.deepEqual(problems, []);
  const table = job("backup");
  assert.deepEqual(table.command, {
    argv: ["/bin/bash", "-c", "pg_dump app", "jobctl"],
    cwd: null,
    env: { A: "1" },
    secrets: [],
    user: "postgres",
    group: "adm",
    umask: 0o027,
    nice: 10,
    limits: { memoryBytes: 512_000_000, cpuMs: 60_000, openFiles: 256 },
    stdin: { arg: "day" },
    successCodes: [0, 3],
    parameters: [],
    hasRest: false,
    allowsDash: true,
  });
  assert.equal(table.params, "day: string, count: number");
  assert.deepEqual(table.options, {
    priority: 0,
    timeoutMs: 7_200_000,
    killAfterMs: 5000,
    crashesMax: 0,
    keepSuccessMs: 86_400_000,
    output: { bytesMax: 65_536 },
    retry: { max: 3 },
  });
  assert.deepEqual(
    table.schedules.map(({ cron, everyMs, timezone }) => [cron, everyMs, timezone]),
    [
      ["30 2 * * *", null, "Europe/Berlin"],
      [null, 900_000, "Europe/Berlin"],
      ["0 0 * * *", null, "Asia/Tokyo"],
    ],
  );
  assert.deepEqual(table.schedules[0]!.misfireWithinMs, 3_600_000);
  assert.deepEqual(table.arguments, ["x", 1]);
});

test("loadConfig() gives only what the table sets, and schedules the defaults", async () => {
  const { job } = await loadText(
    '[defaults]\nmisfire = "skip"\n[jobs.x]\nschedule = "@daily"\nretry = { cap = "2h" }\nargs = { d = "a" }',
  );
  assert.deepEqual(job("x").options, { retry: { capMs: 7_200_000 } });
  assert.equal(job("x").command, null);
  assert.equal(job("x").schedules[0]!.misfire, "skip");
  assert.equal(job("x").schedules[0]!.timezone, "UTC");
  assert.deepEqual(job("x").arguments, { d: "a" });
});

test("loadConfig() gives dates of TOML as ISO text", async () => {
  const { job } = await loadText("[jobs.x]\nargs.day = 2026-01-02\nargs.at = 2026-01-02T03:04:05Z");
  assert.deepEqual(job("x").arguments, { day: "2026-01-02", at: "2026-01-02T03:04:05.000Z" });
});

// Each disables the job and nothing else.
const BROKEN: readonly (readonly [table: string, wanted: string])[] = [
  ['run = "a"\ncommand = ["b"]', "3:1: jobs.x.command: run and command exclude each other"],
  ['command = "ls -l"', '2:11: jobs.x.command: found "ls -l", wanted a list: the program'],
  ["command = []", "2:11: jobs.x.command: found a list, wanted a list that is not empty"],
  ['command = [""]', '2:12: jobs.x.command[0]: found "", wanted the program'],
  ['run = ""', '2:7: jobs.x.run: found "", wanted a string that is not empty'],
  ['params = "a: string"', "2:1: jobs.x.params: works only with run or command"],
  [
    'isolation = "inline"\nuser = "root"',
    '3:1: jobs.x.user: works only with isolation = "process"',
  ],
  ["run = 'a'\nnice = 20", "3:8: jobs.x.nice: "],
  ["run = 'a'\nlimits = { memory = 5 }", "3:"],
  ['command = ["a"]\nshell = ["sh"]', "3:1: jobs.x.shell: works only with run"],
  ['run = "a"\nisolation = "inline"', "3:1: jobs.x.isolation: works only with module jobs"],
  ['stdin.text = "a"', "2:7: jobs.x.stdin.text: works only with run or command"],
  ['run = "a"\nstdin = "a"', '3:9: jobs.x.stdin: found "a", wanted a table'],
  ['run = "a"\nstdin.arg = 0', "3:13: jobs.x.stdin.arg: found 0, wanted the name of a parameter"],
  [
    'run = "a"\nstdin = { arg = 1, text = "" }',
    "3:11: jobs.x.stdin.arg: stdin.arg and stdin.text exclude each other",
  ],
  ['run = "a"\nsuccess_codes = [256]', "3:18: jobs.x.success_codes[0]: found 256, wanted an"],
  ['run = "a"\numask = 22', "3:9: jobs.x.umask: found 22, wanted an octal mask"],
  ['run = "a"\nenv = { "A-B" = "1" }', "3:9: jobs.x.env.A-B: found a name that no"],
  ['run = "a"\nenv = { A = 1 }', "3:13: jobs.x.env.A: found a number, wanted a string"],
  ['run = "a"\nenv = { A = { fil = "x" } }', '3:13: jobs.x.env.A: found a table of "fil", wanted'],
  [
    'run = "a"\nenv = { A = { env = "NONE" } }',
    '3:21: jobs.x.env.A.env: the variable "NONE" is not',
  ],
  ['run = "a"\nenv = { A = { file = "none" } }', "3:22: jobs.x.env.A.file: cannot read the secret"],
  ['schedule = ["@daily", "61 * * * *"]', "2:23: jobs.x.schedule[1]: "],
  ['schedule = "0 0 30 2 *"', "2:12: jobs.x.schedule: "],
  ["schedule = []", "2:12: jobs.x.schedule: found a list, wanted a list that is not empty"],
  ['timezone = "Europe/Berln"', '2:12: jobs.x.timezone: found "Europe/Berln", wanted an IANA'],
  ["priority = -2147483648", "2:12: jobs.x.priority: found -2147483648, wanted an integer from"],
  ["priority = 1.5", "2:12: jobs.x.priority: found 1.5, wanted an integer"],
  ["retry = -2", "2:9: jobs.x.retry: found -2, wanted an integer from -1"],
  ["retry.jitter = nan", "2:16: jobs.x.retry.jitter: found NaN, wanted a number from 0 to 1"],
  ['retry = { initial = "2h" }', "2:21: jobs.x.retry.initial: retry.initial is longer than"],
  ['timeout = "soon"', '2:11: jobs.x.timeout: found "soon", wanted a duration'],
  ['args = "x"', '2:8: jobs.x.args: found "x", wanted a list, or a table'],
  ["args = { __proto__ = 1 }", "2:10: jobs.x.args.__proto__: this name is not allowed"],
  ["enabled = 1", "2:11: jobs.x.enabled: found 1, wanted true or false"],
];

for (const [table, wanted] of BROKEN) {
  test(`loadConfig() disables only the job when it has ${JSON.stringify(table)}`, async () => {
    const { loaded, problems, job } = await loadText(
      `[jobs.x]\n${table}\n[jobs.good]\nrun = "true"\n`,
    );
    assert.ok(problems[0]?.startsWith(`config.toml:${wanted}`), problems.join("\n"));
    assert.equal(problems.length, 1);
    assert.deepEqual(loaded!.problems.map((problem) => problem.job), ["x"]);
    assert.deepEqual(job("x"), { ...job("x"), command: null, schedules: [], isEnabled: false });
    assert.equal(job("good").isEnabled, true);
  });
}

for (const kind of ['" b"', '"a\\tb"', '"system.history.cleaner"', `"${"k".repeat(201)}"`, '""']) {
  test(`loadConfig() refuses the kind ${kind.slice(0, 30)}`, async () => {
    const { loaded, problems } = await loadText(`[jobs.${kind}]\nrun = "true"`);
    assert.match(problems.join(), /^config\.toml:1:7: jobs\..*Cannot use "[^]*" as a kind/);
    assert.equal(loaded!.config.jobs[0]!.isEnabled, false);
  });
}

test("loadConfig() leaves the text of a command's standard input as it stands", async () => {
  const { job, problems } = await loadText('[jobs.x]\nrun = "a ${B}"\nstdin.text = "${HOME} %\\n"');
  assert.deepEqual(problems, []);
  assert.deepEqual(job("x").command!.stdin, { text: "${HOME} %\n" });
});

test("loadConfig() reads secrets of files and variables, without the last newline", async () => {
  const { job, warnings, problems } = await loadText(
    '[jobs.x]\nrun = "a"\nenv = { A = { file = "secret" }, B = { env = "PW" }, C = "plain" }',
    {
      files: { secret: "s3cret\n\n" },
      env: { PW: "passw0rd\n" },
      prepare: (dir) => chmodSync(`${dir.path}/secret`, 0o600),
    },
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings, []);
  assert.deepEqual(job("x").command!.env, { A: "s3cret\n", B: "passw0rd\n", C: "plain" });
  assert.deepEqual(job("x").command!.secrets, ["s3cret\n", "passw0rd\n"]);
});

test("loadConfig() tells the secrets: by reference, filled in, and of URLs, but no plain text", async () => {
  const { loaded, warnings } = await loadText(
    `[jobs.x]
run = "a"
env = { A = { env = "A" }, B = "b-\${B}-\${HOME}\${NONE:-default-value}", C = "plain-text", D = { env = "D" } }
[store]
url = "valkey://u:url%20password@h"
sentinel_password = "sentinel-password"
[server.auth]
tokens = [{ name = "a", role = "viewer", token = "0123456789abcdef" }]`,
    { env: { A: "a-secret", B: "b-secret", D: "short", HOME: "/home/someone" } },
  );
  assert.deepEqual([...loaded!.secrets].sort(), [
    "0123456789abcdef",
    "a-secret",
    "b-secret",
    "sentinel-password",
    "short",
    "url password",
  ]);
  const short = warnings.filter((text) => text.includes("shorter than 6 characters"));
  assert.equal(short.length, 1);
  assert.match(short[0]!, /^config\.toml:\d+:\d+: jobs\.x\.env\.D: .*so output does not mask it/);
});

// Row 63 of the fault catalogue.
test("loadConfig() warns when everybody may read a secret file, without showing it", async () => {
  const { job, warnings } = await loadText(
    '[jobs.x]\nrun = "a"\nenv = { A = { file = "secret" } }',
    { files: { secret: "s3cret" }, prepare: (dir) => chmodSync(`${dir.path}/secret`, 0o644) },
  );
  assert.match(warnings.join(), /^config\.toml:3:22: jobs\.x\.env\.A\.file: everybody may read/);
  assert.doesNotMatch(warnings.join(), /s3cret/);
  assert.equal(job("x").command!.env.A, "s3cret");
});

test("loadConfig() never shows a secret when its value is wrong", async () => {
  const { problems } = await loadText(
    '[jobs.x]\nrun = "a"\nenv = { A = "hunter2\\u0000" }\n[server.auth]\ntokens = [{ name = "a", role = "x", token = "hunter2" }]',
  );
  assert.equal(problems.length, 3);
  assert.doesNotMatch(problems.join("\n"), /hunter2/);
});

test("fault 41: a date that never comes is refused with its place and field", async () => {
  const { problems } = await loadText('[jobs.a]\nrun = "x"\nschedule = "0 0 30 2 *"\n');
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^config\.toml:3:.*day of month "30" never comes in month "2"/);
});

test("fault 86: a list of 100,000 schedules, and an expression of over 1 KB, are refused", async () => {
  const list = `[${'"@daily",'.repeat(100_000)}]`;
  const many = await loadText(`[jobs.a]\nrun = "x"\nschedule = ${list}\n`);
  assert.match(many.problems[0]!, /found 100000 elements, wanted at most 1000/);
  const long = await loadText(`[jobs.a]\nrun = "x"\nschedule = "${"1,".repeat(2_000)}1 * * * *"\n`);
  assert.match(long.problems[0]!, /characters, at most 1024/);
});

test("loadConfig() reads the bounds and windows of a schedule in its zone", async () => {
  const { job, problems } = await loadText(`
[jobs.x]
run = "x"
schedule = "0 * * * *"
timezone = "Europe/Berlin"
overlap = "queue"
misfire = "all"
starts_at = 2026-12-24
ends_at = "2026-12-31T12:00:00Z"
blackout = ["22:00-06:00", "sat-sun"]
runs_max = 5
queue_max = 2
`);
  assert.deepEqual(problems, []);
  const [spec] = job("x").schedules;
  const { overlap, misfire, startsAt, endsAt, blackout, runsMax, queueMax } = spec!;
  assert.deepEqual({ overlap, misfire, startsAt, endsAt, blackout, runsMax, queueMax }, {
    overlap: "queue",
    misfire: "all",
    startsAt: Date.parse("2026-12-23T23:00:00Z"),
    endsAt: Date.parse("2026-12-31T12:00:00Z"),
    blackout: ["22:00-06:00", "sat-sun"],
    runsMax: 5,
    queueMax: 2,
  });
});

for (
  const [line, wanted] of [
    ['blackout = "25:00-26:00"', "wanted a window such as"],
    ['starts_at = "soon"', "wanted a date"],
    ["starts_at = 2026-12-24\nends_at = 2026-12-24", "ends_at is not after starts_at"],
    ["runs_max = 0", "wanted an integer from 1"],
  ] as const
) {
  test(`loadConfig() refuses ${JSON.stringify(line)} in the table of a job`, async () => {
    const { problems } = await loadText(`[jobs.x]\nrun = "x"\nschedule = "@daily"\n${line}`);
    assert.equal(problems.length, 1, problems.join());
    assert.ok(problems[0]!.includes(wanted), problems.join());
  });
}

test("loadConfig() reads the tags that a job needs, one or several, and refuses what is none", async () => {
  const { job, loaded, problems } = await loadText(`
[node]
id = "berlin-2"
tags = ["gpu", "eu.west"]
[jobs.one]
run = "x"
needs = "gpu"
[jobs.two]
run = "x"
needs = ["gpu", "eu.west"]
[jobs.none]
run = "x"
[jobs.bad]
run = "x"
needs = ["a b"]
`);
  assert.deepEqual(loaded?.config.node, { id: "berlin-2", tags: ["gpu", "eu.west"] });
  assert.deepEqual(job("one").options.needs, ["gpu"]);
  assert.deepEqual(job("two").options.needs, ["gpu", "eu.west"]);
  assert.equal(job("none").options.needs, undefined);
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /jobs\.bad\.needs/);
});

for (const id of ["", "../x", "a b", "-a", "x".repeat(101), "ü"]) {
  test(`fault 80: loadConfig() refuses the node id ${JSON.stringify(id.slice(0, 9))}`, async () => {
    const { loaded, problems } = await loadText(`[node]\nid = ${JSON.stringify(id)}`);
    assert.equal(loaded, null);
    assert.match(problems[0]!, /node\.id/);
  });
}
