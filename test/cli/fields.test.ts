import assert from "node:assert/strict";
import test from "node:test";
import { cli, type CliOptions, NOW } from "../support/worlds/cli_world.ts";
import {
  historyEntry,
  ID,
  instance,
  job,
  logEntry,
  schedule,
} from "../support/worlds/cli_messages.ts";
import { isGroup, optionsOf, type Verb } from "../../src/cli/verb/verb.ts";
import { verbsFor } from "../../src/cli/verbs.ts";
import { JobState } from "../../src/rpc/gen/job_pb.ts";

const FAILED = instance({
  ...{ state: JobState.TERMINATED, reason: "error", results: [], resultsJson: undefined },
  ...{ error: "disk full", errorDetail: { name: "Error", message: "disk full", exitCode: 3 } },
});
const ANSWERS = {
  getInstance: { instance: FAILED },
  lookupInstances: { instances: [instance(), FAILED] },
  lookupInstanceHistory: { entries: [historyEntry(JobState.COMPLETED, NOW)] },
  lookupInstanceLogs: { entries: [logEntry(2, "second"), logEntry(1, "first\tcolumn")] },
  listSchedules: { schedules: [schedule()] },
};

async function run(line: string, options: CliOptions = {}) {
  const { code, stdout, stderr, calls } = await cli(line.split(" "), {
    answers: ANSWERS,
    env: options.isTerminal ? { NO_COLOR: "1" } : {},
    ...options,
  });
  const methods = calls.map(({ method }) => method);
  return { code, stdout, stderr, methods };
}

const LIST = "list instances --fields error,id,state,error";

test("--fields chooses the fields of each form of output, in that order and once", async () => {
  const { stdout } = await run(`${LIST} -o json`);
  const [done, failed] = JSON.parse(stdout);
  assert.deepEqual(done, { id: ID, state: "completed" });
  assert.deepEqual(Object.keys(failed), ["error", "id", "state"]);
  assert.equal(failed.error.exit_code, 3);
  const jsonl = await run(`${LIST} -o jsonl`);
  assert.equal(jsonl.stdout.split("\n")[0], `{"id":"${ID}","state":"completed"}`);
  const csv = await run(`${LIST} -o csv`);
  assert.equal(csv.stdout.split("\r\n")[0], "error,id,state");
  assert.equal(csv.stdout.split("\r\n")[1], `,${ID},completed`);
  const yaml = await run("list instances --fields kind,attempts -o yaml");
  assert.equal(yaml.stdout, "- kind: sum\n  attempts: 1\n- kind: sum\n  attempts: 1\n");
});

test("--fields chooses the columns of a table: of the view, or of the JSON", async () => {
  const { stdout } = await run("list instances --fields what,state,max_retries,id", {
    isTerminal: true,
  });
  assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/)), [
    ["WHAT", "STATE", "MAX RETRIES", "ID"],
    ["3", "done", "2", "00000001"],
    ["disk full", "failed: exit 3", "2", "00000001"],
  ]);
  const error = await run("list instances --fields error", { isTerminal: true });
  assert.equal(error.stdout, "ERROR\n-\ndisk full\n");
  const empty = await run("list instances --fields id,unique_key", { isTerminal: true });
  assert.match(empty.stdout, /^ID +UNIQUE KEY\n00000001 +-\n/);
});

test("an unknown field is an error that names the near one and lists all", async () => {
  for (const output of ["json", "table"]) {
    const { code, stdout, stderr } = await run(`list instances --fields id,eror,x -o ${output}`);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /Cannot write --fields "eror", "x": no such field/);
    assert.match(stderr, /hint: Did you mean "error"\? Fields: .*id, .*state, .*duration_ms/);
    assert.equal(/took, when/.test(stderr), output === "table");
  }
});

test("--fields of one thing reads no more than it writes", async () => {
  const { stdout, methods } = await run(
    `describe instance ${ID} --fields state,unique_key -o json`,
  );
  assert.deepEqual(JSON.parse(stdout), { state: "terminated" });
  assert.deepEqual(methods, ["getInstance"]);
  const log = await run("describe instance 0193 --fields log -o json");
  assert.equal(JSON.parse(log.stdout).log.length, 2);
  const unknown = await run("describe instance 0193 --fields logs -o json");
  assert.match(
    unknown.stderr,
    /"logs": no such field\nhint: Did you mean "log"\? Fields: kind, id/,
  );
});

