import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatProblem } from "../../src/config/values/problems.ts";
import { checkConfig, type CheckResult } from "../../src/tools/check.ts";
import { disabledKinds, loadProject } from "../../src/tools/load_project.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { tlsFile } from "../support/tls_files.ts";

const NOW = Date.parse("2026-11-24T12:34:56Z");

function check(config: string, files: Record<string, string> = {}): Promise<CheckResult> {
  return withTempDir(
    { "config.toml": config, ...files },
    ({ path }) => checkConfig(`${path}/config.toml`, { env: {}, cwd: path, nowMs: NOW }),
  );
}

test("checkConfig() tells each job's source, usage and next three runs", async () => {
  const result = await check(
    'modules = ["jobs"]\n[jobs.sum]\nschedule = "@daily"\nargs = [1, 2]\n[jobs.disk]\nrun = "df"\nschedule = "*/5 * * * *"\ntimezone = "Asia/Tokyo"',
    { "jobs/sum.ts": "export default function sum(x: number, y: number) { return x + y; }" },
  );
  assert.deepEqual(result.problems, []);
  assert.equal(result.isUsable, true);
  assert.deepEqual(result.jobs.map(({ kind, source }) => [kind, source]), [
    ["disk", "command"],
    ["sum", "jobs/sum.ts"],
  ]);
  const [disk, sum] = result.jobs;
  assert.equal(sum!.usage, "sum <x: number> <y: number>");
  assert.deepEqual(sum!.schedules[0]!.next.map(({ utc }) => utc), [
    "2026-11-25T00:00:00Z",
    "2026-11-26T00:00:00Z",
    "2026-11-27T00:00:00Z",
  ]);
  assert.deepEqual(disk!.schedules[0]!.next[0], {
    at: Date.parse("2026-11-24T12:35:00Z"),
    timezone: "Asia/Tokyo",
    local: "2026-11-24 21:35:00 +09:00",
    utc: "2026-11-24T12:35:00Z",
    relative: "in 4s",
    note: null,
  });
});

test("checkConfig() tells what an operator can do with each job", async () => {
  const result = await check(
    [
      '[jobs.a]\ncommand = ["find", "/tmp"]\nuser = "nobody"',
      '[jobs.b]\nrun = "x"\nparams = "path: string, n = 2, note?: string"',
      '[jobs.c]\ncommand = ["rm", "--"]\nparams = "...paths: string[]"\nallow_dash = true',
      '[jobs.d]\ncommand = ["/usr/bin/ssh", "host", "cat"]\nparams = "path: string"',
      '[jobs.e]\ncommand = ["bash", "-lc"]\nparams = "line: string"',
      '[jobs.f]\ncommand = ["bash", "-c"]\nparams = "line: string"\nstdin.arg = "line"',
    ].join("\n"),
  );
  assert.deepEqual(result.problems, []);
  assert.deepEqual(result.jobs.map(({ operator }) => operator).slice(0, 3), [
    "may run it as nobody, without arguments",
    "may run it with: path (string), n (number, default 2), note (string, optional)",
    'may run it with: ...paths (string[], optional); they may begin with "-"',
  ]);
  // Not every host has ssh, which is another warning.
  const warnings = result.warnings.filter(({ path }) => path !== "jobs.d.command");
  assert.deepEqual(warnings.map(({ path }) => path), ["jobs.d.params", "jobs.e.params"]);
  assert.ok(warnings.every(({ message }) => /can run anything/.test(message)));
});

test("checkConfig() returns every problem when the configuration is refused", async () => {
  const result = await check("a = 1\nb = 1\n[jobs.x]\nrun = 1");
  assert.equal(result.isUsable, false);
  assert.equal(result.problems.length, 3);
  assert.deepEqual(result.jobs, []);
});

test("checkConfig() keeps a module from running without its options when its table is broken", async () => {
  const result = await check('modules = ["jobs"]\n[jobs.hello]\ntimeout = 5', {
    "jobs/hello.ts": "export default function hello() {}",
  });
  assert.equal(result.isUsable, true);
  assert.deepEqual(result.jobs, []);
  assert.deepEqual(result.problems.map(({ job }) => job), ["hello"]);
});

