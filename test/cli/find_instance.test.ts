import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../src/core/errors.ts";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { JobInstance } from "../../src/rpc/gen/job_pb.ts";
import { ID, instance, job, logEntry, schedule, waiting } from "../support/worlds/cli_messages.ts";
import { cli, NOW } from "../support/worlds/cli_world.ts";

function notFound(hint?: string) {
  return () => {
    throw new JobError("not_found", "Cannot find it: no such thing", { hint });
  };
}

const NO_JOB = { getJob: notFound('Did you mean "sum"?') };
const NOTICE = instance({ kind: "system.notice.ops", uuid: ID.replace("01", "02") });

test("a part of an id is looked up by the daemon, in lower case, also its end", async () => {
  const answers = { ...NO_JOB, getInstance: { instance: instance() } };
  for (const part of ["0001", "7D3E-7000", "000000000001"]) {
    const run = await cli(["get", "instance", part], { answers });
    assert.equal(JSON.parse(run.stdout).id, ID);
    const { request } = run.calls.find(({ method }) => method === "getInstance")!;
    assert.deepEqual(request, { uuid: part.toLowerCase() });
  }
});

test("a part is compared with every id before something is changed", async () => {
  const answers = {
    ...NO_JOB,
    getInstance: { instance: instance() },
    retryInstance: { instance: instance() },
    cancelInstances: { instances: [instance()] },
  };
  for (const argv of [["cancel", "00000001"], ["retry", "00000001"], ["redrive", "00000001"]]) {
    const run = await cli(argv, { answers });
    const { request } = run.calls.find(({ method }) => method === "getInstance")!;
    assert.deepEqual(request, { uuid: "00000001", exact: true });
  }
});

test("a part of an id that several have is refused with those, and nothing is done", async () => {
  const getInstance = () => {
    throw new JobError("invalid_argument", 'Cannot find instance "0001": several ids have it', {
      hint: `Give more of the id of one of these:\n${ID}  sum  completed  1m ago`,
    });
  };
  for (const argv of [["cancel", "0001"], ["retry", "0001"], ["redrive", "0001"]]) {
    const run = await cli(argv, { answers: { ...NO_JOB, getInstance } });
    assert.equal(run.code, 2);
    assert.ok(run.stderr.includes(`\n${ID}  sum  completed  1m ago\n`), run.stderr);
    assert.ok(run.calls.every(({ method }) => /^get/.test(method)), JSON.stringify(run.calls));
  }
});

test("a kind is never taken for a part of an id", async () => {
  const answers = { getJob: { job: job() }, getInstance: { instance: instance() } };
  for (const argv of [["cancel", "feed"], ["retry", "feed"], ["get", "instance", "feed"]]) {
    const run = await cli(argv, { answers });
    assert.equal(run.code, 4);
    assert.match(
      run.stderr,
      /"feed": it is the kind of a job\nhint: Did you mean: jobctl .*feed\n/,
    );
    assert.deepEqual(run.calls.map(({ method }) => method), ["getJob"]);
  }
});

test("a part that is too short is refused, with the length that is wanted", async () => {
  const run = await cli(["cancel", "0a1"], { answers: NO_JOB });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /too short for a part of an id\nhint: Give 4 or more characters/);
});

test("last is the newest instance that is no notice, and last:KIND that of a kind", async () => {
  const lookupInstances = ({ query }: { query: { kind?: string; pageToken?: string } }) => {
    if (query.kind !== undefined) return { instances: [instance({ kind: query.kind })] };
    return query.pageToken === undefined
      ? { instances: [NOTICE], nextPageToken: "next" }
      : { instances: [instance()] };
  };
  const answers = { getJob: { job: job() }, lookupInstances };
  const newest = await cli(["get", "instance", "last"], { answers });
  assert.equal(JSON.parse(newest.stdout).id, ID);
  const ofKind = await cli(["describe", "last:mail"], { answers });
  assert.equal(JSON.parse(ofKind.stdout).kind, "mail");
  const none = await cli(["cancel", "last:mail"], { answers: { getJob: { job: job() } } });
  assert.equal(none.code, 4);
  assert.match(none.stderr, /last run of job "mail": there is none\nhint: .*jobctl run mail\n/);
  const unknown = await cli(["logs", "last:mial"], { answers: NO_JOB });
  assert.equal(unknown.code, 4);
  assert.match(unknown.stderr, /Did you mean "sum"/);
});

