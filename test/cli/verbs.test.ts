import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { withTempDir } from "../support/temp_dir.ts";
import { JobError } from "../../src/core/errors.ts";
import { BlockSchema, JobState } from "../../src/rpc/gen/job_pb.ts";
import { cli, NOW } from "../support/worlds/cli_world.ts";
import {
  historyEntry,
  ID,
  instance,
  job,
  logEntry,
  schedule,
  waiting,
} from "../support/worlds/cli_messages.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const OTHER = "01938f2c-7d3e-7000-8000-000000000002";

test("list instances asks for every page off a terminal", async () => {
  const lookupInstances = ({ query }: { query: { pageToken?: string } }) => ({
    instances: [instance({ uuid: query.pageToken ? OTHER : ID })],
    nextPageToken: query.pageToken ? undefined : "t",
  });
  const run = await cli(["list", "instances", "-o", "name"], { answers: { lookupInstances } });
  assert.equal(run.stdout, `${ID}\n${OTHER}\n`);
  assert.equal(run.calls.length, 2);
});

test("list instances --limit stops in the middle of a page", async () => {
  const run = await cli(["list", "instances", "--limit", "1", "-o", "name"], {
    answers: { lookupInstances: { instances: [instance(), instance({ uuid: OTHER })] } },
  });
  assert.equal(run.stdout, `${ID}\n`);
  const { query } = run.calls[0]!.request as { query: { pageSize: number } };
  assert.equal(query.pageSize, 2);
});

test("list instances --all with --limit lists notices, and no more than that", async () => {
  const kinds = ["system.notice.ops", "sum", "sum"];
  const instances = kinds.map((kind, index) =>
    instance({ kind, uuid: `${OTHER.slice(0, -1)}${index}` })
  );
  const { stdout } = await cli(["list", "instances", "--all", "--limit", "2"], {
    answers: { lookupInstances: { instances } },
  });
  assert.deepEqual(JSON.parse(stdout).map(({ kind }: { kind: string }) => kind), kinds.slice(0, 2));
});

test("list instances says on a terminal that there are more", async () => {
  const run = await cli(["list", "instances", "--limit", "1"], {
    isTerminal: true,
    answers: { lookupInstances: { instances: [instance(), instance({ uuid: OTHER })] } },
  });
  assert.match(run.stderr, /^This is the first; --all/);
  assert.equal(run.stdout.trim().split("\n").length, 2);
});

test("list instances reads kinds, states and times", async () => {
  const argv = ["list", "instances", "-k", "a,b", "--state", "completed", "--state", "canceled"];
  argv.push("--since", "2026-11-24T00:00:00Z", "--until", "2026-11-25T00:00:00Z");
  const { calls } = await cli(argv);
  const { query } = calls.at(-1)!.request as { query: Record<string, unknown> };
  assert.deepEqual(query.kinds, ["a", "b"]);
  assert.deepEqual(query.states, [32, 8]);
  assert.deepEqual(query.after, { seconds: BigInt(Date.UTC(2026, 10, 24) / 1_000), nanos: 0 });
  assert.deepEqual(query.before, { seconds: BigInt(Date.UTC(2026, 10, 25) / 1_000), nanos: 0 });
});

test("an end of a span that is a time of day is after its beginning", async () => {
  for (const [since, until, hours] of [["22:00", "06:00", 8], ["12:00", "11:00", 23]] as const) {
    const run = await cli(["list", "instances", "--since", since, "--until", until]);
    assert.equal(run.code, 0, run.stderr);
    const { query } = run.calls.at(-1)!.request as {
      query: { after: { seconds: bigint }; before: { seconds: bigint } };
    };
    const span = Number(query.before.seconds - query.after.seconds);
    assert.equal(span, hours * 3_600);
  }
});

test("list instances and list dead take everyday words for states", async () => {
  const statesOf = async (what: string, state: string) => {
    const run = await cli(["list", what, "--state", state]);
    assert.equal(run.code, 0, run.stderr);
    const { query } = run.calls.at(-1)!.request as { query: Record<string, unknown> };
    return query.state ?? query.states;
  };
  assert.deepEqual(await statesOf("instances", "failed"), [64, 16]);
  assert.equal(await statesOf("instances", "done"), 32);
  assert.equal(await statesOf("instances", "Running"), 4);
  assert.equal(await statesOf("instances", "waiting"), 2);
  assert.equal(await statesOf("instances", "cancelled"), 8);
  assert.deepEqual(await statesOf("dead", "failed,timed out"), [64, 16]);
  for (const state of ["running", "completed"]) {
    const run = await cli(["list", "dead", "--state", state]);
    assert.equal(run.code, 2);
    assert.match(run.stderr, /Cannot list dead letters in state .*Terminated or TimedOut/s);
  }
});

const RESOLVED: readonly (readonly [string, readonly string[], string, string])[] = [
  ["retry", ["retry", "01938F2C"], "retryInstance", "uuid"],
  ["history", ["history", "01938F2C"], "lookupInstanceHistory", "query"],
  ["logs", ["logs", "01938F2C"], "lookupInstanceLogs", "query"],
  ["cancel", ["cancel", "01938F2C"], "cancelInstances", "query"],
  ["cancel instances -u", ["cancel", "instances", "-u", "01938F2C"], "cancelInstances", "query"],
];

