import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import {
  ID,
  instance,
  job,
  logEntry,
  schedule,
  waiting,
} from "../../support/worlds/cli_messages.ts";
import { cli, type CliOptions, NOW } from "../../support/worlds/cli_world.ts";
import { MessageStream } from "../../support/worlds/message_stream.ts";
import { promisesRan, SimClock } from "../../support/worlds/sim_clock.ts";

const TABLE = { JOBCTL_OUTPUT: "table" };

/** Answers for a job with these schedules, whose run goes through these steps. */
function answersFor(schedules: readonly object[], steps: readonly object[]) {
  return {
    getJob: { job: job() },
    listSchedules: { schedules },
    runSchedule: { instance: waiting() },
    scheduleJob: { instance: waiting() },
    *follow() {
      yield* steps;
    },
  };
}

const DONE = { cursor: "2", instance: instance({ durationMs: 500n }) };
const FAILED = {
  cursor: "2",
  instance: instance({
    ...{ state: JobState.TERMINATED, results: [], durationMs: 500n },
    ...{ reason: "error", error: "disk full\nat x", errorDetail: { name: "Error", exitCode: 3 } },
  }),
};

function stderrEntry(seq: number, message: string) {
  return { ...logEntry(seq, message), source: "stderr" };
}

test("run writes the job's output and results to stdout, and the rest to stderr", async () => {
  const entries = [logEntry(1, "one"), stderrEntry(2, "careful"), logEntry(3, "two")];
  const steps = [{ cursor: "1", entries }, DONE];
  const run = await cli(["run", "sum", "1", "2"], { answers: answersFor([], steps), env: TABLE });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stdout, "one\ntwo\n3\n");
  assert.equal(run.stderr, "careful\nDone in 500ms\n");
});

test("run says on a terminal which arguments a schedule gives", async () => {
  const options = { answers: answersFor([schedule()], [DONE]), isTerminal: true };
  const { stderr } = await cli(["run", "sum"], options);
  assert.match(stderr, /^Running sum as [0-9a-f]+ with 1, 2\n/);
});

test("run ends with the outcome of the run as its exit code", async () => {
  for (
    const [state, code, text] of [
      [JobState.COMPLETED, 0, "Done"],
      [JobState.TERMINATED, 3, "Failed"],
      [JobState.CANCELLED, 3, "Canceled"],
      [JobState.TIMED_OUT, 124, "Failed"],
    ] as const
  ) {
    const steps = [{ cursor: "1", instance: instance({ state, results: [] }) }];
    const run = await cli(["run", "sum"], { answers: answersFor([], steps), env: TABLE });
    assert.equal(run.code, code, text);
    assert.ok(run.stderr.startsWith(text), run.stderr);
  }
});

test("run --exit-code passes on the exit code or the signal of a command", async () => {
  const codeOf = async (of: object) => {
    const steps = [{ cursor: "1", instance: instance({ results: [], ...of }) }];
    const argv = ["run", "sum", "--exit-code"];
    return (await cli(argv, { answers: answersFor([], steps), env: TABLE })).code;
  };
  const failed = { state: JobState.TERMINATED, reason: "error" };
  assert.equal(await codeOf({ ...failed, errorDetail: { name: "Error", exitCode: 7 } }), 7);
  assert.equal(await codeOf({ ...failed, errorDetail: { name: "Error", signal: "SIGKILL" } }), 137);
  assert.equal(await codeOf({ ...failed, errorDetail: { name: "TypeError" } }), 3);
  assert.equal(await codeOf({ state: JobState.TIMED_OUT, errorDetail: { name: "Error" } }), 124);
  assert.equal(await codeOf({}), 0);
});

test("run says how to keep the other arguments if some are missing", async () => {
  const signatureJson = JSON.stringify(
    readSignature("export default (day: string, customer: string, copies = 1) => {};"),
  );
  const refused = (path: string) => () => {
    throw new JobError("invalid_argument", "Cannot call it", { path, hint: "Usage: report" });
  };
  const answers = {
    ...answersFor([], []),
    getJob: { job: { kind: "report", signatureJson, usage: "report" } },
    scheduleJob: refused("arguments"),
  };
  const some = await cli(["run", "report", "--day", "2026-01-31"], { answers });
  assert.ok(
    some.stderr.endsWith(
      "hint: Usage: report\nTo keep the other arguments of its last run: jobctl retry last:report --day 2026-01-31\n",
    ),
    some.stderr,
  );
  const all = await cli(["run", "report", "x", "--customer", "b"], { answers });
  assert.ok(all.stderr.endsWith("hint: Usage: report\n"), all.stderr);
});

test("run says in one line why a run failed, and where to see more", async () => {
  const run = await cli(["run", "sum"], { answers: answersFor([], [FAILED]), env: TABLE });
  assert.equal(run.stderr, `Failed: exit 3, after 500ms: disk full\nSee jobctl describe ${ID}\n`);
  const quiet = await cli(["run", "sum", "-q"], { answers: answersFor([], [FAILED]), env: TABLE });
  assert.equal(quiet.stderr, "");
});

