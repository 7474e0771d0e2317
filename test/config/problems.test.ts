import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load_config.ts";
import { CHANNEL_TYPES } from "../../src/config/notices/notice_keys.ts";
import { ConfigError } from "../../src/config/values/problems.ts";
import { isJobError } from "../../src/core/errors.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

const TYPES = Object.keys(CHANNEL_TYPES).map((name) => `"${name}"`).join(", ");

// Row 58 and 59 of the fault catalogue: what is refused, with its place.
const REFUSED: readonly (readonly [what: string, text: string | Uint8Array, wanted: string])[] = [
  ["malformed TOML", "timezone = \nb = 2", "config.toml:1:13: not TOML: "],
  [
    "a line without =",
    'timezone = "UTC"\nwhat',
    "config.toml:2:6: not TOML: key ended without value",
  ],
  [
    "a duplicate key",
    '[log]\nlevel = "info"\nlevel = "warn"',
    "config.toml:3:1: found the key level",
  ],
  [
    "a duplicate table",
    "[log]\n[store]\n[log]",
    "config.toml:3:2: found the key log a second time",
  ],
  ["invalid UTF-8", Uint8Array.of(97, 10, 98, 195, 169, 255), "config.toml:2:3: found bytes"],
  ["a cut character", Uint8Array.of(97, 10, 98, 195), "config.toml:2:2: found bytes"],
  [
    "a wrong type",
    '[server]\nport = "1"',
    'config.toml:2:8: server.port: found "1", wanted an integer',
  ],
  ["a value for a table", "server = 1", "config.toml:1:10: server: found 1, wanted a table"],
  ["a table for a value", "[timezone]", "config.toml:1:2: timezone: found a table, wanted an IANA"],
  [
    "a list for the jobs",
    "jobs = []",
    "config.toml:1:8: jobs: found a list, wanted a table of jobs",
  ],
  ["__proto__", "[__proto__]\nx = 1", "config.toml:1:2: __proto__: this name is not allowed"],
  [
    "constructor",
    "[jobs.constructor]",
    "config.toml:1:7: jobs.constructor: this name is not allowed",
  ],
  [
    "a prototype below",
    "a.prototype.x = 1",
    "config.toml:1:3: a.prototype: this name is not allowed",
  ],
  [
    "an integer of 65 bits",
    "a = 9223372036854775808",
    "config.toml:1:5: a: found an integer of over",
  ],
  [
    "an unknown escape",
    'timezone = "U\\0C"',
    'config.toml:1:14: not TOML: unknown escape "\\0"',
  ],
  ["an impossible date", "a = 2026-02-30", "config.toml:1:14: not TOML: unexpected invalid date"],
  ["a fraction without digits", "a = [1.,\n2]", "config.toml:1:8: not TOML: unexpected"],
  [
    "a table reopened by a dotted key",
    '[jobs.x.env]\nA = "1"\n[jobs.x]\nenv.B = "2"',
    "config.toml:4:1: found the key env.B a second time",
  ],
  [
    "a reopened table with a quoted name",
    '[jobs."x y".env]\n[jobs]\n"x y".env.B = "2"',
    "config.toml:3:7: found the key env.B a second time",
  ],
  ["deep lists", `a = ${"[".repeat(50_000)}`, "config.toml:1:69: found nesting deeper than 64"],
  ["deep tables", `a = ${"{a=".repeat(50_000)}`, "config.toml:1:197: found nesting deeper than 64"],
  ["a deep key", `[${"a.".repeat(500_000)}a]`, "config.toml:1:2: found a key of over 64 parts"],
  [
    "a deep quoted key",
    `\n${'"a" . '.repeat(64)}a = 1`,
    "config.toml:2:4: found a key of over 64 parts",
  ],
  ["a long string", `a = "${"x".repeat(70_000)}"`, "config.toml:1:5: found a string of over 65536"],
  ["a large file", new Uint8Array(5 * 1_048_576), "config.toml:1:1: the file is larger than 4 MiB"],
  ["a quoted path", '"server.port" = 1', 'config.toml:1:1: "server.port": unknown key'],
];