test("checkConfig() tells arguments that the signature refuses, at the job's table", async () => {
  const result = await check(
    'modules = ["jobs"]\n[jobs.sum]\nschedule = "@daily"\nargs = ["one"]',
    { "jobs/sum.ts": "export default function sum(x: number) { return x; }" },
  );
  assert.equal(result.problems.length, 1);
  assert.match(formatProblem(result.problems[0]!), /config\.toml:\d+:\d+: jobs\.sum.*one/);
});

test("checkConfig() finds every example job and no problem in config.example.toml", async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const result = await checkConfig(`${root}config.example.toml`, {
    env: {},
    cwd: root,
    nowMs: NOW,
  });
  assert.deepEqual([...result.problems, ...result.warnings], []);
  assert.deepEqual(result.jobs.map(({ kind }) => kind), [
    "concat",
    "disk",
    "heartbeat",
    "hello",
    "report",
    "sum",
  ]);
});

test("checkConfig() notes the runs that a blackout skips", async () => {
  const { jobs } = await check(
    '[jobs.a]\nrun = "x"\nschedule = "0 */8 * * *"\nblackout = "22:00-06:00"',
  );
  assert.deepEqual(jobs[0]!.schedules[0]!.next.map(({ utc, note }) => [utc.slice(11, 16), note]), [
    ["16:00", null],
    ["00:00", 'skipped: in the blackout "22:00-06:00"'],
    ["08:00", null],
  ]);
});

