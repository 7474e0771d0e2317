import { JOB_DEFAULTS, SCHEDULE_DEFAULTS } from "../../src/core/job/option_table.ts";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { expandVariables } from "../../src/config/values/expand.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { loadText } from "../support/worlds/config_world.ts";

test("loadConfig() gives the documented defaults when there is no file", async () => {
  const { config } = await loadConfig(null, { cwd: "/srv" });
  assert.deepEqual(config.store.address, { type: "sqlite", path: "/srv/data/jobctl.db" });
  assert.deepEqual(config.server.http, { host: "127.0.0.1", port: 59_052 });
  assert.equal(config.server.port, 59_051);
  assert.equal(config.worker.leaseMs, 15_000);
});

test("loadConfig() gives jobs and schedules the defaults that the library has", async () => {
  const { config } = await loadConfig(null, { cwd: "/srv" });
  assert.deepEqual(config.defaults, JOB_DEFAULTS);
  assert.deepEqual(config.scheduleDefaults, SCHEDULE_DEFAULTS);
});

test("loadConfig() lets includes, then variables, then flags win, key by key", async () => {
  const { loaded } = await loadText(
    'include = ["conf.d/*.toml"]\n[worker]\ncount = 1\nlease = "2s"',
    {
      files: {
        "conf.d/b.toml": "[worker]\ncount = 3\n[server]\nport = 3",
        "conf.d/a.toml": '[worker]\ncount = 2\ndrain = "9s"\n[jobs.x]\nrun = "true"',
        "conf.d/.hidden.toml": "[worker]\ncount = 99",
        "conf.d/c.txt": "not TOML",
      },
      env: { JOBCTL_SERVER_PORT: "4", JOBCTL_SERVER_HTTP: "", JOBCTL_PORT: "client", PATH: "/bin" },
      flags: { port: 5, host: undefined, "log.level": "debug" },
    },
  );
  const { worker, server, log, jobs } = loaded!.config;
  assert.deepEqual([worker.count, worker.leaseMs, worker.drainMs], [3, 2000, 9000]);
  assert.deepEqual([server.port, server.http, log.level], [5, null, "debug"]);
  assert.deepEqual(jobs.map((job) => job.kind), ["x"]);
});

test('loadConfig() takes "" for no port from the file, variables and flags', async () => {
  const port = async (text: string, rest: Parameters<typeof loadText>[1] = {}) =>
    (await loadText(text, rest)).loaded!.config.server.port;
  assert.equal(await port('[server]\nport = ""'), null);
  assert.equal(await port("", { env: { JOBCTL_SERVER_PORT: "" } }), null);
  assert.equal(await port("", { flags: { port: "" } }), null);
  assert.equal(await port("", { flags: { port: "7" } }), 7);
});

test("loadConfig() warns if nobody can call the daemon", async () => {
  const warningsOf = async (lines: string) => {
    const { loaded } = await loadText(`[server]\nport = ""\n${lines}`);
    return loaded!.warnings.map(({ message }) => message);
  };
  assert.deepEqual(await warningsOf('http = ""'), []);
  const [warning] = await warningsOf('http = ""\nsocket = ""');
  assert.match(warning!, /nobody can call the daemon/);
});

test("loadConfig() names both places when two files have one job's table", async () => {
  const { problems, job } = await loadText('include = ["b.toml"]\n[jobs.x]\nrun = "true"\n', {
    files: { "b.toml": '\n[jobs.x]\nrun = "false"\n[jobs.y]\nrun = "true"' },
  });
  assert.deepEqual(problems, [
    "b.toml:2:7: jobs.x: the job has a table at config.toml:2:7 already (Keep one of them)",
  ]);
  assert.equal(job("x").isEnabled, false);
  assert.equal(job("y").isEnabled, true);
});

test("loadConfig() refuses an include that names no file, one of an include, and one with **", async () => {
  const { problems } = await loadText('include = ["none.toml", "a.toml", "**/x"]', {
    files: { "a.toml": 'include = ["config.toml"]' },
  });
  assert.equal(problems.length, 3);
  assert.match(problems[0]!, /^config\.toml:1:12: include\[0\]: cannot read .*no such file$/);
  assert.match(problems[1]!, /^config\.toml:1:35: include\[2\]: found "\*\*\/x", wanted a pattern/);
  assert.match(problems[2]!, /^a\.toml:1:1: include: an included file includes no others/);
});

test("loadConfig() includes files by an absolute pattern", async () => {
  await withTempDir({ "conf.d/a.toml": '[jobs.x]\nrun = "true"\n' }, async ({ path }) => {
    const { job, problems } = await loadText(`include = ["${path}//./conf.d/*.toml"]`);
    assert.deepEqual(problems, []);
    assert.equal(job("x").kind, "x");
    const missing = await loadText(`include = ["${path}/none.toml"]`);
    assert.match(missing.problems[0]!, /^config\.toml:1:12: .*none\.toml.*: no such file$/);
  });
});

test("loadConfig() tells which variables come from a Service of Kubernetes", async () => {
  const env = { JOBCTL_SERVICE_HOST: "10.0.0.1", JOBCTL_DB_PORT_59051_TCP_ADDR: "10.0.0.2" };
  const hint = "Kubernetes sets it for a Service: set enableServiceLinks: false in the pod's spec";
  await assert.rejects(loadConfig(null, { env }), (error: Error) => {
    for (const name of Object.keys(env)) {
      assert.ok(error.message.includes(`${name}: unknown variable (${hint})`), error.message);
    }
    return true;
  });
});