for (const [name, argv, method, field] of RESOLVED) {
  test(`${name} finds an instance by the beginning of its id`, async () => {
    const run = await cli(argv, {
      answers: {
        getInstance: { instance: instance() },
        retryInstance: { instance: waiting(OTHER) },
        cancelInstances: { instances: [instance()] },
      },
    });
    assert.equal(run.code, 0, run.stderr);
    const lookup = run.calls.find(({ method: called }) => called === "getInstance")!;
    assert.equal(lookup.request.uuid, "01938f2c");
    const call = run.calls.find((candidate) => candidate.method === method)!;
    const value = field === "uuid" ? call.request : call.request.query as Record<string, unknown>;
    assert.equal(value.uuid, ID);
  });
}

test("cancel --all asks on a terminal, and says how many", async () => {
  const run = await cli(["cancel", "instances", "--all"], {
    isTerminal: true,
    input: "y\n",
    answers: {
      lookupInstances: { instances: [waiting(), waiting(OTHER)] },
      cancelInstances: { instances: [waiting(), waiting(OTHER)], count: 2n },
    },
  });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^About to cancel 2 instances. Continue\? \[y\/N\] /);
  assert.match(run.stderr, /Canceled 2\n$/);
  assert.equal(run.calls.at(-1)!.request.all, true);
});

for (const input of ["n\n", "\n", "", "maybe\n"]) {
  test(`cancel does nothing when the answer is ${JSON.stringify(input)}`, async () => {
    const run = await cli(["cancel", "instances", "-k", "sum"], {
      isTerminal: true,
      input,
      answers: { lookupInstances: { instances: [waiting()] } },
    });
    assert.equal(run.code, 130);
    assert.match(run.stderr, /cancel 1 instance of kind "sum"/);
    assert.match(run.stderr, /Nothing was changed/);
    assert.ok(!run.calls.some(({ method }) => method === "cancelInstances"));
  });
}

for (
  const argv of [["--all"], ["--state", "scheduled"], ["--kind", "sum", "--state", "scheduled"]]
) {
  test(`cancel instances ${argv.join(" ")} needs --yes off a terminal`, async () => {
    const refused = await cli(["cancel", "instances", ...argv]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /this is not a terminal\nhint: Add --yes/);
    const done = await cli(["cancel", "instances", ...argv, "--yes"]);
    assert.equal(done.code, 0, done.stderr);
    assert.ok(done.calls.some(({ method }) => method === "cancelInstances"));
  });
}

test("cancel asks nothing when nothing matches", async () => {
  const run = await cli(["cancel", "instances", "-k", "sum"], { isTerminal: true, input: "" });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stderr, "No unfinished instance matches\n");
  assert.equal(run.stdout, "");
});

test("cancel ID of a finished instance is refused, in a pipe too", async () => {
  for (const isTerminal of [true, false]) {
    const run = await cli(["cancel", ID], { isTerminal });
    assert.deepEqual([run.code, run.stdout], [6, ""]);
    assert.match(run.stderr, new RegExp(`Cannot cancel instance "${ID}": it has already finished`));
  }
});

test("go-job's cancel instances --uuid of a finished instance prints an empty array, with 0", async () => {
  const run = await cli(["cancel", "instances", "--uuid", ID]);
  assert.deepEqual([run.code, run.stdout, run.stderr], [0, "[]\n", ""]);
});

test("delete schedule names what it deletes and needs --yes off a terminal", async () => {
  const answers = { listSchedules: { schedules: [schedule()] } };
  const refused = await cli(["delete", "schedule", "0193aaaa"], { answers });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /delete schedule 0193aaaa-\S+ \(sum, "0 6 \* \* \*"\)/);
  const done = await cli(["delete", "schedule", "0193aaaa", "--yes"], { answers });
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(done.calls.at(-1), {
    method: "deleteSchedule",
    request: { id: schedule().id },
  });
});

test("get schedule refuses a beginning that several have", async () => {
  const schedules = [schedule("0193aaaa-1"), schedule("0193aaaa-2")];
  const run = await cli(["get", "schedule", "0193"], { answers: { listSchedules: { schedules } } });
  assert.equal(run.code, 2);
  assert.match(
    run.stderr,
    /"0193": 2 ids have it\nhint: Give more.*\n0193aaaa-1 {2}sum .*\n0193aaaa-2 {2}sum .*\n$/,
  );
});

test("get schedule takes an id that is the beginning of another", async () => {
  const schedules = [schedule("config:a:10"), schedule("config:a:1")];
  const run = await cli(["get", "schedule", "config:a:1"], {
    answers: { listSchedules: { schedules } },
  });
  assert.equal(JSON.parse(run.stdout).id, "config:a:1");
});

test("get schedule exits 4 when there is none", async () => {
  const run = await cli(["get", "schedule", "x"]);
  assert.equal(run.code, 4);
  assert.match(run.stderr, /"x": no such schedule\nhint: List them with: jobctl list schedules/);
});

test("logs writes one line an entry on a terminal, with what would steer it visible", async () => {
  const entries = [logEntry(1, "plain"), logEntry(2, "\x1b]0;x\x07 a\nforged line")];
  const run = await cli(["logs", ID, "--no-color"], {
    isTerminal: true,
    columns: 20,
    answers: { getInstance: { instance: instance() }, lookupInstanceLogs: { entries } },
  });
  const lines = run.stdout.split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[0]!, /^2026-11-24 \S+.* INFO {2}plain$/);
  assert.ok(lines[1]!.endsWith("INFO  \\x1b]0;x\\x07 a\\nforged line"));
});