test("checkConfig() warns of a schedule that has no more runs", async () => {
  const { problems, warnings } = await check(
    '[jobs.a]\nrun = "x"\nschedule = ["@daily", "@reboot"]\nends_at = "2026-11-24"\n[jobs.b]\nrun = "x"\nschedule = "@daily"\nends_at = "2026-11-26"',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings.map((one) => formatProblem(one).replace(/^.*\//, "")), [
    'config.toml:3:13: jobs.a.schedule[0]: "@daily" has no more runs; it ends at 2026-11-24 00:00:00 +00:00 (Change ends_at, or set enabled = false)',
  ]);
});

test("checkConfig() warns of a misspelled type in the params of a command, at its place", async () => {
  const { problems, warnings } = await check(
    [
      '[jobs.mail]\nrun = "x"\nparams = "to: strng, times: number = 1"',
      '[jobs.good]\nrun = "x"\nparams = "to: string, day?: Date"',
    ].join("\n"),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    warnings.map((
      { job, place, path, message },
    ) => [job, place?.line, place?.column, path, message]),
    [["mail", 3, 10, "jobs.mail.params", 'Type "strng" is taken as unknown']],
  );
});

test("checkConfig() names the jobs that are not enabled", async () => {
  const { jobs, notEnabled, problems } = await check(
    '[jobs.a]\nrun = "x"\nenabled = false\n[jobs.b]\nrun = "x"\nschedule = "61 * * * *"\n[jobs.c]\nrun = "x"',
  );
  assert.deepEqual(jobs.map(({ kind }) => kind), ["c"]);
  assert.deepEqual(notEnabled, ["a"]);
  assert.equal(problems.length, 1);
});

test("disabledKinds() tells of jobs with a problem and of those that are not enabled", async () => {
  const toml =
    '[jobs.a]\nrun = "x"\nenabled = false\n[jobs.b]\nrun = "x"\nschedule = "61 * * * *"\n[jobs.c]\nrun = "x"';
  const kinds = await withTempDir({ "config.toml": toml }, async ({ path }) => {
    return disabledKinds(await loadProject(`${path}/config.toml`, { env: {}, nowMs: NOW }));
  });
  assert.deepEqual([...kinds.keys()], ["a", "b"]);
  assert.match(kinds.get("a")!, /enabled = false/);
  assert.match(kinds.get("b")!, /minute "61" is out of range/);
});

test("checkConfig() notes what this node does not run for want of a tag", async () => {
  const { problems, warnings, notes } = await check(
    [
      '[node]\ntags = ["eu"]',
      '[jobs.render]\nrun = "r"\nneeds = ["gpu", "eu"]',
      '[jobs.here]\nrun = "h"\nneeds = "eu"',
    ].join("\n"),
  );
  assert.deepEqual([...problems, ...warnings], []);
  assert.deepEqual(notes.map(({ path, message }) => [path, message]), [
    ["jobs.render.needs", 'this node does not run it: node.tags does not include "gpu"'],
  ]);
});

test("checkConfig() reads what [server] names beside the configuration, as a start does", async () => {
  const files = {
    "a.crt": readFileSync(tlsFile("server.crt")),
    "a.key": readFileSync(tlsFile("server.key")),
    "revoked": "no number",
  };
  const check = (config: string) =>
    withTempDir(
      { "config.toml": config, ...files },
      ({ path, write }) => {
        chmodSync(`${path}/a.key`, 0o604);
        if (config.includes("tokens_file")) chmodSync(write("tokens", "[]"), 0o644);
        return checkConfig(`${path}/config.toml`, { env: {}, cwd: path, nowMs: NOW });
      },
    );
  const tls = '[server.tls]\ncert = "a.crt"\nkey = "a.key"\n';
  const good = await check(`${tls}client_ca = "a.crt"`);
  assert.deepEqual([good.isUsable, good.problems], [true, []]);
  assert.match(good.warnings[0]!.message, /Every user can read the private key/);
  assert.match(good.warnings[0]!.hint!, /^chmod 600 .*a\.key$/);
  const refused: readonly (readonly [config: string, path: string, message: RegExp])[] = [
    [tls.replace("a.key", "b.key"), "server.tls.key", /b\.key": no such file/],
    [`${tls}client_ca = "a.crt"\nrevoked = "revoked"`, "server.tls.revoked", /line 1 is n/],
    [`${tls}client_ca = "a.crt"\nrevoked = "none"`, "server.tls.revoked", /none": no such file/],
    ['[server.auth]\ntokens_file = "tokens"', "server.auth.tokens_file", /tokens file/],
  ];
  for (const [config, path, message] of refused) {
    const result = await check(config);
    assert.equal(result.isUsable, false, config);
    assert.deepEqual(result.problems.map((each) => each.path), [path]);
    assert.match(result.problems[0]!.message, message);
    assert.ok(result.problems[0]!.hint);
  }
});

test("checkConfig() warns of settings of the socket that do nothing", async () => {
  const unknown = await check('[server]\nsocket_group = "no-such-group"');
  assert.equal(unknown.isUsable, true);
  assert.match(unknown.warnings[0]!.message, /no such group "no-such-group"/);
  const alone = await check('[server]\nsocket_role = "viewer"');
  assert.match(alone.warnings[0]!.message, /no effect without server.socket_group/);
});

test("checkConfig() reports an unknown channel in notify as a problem, and the job runs", async () => {
  const table = '[notices.ops]\nto = "exec"\ncommand = ["/bin/true"]\n';
  const result = await check(`${table}[jobs.a]\nrun = "true"\nnotify = ["opps"]`);
  assert.deepEqual(result.problems.map(({ path, message }) => [path, message]), [
    [
      "jobs.a.notify",
      'there is no channel "opps": all channels whose jobs match are notified instead',
    ],
  ]);
  assert.deepEqual(result.warnings.filter(({ path }) => path.startsWith("jobs.")), []);
  assert.deepEqual([result.isUsable, result.jobs.length], [true, 1]);
});

test("checkConfig() says that an operator may not run what runs elsewhere", async () => {
  const { jobs } = await check("[jobs.a]\nexternal = true");
  assert.deepEqual(jobs.map(({ operator }) => operator), ["may not run it: it runs elsewhere"]);
});

test("checkConfig() warns about expectations and channels that contradict themselves", async () => {
  const exec = 'to = "exec"\ncommand = ["/bin/true"]\n';
  const { warnings, problems } = await check(
    `[notices.shop]\n${exec}jobs = ["shopp-*", "good"]\non = ["recovered"]\n[notices.ops]\n${exec}` +
      '[jobs.good]\nrun = "true"\nschedule = ["0 2 * * *", "0 14 * * *"]\ntimeout = "2h"\n' +
      'expect = { min_duration = "1m", max_duration = "1h", every = "13h" }\n' +
      '[jobs.bad]\nrun = "true"\nschedule = "@daily"\ntimeout = "30m"\n' +
      'expect = { min_duration = "2h", max_duration = "1h", every = "1h" }\n',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings.map(({ path, message }) => `${path}: ${message}`), [
    'notices.shop.jobs: no job matches "shopp-*"',
    "notices.shop.on: only a channel that reported a problem sends recovered, and this one reports none",
    'jobs.bad.expect.min_duration: it is longer than max_duration = "1h"',
    "jobs.bad.expect.max_duration: the timeout ends an attempt sooner, after 30m",
    "jobs.bad.expect.every: the schedule leaves 1d between two runs, so the job is reported as missed although nothing is wrong",
  ]);
});