test("run -o json writes the instance to stdout and its log to stderr", async () => {
  const steps = [{ cursor: "1", entries: [logEntry(1, "one")] }, DONE];
  const run = await cli(["run", "sum"], { answers: answersFor([], steps) });
  assert.deepEqual([JSON.parse(run.stdout).id, run.stderr], [ID, "one\n"]);
});

test("run --detach prints the id and does not watch", async () => {
  const answers = answersFor([], [DONE]);
  for (const option of ["--detach", "-d"]) {
    const run = await cli(["run", "sum", option], { answers, env: TABLE });
    assert.deepEqual([run.code, run.stdout], [0, `${ID}\n`]);
    assert.ok(!run.calls.some(({ method }) => method === "follow"));
  }
  const record = await cli(["run", "sum", "-d"], { answers });
  assert.equal(JSON.parse(record.stdout).state, "scheduled");
});

/** The request that started the run: its method, and the kind and schedule in it. */
async function started(argv: readonly string[], schedules: readonly object[]) {
  const run = await cli(["run", ...argv], { answers: answersFor(schedules, [DONE]) });
  const call = run.calls.find(({ method }) => method === "runSchedule" || method === "scheduleJob");
  const { kind, scheduleId, arguments: words } = call?.request ?? {};
  return { code: run.code, stderr: run.stderr, method: call?.method, kind, scheduleId, words };
}

test("run without arguments runs what the job's schedules run, if they agree", async () => {
  const [one, other] = [schedule("sum:0"), schedule("sum:1")];
  const alone = await started(["sum"], []);
  assert.deepEqual([alone.method, alone.words], ["scheduleJob", []]);
  const single = await started(["sum"], [one]);
  assert.deepEqual([single.method, single.kind, single.scheduleId], [
    "runSchedule",
    "sum",
    undefined,
  ]);
  const alike = await started(["sum"], [one, other]);
  assert.deepEqual([alike.method, alike.scheduleId], ["runSchedule", "sum:0"]);
  const named = await started(["sum", "--schedule", "sum:1"], [one, other]);
  assert.deepEqual([named.method, named.scheduleId], ["runSchedule", "sum:1"]);
  const differing = await started(["sum"], [one, { ...other, arguments: ["3", "4"] }]);
  assert.deepEqual([differing.code, differing.method], [2, undefined]);
  assert.match(
    differing.stderr,
    /different ones\nhint: Give arguments, or --schedule[^]*sum:1 .*3 4/,
  );
});

test("run with arguments runs the job with them, whatever its schedules say", async () => {
  const { method, kind, words } = await started(["sum", "5", "6"], [schedule("sum:0")]);
  assert.deepEqual([method, kind, words], ["scheduleJob", "sum", ["5", "6"]]);
  const both = await started(["sum", "5", "--schedule", "sum:0"], [schedule("sum:0")]);
  assert.deepEqual([both.code, both.method], [2, undefined]);
  assert.match(both.stderr, /--schedule with arguments/);
});

test("run takes the id of a schedule in place of a kind, and names what is near", async () => {
  const getJob = () => {
    throw new JobError("not_found", 'Cannot find job "x": no such kind', {
      hint: 'Did you mean "sum"?',
    });
  };
  const answers = { ...answersFor([schedule("config:sum:0")], [DONE]), getJob };
  const run = await cli(["run", "sum:0"], { answers });
  const { request } = run.calls.find(({ method }) => method === "runSchedule")!;
  assert.deepEqual([request.kind, request.scheduleId], ["sum", "config:sum:0"]);
  const given = await cli(["run", "sum:0", "1"], { answers });
  assert.equal(given.code, 2);
  assert.match(given.stderr, /it has its own\nhint: Run its job with them: jobctl run sum\n/);
  const hostile = { ...schedule("config:sum:0"), kind: "; rm $(id)" };
  const odd = { ...answersFor([hostile], [DONE]), getJob };
  const quoted = await cli(["run", "sum:0", "1"], { answers: odd });
  assert.match(quoted.stderr, /hint: Run its job with them: jobctl run '; rm \$\(id\)'\n/);
  const unknown = await cli(["run", "sun!"], { answers });
  assert.equal(unknown.code, 4);
  assert.match(unknown.stderr, /no such kind\nhint: Did you mean "sum"\?/);
  const last = await cli(["run", "last:sum"], { answers });
  assert.equal(last.code, 4);
  assert.match(last.stderr, /it names a run, not a job\nhint: .* jobctl retry last:sum\n/);
});

/** Signals that a test sends. */
class Signals {
  readonly #listeners: { readonly signal: string; readonly listener: () => void }[] = [];

  readonly interruptible: CliOptions["interruptible"] = (listener, signals) => {
    for (const signal of signals) this.#listeners.push({ signal, listener });
  };

