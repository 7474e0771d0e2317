import assert from "node:assert/strict";
import { test } from "node:test";
import type { Setting } from "../../src/core/settings/config_settings.ts";
import type { LoadedConfig } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { KEYS } from "../../src/config/keys.ts";
import { JOB_KEYS } from "../../src/config/job_keys.ts";
import { NOTICE_KEYS } from "../../src/config/notices/notice_keys.ts";
import { LISTED_JOBS_MAX } from "../../src/config/settings.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** A secret in every place that has one, each with a number of its own. */
const TOML = `
timezone = "\${ZONE}"
[store]
url = "valkey://ops:Sesame-01-secret@db.example.com:6379/2"
sentinel_password = "\${SENTINEL}"
[store.targets]
old = { url = "etcd://ops:Sesame-02-secret@db.example.com", password = { file = "password" } }
[server.auth]
tokens = [
  { name = "vera", role = "viewer", token = "Sesame-03-secret" },
  { name = "otto", role = "viewer", hash = "sha256:5d5b7bb43fd1bd9fa9ac5c54a6b7ed1a8a1c08a9a0b4a07f2dbf4e6f0e7a1b2c" },
  { name = "vars", role = "viewer", token = { env = "TOKEN" } },
]
[heartbeat]
url = "https://hc.example.com/Sesame-04-secret"
[notices.chat]
to = "webhook"
url = "https://ops:Sesame-05-secret@hooks.example.com/services/Sesame-06-secret?key=Sesame-07-secret"
headers = { Authorization = "Bearer Sesame-08-secret", X-Room = "Sesame-09-secret" }
secret = "Sesame-10-secret-of-a-signature"
body = '{"key": "Sesame-11-secret"}'
[notices.mail]
to = "mail"
smtp = "smtps://ops:Sesame-12-secret@mail.example.com"
from = "ops@example.com"
recipients = ["ops@example.com"]
[notices.program]
to = "exec"
command = ["/usr/bin/notify", "--key", "Sesame-13-secret"]
env = { ROOM = "Sesame-14-secret" }
[jobs.sync]
command = ["rsync", "--password", "Sesame-15-secret"]
env = { A = "Sesame-16-secret", B = { env = "TOKEN" }, C = "x-\${TOKEN}" }
stdin = { text = "Sesame-17-secret" }
description = "uses \${TOKEN}, and Sesame-03-secret of vera"
[jobs.line]
run = "curl -H 'Authorization: Sesame-18-secret' example.com"
env_file = "variables"
[jobs.pinged]
external = true
ping_key = "Sesame-19-secret-of-pings-0123456789"
[jobs.called]
run = "true"
hook = { verify = "github", secret = ["Sesame-26-secret-of-a-hook", { env = "TOKEN" }] }
[jobs.texts]
run = "true"
args = []
description = "Sesame-20-secret"
cwd = "/srv/Sesame-21-secret"
`;
const VARIABLES = {
  ZONE: "Europe/Berlin",
  SENTINEL: "Sesame-22-secret",
  TOKEN: "Sesame-23-secret-of-a-variable",
  JOBCTL_STORE_PASSWORD: "Sesame-24-secret",
  JOBCTL_WORKER_COUNT: "7",
};

function load(
  toml: string,
  env: Readonly<Record<string, string>> = {},
): Promise<LoadedConfig> {
  const files = {
    "config.toml": toml,
    password: "Sesame-25-secret\n",
    // Its values are the texts of another job.
    variables: "V=Sesame-20-secret\nW=Sesame-21-secret\n",
  };
  return withTempDir(
    files,
    async ({ path: cwd }) =>
      await loadConfig("config.toml", { cwd, env, flags: { logLevel: "warn" } }),
  );
}

const find = (settings: readonly Setting[], path: string) =>
  settings.find((setting) => setting.path === path);

