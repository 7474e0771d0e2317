import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { ID, instance, job, schedule, waiting } from "../../support/worlds/cli_messages.ts";
import { cli, NOW } from "../../support/worlds/cli_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

test("schedule sends an id of its own, so that a request sent again is accepted once", async () => {
  let failures = 1;
  const scheduleJob = () => {
    if (failures-- > 0) throw new JobError("unavailable", "lost");
    return { instance: waiting() };
  };
  const run = await cli(["schedule", "sum", "1"], { answers: { scheduleJob } });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.calls.length, 2);
  assert.match(String(run.calls[0]!.request.uuid), /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(run.calls[0]!.request.uuid, run.calls[1]!.request.uuid);
});

test("schedule and run say on a terminal that an instance with the unique key was there", async () => {
  const there = { ...waiting(), uniqueKey: 'sum x="1"' };
  const answers = {
    getJob: { job: job() },
    scheduleJob: { instance: there },
    *follow() {
      yield { cursor: "1", instance: instance() };
    },
  };
  const note =
    /^Nothing new was queued: \S+ \(waiting\) has the unique key sum x="1" until it ends\n/;
  for (const line of ["schedule sum 1", "run sum 1", "run sum 1 --detach"]) {
    const run = await cli(line.split(" "), { answers, isTerminal: true });
    assert.match(run.stderr, note, line);
    const piped = await cli(line.split(" "), { answers });
    assert.equal(piped.stderr, "", line);
  }
});

test("schedule gives up when the daemon stays unreachable", async () => {
  const scheduleJob = () => {
    throw new JobError("unavailable", "lost");
  };
  const run = await cli(["schedule", "sum", "1"], { answers: { scheduleJob } });
  assert.equal(run.code, 7);
  assert.equal(run.calls.length, 2);
});

test("schedule --cron is sent once, as it has no id", async () => {
  const scheduleJob = () => {
    throw new JobError("unavailable", "lost");
  };
  const run = await cli(["schedule", "sum", "--cron", "@daily"], { answers: { scheduleJob } });
  assert.equal(run.code, 7);
  assert.equal(run.calls.length, 1);
  assert.equal(run.calls[0]!.request.uuid, undefined);
});

test("schedule reads every option into its field", async () => {
  const argv = ["schedule", "sum", "--args-json", '{"x":1}', "--in", "1m30s", "--priority", "0"];
  argv.push("--timeout", "2h", "--retries", "-1", "--unique-key", "k", "--uuid", ID.toUpperCase());
  argv.push("--jitter", "5s");
  const { calls } = await cli(argv, { answers: { scheduleJob: { instance: waiting() } } });
  const given = Object.entries(calls[0]!.request).filter(([, value]) => value !== undefined);
  assert.deepEqual(Object.fromEntries(given), {
    kind: "sum",
    argumentsJson: '{"x":1}',
    afterMs: 90_000n,
    priority: 0,
    timeoutMs: 7_200_000n,
    maxRetries: -1,
    uniqueKey: "k",
    uuid: ID,
    jitterMs: 5_000n,
  });
});

test("schedule --at sends the time", async () => {
  const argv = ["schedule", "sum", "--at", "2026-11-25T09:00:00.250Z"];
  const { calls } = await cli(argv, { answers: { scheduleJob: { instance: waiting() } } });
  const seconds = BigInt(Date.UTC(2026, 10, 25, 9) / 1_000);
  assert.deepEqual(calls[0]!.request.at, { seconds, nanos: 250_000_000 });
});

test("schedule --cron prints the schedule", async () => {
  const argv = ["schedule", "sum", "--cron", "0 6 * * *", "--timezone", "UTC", "--overlap", "skip"];
  const run = await cli(argv, { answers: { scheduleJob: { schedule: schedule() } } });
  const printed = JSON.parse(run.stdout);
  assert.equal(printed.cron, "0 6 * * *");
  assert.equal(printed.next_at, "2026-11-24T13:00:00.000Z");
  assert.equal(run.calls[0]!.request.overlap, "skip");
});

test("schedule --cron names the other schedules of its job on a terminal", async () => {
  const answers = {
    scheduleJob: { schedule: schedule() },
    listSchedules: { schedules: [{ ...schedule("config:sum:0"), cron: "0 2 * * *" }, schedule()] },
  };
  const argv = ["schedule", "sum", "--cron", "0 6 * * *", "--timezone", "UTC"];
  const run = await cli(argv, { answers, isTerminal: true });
  assert.equal(run.stderr, 'sum keeps its other schedules: config:sum:0 "0 2 * * *"\n');
  const piped = await cli(argv, { answers });
  assert.ok(piped.calls.every(({ method }) => method !== "listSchedules"));
});

test("schedule says how to run a command once, if its kind looks like one", async () => {
  const scheduleJob = () => {
    throw new JobError("not_found", 'Cannot find job "df": no such kind', {
      ...{ path: "kind", hint: "Known kinds: sum" },
    });
  };
  const hint =
    /hint: Known kinds: sum\nTo run a command once: jobctl docs howto\/everyday#run-a-command-once\n/;
  const command = await cli(["schedule", "--in", "20m", "--", "df", "-h"], {
    answers: { scheduleJob },
  });
  assert.match(command.stderr, hint);
  const kind = await cli(["schedule", "df"], { answers: { scheduleJob } });
  assert.match(kind.stderr, /hint: Known kinds: sum\n$/);
});

