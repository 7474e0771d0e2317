import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { runJobctl } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

/**
 * A pipe, a device or a huge file in place of a file that the configuration names holds up nothing.
 */

const JOB = '[jobs.x]\nrun = "true"\n';
const LISTENER = `${JOB}[server.auth]\nmode = "mtls"\n[server.tls]\n`;
const TLS = 'cert = "pipe"\nkey = "pipe"\nclient_ca = "pipe"\n';
const PIPE = /it is not a regular file/;

const CASES: Readonly<Record<string, { readonly toml: string; readonly refused: RegExp }>> = {
  "a pipe as env_file": { toml: `${JOB}env_file = "pipe"\n`, refused: PIPE },
  "a pipe as env_file that need not exist": { toml: `${JOB}env_file = "-pipe"\n`, refused: PIPE },
  "a pipe as a secret": { toml: `${JOB}env = { KEY = { file = "pipe" } }\n`, refused: PIPE },
  "a pipe as an included file": { toml: `include = ["more/*.toml"]\n${JOB}`, refused: PIPE },
  "pipes as TLS files": { toml: LISTENER + TLS, refused: PIPE },
  "a pipe as the revoked certificates": {
    toml: `${LISTENER}${TLS}revoked = "pipe"\n`,
    refused: /list of revoked certificates ".*pipe": it is not a regular file/,
  },
  "a file of 65 KiB as env_file": {
    toml: `${JOB}env_file = "large"\n`,
    refused: /the secret file ".*large" has more than 64 KiB/,
  },
};

test("a pipe as a token file does not make a client wait", async () => {
  await withTempDir({}, async ({ path }) => {
    execFileSync("mkfifo", [join(path, "pipe")]);
    const args = ["status", "--port", "1", "--token-file", "pipe"];
    const { code, stderr } = await runJobctl(args, { cwd: path });
    assert.equal(code, 5, stderr);
    assert.match(stderr, PIPE);
  });
});

test("a pipe as the configuration makes neither a check nor a trial start wait", async () => {
  await withTempDir({}, async ({ path }) => {
    execFileSync("mkfifo", [join(path, "pipe")]);
    for (const args of [["check"], ["serve", "--dry-run"], ["next", "report"]]) {
      const { code, stdout, stderr } = await runJobctl([...args, "-c", "pipe"], { cwd: path });
      assert.equal(code, 2, stderr);
      assert.match(stdout + stderr, PIPE);
    }
  });
});

test("nothing in place of a file makes a check wait, and each is named", async () => {
  const files = { "more/.keep": "", "large": `A=${"x".repeat(65 * 1024)}` };
  await withTempDir(files, async ({ path, write }) => {
    execFileSync("mkfifo", [join(path, "pipe"), join(path, "more", "pipe.toml")]);
    const results = await Promise.all(
      Object.entries(CASES).map(async ([name, { toml, refused }], index) => {
        write(`${index}.toml`, toml);
        const args = ["check", "--config", `${index}.toml`, "-o", "json"];
        const { code, stdout, stderr } = await runJobctl(args, { cwd: path });
        return { name, refused, code, text: (stdout + stderr).replaceAll('\\"', '"') };
      }),
    );
    for (const { name, refused, code, text } of results) {
      assert.equal(code, 2, `${name}: ${text}`);
      assert.match(text, refused, name);
    }
  });
});
