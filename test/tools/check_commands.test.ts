import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { checkConfig } from "../../src/tools/check.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** What a check says about programs and folders, by key. */
function found(tables: string, files: Readonly<Record<string, string>> = {}) {
  return withTempDir({ "config.toml": tables, ...files }, async ({ path }) => {
    if (files["run.sh"]) chmodSync(`${path}/run.sh`, 0o644);
    if (files["bin/tool"]) chmodSync(`${path}/bin/tool`, 0o755);
    const toml = tables.replaceAll("HERE", path);
    return await withTempDir({ "config.toml": toml }, async ({ path: cwd }) => {
      const options = { env: {}, cwd, nowMs: 0 };
      const { problems, warnings } = await checkConfig(`${cwd}/config.toml`, options);
      assert.deepEqual(problems, []);
      return warnings.map(({ path: key, message, place }) =>
        `${place?.line} ${key}: ${message.replaceAll(path, "HERE")}`
      );
    });
  });
}

test("checkConfig() finds programs in the PATH that the job will have", async () => {
  const job = (name: string, rest: string) => `[jobs.${name}]\ncommand = ["tool"]\n${rest}\n`;
  assert.deepEqual(await found(job("a", "")), [
    '2 jobs.a.command: no program "tool" was found in PATH, which is /usr/bin:/bin',
  ]);
  assert.deepEqual(await found(job("a", 'env = { PATH = "HERE/bin" }'), { "bin/tool": "x" }), []);
  assert.deepEqual(await found('[jobs.a]\ncommand = ["sleep", "1"]\n'), []);
});

test("checkConfig() finds programs by their path, and says if they cannot be run", async () => {
  assert.deepEqual(await found('[jobs.a]\ncommand = ["/no/such"]\n'), [
    '2 jobs.a.command: there is no program "/no/such"',
  ]);
  const [refused] = await found('[jobs.a]\ncommand = ["HERE/run.sh"]\n', { "run.sh": "x" });
  assert.match(refused!, /^2 jobs\.a\.command: "HERE\/run\.sh" is not executable for /);
  const shell = '[jobs.a]\nrun = "true"\nshell = ["/no/bash", "-c"]\n';
  assert.deepEqual(await found(shell), ['3 jobs.a.shell: there is no program "/no/bash"']);
});

test("checkConfig() looks for the folder of a job, and for nothing in one that is missing", async () => {
  assert.deepEqual(await found('[jobs.a]\nrun = "true"\ncwd = "/no/folder"\n'), [
    '3 jobs.a.cwd: there is no folder "/no/folder"',
  ]);
  assert.deepEqual(await found('[jobs.a]\ncommand = ["b/c"]\ncwd = "/no/folder"\n'), [
    '3 jobs.a.cwd: there is no folder "/no/folder"',
  ]);
});

test("checkConfig() looks at the folder of a table with other problems, too", () =>
  withTempDir({
    "config.toml": '[jobs.a]\nrun = "true"\ncwd = "/no/folder"\ntimeuot = 5\n',
  }, async ({ path: cwd }) => {
    const { problems, warnings } = await checkConfig(`${cwd}/config.toml`, {
      env: {},
      cwd,
      nowMs: 0,
    });
    assert.deepEqual(problems.map(({ path }) => path), ["jobs.a.timeuot"]);
    assert.deepEqual(warnings.map(({ path }) => path), ["jobs.a.cwd"]);
  }));

test("checkConfig() finds the place of a key of a job whose kind has dots", () =>
  withTempDir({
    "config.toml": '[jobs.a]\nrun = "true"\n[jobs."a.b"]\nrun = "true"\ncwd = "/no/folder"\n',
  }, async ({ path: cwd }) => {
    const { warnings } = await checkConfig(`${cwd}/config.toml`, { env: {}, cwd, nowMs: 0 });
    assert.deepEqual(warnings.map(({ place }) => place?.line), [5]);
  }));

test("checkConfig() takes a missing program for an error if the daemon runs on this machine", () =>
  withTempDir({ "config.toml": '[jobs.a]\ncommand = ["no-such"]\n' }, async ({ path, write }) => {
    const shipped = new URL("../../contrib/systemd/jobctl.service", import.meta.url);
    const file = `${path}/config.toml`;
    const unit = readFileSync(shipped, "utf8").replaceAll("/etc/jobctl/config.toml", file);
    const countsOf = async () => {
      const options = { env: {}, cwd: path, nowMs: 0, root: path };
      const { problems, warnings } = await checkConfig(file, options);
      return [problems.length, warnings.length];
    };
    assert.deepEqual(await countsOf(), [0, 1]);
    write("usr/lib/systemd/system/jobctl.service", unit);
    assert.deepEqual(await countsOf(), [1, 0]);
  }));