test("schedule --dry-run prints the converted arguments and no id", async () => {
  const preview = instance({ uuid: "", state: JobState.CREATED, arguments: ["1", "2"] });
  const run = await cli(["schedule", "sum", "1", "2", "--dry-run"], {
    answers: { scheduleJob: { instance: preview } },
  });
  const { arguments: converted, dry_run, uuid } = JSON.parse(run.stdout);
  assert.deepEqual(converted, [1, 2]);
  assert.equal(dry_run, true);
  assert.equal(uuid, undefined);
  assert.equal(run.calls[0]!.request.dryRun, true);
  assert.equal(run.calls[0]!.request.uuid, undefined);
});

test("schedule --dry-run says if an instance has the id already", async () => {
  const run = await cli(["schedule", "sum", "--uuid", ID, "--dry-run", "-o", "table"], {
    answers: { scheduleJob: { instance: instance({ state: JobState.CREATED }) } },
  });
  assert.match(
    run.stdout,
    new RegExp(`^Instance ${ID} is there already: it would not run again\n`),
  );
});

test("schedule -q prints only the id", async () => {
  const answers = { scheduleJob: { instance: waiting() } };
  const env = { JOBCTL_OUTPUT: "" };
  assert.equal((await cli(["schedule", "sum", "-q"], { answers, env })).stdout, `${ID}\n`);
  const recurring = { scheduleJob: { schedule: schedule("0193aaaa") } };
  const run = await cli(["schedule", "sum", "--cron", "@daily", "-q"], { answers: recurring, env });
  assert.equal(run.stdout, "0193aaaa\n");
  const json = await cli(["schedule", "sum", "-q", "-o", "json"], { answers, env });
  assert.equal(JSON.parse(json.stdout).id, ID);
});

for (
  const [state, code] of [
    [JobState.COMPLETED, 0],
    [JobState.TERMINATED, 3],
    [JobState.TIMED_OUT, 3],
    [JobState.CANCELLED, 3],
  ] as const
) {
  test(`schedule --wait exits ${code} when the instance ends as ${JobState[state]}`, async () => {
    let waits = 0;
    const waitInstance = () => ({ instance: ++waits < 3 ? waiting() : instance({ state }) });
    const run = await cli(["schedule", "sum", "1", "2", "--wait"], {
      answers: { scheduleJob: { instance: waiting() }, waitInstance },
    });
    assert.equal(run.code, code);
    assert.equal(waits, 3);
    assert.equal(JSON.parse(run.stdout).uuid, ID);
  });
}

test("schedule --wait exits 124 when --wait-timeout passes first, and asks for no longer", async () => {
  const clock = new SimClock(NOW);
  const waits: bigint[] = [];
  const waitInstance = async ({ waitMs }: { waitMs: bigint }) => {
    waits.push(waitMs);
    await clock.advance(Number(waitMs));
    return { instance: waiting() };
  };
  const run = await cli(["schedule", "sum", "--wait", "--wait-timeout", "90s"], {
    clock,
    answers: { scheduleJob: { instance: waiting() }, waitInstance },
  });
  assert.equal(run.code, 124);
  assert.deepEqual(waits, [60_000n, 30_000n]);
  assert.equal(JSON.parse(run.stdout).state, "scheduled");
});

test("schedule says that a time has passed, in a pipe too", async () => {
  const answers = { scheduleJob: { instance: waiting() } };
  const schedule = (...argv: string[]) => cli(["schedule", "sum", ...argv], { answers });
  const past = await schedule("--at", "2020-01-01T00:00:00Z");
  assert.equal(past.code, 0);
  assert.equal(past.stderr, "2020-01-01T00:00:00Z has passed: it runs at once\n");
  for (const argv of [["--at", "now"], ["--at", "+1m"], ["-q", "--at", "2020-01-01T00:00:00Z"]]) {
    assert.equal((await schedule(...argv)).stderr, "", argv.join(" "));
  }
});

test("an error of the daemon names the options of the verb", async () => {
  const scheduleJob = () => {
    throw new JobError("invalid_argument", 'Cannot use "recurrence.runs_max" "0": it is wrong', {
      options: ["recurrence.runs_max"],
      hint: 'Leave out "recurrence.runs_max"',
    });
  };
  const run = await cli(["schedule", "sum", "--cron", "@daily"], { answers: { scheduleJob } });
  assert.equal(run.code, 2);
  assert.equal(
    run.stderr,
    'jobctl: Cannot use --runs-max "0": it is wrong\nhint: Leave out --runs-max\n',
  );
});

test("an error of the daemon keeps a field that is no option, and an argument of the job", async () => {
  for (const given of [{ options: ["requests"] }, { path: "timeout_ms" }]) {
    const [name] = given.options ?? [given.path];
    const scheduleJob = () => {
      throw new JobError("invalid_argument", `Cannot use "${name}"`, given);
    };
    const run = await cli(["schedule", "sum"], { answers: { scheduleJob } });
    assert.equal(run.stderr, `jobctl: Cannot use "${name}"\n`);
  }
});