test("logs prints timestamp, level and message off a terminal", async () => {
  const run = await cli(["logs", ID, "--level", "warn"], {
    answers: {
      getInstance: { instance: instance() },
      lookupInstanceLogs: { entries: [logEntry(1, "m")] },
    },
  });
  const [entry] = JSON.parse(run.stdout);
  assert.equal(entry.at, "2026-11-24T11:59:00.001Z");
  assert.equal(entry.level, "info");
  assert.equal(entry.message, "m");
  assert.equal(run.calls.at(-1)!.request.level, "warn");
});

// Whoever sleeps on it wakes at once.
class RestlessClock extends SimClock {
  override timer(delayMs: number, callback: () => void) {
    this.shiftWall(delayMs);
    queueMicrotask(callback);
    return { cancel() {} };
  }
}

test("logs --follow goes on after a break of the stream and ends when the instance is final", async () => {
  const cursors: unknown[] = [];
  const state = (value: JobState) => instance({ state: value });
  const answers = {
    getInstance: { instance: state(JobState.PROCESSING) },
    *follow({ cursor }: { readonly cursor?: string }) {
      cursors.push(cursor);
      if (cursor === undefined) {
        yield { entries: [logEntry(1, "line 1"), logEntry(2, "line 2")], cursor: "two" };
        throw new JobError("unavailable", "the daemon is stopping");
      }
      if (cursors.length === 2) throw new JobError("unavailable", "nobody there");
      yield { entries: [logEntry(3, "line 3")], cursor: "three" };
      yield { entries: [], cursor: "three", instance: state(JobState.COMPLETED) };
    },
  };
  const clock = new RestlessClock(NOW);
  const { code, stdout } = await cli(["logs", ID, "--follow"], { clock, answers });
  assert.equal(code, 0);
  const messages = stdout.trim().split("\n").map((line) => JSON.parse(line).message);
  assert.deepEqual(messages, ["line 1", "line 2", "line 3"]);
  assert.deepEqual(cursors, [undefined, "two", "two"]);
});

test("logs --follow fails at once when no daemon was ever there", async () => {
  const answers = {
    // deno-lint-ignore require-yield
    *follow() {
      throw new JobError("unavailable", "Cannot reach the daemon");
    },
  };
  const { code, stderr } = await cli(["logs", "--follow", "--kind", "report"], { answers });
  assert.equal(code, 7);
  assert.match(stderr, /Cannot reach the daemon/);
});

test("schedule --wait --follow shows log and progress on stderr and the result on stdout", async () => {
  const progress = { done: 1, total: 4 };
  const run = await cli(["schedule", "sum", "--wait", "--follow"], {
    answers: {
      scheduleJob: { instance: instance({ state: JobState.SCHEDULED }) },
      *follow() {
        yield { entries: [logEntry(1, "line 1")], cursor: "1" };
        yield { cursor: "1", instance: instance({ state: JobState.PROCESSING, progress }) };
        yield { cursor: "1", instance: instance({ state: JobState.TERMINATED }) };
      },
    },
  });
  assert.equal(run.code, 3);
  assert.match(run.stderr, /^(?:\w+ )?line 1\nprogress 1 of 4 \(25 %\)\n$/);
  assert.equal(JSON.parse(run.stdout).state, "terminated");
});

test("history prints each state with its time", async () => {
  const entries = [
    historyEntry(JobState.SCHEDULED, NOW - 2_000),
    historyEntry(JobState.PROCESSING, NOW - 1_000),
  ];
  const run = await cli(["history", ID], {
    answers: { getInstance: { instance: instance() }, lookupInstanceHistory: { entries } },
  });
  const printed = JSON.parse(run.stdout);
  assert.deepEqual(printed.map((entry: { state: string }) => entry.state), [
    "scheduled",
    "processing",
  ]);
  assert.equal(printed[0].at, "2026-11-24T11:59:58.000Z");
});

test("describe job explains its call and its schedules to people", async () => {
  const run = await cli(["describe", "job", "sum", "-o", "table"], {
    answers: { getJob: { job: job() }, listSchedules: { schedules: [schedule()] } },
  });
  assert.match(run.stdout, /^Job: +sum$/m);
  assert.match(run.stdout, /^Usage: +sum <x: number> <y: number>$/m);
  assert.match(run.stdout, /^0193aaaa-\S+ +0 6 \* \* \* +in 1h +UTC +1, 2$/m);
});

test("describe instance tells results, times and history", async () => {
  const run = await cli(["describe", "instance", ID, "-o", "table"], {
    answers: {
      getInstance: { instance: instance() },
      lookupInstanceHistory: { entries: [historyEntry(JobState.COMPLETED, NOW - 60_000)] },
    },
  });
  assert.match(run.stdout, /^State: +done$/m);
  assert.match(run.stdout, /^Results: +3$/m);
  assert.match(run.stdout, /^Ended: +2026-11-24 .*\(1m ago\)$/m);
});

test("describe and get instance end with the last lines of the log, the oldest first", async () => {
  const answers = {
    getInstance: { instance: instance() },
    lookupInstanceLogs: { entries: [logEntry(8, "disk full"), logEntry(7, "copying")] },
  };
  for (const verb of ["describe", "get"]) {
    const run = await cli([verb, "instance", ID, "-o", "table"], { answers });
    assert.match(run.stdout, /^Log:\n {2}.* copying\n {2}.* disk full\n/m);
    const { request } = run.calls.find(({ method }) => method === "lookupInstanceLogs")!;
    assert.equal(request.newestFirst, true);
  }
  const { log } = JSON.parse((await cli(["describe", "instance", ID], { answers })).stdout);
  assert.deepEqual(log.map(({ message }: { message: string }) => message), [
    "copying",
    "disk full",
  ]);
});

