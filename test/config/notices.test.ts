import assert from "node:assert/strict";
import { test } from "node:test";
import { CHANNEL_TYPES, NOTICE_KEYS, RULE_KEYS } from "../../src/config/notices/notice_keys.ts";
import { type ChannelSettings, isMail } from "../../src/core/notices/settings.ts";
import type { WebhookTarget } from "../../src/notices/channels/webhook/webhook_channel.ts";
import { asWindows } from "../support/as_windows.ts";
import { loadText } from "../support/worlds/config_world.ts";

const EXEC = 'to = "exec"\ncommand = ["/bin/true"]\n';

/** The problems of a table `[notices.ops]`, without their places. */
async function problemsOf(table: string): Promise<string[]> {
  const { problems } = await loadText(`[notices.ops]\n${table}`, { env: { HOOK: "s3cret" } });
  return problems.map((problem) => problem.replace(/^config\.toml:\d+:\d+: /, ""));
}

/** The types of channels as an error lists them. */
const TYPES = Object.keys(CHANNEL_TYPES).map((name) => `"${name}"`).join(", ");

async function channelOf(table: string, env = {}): Promise<ChannelSettings> {
  const { loaded, problems } = await loadText(`[notices.ops]\n${table}`, { env });
  assert.deepEqual(problems, []);
  return loaded!.config.notices[0]!;
}

for (
  const [table, wanted] of [
    [EXEC, "notices.ops.to: does not work on Windows"],
    ['to = "syslog"', "notices.ops.to: does not work on Windows"],
    [
      'to = "mail"\nsendmail = true\nrecipients = ["a@example.com"]',
      "notices.ops.sendmail: does not work on Windows",
    ],
  ] as const
) {
  test(`loadConfig() refuses ${JSON.stringify(table.slice(0, 30))} on Windows`, async () => {
    const [problem = ""] = await asWindows(() => problemsOf(table));
    assert.ok(problem.startsWith(wanted), problem);
  });
}

test("loadConfig() takes a server of syslog on Windows", async () => {
  const table = 'to = "syslog"\naddress = "udp://10.0.0.1:514"';
  assert.deepEqual(await asWindows(() => problemsOf(table)), []);
});

test("loadConfig() reads a channel with every default", async () => {
  assert.deepEqual(await channelOf(EXEC), {
    name: "ops",
    rules: {
      on: [
        "failed",
        "recovered",
        "late",
        "missed",
        "long",
        "short",
        "lost",
        "disabled",
        "reload-refused",
        "node-lost",
        "store",
        "workers-busy",
        "port-closed",
      ],
      jobs: ["*"],
      after: 1,
      rate: null,
      repeatMs: null,
      digestMs: null,
      quiet: [],
      limit: { most: 100, perMs: 600_000 },
    },
    target: { to: "exec", command: ["/bin/true"], env: {} },
    timeoutMs: 30_000,
  });
});

test("loadConfig() reads the rules of a channel", async () => {
  const rules =
    'on = ["failed", "dead", "failed"]\njobs = ["shop-*"]\nrate = "3/10"\nrepeat = "4h"\n' +
    'digest = "1h"\nquiet = ["22:00-07:00", "sat-sun"]\nlimit = "20/1h30m"\n' +
    'timeout = "5s"\n';
  const { rules: read, timeoutMs } = await channelOf(EXEC + rules);
  assert.deepEqual(read, {
    on: ["failed", "dead"],
    jobs: ["shop-*"],
    after: 1,
    rate: { failures: 3, of: 10 },
    repeatMs: 14_400_000,
    digestMs: 3_600_000,
    quiet: ["22:00-07:00", "sat-sun"],
    limit: { most: 20, perMs: 5_400_000 },
  });
  assert.equal(timeoutMs, 5_000);
});

test("loadConfig() refuses limits without a number, a duration, or within reason", async () => {
  for (const limit of ["0/10m", "10001/10m", "100", "100/", "100/soon", "100/9s", "100/25h"]) {
    const { problems } = await loadText(`[notices.ops]\n${EXEC}limit = "${limit}"\n`);
    assert.match(problems.join(), /notices\.ops\.limit: found .*"100\/10m"/, limit);
  }
  const { rules } = await channelOf(`${EXEC}limit = "1/24h"\n`);
  assert.deepEqual(rules.limit, { most: 1, perMs: 86_400_000 });
});

test("loadConfig() has no channels when none is configured", async () => {
  assert.deepEqual((await loadText("")).loaded!.config.notices, []);
});

