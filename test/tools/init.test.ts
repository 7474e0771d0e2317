import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { checkConfig } from "../../src/tools/check.ts";
import { initProject } from "../../src/tools/init.ts";
import { asWindows } from "../support/as_windows.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

test("initProject() writes a project that loads without problems", async () => {
  await withTempDir({}, async ({ path }) => {
    const { written, next } = initProject(`${path}/new`);
    assert.deepEqual(written.map((file) => file.slice(path.length)), [
      "/new/config.toml",
      "/new/jobs/greet.ts",
      "/new/ts-job.d.ts",
    ]);
    assert.equal(next[0], `jobctl check --config ${path}/new/config.toml`);
    const result = await checkConfig(written[0]!, { env: {}, cwd: path, nowMs: 0 });
    assert.deepEqual([...result.problems, ...result.warnings], []);
    assert.deepEqual(result.jobs.map(({ kind, usage }) => [kind, usage]), [
      ["disk", "disk"],
      ["greet", "greet <name: string> [times: number = 1]"],
    ]);
  });
});

test("initProject() writes on Windows what works there", async () => {
  await withTempDir({}, async ({ path }) => {
    const result = await asWindows(async () => {
      const [config] = initProject(`${path}/new`, { isWindows: true }).written;
      return await checkConfig(config!, { env: {}, cwd: path, nowMs: 0 });
    });
    assert.deepEqual([...result.problems, ...result.warnings], []);
    assert.deepEqual(result.jobs.map(({ kind }) => kind), ["greet"]);
  });
});

test("initProject() writes an example of a channel that loads without its comment signs", () => {
  return withTempDir({}, async ({ path }) => {
    const [config] = initProject(path).written;
    const text = readFileSync(config!, "utf8");
    const example = /^# \[notices\.ops\]\n(?:# .*\n)+/m.exec(text)![0];
    const { loaded, problems } = await loadText(
      text.replace(example, example.replaceAll(/^# /gm, "")).replace('modules = ["jobs"]', ""),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(loaded!.config.notices.map(({ target }) => target.to), ["mail"]);
  });
});

test("initProject() writes the configuration of the service, and ends with its installation", async () => {
  await withTempDir({}, async ({ path }) => {
    const { written, next } = initProject(path, { service: "systemd" });
    const { loaded, problems } = await loadText(
      readFileSync(written[0]!, "utf8").replace('modules = ["jobs"]', "")
        .replace(/\[jobs\.greet\]\n.*\n.*\n/, ""),
    );
    assert.deepEqual(problems, []);
    const { store, server } = loaded!.config;
    assert.deepEqual(store.address, { type: "sqlite", path: "/var/lib/jobctl/jobctl.db" });
    assert.equal(server.auth.tokensFile, "/var/lib/jobctl/tokens.json");
    const config = `${path}/config.toml`;
    assert.equal(next[0], `sudo jobctl check --config ${config}`);
    assert.equal(next.at(-1), `sudo jobctl install-service --config ${config}`);
    assert.ok(next.every((command) => command.startsWith("sudo ")));
  });
});

test("initProject() writes nothing when one of its files is there", async () => {
  await withTempDir({ "jobs/greet.ts": "mine" }, ({ path }) => {
    assert.throws(() => initProject(path), (error: unknown) => {
      assert.ok(isJobError(error, "already_exists"));
      assert.match(error.message, /jobs\/greet\.ts already exists/);
      return true;
    });
    assert.equal(existsSync(`${path}/config.toml`), false);
    assert.equal(readFileSync(`${path}/jobs/greet.ts`, "utf8"), "mine");
  });
});

test("initProject() names every file that is there", async () => {
  await withTempDir({ "jobs/greet.ts": "mine", "config.toml": "mine" }, ({ path }) => {
    assert.throws(() => initProject(path), /config\.toml, \S+\/jobs\/greet\.ts already exist$/);
  });
});

test("initProject() overwrites with force", async () => {
  await withTempDir({ "config.toml": "old" }, ({ path }) => {
    initProject(path, { force: true });
    assert.match(readFileSync(`${path}/config.toml`, "utf8"), /^# Configuration of jobctl/);
  });
});

test("initProject() names the directory that cannot be written", async () => {
  await withTempDir({ file: "" }, ({ path }) => {
    assert.throws(() => initProject(`${path}/file`), /Cannot write a project to ".*\/file"/);
  });
});