test("describe instance leaves out the log of a daemon that begins with its first line", async () => {
  const run = await cli(["describe", "instance", ID, "-o", "table"], {
    answers: {
      getInstance: { instance: instance() },
      lookupInstanceLogs: { entries: [logEntry(1, "first"), logEntry(2, "second")] },
    },
  });
  assert.doesNotMatch(run.stdout, /first|^Log/m);
});

test("describe instance names the command that lists the runs it waits for", async () => {
  for (
    const [limit, command] of [
      ["concurrency", "jobctl list instances --kind sum --state running"],
      ["pool", "jobctl list instances --state running"],
    ] as const
  ) {
    const blockedBy = create(BlockSchema, { limit, name: "sum", used: 1n, max: 1n });
    const run = await cli(["describe", "instance", ID, "-o", "table"], {
      answers: { getInstance: { instance: instance({ ...waiting(), blockedBy }) } },
    });
    assert.ok(run.stdout.includes(`Running:    ${command}\n`), run.stdout);
  }
});

test("describe instance names the runs that hold the limit it waits for", async () => {
  const startedAt = timestampFromMs(NOW - 90_000);
  const running = [1, 2, 3].map((number) =>
    instance({ uuid: ID.replace(/1$/, `${number}`), processedAt: startedAt })
  );
  const describe = async (name: string) => {
    const blockedBy = create(BlockSchema, { limit: "concurrency", name, used: 4n, max: 4n });
    return await cli(["describe", "instance", ID, "-o", "table"], {
      answers: {
        getInstance: { instance: instance({ ...waiting(), blockedBy }) },
        lookupInstances: { instances: running },
      },
    });
  };
  const { stdout, calls } = await describe("sum");
  const [held] = /^Held by:.*$/m.exec(stdout) ?? [""];
  for (const { uuid } of running) assert.ok(held.includes(`${uuid} (for 1m30s)`), held);
  assert.match(held, /, and 1 more$/);
  const { request } = calls.find(({ method }) => method === "lookupInstances")!;
  assert.deepEqual((request.query as { states: unknown }).states, [4]);
  // Which runs have the same key, the client cannot see.
  assert.doesNotMatch((await describe("sum x=1")).stdout, /Held by/);
});

test("logs of a failed run end with its error, on a terminal", async () => {
  const failed = instance({
    ...{ state: JobState.TERMINATED, reason: "error", results: [], durationMs: 1_600n },
    error: "amount -1 is negative",
  });
  const answers = {
    getInstance: { instance: failed },
    lookupInstanceLogs: { entries: [logEntry(1, "step")] },
    *follow() {
      yield { cursor: "1", entries: [logEntry(1, "step")], instance: failed };
    },
  };
  for (const more of [[], ["-f"]]) {
    const run = await cli(["logs", ID, ...more], { answers, isTerminal: true });
    assert.match(run.stderr, /^Failed, after 1\.6s: amount -1 is negative\nSee jobctl describe /);
    const piped = await cli(["logs", ID, ...more], { answers });
    assert.equal(piped.stderr, "");
  }
  const done = await cli(["logs", ID], {
    answers: { ...answers, getInstance: { instance: instance() } },
    isTerminal: true,
  });
  assert.equal(done.stderr, "");
});

test("get job shows people what describe job shows", async () => {
  const answers = { getJob: { job: job() }, listSchedules: { schedules: [schedule()] } };
  const [got, described] = await Promise.all(
    ["get", "describe"].map((verb) => cli([verb, "job", "sum", "-o", "table"], { answers })),
  );
  assert.equal(got!.stdout, described!.stdout);
});

test("describe instance prints one object as JSON", async () => {
  const run = await cli(["describe", "instance", ID], {
    answers: { getInstance: { instance: instance() } },
  });
  assert.equal(JSON.parse(run.stdout).uuid, ID);
});

const STATUS = {
  node: "n1",
  version: "0.1.0",
  storeType: "sqlite",
  storeLocation: "/data/jobctl.db",
  workers: { count: 4, busy: 1, alive: 2 },
  kinds: [{ kind: "sum", scheduled: 3n, completed: 10n }],
  schedules: 2n,
};

test("status prints counts as numbers", async () => {
  const run = await cli(["status"], { answers: { getStatus: STATUS } });
  const printed = JSON.parse(run.stdout);
  assert.equal(printed.kinds[0].scheduled, 3);
  assert.deepEqual(printed.workers, { count: 4, busy: 1, alive: 2, missing: 0, silent: 0 });
  assert.equal(printed.store_type, "sqlite");
  assert.equal(printed.store_location, "/data/jobctl.db");
});

test("status tells people of workers and kinds", async () => {
  const run = await cli(["status", "-o", "table"], { answers: { getStatus: STATUS } });
  assert.match(run.stdout, /^Workers: +1 of 4 busy, 2 processes$/m);
  const getStatus = { ...STATUS, workers: { count: 4, busy: 1, alive: 1 } };
  const one = await cli(["status", "-o", "table"], { answers: { getStatus } });
  assert.match(one.stdout, /^Workers: +1 of 4 busy, 1 process$/m);
  assert.match(run.stdout, /^sum +3 +10$/m);
  const none = { ...STATUS, workers: { count: 0, busy: 1, alive: 1 } };
  const stopped = await cli(["status", "-o", "table"], { answers: { getStatus: none } });
  assert.match(stopped.stdout, /^Workers: +0: nothing starts, 1 still running$/m);
});

