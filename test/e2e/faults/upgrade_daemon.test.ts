import assert from "node:assert/strict";
import { copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { type Daemon, JOBCTL, runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { sleep } from "../../support/wait.ts";

const JOBS = `
[worker]
# Time enough for a trial on a busy machine, while commands wait.
lease = "60s"
[jobs.talk]
run = "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.5; done"
[jobs.tick]
run = "true"
schedule = "* * * * * *"
misfire = "all"
# On a busy machine, one may still run when the next is due.
overlap = "allow"
`;

/** Run a daemon of a program that can be replaced: a copy of the compiled file. */
async function withProgram(
  toml: string,
  body: (daemon: Daemon, program: string) => Promise<void>,
  modules: Readonly<Record<string, string>> = {},
): Promise<void> {
  await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    copyFileSync(JOBCTL, program);
    const env = { JOBCTL_SERVER_AUTH_MODE: "none" };
    const daemon = await startDaemon({ toml, program: [program], env, modules });
    try {
      await body(daemon, program);
    } finally {
      await daemon.stop({ force: true });
    }
  });
}

async function startedAt(daemon: Daemon): Promise<string> {
  const { code, stdout, stderr } = await daemon.jobctl(["status"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).started_at;
}

async function instances(daemon: Daemon, kind: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await daemon.jobctl(["list", "instances", "--kind", kind, "--limit", "100"]);
  return JSON.parse(stdout);
}

test("serve --dry-run tries a start beside the daemon that has the store", async () => {
  const daemon = await startDaemon({ toml: JOBS });
  try {
    const args = ["serve", "--config", "config.toml", "--dry-run"];
    const env = { JOBCTL_STORE_URL: `sqlite:${join(daemon.dir, "data", "jobctl.db")}` };
    const tried = await daemon.jobctl(args, { env });
    assert.equal(tried.code, 0, tried.stderr);
    const { version } = JSON.parse((await daemon.jobctl(["version", "--verbose"])).stdout);
    assert.deepEqual(JSON.parse(tried.stdout), {
      version,
      jobs: 2,
      problems: 0,
      takes_sockets: true,
    });
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

test("upgrade-daemon runs the new file in the same process; commands and clients go on", async () => {
  await withProgram(JOBS, async (daemon, program) => {
    const before = await startedAt(daemon);
    const following = daemon.jobctl(["schedule", "talk", "--wait", "--follow", "-o", "table"]);
    while (!/line 1/.test(JSON.stringify(await logs(daemon)))) await sleep(50);
    copyFileSync(JOBCTL, `${program}.new`);
    renameSync(`${program}.new`, program);
    // The daemon has another port if it was given none.
    const { code, stdout, stderr } = await daemon.jobctl(["upgrade-daemon"]);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).is_upgraded, true);
    assert.notEqual(await startedAt(daemon), before);
    const followed = await following;
    assert.equal(followed.code, 0, followed.stderr);
    const lines = followed.stderr.matchAll(/line (\d)/g);
    assert.equal([...lines].map(([, number]) => number).join(""), "12345678");
    const [talk] = await instances(daemon, "talk");
    assert.deepEqual([talk!.state, talk!.attempts], ["completed", 1]);
    const ticks = (await instances(daemon, "tick")).map(({ scheduled_for: at }) => String(at));
    const seconds = ticks.map((at) => Date.parse(at) / 1_000).sort((a, b) => a - b);
    assert.deepEqual(seconds, Array.from(seconds, (_, index) => seconds[0]! + index));
  });
});

test("upgrade-daemon goes back to what runs if the configuration breaks after the trial", async () => {
  const wait = `
    import { existsSync } from "node:fs";
    export default async (file: string) => {
      while (!existsSync(file)) await new Promise((done) => setTimeout(done, 20));
    };`;
  await withProgram(JOBS, async (daemon) => {
    const file = join(daemon.dir, "go");
    assert.equal((await daemon.jobctl(["schedule", "wait", file])).code, 0);
    assert.equal((await daemon.jobctl(["schedule", "talk"])).code, 0);
    while ((await instances(daemon, "wait"))[0]?.state !== "processing") await sleep(20);
    while (!/line 1/.test(JSON.stringify(await logs(daemon)))) await sleep(50);
    const before = await startedAt(daemon);
    const upgrade = daemon.jobctl(["upgrade-daemon"]);
    while (!JSON.parse((await daemon.jobctl(["status"])).stdout).is_draining) await sleep(20);
    writeFileSync(join(daemon.dir, "config.toml"), "nonsense = 1\n");
    writeFileSync(file, "");
    const { code, stdout } = await upgrade;
    const { is_upgraded: isUpgraded, problem } = JSON.parse(stdout);
    assert.deepEqual([code, isUpgraded], [1, false]);
    assert.match(problem, /does not start: .*config\.toml/);
    assert.notEqual(await startedAt(daemon), before);
    const status = await daemon.jobctl(["status", "-o", "table"]);
    assert.match(status.stdout, /Upgrade:\s+the last one failed: .*config\.toml/);
    while ((await instances(daemon, "talk"))[0]?.state === "processing") await sleep(50);
    const [talk] = await instances(daemon, "talk");
    assert.deepEqual([talk!.state, talk!.attempts], ["completed", 1]);
    assert.match(JSON.stringify(await logs(daemon)), /line 8/);
  }, { "wait.ts": wait });
});

async function logs(daemon: Daemon): Promise<unknown> {
  return (await daemon.jobctl(["logs", "--kind", "talk"])).stdout;
}

test("upgrade-daemon leaves the daemon as it is if its file does not start", async () => {
  await withProgram("", async (daemon, program) => {
    const before = await startedAt(daemon);
    const upgrade = async () => await daemon.jobctl(["upgrade-daemon"]);
    rmSync(program);
    const missing = await upgrade();
    assert.equal(missing.code, 6);
    assert.match(missing.stderr, /jobctl" does not start: there is no such file/);
    writeFileSync(program, "#!/bin/sh\necho 'error: broken' >&2; exit 1\n", { mode: 0o755 });
    const broken = await upgrade();
    assert.equal(broken.code, 6);
    assert.match(broken.stderr, /jobctl" does not start: broken/);
    rmSync(program);
    copyFileSync(JOBCTL, program);
    writeFileSync(join(daemon.dir, "config.toml"), "nonsense = 1\n");
    const refused = await upgrade();
    assert.equal(refused.code, 6);
    assert.match(refused.stderr, /does not start: .*config\.toml/);
    assert.equal(await startedAt(daemon), before);
  });
});

test("upgrade-daemon refuses another node", async () => {
  const daemon = await startDaemon();
  try {
    const { code, stderr } = await daemon.jobctl(["upgrade-daemon", "--node", "elsewhere"]);
    assert.equal(code, 6);
    assert.match(stderr, /Cannot upgrade node "elsewhere"/);
  } finally {
    await daemon.stop();
  }
});