test("loadConfig() refuses unknown variables and flags and names the nearest", async () => {
  const { problems } = await loadText("", {
    env: { JOBCTL_SERVER_PROT: "1", JOBCTL_WORKER_COUNT: "many", JOBCTL_STORE_FSYNC: "off" },
    flags: { prot: 1 },
  });
  assert.deepEqual([...problems].sort(), [
    '--prot: no such setting (Did you mean "--port"?)',
    'JOBCTL_SERVER_PROT: unknown variable (Did you mean "JOBCTL_SERVER_PORT"?)',
    'store.fsync: found "off", wanted "full" or "normal", in JOBCTL_STORE_FSYNC',
    'worker.count: found "many", wanted an integer from 0 to 1000, in JOBCTL_WORKER_COUNT',
  ]);
});

test("loadConfig() reads numbers, booleans and lists of variables from text", async () => {
  const { loaded } = await loadText("", {
    env: {
      JOBCTL_SERVER_ALLOW_INSECURE: "true",
      JOBCTL_DEFAULTS_RETRY_MAX: "-1",
      JOBCTL_MODULES: "a, b",
    },
    prepare: (dir) => {
      dir.write("a/x.ts", "");
      dir.write("b/x.ts", "");
    },
  });
  assert.equal(loaded!.config.server.allowInsecure, true);
  assert.equal(loaded!.config.defaults.retry.max, -1);
  assert.deepEqual(loaded!.config.modules.map((path) => path.slice(-2)), ["/a", "/b"]);
});

test("loadConfig() resolves paths against the file that names them", async () => {
  const { loaded, dir, job } = await loadText(
    'include = ["conf.d/*.toml"]\nstore.url = "sqlite:db"',
    {
      files: { "conf.d/a.toml": '[jobs.x]\ncommand = ["./run.sh", "./arg"]\ncwd = "sub"' },
      cwd: "/",
    },
  );
  assert.deepEqual(loaded!.config.store.address, { type: "sqlite", path: `${dir}/db` });
  assert.deepEqual(job("x").command!.argv, [`${dir}/conf.d/run.sh`, "./arg"]);
  assert.equal(job("x").command!.cwd, `${dir}/conf.d/sub`);
});

test("loadConfig() fills in variables in strings and leaves run and command alone", async () => {
  const { loaded, job } = await loadText(
    [
      'timezone = "${ZONE:-UTC}"',
      "[server]",
      'port = "${PORT}"',
      "[jobs.x]",
      'run = "echo ${HOME} ${#}"',
      'description = "$${PORT} ${EMPTY:-none}"',
      'args = ["${PORT}", { deep = "${PORT}" }]',
      "[jobs.y]",
      'command = ["echo", "${PORT}"]',
    ].join("\n"),
    { env: { PORT: "4711", EMPTY: "" } },
  );
  assert.equal(loaded!.config.server.port, 4711);
  assert.equal(loaded!.config.timezone, "UTC");
  assert.equal(job("x").command!.argv[2], "echo ${HOME} ${#}");
  assert.equal(job("x").description, "${PORT} none");
  assert.deepEqual(job("x").arguments, ["4711", { deep: "4711" }]);
  assert.deepEqual(job("y").command!.argv, ["echo", "${PORT}"]);
});

test("loadConfig() refuses an unset variable at its place, once", async () => {
  const { problems } = await loadText('[server]\nhttp = "${NONE}"\nhost = "${NONE:?say where}"');
  assert.deepEqual(problems, [
    "config.toml:2:8: server.http: the variable NONE is not set (Set it, or write ${NONE:-default})",
    "config.toml:3:8: server.host: the variable NONE is not set: say where",
  ]);
});

test("loadConfig() never shows what a variable holds when its value is wrong", async () => {
  const { problems } = await loadText(
    '[store]\nurl = "foo://u:${PASSWORD}@h"\n[log]\nlevel = "${PASSWORD}"',
    { env: { PASSWORD: "hunter2" } },
  );
  assert.equal(problems.length, 2);
  assert.doesNotMatch(problems.join("\n"), /hunter2/);
});

test("loadConfig() masks the password of a URL when it refuses it", async () => {
  const { problems } = await loadText('[store]\nurl = "mysql://root:hunter2@h/db"');
  assert.match(problems[0]!, /found "mysql:…", wanted/);
});

for (
  const [text, wanted] of [
    ["a $${B} $$ $B", "a ${B} $$ $B"],
    ["${A}${A}", "11"],
    ["${E:-x}${E}", "x"],
    ["${N:-}", ""],
    ["${N:-a:-b}", "a:-b"],
  ] as const
) {
  test(`expandVariables() gives ${JSON.stringify(wanted)} for ${JSON.stringify(text)}`, () => {
    assert.deepEqual(expandVariables(text, { A: "1", E: "" }), { text: wanted, error: null });
  });
}

for (const text of ["${", "${}", "${A B}", "${1}", "${A-x}", "${A:=x}", "${toString}"]) {
  test(`expandVariables() refuses ${JSON.stringify(text)}`, () => {
    const expansion = expandVariables(text, { A: "secret" });
    assert.equal(expansion.text, null);
    assert.doesNotMatch(expansion.error!, /secret/);
  });
}

test("loadConfig() accepts every variable that docs/configuration.md gives to the client", async () => {
  const page = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  const list = /except those that the CLI uses as a client:\n([^.]*)\./.exec(page)![1]!;
  const names = [...list.matchAll(/`(JOBCTL_\w+)`/g)].map((match) => match[1]!);
  assert.ok(names.includes("JOBCTL_SPOOL") && names.includes("JOBCTL_PING_URL"));
  const { problems } = await loadText("", {
    env: Object.fromEntries(names.map((name) => [name, "x"])),
  });
  assert.deepEqual(problems, []);
});