test("last: without a kind, as of a variable that is not set, names nothing", async () => {
  const answers = { lookupInstances: { instances: [instance()] } };
  for (const verb of ["cancel", "retry", "redrive", "logs", "describe"]) {
    const run = await cli([verb, "last:"], { answers });
    assert.equal(run.code, 2, verb);
    assert.match(
      run.stderr,
      /Cannot read "last:": no kind follows\nhint: Write last, or last:KIND\n/,
    );
    assert.deepEqual(run.calls, []);
  }
});

test("the command of a hint quotes a kind that a shell would execute", async () => {
  const kind = "; rm $(id)";
  const answers = { getJob: { job: job() } };
  const none = await cli(["cancel", `last:${kind}`], { answers });
  assert.match(none.stderr, /hint: Run it with: jobctl run '; rm \$\(id\)'\n/);
  const isRun = await cli(["pause", `last:${kind}`], { answers });
  assert.match(isRun.stderr, /write jobctl cancel 'last:; rm \$\(id\)'\n/);
  const until = await cli(["pause", `last:${kind}`, "--freeze", "--until", "+1h"], { answers });
  assert.match(until.stderr, /Write jobctl pause 'last:; rm \$\(id\)' --freeze/);
});

test("describe last says what a run waits for, which lists do not", async () => {
  const waiting = instance({ state: 2 });
  const blockedBy = { limit: "concurrency", name: "mail", used: 1n, max: 1n };
  const answers = {
    lookupInstances: { instances: [waiting] },
    getInstance: { instance: { ...waiting, blockedBy } },
  };
  const env = { JOBCTL_OUTPUT: "table" };
  const run = await cli(["describe", "last"], { answers, isTerminal: true, env });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^Waiting for: +concurrency of mail/m);
});

test("logs KIND shows the last run that began, and says which on a terminal", async () => {
  const begun = instance({ uuid: ID.replace("0001", "0002") });
  const answers = {
    getJob: { job: job() },
    lookupInstances: { instances: [instance({ attempts: 0 }), begun] },
    lookupInstanceLogs: { entries: [logEntry(1, "line 1")] },
  };
  const run = await cli(["logs", "sum"], { answers, isTerminal: true, input: "" });
  assert.match(run.stdout, /line 1\n$/);
  const { request } = run.calls.find(({ method }) => method === "lookupInstanceLogs")!;
  assert.equal((request.query as { uuid: string }).uuid, begun.uuid);
  assert.match(run.stderr, /The last run, 00000002: done, .*ago/);
  assert.match(run.stderr, /All of them: jobctl logs --kind sum\n/);
});

test("logs -f follows the run that runs, or else the last that began or is due", async () => {
  const idOf = (end: string) => ID.replace("0001", end);
  const running = instance({ uuid: idOf("0002"), state: 4, completedAt: undefined });
  const due = waiting(idOf("0003"));
  const later = { ...waiting(idOf("0004")), dueAt: timestampFromMs(NOW + 60_000) };
  const followed = async (word: string, some: readonly JobInstance[]) => {
    const lookupInstances = ({ query }: { readonly query: { readonly state?: number } }) => ({
      instances: some.filter(({ state }) => state === (query.state ?? state)),
    });
    const run = await cli(["logs", word, "-f"], {
      answers: {
        ...{ getJob: { job: job() }, lookupInstances },
        follow: () => [{ cursor: "1", instance: instance() }],
      },
    });
    const { request } = run.calls.find(({ method }) => method === "follow") ?? {};
    return (request?.query as { readonly uuid: string } | undefined)?.uuid;
  };
  for (const word of ["sum", "last:sum", "last"]) {
    assert.equal(await followed(word, [later, due, instance(), running]), running.uuid);
    assert.equal(await followed(word, [later, due, instance()]), due.uuid);
    assert.equal(await followed(word, [later, instance()]), ID);
  }
});