test("status shows what running commands use, those with the most memory first", async () => {
  const used = (id: string, rssBytes: bigint) => ({
    ...instance({ state: JobState.PROCESSING, cpuMs: 1_950n, maxRssBytes: 3n * 2n ** 30n }),
    uuid: id,
    process: { rssBytes, openFiles: 27n, processes: 3, pid: 4711 },
  });
  const instances = [
    used(ID, 2n ** 20n),
    instance({ state: JobState.PROCESSING }),
    used(OTHER, 2n ** 21n),
  ];
  const answers = { getStatus: STATUS, lookupInstances: { instances } };
  const run = await cli(["status", "-o", "table"], { answers });
  const rows = run.stdout.split("\n").filter((line) => line.includes("MiB"));
  assert.deepEqual(rows.map((row) => row.split(/ {2,}/).slice(-6)), [
    ["2.0 MiB", "3.0 GiB", "1.9s", "3", "27", "4711"],
    ["1.0 MiB", "3.0 GiB", "1.9s", "3", "27", "4711"],
  ]);
  const printed = JSON.parse((await cli(["status"], { answers })).stdout);
  assert.deepEqual(printed.running.map(({ id }: { id: string }) => id), [OTHER, ID]);
  assert.deepEqual(printed.running[0].process, {
    rss_bytes: 2 ** 21,
    open_files: 27,
    processes: 3,
    pid: 4711,
  });
  assert.equal(printed.running[0].max_rss_bytes, 3 * 2 ** 30);
});

test("describe instance shows what a command uses, or has used", async () => {
  const usedBy = async (changes: object) => {
    const getInstance = { instance: instance({ ...changes, maxRssBytes: 2n ** 20n, cpuMs: 5n }) };
    const run = await cli(["describe", "instance", ID, "-o", "table"], {
      answers: { getInstance },
    });
    return run.stdout.split("\n").filter((line) => /^(Memory|Process)/.test(line));
  };
  assert.deepEqual(await usedBy({}), [
    "Memory:          1.0 MiB at most",
    "Processor time:  5ms",
  ]);
  const process = { rssBytes: 512n, openFiles: undefined, processes: 1, pid: 4711 };
  const state = JobState.PROCESSING;
  assert.deepEqual(await usedBy({ state, completedAt: undefined, process }), [
    "Memory:          512 bytes, 1.0 MiB at most",
    "Processor time:  5ms",
    "Process:         4711",
    "Processes:       1",
  ]);
  const adoptedAt = timestampFromMs(NOW - 60_000);
  const adopted = { pid: 4711, supervisorPid: 4700, adoptedAt };
  assert.deepEqual((await usedBy({ state, completedAt: undefined, process: adopted })).slice(2), [
    "Process:         4711 (supervisor 4700, adopted 2026-11-24 11:59:00Z)",
  ]);
});

test("list jobs shows the times of all schedules of a job", async () => {
  const jobs = [
    { kind: "a", cronSpec: "@daily", cronSpecs: ["@daily", "0 12 * * 1"] },
    { kind: "b", cronSpec: "@hourly" },
  ];
  const answers = { listRegisteredJobs: { jobs } };
  const run = await cli(["list", "jobs", "-o", "table"], { answers });
  assert.match(run.stdout, /^a +@daily; 0 12 \* \* 1$/m);
  assert.match(run.stdout, /^b +@hourly$/m);
  const [a, b] = JSON.parse((await cli(["list", "jobs"], { answers })).stdout);
  assert.deepEqual(a.cron_specs, ["@daily", "0 12 * * 1"]);
  assert.deepEqual([b.cron_spec, b.cron_specs], ["@hourly", []]);
});

test("status tells of pauses and disabled jobs, and of kinds by name", async () => {
  const pauses = [{ reason: "disk", until: { seconds: 4_102_444_800n } }, { kind: "sum" }];
  const kinds = [{ kind: "sum" }, { kind: "mail" }];
  const disabled = [{ kind: "old", reason: "the configuration says enabled = false" }];
  const listenerProblems = ["Cannot listen on a:1: the address is in use"];
  const getStatus = { ...STATUS, kinds, disabled, listenerProblems };
  const answers = { getStatus, listPauses: { pauses } };
  const run = await cli(["status", "-o", "table"], { answers });
  assert.match(run.stdout, /^Paused: +everything until 2100-01-01 00:00:00Z \(.*\): disk$/m);
  assert.match(run.stdout, /^Paused: +sum until resumed$/m);
  assert.match(run.stdout, /^mail$[^]*^sum$/m);
  assert.match(run.stdout, /^Disabled: +old: the configuration says enabled = false$/m);
  assert.match(run.stdout, /^Listener: +Cannot listen on a:1: the address is in use$/m);
  const printed = JSON.parse((await cli(["status"], { answers })).stdout);
  assert.deepEqual(printed.pauses.map(({ kind }: { kind?: string }) => kind), [undefined, "sum"]);
});

test("status shows the kinds that matter most on a terminal, and all of them elsewhere", async () => {
  const kinds = Array.from({ length: 32 }, (_, index) => ({
    kind: `kind-${String(index).padStart(2, "0")}`,
    completed: 1n,
    terminated: index === 31 ? 1n : 0n,
  }));
  const answers = { getStatus: { ...STATUS, kinds } };
  const terminal = await cli(["status", "--no-color"], { answers, isTerminal: true });
  const shown = terminal.stdout.match(/^kind-\d+/gm) ?? [];
  assert.deepEqual([shown.length, shown.at(-2), shown.at(-1)], [30, "kind-28", "kind-31"]);
  assert.match(terminal.stdout, /\n2 more kinds: jobctl status -o wide\n$/);
  for (const argv of [["status", "-o", "table"], ["status", "-o", "wide"]]) {
    const { stdout } = await cli(argv, { answers });
    assert.equal((stdout.match(/^kind-/gm) ?? []).length, 32);
  }
});