test("loadConfig() reads channels of included files, and refuses two of one name", async () => {
  const files = {
    "conf.d/a.toml": `[notices.a]\n${EXEC}`,
    "conf.d/b.toml": `[notices.b]\n${EXEC}`,
  };
  const text = 'include = ["conf.d/*.toml"]\n';
  const { loaded } = await loadText(`${text}[notices.ops]\n${EXEC}`, { files });
  assert.deepEqual(loaded!.config.notices.map(({ name }) => name), ["ops", "a", "b"]);
  const { problems } = await loadText(`${text}[notices.a]\n${EXEC}`, { files });
  assert.deepEqual(problems, [
    "conf.d/a.toml:1:10: notices.a: the channel has a table at config.toml:2:10 already (Keep one of them)",
  ]);
});

test("loadConfig() refuses names, and more channels than there may be", async () => {
  const tables = (names: readonly string[]) =>
    names.map((name) => `[notices.${name}]\n${EXEC}`).join("");
  for (const name of ["a", "a-b_9", "a".repeat(63)]) {
    assert.deepEqual((await loadText(tables([name]))).problems, []);
  }
  for (const name of ["A", "9a", '"a b"', "a".repeat(64)]) {
    assert.match(
      (await loadText(tables([name]))).problems.join(),
      /found an invalid channel name/,
    );
  }
  const many = (count: number) => tables(Array.from({ length: count }, (_, index) => `c${index}`));
  assert.deepEqual((await loadText(many(50))).problems, []);
  assert.match((await loadText(many(51))).problems.join(), /found 51 channels, wanted at most 50/);
});

