import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

const VISIT = { "sec-fetch-site": "none", "accept": "text/html" };

/** Open the URL of `jobctl open` as a browser does, and return the secret of its session. */
async function openUrl(daemon: Daemon): Promise<string> {
  const { stdout, stderr } = await daemon.jobctl(["open", "-o", "name"]);
  assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\/login\?code=[\w-]{43}\n$/, stderr);
  const response = await fetch(stdout.trim(), { redirect: "manual", headers: VISIT });
  assert.equal(response.status, 303);
  assert.equal(response.headers.get("location"), "/");
  return /=([\w-]+);/.exec(response.headers.get("set-cookie") ?? "")![1]!;
}

/** Ask the API with a session. */
async function ask(daemon: Daemon, secret: string, path = "/api/v1/caller"): Promise<Response> {
  const cookie = `jobctl-${daemon.httpPort}=${secret}`;
  return await fetch(`http://127.0.0.1:${daemon.httpPort}${path}`, {
    headers: { cookie, "sec-fetch-site": "same-origin" },
  });
}

test("jobctl open logs a browser in; the session outlives a restart, and ends when revoked", async () => {
  let daemon = await startDaemon();
  try {
    const secret = await openUrl(daemon);
    const caller = await (await ask(daemon, secret)).json() as Record<string, string>;
    assert.equal(caller["role"], "admin");
    daemon = await daemon.restart();
    assert.equal((await ask(daemon, secret)).status, 200);
    const listed = await daemon.jobctl(["sessions", "-o", "name"]);
    assert.equal(listed.stdout, `${caller["session_id"]}\n`);
    const revoked = await daemon.jobctl(["sessions", "revoke", listed.stdout.slice(0, 8)]);
    assert.equal(revoked.code, 0, revoked.stderr);
    await until("it is refused", async () => (await ask(daemon, secret)).status === 401);
    assert.equal(daemon.log().includes(secret), false);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("the store and its backups have no secret of a session or a code", async () => {
  const daemon = await startDaemon();
  try {
    const { stdout } = await daemon.jobctl(["open", "-o", "name"]);
    const code = /code=(.*)/.exec(stdout)![1]!;
    const secret = await openUrl(daemon);
    const file = join(daemon.dir, "backup");
    const backup = await daemon.jobctl(["store", "backup", file]);
    assert.equal(backup.code, 0, backup.stderr);
    const text = readFileSync(file, "utf8");
    assert.match(text, /session:/);
    assert.equal(text.includes(code) || text.includes(secret), false);
  } finally {
    await daemon.stop({ force: true });
  }
});
