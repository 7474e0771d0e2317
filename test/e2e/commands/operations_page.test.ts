import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { freePort } from "../../support/servers/server_process.ts";

const PAGE = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** The block of the page that contains `text`. */
function blockWith(text: string): string {
  const block = [...PAGE.matchAll(/```\w+\n([^]*?)```/g)].find(([, body]) => body!.includes(text));
  assert.ok(block, `docs/operations.md has no block with ${text}`);
  return block[1]!;
}

test("docs/operations.md keeps the database in the folder that the unit makes", () => {
  assert.ok(blockWith("url = ").includes("/var/lib/jobctl/"));
});

test("the backup job of docs/operations.md works as it stands there", async () => {
  const runtime = mkdtempSync(join(tmpdir(), "jobctl-docs-"));
  chmodSync(runtime, 0o700);
  const folder = join(runtime, "backup");
  mkdirSync(folder, { mode: 0o700 });
  const port = await freePort();
  const job = blockWith("[jobs.save]")
    .replace("/usr/local/bin/jobctl", `${JOBCTL} --port ${port}`)
    .replace("/backup/", `${folder}/`);
  const [env] = /env = \{ XDG_RUNTIME_DIR = .*? \}/.exec(PAGE) ?? [];
  assert.ok(env, "the page does not name the job's env");
  const daemon = await startDaemon({
    toml: `[server]\nport = ${port}\n${job}${env.replace('"/run"', JSON.stringify(runtime))}\n`,
    env: {
      XDG_RUNTIME_DIR: runtime,
      JOBCTL_SERVER_PORT: undefined,
      JOBCTL_SERVER_SOCKET: undefined,
      JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined,
    },
  });
  try {
    const { instance } = await daemon.client().scheduleJob({ kind: "save" });
    const { instance: ended } = await daemon.client().waitInstance({
      uuid: instance!.uuid,
      waitMs: 30_000n,
    }, { timeoutMs: 40_000 });
    assert.equal(ended!.error ?? "", "");
    const day = new Date().toLocaleDateString("en", { weekday: "short" });
    assert.ok(existsSync(join(folder, `jobs-${day}.jsonl.gz`)), "the file is missing");
  } finally {
    await daemon.stop();
    rmSync(runtime, { recursive: true, force: true });
  }
});
