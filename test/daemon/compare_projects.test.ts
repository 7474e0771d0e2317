import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import type { JobDefinition } from "../../src/core/job/job.ts";
import {
  countChanges,
  fixedDifferences,
  jobChanges,
  settingChanges,
} from "../../src/daemon/compare_projects.ts";
import { loadProject } from "../../src/tools/load_project.ts";
import { withTempDir } from "../support/temp_dir.ts";

test("fixedDifferences() names each section that a reload cannot apply", async () => {
  const { config } = await loadConfig(null);
  const { node, log, worker, store } = config;
  const restartFor = (changed: Partial<Config>) =>
    fixedDifferences(config, { ...config, ...changed });

  assert.deepEqual(restartFor({}), []);
  assert.deepEqual(restartFor({ node: { ...node, tags: ["gpu"] } }), ["node"]);
  assert.deepEqual(restartFor({ node: { ...node, id: "a" }, log: { ...log, level: "debug" } }), [
    "log",
    "node",
  ]);
  assert.deepEqual(restartFor({ worker: { ...worker, count: worker.count + 1 } }), []);
  assert.deepEqual(restartFor({ worker: { ...worker, leaseMs: worker.leaseMs + 1 } }), ["worker"]);
  assert.deepEqual(restartFor({ store: { ...store, targets: {} } }), []);
  assert.deepEqual(restartFor({ store: { ...store, prefix: "other" } }), ["store"]);
});

function jobsOf(
  toml: string,
  files: Readonly<Record<string, string>> = {},
): Promise<readonly JobDefinition[]> {
  return withTempDir({ "config.toml": toml, ...files }, async ({ path }) => {
    const { jobs } = await loadProject(`${path}/config.toml`, { env: {}, cwd: path, nowMs: 0 });
    return jobs;
  });
}

test("jobChanges() names the source, and none of its parts, when a command becomes a module", async () => {
  const command = await jobsOf('[jobs.disk]\nrun = "df"\nuser = "root"\nschedule = "@daily"\n');
  const module = await jobsOf(
    'modules = ["jobs"]\n[jobs.disk]\nschedule = "@daily"\ntimeout = "1m"\n',
    { "jobs/disk.ts": "export default function disk(): void {}\n" },
  );
  const keysOf = (before: readonly JobDefinition[], after: readonly JobDefinition[]) =>
    jobChanges({ jobs: before, disabled: new Map() }, { jobs: after, disabled: new Map() })
      .flatMap(({ keys }) => keys);
  const keys = ["parameters", "source", "timeout"];
  assert.deepEqual(keysOf(command, module).toSorted(), keys);
  assert.deepEqual(keysOf(module, command).toSorted(), keys);
});

test("jobChanges() names jobs, and the options that differ as they are written", async () => {
  const before = await jobsOf(
    '[jobs.a]\nrun = "true"\n[jobs.b]\nrun = "true"\nschedule = "@daily"\n[jobs.old]\nrun = "true"\n' +
      '[jobs.off]\nrun = "true"\n[jobs.same]\nrun = "true"\n',
  );
  const after = await jobsOf(
    '[jobs.a]\nrun = "true"\ntimeout = "1m"\nretry = 3\nuser = "root"\n' +
      '[jobs.b]\nrun = "false"\nschedule = "@weekly"\n[jobs.new]\nrun = "true"\n[jobs.same]\nrun = "true"\n' +
      '[jobs.on]\nrun = "true"\n',
  );
  const changes = jobChanges(
    { jobs: before, disabled: new Map([["on", "a mistake"]]) },
    { jobs: after, disabled: new Map([["off", "enabled = false"]]) },
  );
  assert.deepEqual(changes, [
    { change: "changed", kind: "a", keys: ["timeout", "retry", "user"] },
    { change: "changed", kind: "b", keys: ["command", "schedule"] },
    { change: "added", kind: "new" },
    { change: "disabled", kind: "off" },
    { change: "removed", kind: "old" },
    { change: "enabled", kind: "on" },
  ]);
  assert.deepEqual(countChanges(changes), { added: 1, changed: 4, removed: 1 });
});

test("settingChanges() has both values, without secrets, and says what needs a restart", async () => {
  const settingsOf = (toml: string) =>
    withTempDir({ "config.toml": toml }, async ({ path }) => {
      return (await loadConfig(`${path}/config.toml`, { cwd: path })).settings();
    });
  const before = await settingsOf(
    '[server]\nport = 1000\n[jobs.a]\nenv = { A = "one" }\nrun = "x"\n',
  );
  const after = await settingsOf(
    '[server]\nport = 2000\n[worker]\ncount = 2\n[jobs.a]\nenv = { A = "two" }\nrun = "x"\ntimeout = "1m"\n',
  );
  const changes = settingChanges(before, after, ["server", "worker"]);
  const found = changes.map(({ path, before, after, needsRestart }) => [
    ...[path, path === "worker.count" ? null : before, after, needsRestart],
  ]);
  assert.deepEqual(found, [
    ["server.port", "1000", "2000", true],
    ["worker.count", null, "2", false],
    ["jobs.a.timeout", undefined, '"1m"', false],
  ]);
});