test("list schedules tells jitter and the limits of queue and misfire where there are any", async () => {
  const recurrence = { queueMax: 3, misfireWithinMs: 86_400_000n };
  const schedules = [
    { id: "config:a:0", kind: "a", jitterMs: 300_000n, recurrence },
    { id: "config:b:0", kind: "b" },
  ];
  const run = await cli(["list", "schedules"], { answers: { listSchedules: { schedules } } });
  const [a, b] = JSON.parse(run.stdout);
  const { queue_max, misfire_within_ms } = a.recurrence;
  assert.deepEqual([a.jitter_ms, queue_max, misfire_within_ms], [300_000, 3, 86_400_000]);
  assert.deepEqual([b.jitter_ms, b.recurrence], [0, undefined]);
});

test("list timers tells what is still to be skipped", async () => {
  const schedules = [
    { id: "config:a:0", kind: "a", status: "active", skipNext: 2 },
    { id: "config:b:0", kind: "b", status: "paused", skipUntil: { seconds: 4_102_444_800n } },
    { id: "config:c:0", kind: "c", status: "active", skipUntil: { seconds: 1n } },
  ];
  const answers = { listSchedules: { schedules } };
  const run = await cli(["list", "timers", "-o", "table"], { answers });
  assert.match(run.stdout, /a .* active, skips 2$/m);
  assert.match(run.stdout, /b .* paused, skips until 2100-01-01$/m);
  assert.match(run.stdout, /c .* active$/m);
  assert.equal(JSON.parse((await cli(["list", "timers"], { answers })).stdout)[0].skip_next, 2);
});

test("list instances --text sends the text, for dead letters, too", async () => {
  for (const noun of ["instances", "dead"]) {
    const argv = ["list", noun, "--text", "shop-42"];
    const { calls } = await cli(argv, { answers: { lookupInstances: { instances: [] } } });
    const { query } = calls[0]!.request as { readonly query: { readonly text?: string } };
    assert.equal(query.text, "shop-42");
  }
});

test("workers scale sends the count and prints the workers", async () => {
  const run = await cli(["workers", "scale", "8"], {
    answers: { resizeWorkers: { workers: { count: 8, busy: 0, alive: 0 } } },
  });
  const { count, ...others } = JSON.parse(run.stdout);
  assert.deepEqual([count, others], [8, { busy: 0, alive: 0, missing: 0, silent: 0 }]);
  assert.deepEqual(run.calls[0]!.request, { count: 8 });
});

test("workers scale says on a terminal how long it lasts", async () => {
  const { stderr } = await cli(["workers", "scale", "8"], {
    answers: { resizeWorkers: { workers: { count: 8, busy: 0, alive: 0 } } },
    isTerminal: true,
  });
  assert.equal(stderr, "This lasts until the daemon ends; to keep it, set worker.count = 8\n");
});

test("next prints the next runs of an expression without a daemon", async () => {
  const run = await cli(["next", "30 2 * * *", "--tz", "Europe/Berlin", "-n", "2"]);
  assert.equal(run.code, 0, run.stderr);
  const printed = JSON.parse(run.stdout);
  assert.deepEqual(printed.map((entry: { at: string }) => entry.at), [
    "2026-11-25T01:30:00Z",
    "2026-11-26T01:30:00Z",
  ]);
  assert.equal(run.settings, null);
});

test("next takes an expression as words of their own", async () => {
  const run = await cli(["next", "30", "2", "*", "*", "*", "-n", "1"]);
  assert.equal(JSON.parse(run.stdout).length, 1, run.stderr);
});

test("next --after and --until list a span: with its start, without its end", async () => {
  const span = ["--after", "2026-11-25T01:30:00Z", "--until", "2026-11-25T03:30:00Z"];
  const run = await cli(["next", "*/30 * * * *", ...span]);
  assert.deepEqual(
    JSON.parse(run.stdout).map(({ at }: { at: string }) => at.slice(11, 16)),
    ["01:30", "02:00", "02:30", "03:00"],
  );
  const first = await cli(["next", "*/30 * * * *", ...span, "-n", "1"]);
  assert.equal(JSON.parse(first.stdout).length, 1);
});

test("next --until says if nothing runs, and if there are too many", async () => {
  const options = { isTerminal: true };
  const none = await cli(["next", "0 0 1 1 *", "--until", "+1d"], options);
  assert.equal(none.stderr, "No run in this time\n");
  const many = await cli(["next", "* * * * *", "--until", "+2d"], options);
  assert.equal(many.stderr, "There may be more: no more than 1000 runs are listed\n");
});