for (const [what, text, wanted] of REFUSED) {
  test(`loadConfig() refuses ${what} with its place when it stands in the file`, async () => {
    const started = performance.now();
    const { loaded, problems } = await loadText(text);
    assert.equal(loaded, null);
    const isFound = problems.some((problem) => problem.startsWith(wanted));
    assert.ok(isFound, problems.join("\n").slice(0, 2000));
    assert.ok(performance.now() - started < 5_000, "over five seconds");
    assert.equal(({} as Record<string, unknown>).x, undefined);
  });
}

// What an unknown key most likely meant.
const UNKNOWN: readonly (readonly [text: string, wanted: string])[] = [
  ["[server]\nprot = 1", 'config.toml:2:1: server.prot: unknown key (Did you mean "server.port"?)'],
  ["time_zone = 1", 'config.toml:1:1: time_zone: unknown key (Did you mean "timezone"?)'],
  ["port = 1", 'config.toml:1:1: port: unknown key (Did you mean "server.port"?)'],
  ["[job.x]", 'config.toml:1:2: job: unknown key (Did you mean "jobs"?)'],
  [
    "server.tls.crt = 1",
    'config.toml:1:12: server.tls.crt: unknown key (Did you mean "server.tls.cert"?)',
  ],
  [
    '[jobs.x]\nrun = "true"\ntimeuot = "1s"',
    'config.toml:3:1: jobs.x.timeuot: unknown key (Did you mean "jobs.x.timeout"?)',
  ],
  [
    "[defaults]\nretry = { maximum = 1 }",
    "config.toml:2:11: defaults.retry.maximum: unknown key (Known keys here: max, backoff, initial, cap, jitter, on, not_on)",
  ],
  [
    '[jobs.x]\nrun = "true"\nevery = "5s"',
    'config.toml:3:1: jobs.x.every: unknown key (To run at intervals: schedule = "@every 15m". For the longest time without a success, also of an external job: expect = { every = "25h" })',
  ],
  [
    '[jobs.x]\nrun = "true"\ntz = "UTC"',
    'config.toml:3:1: jobs.x.tz: unknown key (Did you mean "jobs.x.timezone"?)',
  ],
  [
    '[jobs.x]\nrun = "true"\nafter = "y"',
    "config.toml:3:1: jobs.x.after: unknown key (One job starts the next one: see jobctl docs howto/chain)",
  ],
  [
    '[jobs.x]\nrun = "true"\nmax_runtime = "5m"',
    'config.toml:3:1: jobs.x.max_runtime: unknown key (Did you mean "jobs.x.timeout"?)',
  ],
  [
    '[jobs.x]\nrun = "true"\nkeep = "30d"',
    'config.toml:3:8: jobs.x.keep: found "30d", wanted a table (Write keep = { success = …, failure = … })',
  ],
  [
    '[jobs.x]\nrun = "true"\nschedule = "daily"',
    'config.toml:3:12: jobs.x.schedule: Cannot read cron expression "daily": it has 1 field, wanted five or six (Did you mean "@daily"?)',
  ],
  [
    '[jobs.x]\nrun = "true"\nschedule = "every 15m"',
    'config.toml:3:12: jobs.x.schedule: Cannot read cron expression "every 15m": it has 2 fields, wanted five or six (Did you mean "@every 15m"?)',
  ],
  [
    "[worker]\nworkers = 4",
    'config.toml:2:1: worker.workers: unknown key (Did you mean "worker.count"?)',
  ],
  [
    '[store]\npath = "x.db"',
    'config.toml:2:1: store.path: unknown key (Write: url = "sqlite:data/jobctl.db")',
  ],
  [
    '[jobs.x]\nrun = "true"\nmemory_max = "64MB"',
    'config.toml:3:1: jobs.x.memory_max: unknown key (Did you mean "jobs.x.limits.memory"?)',
  ],
  [
    "[server]\nhttp_port = 80",
    'config.toml:2:1: server.http_port: unknown key (Write in [server]: http = "127.0.0.1:59052")',
  ],
  ['node = { name = "a" }', 'config.toml:1:10: node.name: unknown key (Did you mean "node.id"?)'],
  [
    '[notices.x]\nto = "syslog"\nevents = ["failed"]',
    'config.toml:3:1: notices.x.events: unknown key (Did you mean "notices.x.on"?)',
  ],
  [
    '[notices.x]\nto = "slack"',
    `config.toml:2:6: notices.x.to: found "slack", wanted one of ${TYPES} (Write: to = "webhook" and preset = "slack")`,
  ],
];