  send(signal: string): void {
    for (const each of this.#listeners) if (each.signal === signal) each.listener();
  }
}

/** A run that goes on until it is canceled; `started` is called once it is watched. */
function endless(started: () => void) {
  const canceled = Promise.withResolvers<void>();
  return {
    ...answersFor([], []),
    getInstance: { instance: instance({ state: JobState.PROCESSING }) },
    cancelInstances: () => {
      canceled.resolve();
      return {};
    },
    *follow() {
      yield { cursor: "1", instance: instance({ state: JobState.PROCESSING }) };
      started();
      yield { cursor: "2", instance: instance({ state: JobState.CANCELLED, results: [] }) };
    },
  };
}

test("run leaves the run to itself on SIGINT and SIGTERM off a terminal, and says so", async () => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    const signals = new Signals();
    const answers = {
      ...endless(() => signals.send(signal)),
      *follow() {
        yield { cursor: "1", instance: instance({ state: JobState.PROCESSING }) };
        signals.send(signal);
      },
    };
    const { interruptible } = signals;
    const run = await cli(["run", "sum"], { answers, env: TABLE, interruptible });
    assert.equal(run.code, 130);
    assert.equal(run.stderr, `The run continues: jobctl logs -f ${ID}\n`);
    assert.ok(!run.calls.some(({ method }) => method === "cancelInstances"));
  }
});

test("run asks on a terminal at Ctrl-C, and cancels only if the answer is yes", async () => {
  for (const [input, isCanceled] of [["y\n", true], ["\n", false], ["n\n", false]] as const) {
    const signals = new Signals();
    const answers = endless(() => signals.send("SIGINT"));
    const { interruptible } = signals;
    const run = await cli(["run", "sum"], { answers, isTerminal: true, input, interruptible });
    assert.equal(run.code, 130, run.stderr);
    assert.match(run.stderr, /Cancel this run\? .*\[y\/N\]/);
    const canceled = run.calls.filter(({ method }) => method === "cancelInstances");
    assert.equal(canceled.length, isCanceled ? 1 : 0);
    assert.equal(run.stderr.includes("The run continues"), !isCanceled, run.stderr);
  }
});

/** What a run says that does not start within two seconds. */
async function saidOf(changes: object, pauses: readonly object[] = []) {
  const clock = new SimClock(NOW);
  const stream = new MessageStream();
  const answers = {
    ...answersFor([], []),
    follow: stream.answer,
    getInstance: { instance: { ...waiting(), ...changes } },
    listPauses: { pauses },
  };
  const run = cli(["run", "sum"], { answers, env: TABLE, clock });
  await stream.begun;
  stream.send({ cursor: "1", instance: waiting() });
  await promisesRan();
  await clock.advance(2_000);
  await promisesRan();
  stream.send({ cursor: "2", instance: instance({ durationMs: 500n }) });
  const { code, stderr } = await run;
  assert.equal(code, 0, stderr);
  return stderr.replace("Done in 500ms\n", "");
}

test("run says what a run waits for that does not start within two seconds", async () => {
  const due = { seconds: BigInt(NOW / 1_000 + 62), nanos: 0 };
  const limit = { limit: "concurrency", name: "sum", used: 1n, max: 1n };
  assert.equal(await saidOf({}), "Waiting for a free worker\n");
  assert.match(await saidOf({ blockedBy: limit }), /^Waiting for concurrency of sum/);
  assert.equal(await saidOf({ dueAt: due }), "Waiting: due in 1m\n");
  const paused = await saidOf({}, [{ kind: "other" }, { kind: "sum" }]);
  assert.equal(paused, "Waiting: the job is paused, see jobctl resume sum\n");
  assert.match(await saidOf({}, [{}]), /^Waiting: all jobs are paused/);
});

test("run tells of a first attempt that was never seen running", async () => {
  const steps = [
    { cursor: "1", instance: { ...waiting(), attempts: 1, failures: 1, reason: "error" } },
    { cursor: "2", instance: { ...waiting(), attempts: 1, failures: 1, reason: "error" } },
    { cursor: "3", instance: instance({ durationMs: 500n, attempts: 2 }) },
  ];
  const run = await cli(["run", "sum"], { answers: answersFor([], steps), env: TABLE });
  assert.match(run.stderr, /^Attempt 1 failed: the next is due .*\nDone in 500ms, attempt 2\n$/);
});

test("run tells of each attempt that is followed by another", async () => {
  const retry = {
    ...waiting(),
    ...{ attempts: 1, failures: 1, reason: "error" },
    dueAt: { seconds: BigInt(NOW / 1_000 + 10), nanos: 0 },
  };
  const steps = [
    { cursor: "1", instance: instance({ state: JobState.PROCESSING }) },
    { cursor: "2", instance: retry },
    { cursor: "3", instance: instance({ durationMs: 500n, attempts: 2 }) },
  ];
  const run = await cli(["run", "sum"], { answers: answersFor([], steps), env: TABLE });
  assert.equal(
    run.stderr,
    "Attempt 1 failed: the next is due in 10s\nDone in 500ms, attempt 2\n",
  );
});
