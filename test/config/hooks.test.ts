import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../src/config/values/problems.ts";
import { loadProject } from "../../src/tools/load_project.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { loadText } from "../support/worlds/config_world.ts";

const SECRET = "0123456789abcdef";
const HEAD = `[jobs.deploy]
run = "deploy"
params = "ref: string, by?: string"
[jobs.deploy.hook]
`;
const GITHUB = `verify = "github"\nsecret = { env = "S" }\n`;

/** Problems of a whole project: the configuration and its jobs. */
async function problemsOf(toml: string, files: Readonly<Record<string, string>> = {}) {
  return await withTempDir({ "config.toml": toml, ...files }, async (dir) => {
    const env = { S: SECRET, SHORT: SECRET.slice(1) };
    const { problems, warnings, jobs } = await loadProject(`${dir.path}/config.toml`, {
      ...{ env, cwd: dir.path, nowMs: 0 },
    });
    const lines = (found: typeof problems) =>
      found.map((one) => formatProblem(one).replaceAll(`${dir.path}/`, ""));
    return { problems: lines(problems), warnings: lines(warnings), jobs };
  });
}

test("a hook is read with its sources, conditions and secrets", async () => {
  const { loaded, problems, job } = await loadText(
    `${HEAD}verify = "stripe"
secret = [{ env = "A" }, { file = "secret" }]
arguments = { ref = "$.data.object['the ref']", by = "header:X-By" }
only = { "$.type" = ["paid", 3, true], "query:env" = "prod" }
replay_window = "10m"
`,
    { env: { A: SECRET }, files: { secret: "fedcba9876543210\n" } },
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(job("deploy").hook, {
    form: "stripe",
    secrets: [SECRET, "fedcba9876543210"],
    header: "authorization",
    replayWindowMs: 600_000,
    arguments: [
      {
        name: "ref",
        from: {
          text: "$.data.object['the ref']",
          part: "body",
          path: ["data", "object", "the ref"],
        },
      },
      { name: "by", from: { text: "header:X-By", part: "header", name: "x-by" } },
    ],
    conditions: [
      { from: { text: "$.type", part: "body", path: ["type"] }, values: ["paid", 3, true] },
      { from: { text: "query:env", part: "query", name: "env" }, values: ["prod"] },
    ],
  });
  assert.ok(loaded!.secrets.has(SECRET) && loaded!.secrets.has("fedcba9876543210"));
  assert.ok(!JSON.stringify(job("deploy").options).includes(SECRET));
});

const REFUSED: readonly (readonly [what: string, hook: string, problem: RegExp])[] = [
  [
    "without a form",
    'secret = { env = "S" }',
    /^config.toml:4:14: jobs.deploy.hook: verify is missing/,
  ],
  ["without a secret", 'verify = "github"', /jobs.deploy.hook: secret is missing \(Write/],
  ["of an unknown form", 'verify = "gitlab"\nsecret = { env = "S" }', /wanted one of "github"/],
  [
    "with a weak secret",
    'verify = "github"\nsecret = { env = "SHORT" }',
    /found 15 characters, wanted at least 16 \(Make one: openssl rand/,
  ],
  [
    "with a secret of Standard Webhooks that is not base64",
    'verify = "standard"\nsecret = "whsec_####not-base64####"',
    /found something else than "whsec_" and base64/,
  ],
  [
    "with a short key of Standard Webhooks",
    'verify = "standard"\nsecret = "whsec_MDEyMzQ1Njc4OWFi"',
    /a key of 12 bytes, wanted at least 16/,
  ],
  [
    "with too many secrets",
    `verify = "github"\nsecret = [${`"${SECRET}",`.repeat(6)}]`,
    /at most 5/,
  ],
  ["with an unknown key", `${GITHUB}argument = {}`, /Did you mean "jobs.deploy.hook.arguments"/],
  ["with a window and no time", `${GITHUB}replay_window = "1m"`, /works only with a signed time/],
  ["with a header and no token", `${GITHUB}header = "x-a"`, /works only with verify = "token"/],
  [
    "with an impossible header",
    'verify = "token"\nsecret = { env = "S" }\nheader = "a b"',
    /wanted the name of a header/,
  ],
  [
    "with a path of several values",
    `${GITHUB}arguments = { ref = "$..ref" }`,
    /^config.toml:7:21: jobs.deploy.hook.arguments.ref: .*selects several values/,
  ],
  ["with a source of nothing", `${GITHUB}arguments = { ref = "ref" }`, /Write "\$.name" for a mem/],
  ["with a source that is not text", `${GITHUB}arguments = { ref = 5 }`, /found 5, wanted a path/],
  [
    "with a wrong condition",
    `${GITHUB}only = { "$.a[*]" = "x" }`,
    /hook.only."\$.a\[\*\]": .*selects several values/,
  ],
  ["with a condition without values", `${GITHUB}only = { "$.a" = [] }`, /that is not empty/],
  [
    "that stores the header of its token",
    'verify = "token"\nsecret = { env = "S" }\nheader = "X-T"\narguments = { ref = "header:x-t" }',
    /hook.arguments: found "header:x-t", which is a secret/,
  ],
  [
    "that compares a secret header",
    `${GITHUB}only = { "header:Authorization" = "x" }`,
    /hook.only: found "header:Authorization", which is a secret/,
  ],
  ["with a number in a header", `${GITHUB}only = { "header:a" = 5 }`, /headers and parameters are/],
];

for (const [what, hook, problem] of REFUSED) {
  test(`a hook ${what} disables its job`, async () => {
    const { problems, jobs } = await problemsOf(HEAD + hook);
    assert.match(problems[0] ?? "", problem);
    assert.deepEqual(jobs, []);
    assert.ok(!problems.join().includes(SECRET.slice(1)));
  });
}

test("arguments of a hook are compared with the job's", async () => {
  const with_ = async (line: string) => (await problemsOf(`${HEAD}${GITHUB}${line}`)).problems[0];
  assert.equal(await with_('arguments = { ref = "$.ref" }'), undefined);
  assert.equal(await with_('arguments = ["$.ref", "$.by"]'), undefined);
  assert.match(
    (await with_('arguments = { reff = "$.ref" }'))!,
    /^config.toml:7:22: jobs.deploy.hook.arguments: Cannot pass argument "reff".*mean "ref"/,
  );
  assert.match((await with_('arguments = ["$.a", "$.b", "$.c"]'))!, /Cannot pass argument 3/);
  assert.match((await with_(""))!, /needs argument "ref".*hook.arguments = \{ ref = "\$.ref" \}/);
  assert.match((await with_('arguments = { by = "$.by" }'))!, /needs argument "ref"/);
});

test("members of the only parameter of a module count as arguments", async () => {
  const modules = {
    "jobs/a.ts": "export default function a({ ref, by }: { ref: string; by?: string }) {}",
  };
  const toml = (line: string) => `modules = ["jobs"]\n[jobs.a.hook]\n${GITHUB}${line}`;
  const { problems, jobs } = await problemsOf(toml('arguments = { ref = "$.ref" }'), modules);
  assert.deepEqual(problems, []);
  assert.deepEqual(jobs[0]!.hook!.arguments.map(({ isRequired }) => isRequired), [true]);
  const lacking = await problemsOf(toml('arguments = { by = "$.by" }'), modules);
  assert.match(lacking.problems[0]!, /needs argument "ref"/);
});

test("an argument of a command without params is refused with the remedy", async () => {
  const toml = `[jobs.a]\nrun = "a"\n[jobs.a.hook]\n${GITHUB}arguments = { ref = "$.ref" }`;
  assert.match((await problemsOf(toml)).problems[0]!, /it takes none.*params = "ref: string"/);
});

test("a hook of an external job is refused", async () => {
  const toml = `[jobs.a]\nexternal = true\nschedule = "@daily"\n[jobs.a.hook]\n${GITHUB}`;
  assert.match((await problemsOf(toml)).problems[0]!, /hook.verify: works only with jobs that run/);
});

test("a hook without an HTTP listener is a warning", async () => {
  const toml = `[server]\nhttp = ""\n${HEAD}${GITHUB}arguments = { ref = "$.ref" }`;
  const { problems, warnings } = await problemsOf(toml);
  assert.deepEqual(problems, []);
  assert.match(warnings[0]!, /jobs.deploy.hook: .*server.http is off/);
});