test("logs -n shows the last lines of a run, in their order", async () => {
  const lines = [3, 2, 1].map((seq) => logEntry(seq, `line ${seq}`));
  const answers = { getInstance: { instance: instance() }, lookupInstanceLogs: { entries: lines } };
  const env = { JOBCTL_OUTPUT: "table" };
  const run = await cli(["logs", ID, "-n2", "--fields", "message"], { answers, env });
  assert.equal(run.stdout, "line 2\nline 3\n");
  const { request } = run.calls.find(({ method }) => method === "lookupInstanceLogs")!;
  assert.equal(request.newestFirst, true);
  for (const line of [["-n", "2"], [ID, "-n", "2", "-f"], [ID, "-n", "0"]]) {
    assert.equal((await cli(["logs", ...line], { answers })).code, 2);
  }
});

test("describe and get take a kind or an instance, and say what is near", async () => {
  const known = { getJob: { job: job() }, getInstance: { instance: instance() } };
  for (const verb of ["describe", "get"]) {
    const ofKind = await cli([verb, "sum"], { answers: known });
    assert.equal(JSON.parse(ofKind.stdout).source, "/srv/jobs/sum.ts");
    const ofId = await cli([verb, "000000000001"], { answers: { ...known, ...NO_JOB } });
    assert.equal(JSON.parse(ofId.stdout).id, ID);
    const unknown = await cli([verb, "smu"], { answers: NO_JOB });
    assert.equal(unknown.code, 4);
    assert.match(unknown.stderr, /"smu": neither a kind nor an id\nhint: Did you mean "sum"/);
    const tooMany = await cli([verb, "jbo", "sum"], { answers: NO_JOB });
    assert.equal(tooMany.code, 2);
    assert.match(tooMany.stderr, new RegExp(`Did you mean "jobctl ${verb} job sum"`));
  }
});

test("explain takes last and any part of an id, but reads a date as a time", async () => {
  const answers = { ...NO_JOB, lookupInstances: { instances: [instance()] } };
  const subject = async (word: string) => {
    const run = await cli(["explain", word], { answers });
    return run.calls.filter(({ method }) => method === "explain").map(({ request }) =>
      request.uuid
    );
  };
  assert.deepEqual(await subject("last"), [ID]);
  assert.deepEqual(await subject("5d00c4b7f2"), ["5d00c4b7f2"]);
  assert.deepEqual(await subject("2026-11-24"), [undefined]);
  assert.deepEqual(await subject("-30d"), [undefined]);
});

test("describe and get also take the id of a schedule or a node, with and without the noun", async () => {
  const answers = {
    ...NO_JOB,
    listSchedules: { schedules: [schedule("config:sum:0"), schedule("config:mail:0")] },
    listNodes: { nodes: [{ id: "berlin-2", host: "b" }] },
  };
  for (const verb of ["describe", "get"]) {
    for (const noun of [[], ["schedule"], ["schedules"]]) {
      const run = await cli([verb, ...noun, "sum:0"], { answers });
      assert.equal(JSON.parse(run.stdout).id, "config:sum:0", run.stderr);
    }
    for (const noun of [[], ["node"], ["nodes"]]) {
      const run = await cli([verb, ...noun, "berlin-2"], { answers });
      assert.equal(JSON.parse(run.stdout).host, "b", run.stderr);
    }
    const several = await cli([verb, "config:"], { answers });
    assert.equal(several.code, 2);
    assert.match(
      several.stderr,
      /2 ids have it\nhint: Give more.*\nconfig:sum:0 .*\nconfig:mail:0 /,
    );
  }
});
