import assert from "node:assert/strict";
import { test } from "node:test";
import { cli } from "../support/worlds/cli_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Mistakes of every layer, each on the line that its comment names. */
const TOML = `timezone = "Europe/Berln"
modules = ["jobs", "missing"]
[server.tls]
cert = "a.crt"
key = "a.key"
[log
level = "info"
[jobs.cron]
schedule = "0 6 * *"
run = "true"
[jobs.sum]
schedule = "@daily"
args = ["one"]
[jobs.of-missing-folder]
schedule = "@daily"
[jobs.user]
run = "true"
user = "no-such-user"
[notices.ops]
to = "exec"
command = ["no-such-program"]
[jobs.notify]
run = "true"
notify = ["opps"]
[jobs.text]
run = "true
`;
const FILES = {
  "config.toml": TOML,
  "jobs/sum.ts": "export default function sum(x: number) { return x; }",
  "jobs/broken.ts": "export default function broken( {",
};

test("check reports the problems of all layers at once, each at its key, and none that follow", () =>
  withTempDir(FILES, async ({ path }) => {
    const { code, stdout } = await cli(["check"], { cwd: path });
    assert.equal(code, 2);
    const { problems, counts } = JSON.parse(stdout);
    const found = problems.map(({ file, line, path: key }: Record<string, string>) =>
      `${file!.replace(`${path}/`, "")}:${line} ${key}`
    );
    assert.deepEqual(found, [
      "config.toml:1 timezone",
      "config.toml:2 modules[1]",
      "config.toml:4 server.tls.cert",
      "config.toml:5 server.tls.key",
      "config.toml:6 ",
      "config.toml:9 jobs.cron.schedule",
      "config.toml:13 jobs.sum.args",
      "config.toml:18 jobs.user.user",
      "config.toml:21 notices.ops.command",
      "config.toml:24 jobs.notify.notify",
      "config.toml:26 ",
      "jobs/broken.ts:1 jobs.broken",
    ]);
    assert.deepEqual(counts, { errors: 12, warnings: 0, notes: 0 });
  }));

test("check shows people the line of each problem, a mark, the remedy, and counts", () =>
  withTempDir({ "config.toml": '[jobs.a]\nrun = "true"\ntimeuot = 5\n' }, async ({ path }) => {
    const { stdout } = await cli(["check"], { cwd: path, env: { JOBCTL_OUTPUT: "table" } });
    assert.equal(
      stdout,
      "error: config.toml:3:1: jobs.a.timeuot: unknown key\n" +
        "    3 | timeuot = 5\n      | ^^^^^^^\n" +
        '  Did you mean "jobs.a.timeout"?\nconfig.toml: 1 error\n',
    );
  }));

test("check shows people at most 100 errors, and counts the rest", () => {
  const text = Array.from({ length: 250 }, (_, index) => `x${index} = 1`).join("\n");
  return withTempDir({ "config.toml": text }, async ({ path }) => {
    const { stdout } = await cli(["check"], { cwd: path, env: { JOBCTL_OUTPUT: "table" } });
    assert.equal(stdout.match(/^error: /gm)?.length, 100);
    assert.match(
      stdout,
      /\nand 150 more errors: -o json lists them all\nconfig\.toml: 250 errors\n$/,
    );
  });
});

test("check --strict fails for warnings, too", () =>
  withTempDir({ "config.toml": '[jobs.a]\ncommand = ["no-such"]\n' }, async ({ path }) => {
    assert.equal((await cli(["check"], { cwd: path })).code, 0);
    assert.equal((await cli(["check", "--strict"], { cwd: path })).code, 2);
  }));

test("check reports all that is wrong with one job", () => {
  const toml = 'modules = ["jobs"]\n' +
    '[jobs.sum]\nargs = ["one"]\nuser = "no-such-user"\npool = "none"\n' +
    '[jobs.copy]\ncommand = ["cp"]\nparams = "n: number"\nargs = ["one"]\ngroup = "no-such-group"\n';
  const files = { "config.toml": toml, "jobs/sum.ts": FILES["jobs/sum.ts"] };
  return withTempDir(files, async ({ path }) => {
    const { problems } = JSON.parse((await cli(["check"], { cwd: path })).stdout);
    const keys = problems.map(({ path: key }: { readonly path: string }) => key);
    assert.deepEqual(keys, [
      ...["jobs.sum.args", "jobs.sum.user", "jobs.sum.pool"],
      ...["jobs.copy.args", "jobs.copy.group"],
    ]);
  });
});

test("check reads what it can of an included file with mistakes of syntax", () =>
  withTempDir({
    "config.toml": 'include = ["more.toml"]\n[jobs.a]\nrun = "true"\n',
    "more.toml":
      '[jobs.b]\nrun = "true\n[jobs.c]\nrun = "true"\ntimeuot = 1\n[jobs.d]\nrun = "true"\n',
  }, async ({ path }) => {
    const { code, stdout } = await cli(["check"], { cwd: path });
    assert.equal(code, 2);
    const { problems, jobs, not_enabled: disabled } = JSON.parse(stdout);
    const places = problems.map(({ line, path }: Record<string, unknown>) => `${line} ${path}`);
    assert.deepEqual(places, ["2 ", "5 jobs.c.timeuot"]);
    assert.deepEqual(jobs.map(({ kind }: { readonly kind: string }) => kind), ["a", "d"]);
    assert.deepEqual(disabled, []);
  }));
