import assert from "node:assert/strict";
import test from "node:test";
import { JobState } from "../../src/rpc/gen/job_pb.ts";
import { ID, instance, job } from "../support/worlds/cli_messages.ts";
import { cli } from "../support/worlds/cli_world.ts";

test("nouns are read in the singular and in the plural, and other verbs only as they are", async () => {
  const sent = async (argv: readonly string[], answers = {}) =>
    (await cli(argv, { answers })).calls.at(-1)?.method;
  assert.equal(await sent(["list", "job"]), "listRegisteredJobs");
  assert.equal(await sent(["list", "node"]), "listNodes");
  assert.equal(await sent(["list", "schedule"]), "listSchedules");
  assert.equal(await sent(["get", "jobs", "sum"]), "getJob");
  assert.equal(await sent(["log"]), "lookupInstanceLogs");
  assert.equal(await sent(["incident"]), "listChannels");
  assert.equal(await sent(["notice", "list"]), "listChannels");
  for (const word of ["runs", "cancels", "statu", "retrys"]) {
    const run = await cli([word, "backup"]);
    assert.deepEqual([run.code, run.calls], [2, []]);
    assert.match(run.stderr, /no such verb/);
  }
});

test("resume says what it has resumed, or that it was not paused", async () => {
  const shown = async (argv: readonly string[], wasPaused: boolean) => {
    const env = { JOBCTL_OUTPUT: "table" };
    const run = await cli(argv, { answers: { resume: { wasPaused } }, isTerminal: true, env });
    assert.equal(run.code, 0, run.stderr);
    return run.stdout;
  };
  assert.equal(await shown(["resume", "backup"], true), "Resumed backup\n");
  assert.equal(await shown(["resume"], true), "Ended the pause of all jobs\n");
  assert.equal(await shown(["resume", "backup"], false), "backup was not paused\n");
  assert.equal(await shown(["resume"], false), "There was no pause of all jobs\n");
});

test("pause ID --freeze freezes an instance, and resume ID lets it continue", async () => {
  const frozenAt = { seconds: 1_767_225_600n };
  const sent = async (argv: readonly string[], changed = true) => {
    const answers = {
      getInstance: { instance: instance() },
      freezeInstance: {
        instance: { ...instance({ state: JobState.PROCESSING }), frozenAt },
        changed,
      },
      resume: { wasPaused: true },
    };
    const run = await cli(argv, { answers, isTerminal: true, env: { JOBCTL_OUTPUT: "table" } });
    const call = run.calls.find(({ method }) => method === "freezeInstance");
    return { ...run, request: call?.request };
  };
  const frozen = await sent(["pause", ID.slice(0, 8), "--freeze", "--reason", "disk"]);
  assert.deepEqual([frozen.code, frozen.request], [0, { uuid: ID, reason: "disk" }]);
  assert.match(frozen.stdout, /running: frozen/);
  for (const word of [ID, ID.slice(0, 8)]) {
    assert.deepEqual((await sent(["resume", word])).request, { uuid: ID, thaw: true });
  }
  assert.match((await sent(["resume", ID], false)).stderr, /It was not frozen/);
  assert.equal((await sent(["resume", "backup"])).request, undefined);
  for (
    const [argv, message] of [
      [["pause", "--freeze"], /no instance is given/],
      [["pause", ID, "--freeze", "--until", "+2h"], /with --until/],
      [["pause", ID], /Add --freeze/],
    ] as const
  ) {
    const run = await sent(argv);
    assert.deepEqual([run.code, run.calls], [2, []]);
    assert.match(run.stderr, message);
  }
});

test("cancel takes an id after the noun, and no second one without", async () => {
  const answers = { cancelInstances: { instances: [instance()] } };
  for (const noun of ["instance", "instances"]) {
    const run = await cli(["cancel", noun, ID], { answers });
    assert.equal(run.code, 0, run.stderr);
    const { request } = run.calls.find(({ method }) => method === "cancelInstances")!;
    assert.deepEqual(request, { query: { uuid: ID } });
  }
  const two = await cli(["cancel", ID, ID], { answers });
  assert.deepEqual([two.code, two.calls], [2, []]);
  assert.match(two.stderr, /wanted one id/);
});

test("an empty list says on a terminal what it looked for, and where there may be more", async () => {
  const shown = async (argv: readonly string[], isTerminal = true) => {
    const env = { JOBCTL_OUTPUT: "table" };
    const run = await cli(argv, { answers: { getJob: { job: job() } }, isTerminal, env });
    assert.deepEqual([run.code, run.stdout], [0, ""], run.stderr);
    return run.stderr;
  };
  const list = ["list", "instances"];
  assert.equal(await shown(list), "No instances\nRun a job with: jobctl run KIND\n");
  assert.equal(
    await shown([...list, "--kind", "sum", "--state", "failed", "--since", "-24h"]),
    'No instances of kind "sum" in state failed since -24h\n' +
      "More may be in: jobctl list instances --kind sum --state failed\n",
  );
  assert.equal(
    await shown([...list, "--kind", "my sum", "--state", "failed,running"]),
    'No instances of kind "my sum" in state failed or running\n' +
      "More may be in: jobctl list instances --kind 'my sum'\n",
  );
  assert.equal(
    await shown([...list, "--text", "a b", "--state", "failed"]),
    'No instances with "a b" in the arguments in state failed\n' +
      "More may be in: jobctl list instances --text 'a b'\n",
  );
  assert.match(await shown(["list", "dead"]), /^No dead letters\nAll instances: jobctl list inst/);
  assert.equal(
    await shown(["list", "schedules", "--kind", "sum"]),
    'No schedules of kind "sum"\nMore may be in: jobctl list schedules\n',
  );
  assert.match(await shown(["list", "timers"]), /^No schedules\nAdd one with cron/);
  assert.equal(await shown(["list", "pauses"]), "Nothing is paused\n");
  assert.match(
    await shown(["incidents"]),
    /^No open incidents. Closed ones: jobctl incidents --all\n/,
  );
  assert.equal(await shown(list, false), "");
  assert.equal(await shown([...list, "-q"]), "");
});