test("next exits 2 for an expression that is none", async () => {
  const run = await cli(["next", "61 * * * *"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /61/);
});

test("next with a time or a count in place of a schedule names the option", async () => {
  await withTempDir({ "config.toml": '[jobs.a]\nrun = "true"\n' }, async ({ path }) => {
    for (
      const [line, meant] of [
        ["next 3:00", "--after 3:00"],
        ["next tomorrow 3:00", "--after 'tomorrow 3:00'"],
        ["next 01:00-05:00", "--after 01:00 --until 05:00"],
        ["next 10", "-n 10"],
      ] as const
    ) {
      const run = await cli(line.split(" "), { cwd: path });
      assert.equal(run.code, 2, line);
      assert.ok(run.stderr.endsWith(`hint: Did you mean "jobctl next ${meant}"?\n`), run.stderr);
    }
  });
});

test("next --all lists the next runs of all jobs of a configuration, with their kinds", async () => {
  await withTempDir({
    "config.toml": [
      '[jobs.daily]\ncommand = ["true"]\nschedule = "0 12 * * *"',
      '[jobs.hourly]\ncommand = ["true"]\nschedule = "30 * * * *"',
      '[jobs.never]\ncommand = ["true"]',
    ].join("\n"),
  }, async ({ path }) => {
    const config = ["--config", `${path}/config.toml`];
    const run = await cli(["next", "--all", "-n", "30", ...config]);
    assert.equal(run.code, 0, run.stderr);
    const kinds = JSON.parse(run.stdout).map(({ kind }: { kind: string }) => kind);
    assert.equal(kinds.length, 30);
    assert.deepEqual([...new Set(kinds)].sort(), ["daily", "hourly"]);
    const table = await cli(["next", "--all", "-o", "table", ...config]);
    assert.match(table.stdout, /^KIND +LOCAL/);
    assert.match(table.stdout, /^hourly /m);
    assert.deepEqual(await cli(["next", "-n", "30", ...config]), run);
    const each = await cli([
      "next",
      "--each",
      "-n",
      "2",
      "-o",
      "csv",
      "--fields",
      "kind",
      ...config,
    ]);
    assert.equal(each.stdout, "kind\r\ndaily\r\ndaily\r\nhourly\r\nhourly\r\n");
    const both = await cli(["next", "--all", "daily", ...config]);
    assert.deepEqual([both.code, both.stdout], [2, ""]);
  });
  const none = await cli(["next"]);
  assert.deepEqual([none.code, none.stdout], [2, ""]);
  assert.match(none.stderr, /Cannot list the next runs: there is no config\.toml in "/);
});

test("next KIND says that there is no configuration to find it in", async () => {
  const run = await cli(["next", "report"]);
  assert.deepEqual([run.code, run.stdout], [4, ""]);
  assert.match(
    run.stderr,
    /the runs of "report": there is no config\.toml in this folder\nhint: Name it with --config/,
  );
});

test("list instances hides notices unless they are asked for, and shows only their titles", async () => {
  const notice = instance({ uuid: OTHER, kind: "system.notice.ops", arguments: ["Title", "{}"] });
  const lookupInstances = ({ query }: { query: { pageToken?: string } }) =>
    query.pageToken ? { instances: [instance()] } : {
      instances: [notice],
      nextPageToken: "t",
    };
  const answers = { lookupInstances: lookupInstances as never };
  const hidden = await cli(["list", "instances", "--limit", "1", "-o", "table"], { answers });
  assert.doesNotMatch(hidden.stdout, /system/);
  assert.match(hidden.stdout, new RegExp(ID));
  for (const more of [["--all"], ["--kind", "system.notice.ops"]]) {
    const all = await cli(["list", "instances", ...more, "-o", "table"], { answers });
    assert.match(all.stdout, /system\.notice\.ops.* Title$/m);
    assert.doesNotMatch(all.stdout, /Title, /);
  }
});

test("list dead asks for dead letters and shows why they failed", async () => {
  const dead = instance({ state: 64, reason: "error", error: "no such host\nat line 1" });
  const { calls, stdout } = await cli(["list", "dead", "-k", "sum", "-o", "table"], {
    answers: { lookupInstances: { instances: [dead] } },
  });
  const { query } = calls.at(-1)!.request as { query: Record<string, unknown> };
  assert.deepEqual([query.kind, query.dead], ["sum", true]);
  assert.match(stdout, /STATE +WHEN +WHAT$/m);
  assert.match(stdout, /failed +1m ago +no such host$/m);
});

test("redrive runs named dead letters again without a question", async () => {
  const { calls, stderr, code } = await cli(["redrive", ID, OTHER, "--force"], {
    answers: { redriveInstances: { instances: [instance()], count: 2n } },
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls, [{
    method: "redriveInstances",
    request: { query: { uuids: [ID, OTHER] }, all: false, force: true },
  }]);
});

test("redrive says which were run again before", async () => {
  const { stderr } = await cli(["redrive", ID, OTHER], {
    isTerminal: true,
    answers: {
      lookupInstances: { instances: [instance(), instance({ uuid: OTHER, redrivenAs: ID })] },
      redriveInstances: { instances: [instance(), instance()], count: 2n },
    },
  });
  assert.equal(stderr, "Redriven 1; 1 had been redriven before\n");
});

test("cancel and redrive with --dry-run show what matches, and change nothing", async () => {
  const dead = { lookupInstances: { instances: [instance()] } };
  const unfinished = { lookupInstances: { instances: [waiting(), waiting(OTHER)] } };
  const lines = [
    ["cancel instances --all", unfinished, "Would cancel 2 instances", 2],
    ["cancel instances --kind sum", unfinished, 'Would cancel 2 instances of kind "sum"', 2],
    [`cancel ${ID}`, { lookupInstances: { instances: [waiting()] } }, "Would cancel it", 1],
    ["redrive --kind sum", dead, 'Would redrive 1 dead letter of kind "sum"', 1],
    [`redrive ${ID}`, dead, "Would redrive 1 dead letter", 1],
    [`redrive ${ID} --force`, dead, "Would redrive 1 dead letter", 1],
  ] as const;
  for (const [line, answers, said, count] of lines) {
    const run = await cli([...line.split(" "), "--dry-run"], { answers });
    assert.deepEqual([run.code, run.stderr], [0, `${said}\n`], line);
    assert.equal(JSON.parse(run.stdout).length, count);
    const methods = run.calls.map(({ method }) => method);
    assert.ok(!methods.some((name) => /^(cancel|redrive)/.test(name)), methods.join());
  }
  const finished = await cli(["cancel", ID, "--dry-run"], {
    answers: { lookupInstances: { instances: [] } },
  });
  assert.equal(finished.code, 6);
});

test("cancel asks the daemon how many there are if it is a thousand or more", async () => {
  const instances = Array.from({ length: 500 }, () => waiting());
  let pages = 0;
  const lookupInstances = () => ({ instances, nextPageToken: String(pages += 1) });
  const cases = [[4_321n, false, "4321"], [100_000n, true, "100000 or more"]] as const;
  for (const [count, hasMore, said] of cases) {
    const run = await cli(["cancel", "instances", "--kind", "sum", "--state", "waiting"], {
      answers: { lookupInstances, countInstances: { count, hasMore } },
    });
    assert.equal(run.code, 2);
    assert.match(run.stderr, new RegExp(`Cannot cancel ${said} instances of kind "sum"`));
  }
});

test("redrive of many needs --yes where nobody can be asked", async () => {
  const answers = { lookupInstances: { instances: [instance()] } };
  const refused = await cli(["redrive", "--kind", "sum"], { answers });
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /Cannot redrive 1 dead letter of kind "sum" without confirmation: this is not a terminal/,
  );
  const run = await cli(["redrive", "--all", "--yes"], {
    answers: { redriveInstances: { instances: [], count: 0n } },
  });
  assert.equal(run.code, 0, run.stderr);
  const { all } = run.calls.at(-1)!.request as { all: boolean };
  assert.equal(all, true);
});

for (
  const argv of [
    ["redrive"],
    ["redrive", "--all", "--kind", "sum"],
    ["redrive", "01938f2c", "--all"],
    ["redrive", "01938f2c", "--kind", "sum"],
    ["redrive", "--kind", "sum", "--force"],
  ]
) {
  test(`${argv.join(" ")} is refused before anything is asked`, async () => {
    const run = await cli([...argv, "--yes"]);
    assert.equal(run.code, 2);
    assert.deepEqual(run.calls, []);
  });
}

test("backfill says how many ticks were left out, and why", async () => {
  const answers = {
    backfill: ({ dryRun }: { readonly dryRun?: boolean }) =>
      dryRun ? { count: 3n } : { count: 1n, instances: [waiting()] },
  };
  const argv = ["backfill", "sum", "--from", "-2d", "--yes"];
  const run = await cli(argv, { answers, isTerminal: true, input: "" });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^Made 1, left out 2: another instance has their unique key/m);
  const whole = { backfill: { count: 1n, instances: [waiting()] } };
  const all = await cli(argv, { answers: whole, isTerminal: true, input: "" });
  assert.match(all.stderr, /^Made 1$/m);
});

const NODES = {
  nodes: [
    {
      ...{ id: "berlin-2", state: "live", host: "alpha", version: "1.2.0", pid: 7n },
      ...{ tags: ["gpu", "eu"], kinds: ["render"], kindCount: 1, workers: 4, busy: 2 },
      seenAt: { seconds: 1n, nanos: 0 },
      startedAt: { seconds: 1n, nanos: 0 },
    },
    {
      id: "berlin-3",
      state: "lost",
      host: "beta",
      version: "1.1.0",
      kindCount: 12,
      workers: 2,
      busy: 1,
    },
  ],
};

test("list nodes shows people who is there, and programs everything", async () => {
  const answers = { listNodes: NODES };
  const table = await cli(["list", "nodes", "-o", "table"], { answers });
  assert.match(table.stdout, /^ID +STATE +BUSY +JOBS +SEEN +TAGS +STARTED +VERSION +HOST$/m);
  assert.match(table.stdout, /berlin-2 +live +2 of 4 +1 .* gpu, eu .* 1\.2\.0 +alpha$/m);
  assert.match(table.stdout, /berlin-3 +lost +- +12 .* 1\.1\.0 +beta$/m);
  const [first] = JSON.parse((await cli(["list", "nodes"], { answers })).stdout);
  assert.deepEqual([first.id, first.kinds, first.tags], ["berlin-2", ["render"], ["gpu", "eu"]]);
});

test("get node shows one, or names the nearest", async () => {
  const answers = { listNodes: NODES };
  const one = await cli(["get", "node", "berlin-3"], { answers });
  assert.equal(JSON.parse(one.stdout).state, "lost");
  const none = await cli(["get", "node", "berlin-4"], { answers });
  assert.equal(none.code, 4);
  assert.match(none.stderr, /Did you mean "berlin-/);
});

test("workers scale --node asks for another node and prints it", async () => {
  const node = { ...NODES.nodes[0], wantedWorkers: 8 };
  const run = await cli(["workers", "scale", "8", "--node", "berlin-2"], {
    answers: { resizeWorkers: { workers: { count: 1 }, node } },
  });
  assert.deepEqual(run.calls[0]!.request, { count: 8, node: "berlin-2" });
  assert.equal(JSON.parse(run.stdout).wanted_workers, 8);
});

test("list instances shows what no live node runs as unserved", async () => {
  const blockedBy = { limit: "node", name: "render", used: 0n, max: 0n };
  const answers = {
    lookupInstances: { instances: [instance({ state: JobState.SCHEDULED, blockedBy })] },
  };
  const run = await cli(["list", "instances", "--no-color"], { isTerminal: true, answers });
  assert.match(run.stdout, /waiting: no node .* a node that runs job "render"/);
});
