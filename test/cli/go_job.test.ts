import assert from "node:assert/strict";
import test from "node:test";
import { cli } from "../support/worlds/cli_world.ts";
import { ID, instance, job, waiting } from "../support/worlds/cli_messages.ts";

/** Run as a client of go-job's jobctl does, which reads stdout and stderr together. */
async function goJob(argv: readonly string[], answers: Record<string, unknown>) {
  const run = await cli([...argv, "--compat", "go-job"], { answers });
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout + run.stderr);
}

function pick(record: Record<string, unknown>, ...keys: string[]) {
  return Object.fromEntries(keys.map((key) => [key, record[key]]));
}

test("schedule prints one object with go-job's keys", async () => {
  const printed = await goJob(["schedule", "sum", "1", "2"], {
    scheduleJob: { instance: waiting() },
  });
  const keys = ["kind", "uuid", "state", "arguments", "priority", "max_retries", "timeout"];
  assert.deepEqual(pick(printed, ...keys), {
    kind: "sum",
    uuid: ID,
    state: "Scheduled",
    arguments: '["1","2"]',
    priority: 5,
    max_retries: 2,
    timeout: "1h",
  });
});

test("list instances prints an array with results as JSON text", async () => {
  const printed = await goJob(["list", "instances"], {
    lookupInstances: { instances: [instance()] },
  });
  assert.equal(printed.length, 1);
  assert.deepEqual(pick(printed[0], "state", "result_set", "attempts", "completed_at"), {
    state: "Completed",
    result_set: '["3"]',
    attempts: 1,
    completed_at: "2026-11-24T11:59:00.000Z",
  });
  assert.ok(!("error" in printed[0]));
});

test("list instances prints an empty array when there is none", async () => {
  assert.deepEqual(await goJob(["list", "instances"], { lookupInstances: { instances: [] } }), []);
});

test("list jobs prints an array with the keys that go-job's reader knows", async () => {
  const printed = await goJob(["list", "jobs"], { listRegisteredJobs: { jobs: [job()] } });
  assert.deepEqual(printed, [{ kind: "sum", description: "Adds two numbers" }]);
});

test("get version prints the version without quotes", async () => {
  const run = await cli(["get", "version"], {
    answers: { getVersion: { version: "1.2.3" } },
    env: { JOBCTL_COMPAT: "go-job" },
  });
  assert.equal(run.stdout + run.stderr, "1.2.3\n");
});

test("get version prints the text alone on a terminal", async () => {
  const run = await cli(["get", "version"], {
    answers: { getVersion: { version: "1.2.3" } },
    isTerminal: true,
  });
  assert.equal(run.stdout, "1.2.3\n");
});

for (
  const [flag, value, field] of [
    ["--kind", "sum", "kind"],
    ["-k", "sum", "kind"],
    ["--uuid", ID, "uuid"],
    ["-u", ID, "uuid"],
  ] as const
) {
  test(`cancel instances ${flag} asks nothing off a terminal and prints an array`, async () => {
    const run = await cli(["cancel", "instances", flag, value, "--compat", "go-job"], {
      answers: { cancelInstances: { instances: [instance({ state: 8 })] } },
    });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(JSON.parse(run.stdout + run.stderr)[0].state, "Cancelled");
    assert.deepEqual(run.calls.map(({ method }) => method), ["cancelInstances"]);
    const { query, all } = run.calls[0]!.request as {
      query: Record<string, unknown>;
      all: boolean;
    };
    assert.equal(query[field], value);
    assert.equal(all, false);
  });
}

for (
  const [value, name] of [
    [1, "Created"],
    [2, "Scheduled"],
    [4, "Processing"],
    [8, "Cancelled"],
    [16, "TimedOut"],
    [32, "Completed"],
    [64, "Terminated"],
  ] as const
) {
  test(`list instances spells state ${value} ${name} and reads it so`, async () => {
    const argv = ["list", "instances", "--state", name.toLowerCase(), "--compat", "go-job"];
    const run = await cli(argv, {
      answers: { lookupInstances: { instances: [instance({ state: value })] } },
    });
    assert.equal(JSON.parse(run.stdout)[0].state, name);
    assert.equal((run.calls[0]!.request.query as { state: number }).state, value);
  });
}