for (const [text, wanted] of UNKNOWN) {
  test(`loadConfig() names the nearest key when ${JSON.stringify(text)} has none`, async () => {
    assert.deepEqual((await loadText(text)).problems, [wanted]);
  });
}

test("loadConfig() tells every problem at once when a file has several", async () => {
  const { problems } = await loadText(
    '[server]\nprot = 1\nhttp = 3\n[log]\nlevel = "loud"\n[jobs.x]\ntimeout = 5\n',
  );
  assert.deepEqual(problems, [
    'config.toml:2:1: server.prot: unknown key (Did you mean "server.port"?)',
    'config.toml:3:8: server.http: found 3, wanted "HOST:PORT", or "" for off',
    'config.toml:5:9: log.level: found "loud", wanted one of "debug", "info", "warn", "error"',
    'config.toml:7:11: jobs.x.timeout: found 5, wanted a duration such as "30s", "1h30m" or "7d" (Write "5s" for seconds)',
  ]);
});

test("loadConfig() throws one error with every problem in its message and as data", async () => {
  await withTempDir({ "config.toml": "a = 1\nb = 1\n" }, async ({ path }) => {
    await assert.rejects(loadConfig(`${path}/config.toml`), (error: unknown) => {
      assert.ok(error instanceof ConfigError && isJobError(error, "invalid_config"));
      assert.equal(error.problems.length, 2);
      assert.match(error.message, /config\.toml": 2 problems\n {2}.*:1:1: a: .*\n {2}.*:2:1: b: /);
      return true;
    });
  });
});

test("loadConfig() refuses a missing file by name and says what writes one", async () => {
  await withTempDir({}, async ({ path }) => {
    await assert.rejects(
      loadConfig(`${path}/none.toml`),
      /none\.toml:1:1: cannot read it: no such file \(`jobctl init` writes one\)/,
    );
  });
});

test("loadConfig() refuses a file of 100 MB within a second", async () => {
  const started = performance.now();
  const { problems } = await loadText("", {
    prepare: (dir) => truncateSync(`${dir.path}/config.toml`, 100 * 1_048_576),
  });
  assert.match(problems.join(), /^config\.toml:1:1: the file is larger than 4 MiB/);
  assert.ok(performance.now() - started < 1000);
});

test("loadConfig() refuses a directory by name when one is given", async () => {
  await withTempDir({}, async ({ path }) => {
    await assert.rejects(loadConfig(path), /it is a directory, wanted a TOML file/);
  });
});

test("loadConfig() accepts a byte order mark when the file begins with one", async () => {
  const { loaded } = await loadText('\ufefftimezone = "Europe/Berlin"');
  assert.equal(loaded?.config.timezone, "Europe/Berlin");
});

test("loadConfig() places problems behind strings and comments that hold brackets", async () => {
  const text = `# [[[ {{{ "\n[jobs.x]\nrun = '''[[ " ]'''\ndescription = "\\"[#"\ntimeout = 1`;
  const { problems } = await loadText(text);
  assert.match(problems.join(), /^config\.toml:5:11: jobs\.x\.timeout: found 1/);
});

test("loadConfig() says what to quote only where a date or a word is at fault", async () => {
  for (
    const [text, hint] of [
      ["a = [2026-01-01, 2]", 'Quote dates: "2026-01-01"'],
      ["[jobs.x]\nrun = backup", 'Quote text: "word"'],
      ["[jobs.x]\nrun = /bin/true", 'Quote text: "word"'],
      ["a = ]", undefined],
      ["a = [1.,\n2]", undefined],
    ] as const
  ) {
    const { problems } = await loadText(text);
    const found = /\((Quote [^)]*)\)$/.exec(problems[0] ?? "")?.[1];
    assert.equal(found, hint, problems.join("\n"));
  }
});
