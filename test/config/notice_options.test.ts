import assert from "node:assert/strict";
import { test } from "node:test";
import { jobTable, loadModules } from "../support/processes/job_modules.ts";
import { loadText } from "../support/worlds/config_world.ts";

test("loadConfig() reads which notices there are about a job", async () => {
  const { job, loaded, problems } = await loadText(`
[notices.ops]
to = "syslog"

[defaults]
notify = "ops"
silence = ["sat 02:00-04:00"]
expect = { learn = true, max_duration = "1h" }

[jobs.a]
run = "true"
notify = []
silence = []
expect = { start_within = "0", finish_within = "3h", min_duration = "1m", max_duration = "0", every = "1d" }
`);
  assert.deepEqual(problems, []);
  assert.deepEqual(job("a").options, {
    notify: [],
    silence: [],
    expect: {
      startWithinMs: 0,
      finishWithinMs: 10_800_000,
      minDurationMs: 60_000,
      maxDurationMs: 0,
      everyMs: 86_400_000,
    },
  });
  const { notify, silence, expect } = loaded!.config.defaults;
  assert.deepEqual([notify, silence], [["ops"], ["sat 02:00-04:00"]]);
  assert.deepEqual([expect.learn, expect.maxDurationMs, expect.startWithinMs], [
    true,
    3_600_000,
    undefined,
  ]);
});

test("loadConfig() refuses values of notice options that mean nothing, by name", async () => {
  const { problems } = await loadText(`
[jobs.a]
run = "true"
notify = [""]
silence = ["whenever"]
expect = { learn = 30, every = "daily", start = "1m" }
`);
  assert.deepEqual(problems.map((line) => line.match(/jobs\.[\w.]+/)?.[0]).toSorted(), [
    "jobs.a.expect.every",
    "jobs.a.expect.learn",
    "jobs.a.expect.start",
    "jobs.a.notify",
    "jobs.a.silence",
  ]);
});

test("loadJobs() puts what a table expects over the module's definition, key by key", async () => {
  const { jobs, problems } = await loadModules({
    "a.ts": `export default {
      run() {}, notify: "ops", silence: "sat-sun", expect: { startWithin: "5m", every: 60_000 },
    };`,
  }, {
    tables: [jobTable("a", { options: { expect: { startWithinMs: 0, learn: true } } })],
  });
  assert.deepEqual(problems, []);
  const { notify, silence, expect } = jobs.a!.options;
  assert.deepEqual([notify, silence], [["ops"], ["sat-sun"]]);
  assert.deepEqual(expect, {
    startWithinMs: 0,
    finishWithinMs: 0,
    minDurationMs: 0,
    maxDurationMs: 0,
    learn: true,
    everyMs: 60_000,
  });
});

test("loadJobs() refuses notice options of definitions that make no sense, by name", async () => {
  const { problems } = await loadModules({
    "window.ts": "export default { run() {}, silence: 'whenever' };",
    "many.ts": "export default { run() {}, silence: Array(101).fill('sat-sun') };",
    "channel.ts": "export default { run() {}, notify: [''] };",
    "name.ts": "export default { run() {}, expect: { startsWithin: '5m' } };",
  });
  assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
    "jobs.channel",
    "jobs.many",
    "jobs.name",
    "jobs.window.silence",
  ]);
});

test("loadJobs() runs a job that names an unknown channel, and reports the mistake", async () => {
  const { jobs, problems, warnings } = await loadModules({
    "a.ts": "export default { run() {}, notify: 'opps' };",
    "b.ts": "export default { run() {}, notify: ['ops', 'nihgt'] };",
  }, { channels: ["ops"], tables: [jobTable("b", { options: { notify: ["ops", "x"] } })] });
  assert.deepEqual([jobs.a!.options.notify, jobs.b!.options.notify], [undefined, ["ops"]]);
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings.map(({ path, hint, isMistake }) => [path, hint, isMistake]), [
    ["jobs.a.notify", 'Did you mean "ops"?', true],
    ["jobs.b.notify", "Add it to the configuration: [notices.x]", true],
  ]);
});

test("loadConfig() reports an unknown channel for all jobs once, and names the nearest one", async () => {
  const { problems, warnings, loaded } = await loadText(`
[notices.ops]
to = "syslog"

[defaults]
notify = ["opps"]

[jobs.a]
run = "true"

[jobs.b]
run = "true"
`);
  assert.deepEqual(problems, []);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /defaults\.notify.*there is no channel "opps".*Did you mean "ops"/s);
  assert.equal(loaded!.config.defaults.notify, undefined);
  assert.equal(loaded!.warnings[0]!.isMistake, true);
});

test('loadConfig() takes "*" beside channels that all jobs name', async () => {
  const channel = '[notices.ops]\nto = "syslog"\njobs = []\n';
  const { problems, loaded } = await loadText(`${channel}[defaults]\nnotify = ["*", "ops"]\n`);
  assert.deepEqual(problems, []);
  assert.deepEqual(loaded!.config.defaults.notify, ["*", "ops"]);
});

test("loadConfig() disables a job whose pings have the key of another job", async () => {
  const { job, problems } = await loadText(`
[jobs.a]
external = true
ping_key = "0123456789-0123456789"

[jobs.b]
external = true
ping_key = "0123456789-0123456789"
`);
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^config.toml:8:.*jobs.b.ping_key.*job "a" has the same key/s);
  assert.equal(problems[0]!.includes("0123456789-"), false);
  // The key keeps reporting the first.
  assert.notEqual(job("a").external, undefined);
});
