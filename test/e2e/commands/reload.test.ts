import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { until } from "../../support/wait.ts";

const TOML = '[worker]\ndrain = "5s"\n[jobs.a]\nrun = "true"\n[jobs.gone]\nrun = "true"\n';
const MODULE = "export default function hello(name: string) { return name; }";

function rewrite(daemon: Daemon, change: (text: string) => string): void {
  const path = join(daemon.dir, "config.toml");
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

test("jobctl reload shows what has changed, with --dry-run without applying it", async () => {
  const daemon = await startDaemon({ toml: TOML, modules: { "hello.ts": MODULE } });
  try {
    rewrite(daemon, (text) =>
      text.replace("[jobs.gone]", "[jobs.fresh]")
        .replace('run = "true"', 'run = "true"\ntimeout = "1m"')
        .replace('drain = "5s"', 'drain = "6s"\ncount = 3') +
      '[notices.ops]\nto = "exec"\ncommand = ["true"]\n');
    writeFileSync(join(daemon.dir, "jobs/hello.ts"), MODULE.replace("name:", "nick:"));
    const wanted = [
      "~ job a: timeout",
      '    jobs.a.timeout  default → "1m"',
      "+ job fresh",
      "- job gone",
      "~ job hello: parameters, code",
      '~ worker.drain  "5s" → "6s"  (after a restart)',
    ];
    const text = { env: { JOBCTL_OUTPUT: "table" } };
    const dry = await daemon.jobctl(["reload", "--dry-run"], text);
    assert.equal(dry.code, 0, dry.stderr);
    const lines = dry.stdout.trimEnd().split("\n");
    assert.equal(lines[0], "A reload would give 3 jobs (1 added, 2 changed, 1 removed)");
    assert.deepEqual(lines.filter((line) => !/worker\.count|notices/.test(line)).slice(1), wanted);
    assert.ok(lines.includes('+ notices.ops.to = "exec"'), dry.stdout);
    const { jobs } = await daemon.client().listRegisteredJobs({});
    assert.ok(jobs.some(({ kind }) => kind === "gone"), "nothing was applied");

    const applied = await daemon.jobctl(["reload"], text);
    assert.equal(applied.code, 0, applied.stderr);
    assert.deepEqual(applied.stdout.split("\n").slice(1), dry.stdout.split("\n").slice(1));
    assert.match(applied.stderr, /\[worker\] has changed: restart the daemon to apply it/);
    await daemon.logged(/was reloaded.*job a: timeout; job fresh added; job gone removed/);
    assert.match((await daemon.jobctl(["reload"], text)).stdout, /\nNothing has changed\n/);
  } finally {
    await daemon.stop();
  }
});

test("jobctl reload reports the first problems of a refusal, and how many more there are", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const wrong = Array.from({ length: 15 }, (_, index) => `x${index} = 1`).join("\n");
    rewrite(daemon, (text) => `${wrong}\n${text}`);
    const { code, stderr } = await daemon.jobctl(["reload"]);
    assert.equal(code, 2);
    assert.match(stderr, /the old one stays/);
    assert.equal(stderr.match(/config\.toml:\d+:1: x\d+: unknown key/g)?.length, 10);
    assert.match(stderr, /and 5 more: jobctl check lists them all/);
  } finally {
    await daemon.stop();
  }
});

test("jobctl reload says in its first line that a file or a job was refused", async () => {
  const daemon = await startDaemon({ toml: `include = ["more*.toml"]\n${TOML}` });
  const first = async (options: readonly string[] = []) => {
    const text = { env: { JOBCTL_OUTPUT: "table" } };
    const { code, stdout } = await daemon.jobctl(["reload", ...options], text);
    return [code, stdout.split("\n")[0]];
  };
  const more = (text: string) => writeFileSync(join(daemon.dir, "more.toml"), text);
  try {
    more("[jobs.unfinished\n");
    const rest = "2 jobs (0 added, 0 changed, 0 removed)";
    assert.deepEqual(await first(), [2, `Reloaded in part, with problems: ${rest}`]);
    const dry = await first(["--dry-run"]);
    assert.deepEqual(dry, [2, `A reload would have problems, and give ${rest}`]);
    more("[jobs.wrong]\nrun = 5\n");
    assert.match(String((await first())[1]), /^Reloaded in part, with problems: 2 jobs/);
    more("");
    assert.match(String((await first())[1]), /^Reloaded: 2 jobs/);
  } finally {
    await daemon.stop();
  }
});

test("serve --watch applies each change, restarts if it must, and survives errors", async () => {
  const daemon = await startDaemon({ toml: TOML, modules: { "hello.ts": MODULE } });
  await daemon.terminate();
  const watching = await daemon.restart(["--watch"]);
  const seen = async (pattern: RegExp) => {
    await until(String(pattern), () => pattern.test(watching.log()), 30_000);
  };
  try {
    await seen(/Watching the files/);
    const path = join(watching.dir, "jobs/new.ts");
    writeFileSync(path, 'export default { schedule: "@hourly", run() {} }');
    await seen(/Changed: jobs\/new\.ts[^]*was reloaded.*job new added/);
    writeFileSync(path, 'export default { schedule: "@hourly, run() {} }');
    await seen(/Job "new" is disabled: Cannot parse/);
    rmSync(path);
    rewrite(watching, (text) => `${text}oops\n`);
    await seen(/the old one stays/);
    rewrite(watching, (text) => text.replace("oops\n", "").replace('"5s"', '"7s"'));
    await seen(/Restarting to apply \[worker\][^]*Stopped[^]*is ready/);
    assert.equal((await watching.client().getVersion({})).apiVersion, "v1");
  } finally {
    await watching.stop();
  }
});
