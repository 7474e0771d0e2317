import assert from "node:assert/strict";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const JOBS = `
[jobs.talk]
run = "echo line"
[jobs.tick]
run = "true"
schedule = "* * * * * *"
`;

test("serve --dry-run tries a start beside the daemon that has the store", async () => {
  const daemon = await startDaemon({ toml: JOBS });
  try {
    const args = ["serve", "--config", "config.toml", "--dry-run"];
    const env = { JOBCTL_STORE_URL: `sqlite:${join(daemon.dir, "data", "jobctl.db")}` };
    const tried = await daemon.jobctl(args, { env });
    assert.equal(tried.code, 0, tried.stderr);
    const { version } = JSON.parse((await daemon.jobctl(["version", "--verbose"])).stdout);
    assert.deepEqual(JSON.parse(tried.stdout), { version, jobs: 2, problems: 0 });
    writeFileSync(join(daemon.dir, "config.toml"), "nonsense = 1\n");
    const refused = await daemon.jobctl(args, { env });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /nonsense/);
  } finally {
    await daemon.stop();
  }
});

test("serve --dry-run refuses a SQLite file of a newer format, and creates none", async () => {
  await withTempDir({ "config.toml": "" }, async ({ path }) => {
    const file = join(path, "jobctl.db");
    const args = ["serve", "--config", "config.toml", "--store", `sqlite:${file}`, "--dry-run"];
    assert.equal((await runJobctl(args, { cwd: path })).code, 0);
    assert.ok(!existsSync(file));
    const fixture = new URL("../../fixtures/stores/0.1.0/jobctl.db", import.meta.url);
    copyFileSync(fixture, file);
    const db = new DatabaseSync(file);
    db.exec("PRAGMA user_version = 999");
    db.close();
    const refused = await runJobctl(args, { cwd: path });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /it has format \d+ of .*, which knows formats up to/);
  });
});