for (
  const [table, problem] of [
    ["", "notices.ops: the key `to` is missing"],
    ['to = "pigeon"', `found "pigeon", wanted one of ${TYPES}`],
    [`${EXEC}recipents = ["a@b.c"]`, 'unknown key (Did you mean "notices.ops.recipients"?)'],
    [`${EXEC}smtp = "smtp://a"`, 'notices.ops.smtp: works only with to = "mail"'],
    [`${EXEC}ca = "a.pem"`, 'notices.ops.ca: works only with to = "mail" or to = "webhook"'],
    [`${EXEC}on = ["fialed"]`, 'notices.ops.on[0]: found "fialed", wanted one of "failed"'],
    [`${EXEC}on = []`, "wanted a list that is not empty"],
    [`${EXEC}after = 0`, "found 0, wanted an integer from 1 to 1000"],
    [`${EXEC}rate = "11/10"`, 'found "11/10", wanted a text "FAILURES/RUNS"'],
    [`${EXEC}rate = "1/101"`, 'found "1/101", wanted a text'],
    [`${EXEC}rate = "3/10"\nafter = 2`, "rate and after exclude each other"],
    [`${EXEC}quiet = ["noon"]`, 'found "noon", wanted a window'],
    [`${EXEC}repeat = "9s"`, "wanted a duration of at least 10 s"],
    ['to = "exec"', "the key `command` is missing, wanted a list: the program"],
    ['to = "mail"\nrecipients = ["a@b.c"]', "found neither smtp nor sendmail"],
    ['to = "mail"\nsendmail = true', "the key `recipients` is missing"],
    ['to = "mail"\nsendmail = false\nrecipients = ["a@b.c"]', "found neither smtp nor sendmail"],
    ['to = "mail"\nsendmail = "mail"\nrecipients = ["a@b.c"]', "the absolute path of a program"],
    [
      'to = "mail"\nsendmail = true\nsmtp = "smtp://a"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]',
      "smtp and sendmail exclude each other",
    ],
    ['to = "mail"\nsmtp = "smtp://a"\nrecipients = ["a@b.c"]', "the key `from` is missing"],
    [
      'to = "mail"\nsmtp = "smtp://a"\nfrom = "a@b.c"\nrecipients = ["root"]',
      'found "root", wanted an address with a domain',
    ],
    ['to = "mail"\nsendmail = true\nrecipients = ["a b@c"]', "wanted an address such as"],
    ['to = "mail"\nsendmail = true\nrecipients = ["-oX@c"]', "wanted an address such as"],
    ['to = "mail"\nsendmail = true\nrecipients = ["|/bin/sh"]', "wanted an address such as"],
    ['to = "mail"\nsendmail = true\nrecipients = ["/etc/x"]', "wanted an address such as"],
    ['to = "mail"\nsendmail = true\nrecipients = ["a@b.c, d@e.f"]', "wanted an address such as"],
    [
      'to = "mail"\nsmtp = "http://a"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]',
      "found other text, wanted a URL such as",
    ],
    [
      'to = "mail"\nsmtp = "smtp://u@a"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]',
      "found a user, but no password",
    ],
    [
      'to = "mail"\nsmtp = "smtps://a"\ntls = "off"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]',
      "works only with smtp://",
    ],
    ['to = "webhook"', "the key `url` is missing"],
    ['to = "webhook"\nurl = "ftp://a"', "found other text, wanted a URL such as"],
    ['to = "webhook"\nurl = "https://a b"', "found other text"],
    ['to = "webhook"\nurl = "http://a.example"', "found http://, wanted https://"],
    ['to = "webhook"\nurl = "https://127.1/"', "found a private address, 127.0.0.1"],
    ['to = "webhook"\nurl = "https://[::ffff:10.0.0.1]/"', "found a private address"],
    [
      'to = "webhook"\nurl = "https://localhost/"',
      "found a private address, localhost",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\npreset = "slak"',
      'found "slak", wanted one of "slack"',
    ],
    ['to = "webhook"\npreset = "slack"', "the key `url` is missing"],
    [
      'to = "webhook"\npreset = "telegram"\nchat = "1"',
      'the key `token` is missing: preset = "telegram" needs it',
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\ntoken = "12345678"',
      "works only with a preset that uses it",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\npreset = "slack"\nbody = "x"',
      "preset and body exclude each other",
    ],
    [
      'to = "webhook"\npreset = "pagerduty"\ntoken = "12345678"\ndigest = "1h"',
      'cannot be used with preset = "pagerduty"',
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nbody = "{{titel}}"',
      '"{{titel}}" is not a placeholder (Did you mean "title"?)',
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nsecret = "short"',
      "found a secret of 5 characters, wanted at least 16",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nsecret = "whsec_!"',
      "wanted 16 bytes or more in base64",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nheaders = { Host = "b" }',
      "found a header that jobctl sets itself",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nheaders = { "A B" = "b" }',
      "found an invalid header name",
    ],
    [
      'to = "webhook"\nurl = "https://a.example"\nheaders = { A = "b\\r\\nC: d" }',
      "found an invalid character in A",
    ],
    ['to = "webhook"\nurl = "https://a.example"\nallow_hosts = ["*"]', "wanted a host such as"],
    ['to = "syslog"\naddress = "http://a"', 'wanted "udp://HOST:514"'],
    ['to = "syslog"\nfacility = "local9"', 'found "local9", wanted one of "kern"'],
  ] as const
) {
  test(`loadConfig() refuses ${JSON.stringify(table)}`, async () => {
    const problems = await problemsOf(table);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.ok(problems[0]!.includes(problem), problems[0]!);
  });
}

for (const [to, { aliases, keys }] of Object.entries(CHANNEL_TYPES)) {
  test(`loadConfig() explains what to write for other names of ${to}`, async () => {
    for (const name of aliases) {
      const hint = `wanted one of ${TYPES} (Write: to = "${to}")`;
      assert.deepEqual(await problemsOf(`to = "${name}"`), [
        `notices.ops.to: found "${name}", ${hint}`,
      ]);
    }
  });

  test(`the keys of ${to} have one meaning, whatever the type of channel`, () => {
    for (const [name, key] of Object.entries(keys)) assert.equal(NOTICE_KEYS[name], key, name);
    assert.deepEqual(Object.keys(keys).filter((name) => name in RULE_KEYS), []);
  });
}

test("loadConfig() reads how mail is sent, and what of it is secret", async () => {
  const rest = 'from = "jobctl@example.com"\nrecipients = ["ops@example.com"]\n';
  const transport = async (text: string) => {
    const { target } = await channelOf(`to = "mail"\n${rest}${text}`, { PW: "pass word" });
    return isMail(target) ? target.transport : null;
  };
  const smtp = { type: "smtp", host: "mail.example.com", caFile: null };
  assert.deepEqual(await transport('smtp = "smtps://mail.example.com"'), {
    ...smtp,
    port: 465,
    tls: "implicit",
    login: null,
  });
  assert.deepEqual(await transport('smtp = "smtp://mail.example.com"'), {
    ...smtp,
    port: 587,
    tls: "offered",
    login: null,
  });
  assert.deepEqual(await transport('smtp = "smtp://mail.example.com:25"\ntls = "off"'), {
    ...smtp,
    port: 25,
    tls: "off",
    login: null,
  });
  assert.deepEqual(await transport('smtp = "smtp://localhost:25"'), {
    ...smtp,
    host: "localhost",
    port: 25,
    tls: "opportunistic",
    login: null,
  });
  assert.deepEqual(
    await transport('smtp = "smtp://me%40b@mail.example.com"\npassword = { env = "PW" }'),
    {
      ...smtp,
      port: 587,
      tls: "required",
      login: { user: "me@b", password: "pass word" },
    },
  );
  assert.deepEqual(await transport("sendmail = true"), {
    type: "sendmail",
    path: "/usr/sbin/sendmail",
  });
});

