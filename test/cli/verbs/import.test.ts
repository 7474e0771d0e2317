import assert from "node:assert/strict";
import test from "node:test";
import { withTempDir } from "../../support/temp_dir.ts";
import { cli } from "../../support/worlds/cli_world.ts";

// Reports and refusals of import and export.

test("export crontab reports a job in another zone where the dialect has no CRON_TZ", async () => {
  const toml = `[jobs.a]
run = "x"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"
overlap = "allow"
misfire = "skip"
`;
  await withTempDir({ "config.toml": toml }, async ({ path }) => {
    const run = (...options: string[]) =>
      cli(["export", "crontab", "-c", "config.toml", "--timezone", "UTC", ...options], {
        cwd: path,
      });
    const debian = await run("--dialect", "debian");
    assert.equal(debian.code, 3);
    assert.doesNotMatch(debian.stdout, /CRON_TZ/);
    assert.match(debian.stderr, /config\.toml: jobs\.a: left out: Debian's cron has one time zone/);
    const cronie = await run("--dialect", "cronie");
    assert.deepEqual([cronie.code, cronie.stderr], [0, ""]);
    assert.match(cronie.stdout, /^CRON_TZ=Europe\/Berlin$/m);
    const system = await run("--dialect", "busybox", "--system");
    assert.equal(system.code, 2);
    assert.match(system.stderr, /busybox crond reads only users' crontabs/);
  });
});

test("import systemd requires a unit", async () => {
  const run = await cli(["import", "systemd"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /UNIT is missing/);
  assert.match(run.stderr, /Usage: jobctl import systemd UNIT \[options\]/);
});

test("import crontab --user names the file that does not exist", async () => {
  await withTempDir({}, async ({ path }) => {
    const run = await cli(["import", "crontab", "--user", "www-data", "--spool", path]);
    assert.equal(run.code, 4);
    assert.ok(run.stderr.includes(`there is no file ${path}/www-data\n`), run.stderr);
    assert.doesNotMatch(run.stderr, /Only root/);
  });
});

test("import crontab --verify counts the lines that are left out", async () => {
  const good = "0 1 * * * good\n";
  const bad = "61 * * * * bad\n";
  const files = { good, one: good + bad, bad };
  await withTempDir(files, async ({ path }) => {
    const verified = async (file: string, dialect: string) => {
      const argv = ["import", "crontab", file, "--timezone", "UTC", "--dialect", dialect];
      const { stderr } = await cli([...argv, "--verify"], { cwd: path });
      // What is said of mail depends on whether this host has sendmail.
      const line = stderr.split("\n").find((one) => one.startsWith("Verified"));
      return line?.replace(/\d+ runs/, "N runs");
    };
    const same = "Verified over 366 days: 1 of 1 line is the same, N runs";
    assert.equal(await verified("good", "debian"), same);
    assert.equal(await verified("one", "cronie"), `${same}, 1 line was left out`);
    const none = "Verified nothing: no line was imported";
    assert.equal(await verified("bad", "cronie"), `${none}, 1 line was left out`);
    assert.equal(await verified("one", "debian"), `${none}, 2 lines were left out`);
  });
});