test("settings() shows no secret, whatever key has it and wherever it comes from", async () => {
  const { settings, problems } = await load(TOML, VARIABLES);
  assert.deepEqual(problems, []);
  const listed = settings();
  assert.deepEqual(JSON.stringify(listed).match(/Sesame-[\w-]*|5d5b7bb43f/g) ?? [], []);
  assert.equal(listed.hasMore, false);
  const values = Object.fromEntries(
    listed.settings.map(({ path, value }) => [path, JSON.parse(value)]),
  );
  assert.deepEqual(values["server.auth.tokens"], [
    { name: "vera", role: "viewer", token: "***" },
    { name: "otto", role: "viewer", hash: "***" },
    { name: "vars", role: "viewer", token: { env: "TOKEN" } },
  ]);
  assert.deepEqual(
    [
      ...["timezone", "store.url", "store.password", "store.sentinel_password", "store.targets"],
      ...["heartbeat.url", "notices.chat.url", "notices.chat.headers", "notices.mail.smtp"],
      ...["notices.program.command", "jobs.sync.command", "jobs.sync.env", "jobs.line.run"],
      ...["jobs.line.env_file", "jobs.pinged.ping_key", "jobs.sync.stdin", "jobs.sync.description"],
      ...["jobs.called.hook", "jobs.texts.description", "jobs.texts.cwd"],
    ].map((path) => values[path]),
    [
      "${ZONE}",
      "valkey://ops:***@db.example.com:6379/2",
      "***",
      "***",
      { old: { url: "etcd://ops:***@db.example.com", password: { file: "password" } } },
      "https://hc.example.com/***",
      "https://***@hooks.example.com/***",
      { Authorization: "***", "X-Room": "***" },
      "smtps://ops:***@mail.example.com",
      ["/usr/bin/notify", "***", "***"],
      ["rsync", "***", "***"],
      { A: "***", B: { env: "TOKEN" }, C: "***" },
      "***",
      "variables",
      "***",
      { text: "***" },
      "uses ${TOKEN}, and *** of vera",
      { verify: "github", secret: ["***", { env: "TOKEN" }] },
      "***",
      "/srv/***",
    ],
  );
});

test("settings() says where each value comes from, and has the defaults", async () => {
  const { settings } = await load(TOML, VARIABLES);
  const listed = settings().settings;
  assert.deepEqual(find(listed, "worker.count"), {
    path: "worker.count",
    value: '"7"',
    origin: "JOBCTL_WORKER_COUNT",
  });
  assert.deepEqual(find(listed, "log.level"), {
    path: "log.level",
    value: '"warn"',
    origin: "--log-level",
  });
  assert.equal(find(listed, "timezone")?.origin, "config.toml:2");
  assert.equal(find(listed, "notices.mail.from")?.origin, "config.toml:25");
  assert.deepEqual(find(listed, "server.port"), {
    path: "server.port",
    value: "59051",
    origin: null,
  });
});

test("every key that can refer to a secret masks a text that is written directly", async () => {
  const tables = [["", KEYS], ["jobs.x.", JOB_KEYS], ["notices.x.", NOTICE_KEYS]] as const;
  const secret = tables.flatMap(([table, keys]) =>
    Object.entries(keys).flatMap(([path, { reader }]) =>
      JSON.stringify(reader.schema).includes('"credential"') ? [table + path] : []
    )
  );
  // A new one of these is to be added to the texts above.
  assert.deepEqual(secret, [
    ...["store.password", "store.sentinel_password", "store.targets", "server.auth.tokens"],
    ...["heartbeat.url", "jobs.x.env", "jobs.x.ping_key", "jobs.x.hook.secret"],
    ...["notices.x.password", "notices.x.url", "notices.x.token", "notices.x.secret"],
    ...["notices.x.headers", "notices.x.env"],
  ]);
});

test("settings() leaves out the tables of very many jobs, and says so", async () => {
  const jobs = (count: number) =>
    Array.from({ length: count }, (_, at) => `[jobs.job-${at}]\nrun = "true"\n`).join("");
  const listed = async (count: number) => {
    const loaded = await load(`${jobs(count)}[worker]\n${" ".repeat(100_000)}\ncount = 3\n`);
    const { settings, hasMore } = loaded.settings();
    assert.equal(find(settings, "worker.count")?.origin, `config.toml:${2 * count + 3}`);
    return [settings.filter(({ path }) => path.startsWith("jobs.")).length, hasMore];
  };
  assert.deepEqual(await listed(LISTED_JOBS_MAX), [LISTED_JOBS_MAX, false]);
  assert.deepEqual(await listed(LISTED_JOBS_MAX + 1), [0, true]);
});

test("settings() cuts a long value, and quotes names as TOML does", async () => {
  const { settings } = await load(
    `[jobs."a b"]\nrun = "true"\ndescription = "${"x".repeat(3_000)}"\n`,
  );
  const found = find(settings().settings, 'jobs."a b".description');
  assert.equal(JSON.parse(found!.value), `"${"x".repeat(1_999)}…`);
});