test("loadConfig() keeps secrets of channels out of all output", async () => {
  const { loaded } = await loadText(
    `[notices.a]
to = "mail"
smtp = "smtps://u:mail%20secret@a.example"
from = "a@b.c"
recipients = ["a@b.c"]
[notices.b]
to = "webhook"
url = "https://user:hook-secret@a.example/x?token=query-secret"
secret = { env = "SIGN" }
headers = { Accept = "application/json", "X-Token" = "header-secret", "X-Other" = { env = "OTHER" } }
[notices.c]
to = "webhook"
preset = "slack"
url = "https://hooks.slack.com/services/T000/B000/slack-secret"
[notices.d]
to = "webhook"
url = { env = "HOOK" }
[notices.e]
to = "exec"
command = ["/bin/true"]
env = { KEY = { env = "OTHER" }, PLAIN = "plain-text" }
`,
    {
      env: {
        SIGN: "0123456789abcdefgh",
        OTHER: "other-secret",
        HOOK: "https://hooks.example.com/referenced-secret",
      },
    },
  );
  const { secrets, config } = loaded!;
  for (
    const secret of [
      "mail secret",
      "hook-secret",
      "query-secret",
      "0123456789abcdefgh",
      "header-secret",
      "other-secret",
      "slack-secret",
      "referenced-secret",
    ]
  ) {
    assert.ok(secrets.has(secret), secret);
  }
  for (const plain of ["application/json", "plain-text", "services", "a.example"]) {
    assert.ok(!secrets.has(plain), plain);
  }
  const [, hook] = config.notices.map(({ target }) => target as WebhookTarget);
  assert.ok(hook !== undefined);
  assert.equal(hook.url, "https://a.example/x?token=query-secret");
  assert.equal(hook.headers["Authorization"], `Basic ${btoa("user:hook-secret")}`);
  assert.deepEqual(
    config.notices.map(({ target }) =>
      target.to === "webhook" && (target as WebhookTarget).isUrlSecret
    ),
    [false, false, true, true, false],
  );
});

test("loadConfig() checks the channels that a job names", async () => {
  const job = '[jobs.a]\nrun = "true"\nnotify = ["ops"]\n';
  const { problems } = await loadText(`${job}[notices.ops]\n${EXEC}`);
  assert.deepEqual(problems, []);
});

test("loadConfig() reads where a log is", async () => {
  const target = async (text: string) => (await channelOf(`to = "syslog"\n${text}`)).target;
  assert.deepEqual(await target(""), {
    to: "syslog",
    address: { type: "local" },
    facility: "daemon",
  });
  assert.deepEqual(await target('address = "udp://[::1]"\nfacility = "local0"'), {
    to: "syslog",
    address: { type: "udp", host: "::1", port: 514 },
    facility: "local0",
  });
  assert.deepEqual(await target('address = "unix:/run/log"'), {
    to: "syslog",
    address: { type: "socket", path: "/run/log" },
    facility: "daemon",
  });
});

test("loadConfig() takes a single text where a list is meant", async () => {
  const { rules, target } = await channelOf(
    'to = "mail"\nsendmail = true\nrecipients = "root"\non = "failed"\njobs = "shop-*"\nquiet = "sat-sun"\n',
  );
  assert.deepEqual([rules.on, rules.jobs, rules.quiet], [["failed"], ["shop-*"], ["sat-sun"]]);
  assert.deepEqual(isMail(target) && target.recipients, ["root"]);
});

test("loadConfig() lists every key of a job when it finds an unknown one", async () => {
  const { loaded } = await loadText('[jobs.a]\nrun = "true"\nzzzzzzzzz = 1');
  assert.match(loaded!.problems[0]!.hint!, /Known keys here: .*drain.*notify.*expect.*silence/);
});
