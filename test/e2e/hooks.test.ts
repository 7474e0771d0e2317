import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

const PAGE = readFileSync(new URL("../../docs/hooks.md", import.meta.url), "utf8");
const MARK = "---- next ----";
const SECRETS = {
  github: "the-secret-of-github-0123456789",
  "github-new": "the-next-secret-of-github-0123",
  stripe: "whsec_the-secret-of-stripe-0123",
  standard: `whsec_${Buffer.from("thirty-two-bytes-of-a-secret-key").toString("base64")}`,
  rebuild: "the-token-of-rebuild-0123456789",
  gitlab: "the-token-of-gitlab-0123456789",
};

/** Write secrets into a folder. Returns the path of one. */
function writeSecrets(dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, secret] of Object.entries(SECRETS)) {
    writeFileSync(join(dir, name), `${secret}\n`, { mode: 0o600 });
  }
}

/** True if a text is what the page shows, whatever its blanks are. */
function isShown(text: string, shown: string): boolean {
  const parts = shown.replaceAll(/\s/g, "").split("…")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*?")}$`).test(text.replaceAll(/\s/g, ""));
}

test("the examples of docs/hooks.md do what the page says", async () => {
  await withTempDir({}, async ({ path }) => {
    const secrets = join(path, "secrets");
    writeSecrets(secrets);
    const here = (text: string) => text.replaceAll("/run/secrets", secrets);
    const toml = [...PAGE.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text]) => text).join("\n");
    const daemon = await startDaemon({ toml: here(toml) });
    try {
      const blocks = [...PAGE.matchAll(/```sh\n([\s\S]*?)```\n(?:\n```json\n([\s\S]*?)```)?/g)];
      assert.ok(blocks.length >= 7);
      const script = here(blocks.map(([, command]) => command).join(`\necho "${MARK}"\n`))
        .replace("http://127.0.0.1:59052", `http://127.0.0.1:${daemon.httpPort}`);
      const { stdout } = await promisify(execFile)("bash", ["-euc", script], { timeout: 60_000 });
      const outputs = stdout.split(`${MARK}\n`);
      blocks.forEach(([, command, shown = ""], index) => {
        assert.ok(isShown(outputs[index]!, shown), `${command}\nprinted\n${outputs[index]}`);
      });
      const client = daemon.client();
      const { instances } = await client.lookupInstances({});
      const runs = instances.map(({ kind, arguments: given }) => [kind, ...given]);
      assert.deepEqual(runs.sort(), [
        ["deploy", "refs/heads/main", "alice", "push"],
        ["invoice-paid", "in_42"],
        ["pages", "refs/heads/main", "a/b"],
        ["rebuild", "blog"],
        ["user-created", "bob@example.com"],
      ]);
      await daemon.logged(/the secrets differ, or a proxy has changed the body/);
      for (const secret of Object.values(SECRETS)) assert.ok(!daemon.log().includes(secret));
    } finally {
      await daemon.stop();
    }
  });
});

const TOML = `[jobs.deploy]
run = "echo \\"$1\\""
params = "ref: string"
[jobs.deploy.hook]
verify = "github"
secret = { file = "secret" }
arguments = { ref = "$.ref" }
`;
const SECRET = "a-secret-of-the-daemon-0123";

let daemon: Daemon;

before(async () => {
  daemon = await startDaemon({ toml: TOML, modules: { "../secret": SECRET } });
});

after(async () => {
  await daemon.stop({ force: true });
});

async function deliver(ref: string, secret = SECRET) {
  const body = JSON.stringify({ ref });
  const hex = createHmac("sha256", secret).update(body).digest("hex");
  const response = await fetch(`http://127.0.0.1:${daemon.httpPort}/hooks/deploy`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${hex}` },
    body,
  });
  const { id = "" } = await response.json() as { readonly id?: string };
  return { status: response.status, id };
}

test("jobctl shows the hook of a job, and never its secret", async () => {
  const { stdout } = await daemon.ask(["describe", "job", "deploy"]);
  const { hook } = JSON.parse(stdout) as { readonly hook: Readonly<Record<string, unknown>> };
  assert.deepEqual(hook, {
    path: "/hooks/deploy",
    url: `http://127.0.0.1:${daemon.httpPort}/hooks/deploy`,
    verify: "github",
    passes: ["ref = $.ref"],
    only: [],
  });
  const text = await daemon.ask(["describe", "job", "deploy", "-o", "table"]);
  assert.match(text.stdout, /Hook: +POST http:\S+\/hooks\/deploy \(github\)/);
  assert.match(text.stdout, /Hook passes: +ref = \$\.ref/);
  const all = await daemon.ask(["list", "jobs", "-o", "json"]);
  assert.ok(!`${stdout}${text.stdout}${all.stdout}${daemon.log()}`.includes(SECRET));
});

test("a delivery that comes many times at once starts one run", async () => {
  const found = await Promise.all(Array.from({ length: 20 }, () => deliver("at-once")));
  assert.deepEqual(found.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
  assert.equal(new Set(found.map(({ id }) => id)).size, 1);
});

test("what was accepted survives a kill, and is accepted once after it", async () => {
  const accepted = await Promise.all(
    Array.from({ length: 10 }, (_, index) => deliver(`killed-${index}`)),
  );
  assert.deepEqual(new Set(accepted.map(({ status }) => status)), new Set([201]));
  await daemon.kill();
  daemon = await daemon.restart();
  for (const [index, { id }] of accepted.entries()) {
    const { instance } = await daemon.client().getInstance({ uuid: id });
    assert.deepEqual(instance!.arguments, [`killed-${index}`]);
    assert.deepEqual(await deliver(`killed-${index}`), { status: 200, id });
  }
});

test("a reload adds, changes and removes a hook, and reads its secret again", async () => {
  const config = join(daemon.dir, "config.toml");
  const text = readFileSync(config, "utf8");
  const reload = async (toml: string) => {
    writeFileSync(config, toml);
    const { code, stderr } = await daemon.ask(["reload"]);
    assert.equal(code, 0, stderr);
  };
  const next = "the-next-secret-of-the-daemon";
  writeFileSync(join(daemon.dir, "secret"), next, { mode: 0o600 });
  assert.equal((await deliver("before", next)).status, 401);
  await reload(text);
  assert.equal((await deliver("before")).status, 401);
  assert.equal((await deliver("before", next)).status, 201);
  await reload(text.replace('"$.ref"', '"$.other"'));
  assert.equal((await deliver("changed", next)).status, 422);
  await reload(text.slice(0, text.indexOf("[jobs.deploy.hook]")));
  assert.equal((await deliver("removed", next)).status, 404);
  await reload(text);
  assert.equal((await deliver("added", next)).status, 201);
});

test("the arguments of a command are checked as those of other callers are", async () => {
  assert.equal((await deliver("--help", "the-next-secret-of-the-daemon")).status, 422);
});