test("--fields of one thing as CSV has a column for what has no value", async () => {
  const { stdout } = await run("describe instance 0193 --fields unique_key,state -o csv");
  assert.equal(stdout, "unique_key,state\r\n,terminated\r\n");
});

test("--fields of one thing is a table of one row in text", async () => {
  const { stdout } = await run("get schedule 0193aaaa --fields kind,cron", { isTerminal: true });
  assert.equal(stdout, "KIND  CRON\nsum   0 6 * * *\n");
});

test("--fields of a log writes a line for each entry, without a heading", async () => {
  const { stdout } = await run("logs 0193 --fields message", { isTerminal: true });
  assert.equal(stdout, "second\nfirst\\tcolumn\n");
});

test("-o name of a description reads no history, log, schedules or channels", async () => {
  const { stdout, methods } = await run(`describe instance ${ID} -o name`);
  assert.deepEqual([stdout, methods], [`${ID}\n`, ["getInstance"]]);
  const job = await run("describe job sum -o name", {
    answers: { getJob: { job: { kind: "sum" } } },
  });
  assert.deepEqual([job.stdout, job.methods], ["sum\n", ["getJob"]]);
});

test("--fields is refused where there are no fields", async () => {
  for (const other of ["-o name", "--compat go-job"]) {
    const { code, stderr, methods } = await run(`list instances --fields id ${other}`);
    assert.deepEqual([code, methods], [2, []]);
    assert.match(stderr, /Cannot use --fields with (-o name|--compat): it has no fields/);
  }
});

test("one field in a pipe is a list of values, and --no-header leaves headings out everywhere", async () => {
  const pipe = { env: { JOBCTL_OUTPUT: "" } };
  assert.equal((await run("list instances --fields id", pipe)).stdout, `${ID}\n${ID}\n`);
  assert.equal((await run(`get instance ${ID} --fields kind`, pipe)).stdout, "sum\n");
  const two = await run("list instances --fields id,kind", pipe);
  assert.equal(two.stdout.split("\n")[0], "ID\tKIND");
  const bare = await run("list instances --fields id,kind --no-header", pipe);
  assert.equal(bare.stdout, `${ID}\tsum\n${ID}\tsum\n`);
  const shown = await run("list instances --fields kind", { isTerminal: true });
  assert.equal(shown.stdout, "KIND\nsum\nsum\n");
  const plain = await run("list instances --fields kind --no-header", { isTerminal: true });
  assert.equal(plain.stdout, "sum\nsum\n");
  assert.match((await run("list instances --fields id -o csv")).stdout, /^id\r\n/);
  const csv = await run("list instances --fields kind,state -o csv --no-header");
  assert.equal(csv.stdout, "sum,completed\r\nsum,terminated\r\n");
});

test("every field that a shell offers for --fields and --sort is one", async () => {
  const answers = { ...ANSWERS, listRegisteredJobs: { jobs: [job()] }, listNodes: { nodes: [{}] } };
  for (
    const line of [
      ...["list instances", "list dead", `get instance ${ID}`, "list jobs", "list schedules"],
      ...["list timers", "list nodes", "logs", `logs ${ID}`],
    ]
  ) {
    const [first = "", second = ""] = line.split(" ");
    const [entry] = await verbsFor(first);
    const verb = isGroup(entry!) ? entry.verbs.find(({ name }) => name === second)! : entry!;
    const { fields, sort } = optionsOf(verb as Verb);
    for (const [option, names] of [["fields", fields?.suggests], ["sort", sort?.suggests]]) {
      for (const name of names ?? []) {
        const { code, stderr } = await run(`${line} --${option} ${name}`, { answers });
        assert.equal(code, 0, `${line} --${option} ${name}: ${stderr}`);
      }
    }
  }
});

test("--fields of one thing takes the columns of its table, too, in text", async () => {
  const line = `get instance ${ID} --fields state,took,what,history`;
  const { stdout } = await run(line, { isTerminal: true });
  assert.match(stdout, /^STATE +TOOK +WHAT +HISTORY\nfailed: exit 3 +- +disk full +\[/);
  assert.equal((await run(`describe ${ID} --fields state`, { isTerminal: true })).code, 0);
  const next = await run("get schedule 0193aaaa --fields next", { isTerminal: true });
  assert.equal(next.stdout, "NEXT\nin 1h\n");
  const json = await run(`${line} -o json`);
  assert.equal(json.code, 2);
  assert.match(json.stderr, /Cannot write --fields "took", "what"/);
});
