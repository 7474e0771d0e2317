import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../src/core/errors.ts";
import { ID, instance, job, schedule } from "../support/worlds/cli_messages.ts";
import { cli } from "../support/worlds/cli_world.ts";

test("logs, history and lists of what does not exist end with 4 and print nothing", async () => {
  const unknown = () => {
    throw new JobError("not_found", "Cannot find it: no such thing", { hint: "Did you mean it?" });
  };
  const answers = { getInstance: unknown, getJob: unknown };
  for (
    const argv of [
      ["logs", ID],
      ["logs", ID, "-f"],
      ["history", ID],
      ["logs", "--kind", "x"],
      ["logs", "--kind", "x", "-f"],
      ["list", "instances", "--kind", "x"],
      ["list", "dead", "--kind", "x"],
      ["list", "schedules", "--kind", "x"],
      ["list", "timers", "--kind", "x"],
      ["cancel", "instances", "--kind", "x"],
      ["redrive", "--kind", "x"],
      ["redrive", "--kind", "x", "--yes"],
    ]
  ) {
    for (const output of [[], ["-o", "json"]]) {
      const run = await cli([...argv, ...output], { answers });
      assert.equal(run.code, 4, argv.join(" "));
      assert.equal(run.stdout, "", argv.join(" "));
      assert.match(run.stderr, /no such thing[^]*Did you mean it/);
    }
  }
});

const TAGGED = {
  jobs: [
    { kind: "mail", needs: ["lan"] },
    { kind: "render", needs: ["gpu"] },
    { kind: "train", needs: ["gpu", "lan"] },
  ],
};

test("--tag selects the jobs that need it, of those that are named", async () => {
  const answers = { listRegisteredJobs: TAGGED };
  const asked = async (argv: readonly string[], method: string) => {
    const run = await cli(argv, { answers });
    assert.equal(run.code, 0, run.stderr);
    const { request } = run.calls.find((call) => call.method === method)!;
    const { kind, kinds } = (request as { query: { kind?: string; kinds?: string[] } }).query;
    assert.equal(kind, undefined);
    return kinds;
  };
  const both = ["render", "train"];
  assert.deepEqual(await asked(["list", "instances", "--tag", "gpu"], "lookupInstances"), both);
  assert.deepEqual(await asked(["list", "dead", "--tag", "gpu"], "lookupInstances"), both);
  assert.deepEqual(await asked(["redrive", "--tag", "gpu", "--yes"], "redriveInstances"), both);
  const cancel = ["cancel", "instances", "--yes", "--tag", "gpu"];
  assert.deepEqual(await asked(cancel, "cancelInstances"), both);
  for (const kinds of ["train", "train,mail"]) {
    const some = await asked([...cancel, "--kind", kinds], "cancelInstances");
    assert.deepEqual(some, ["train"]);
  }
});

test("cancel instances and redrive do nothing with a tag that no job needs", async () => {
  const cancel = ["cancel", "instances", "--yes"];
  const redrive = ["redrive", "--yes"];
  for (const verb of [cancel, redrive]) {
    for (
      const [given, code, message] of [
        [
          ["--tag", "gpo"],
          4,
          /Cannot find tag "gpo": no job of this daemon needs it[^]*Did you mean "gpu"/,
        ],
        [["--tag", "no tag"], 2, /Cannot find tag "no tag": wanted a name of/],
        [["--tag", ""], 2, /--tag/],
        [["--tag="], 2, /--tag/],
        [["--tag", "gpu", "--kind", "mail"], 4, /no job of these kinds[^]*need it: render, train/],
        [["--tag", "gpu", "--all"], 2, /--all with --tag/],
      ] as const
    ) {
      const run = await cli([...verb, ...given], { answers: { listRegisteredJobs: TAGGED } });
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.ok(!run.calls.some(({ method }) => /cancelInst|redriveInst/.test(method)));
    }
  }
  // A server without tags, such as go-job's, would ignore the condition.
  const answers = { listRegisteredJobs: { jobs: [{ kind: "mail" }] } };
  const run = await cli([...cancel, "--kind", "mail", "--tag", "gpu"], { answers });
  assert.equal(run.code, 4);
  const unasked = await cli(["cancel", "instances", "--tag", "gpu"], {
    answers: { listRegisteredJobs: TAGGED },
  });
  assert.match(unasked.stderr, /cancel 0 instances that need tag "gpu" without confirmation/);
});

test("cancel instances cancels nothing when one kind of several does not exist", async () => {
  const getJob = ({ kind }: { kind: string }) => {
    if (kind === "nope") throw new JobError("not_found", "Cannot find it: no such job");
    return {};
  };
  for (const kinds of [["--kind", "slow,nope"], ["--kind", "nope", "--kind", "slow"]]) {
    const run = await cli(["cancel", "instances", ...kinds], { answers: { getJob } });
    assert.deepEqual([run.code, run.stdout], [4, ""], run.stderr);
    assert.ok(!run.calls.some(({ method }) => method === "cancelInstances"));
  }
});

test("list instances shows nothing of a kind that is disabled, removed or another node's, with 0", async () => {
  const getJob = () => {
    throw new JobError("not_found", "Cannot find it");
  };
  const old = ({ query }: { query: { kind: string; pageSize: number; states?: number[] } }) =>
    query.pageSize === 1 ? { instances: [instance()] } : {};
  for (
    const answers of [
      { getJob, getStatus: { disabled: [{ kind: "x", reason: "broken" }] } },
      { getJob, listNodes: { nodes: [{ id: "b", kinds: ["x"] }] } },
      { getJob, listSchedules: { schedules: [schedule()] } },
      { getJob, lookupInstances: old },
      {
        getJob: () => {
          throw new JobError("unimplemented", "go-job's server has no such method");
        },
      },
    ]
  ) {
    const run = await cli(["list", "instances", "--kind", "x", "-o", "json"], { answers });
    assert.deepEqual([run.code, run.stdout.trim()], [0, "[]"], run.stderr);
  }
});

test("--kind of commas alone names nothing, and is refused beside other conditions too", async () => {
  for (const verb of [["list", "instances"], ["cancel", "instances"], ["redrive"]]) {
    const { code, calls, stderr } = await cli(
      [...verb, "--kind", ",", "--yes"].filter((word) => word !== "--yes" || verb[0] !== "list"),
    );
    assert.equal(code, 2);
    assert.match(stderr, /--kind: the list is empty/);
    assert.deepEqual(calls, []);
  }
});

test("a kind in place of an id is told in words of the command line, with what was meant", async () => {
  const unknown = () => {
    throw new JobError("not_found", "Cannot find it: no such job");
  };
  for (
    const [argv, meant] of [
      [["cancel"], "jobctl cancel instances --kind KIND"],
      [["cancel", "instances", "--uuid"], "jobctl cancel instances --kind KIND"],
      [["redrive"], "jobctl redrive --kind KIND"],
      [["retry"], "jobctl retry last:KIND"],
      [["get", "instance"], "jobctl get job KIND"],
      [["describe", "instance"], "jobctl describe job KIND"],
    ] as const
  ) {
    for (const kind of ["slow", "feed"]) {
      const run = await cli([...argv, kind], { answers: { getJob: { job: job() } } });
      assert.equal(run.code, 4, argv.join(" "));
      assert.equal(
        run.stderr,
        `jobctl: Cannot find instance "${kind}": it is the kind of a job\n` +
          `hint: Did you mean: ${meant.replace("KIND", kind)}\n`,
      );
    }
    const listRegisteredJobs = { jobs: [{ kind: "mail" }, { kind: "slow" }] };
    const answers = { getJob: unknown, listRegisteredJobs };
    const near = await cli([...argv, "slwo"], { answers });
    assert.equal(near.code, 4);
    assert.ok(
      near.stderr.endsWith(`not an id\nhint: Did you mean: ${meant.replace("KIND", "slow")}\n`),
    );
    const none = await cli([...argv, "nothing"], { answers });
    assert.equal(none.code, 4);
    assert.ok(none.stderr.endsWith("hint: Ids are shown by: jobctl list instances\n"));
  }
});

test("list schedules and list timers take several kinds, each once, up to the limit", async () => {
  const listSchedules = ({ kind }: { kind?: string }) => ({
    schedules: [schedule(`${kind}:0`), schedule(`${kind}:1`)],
  });
  for (const verb of ["schedules", "timers"]) {
    const argv = ["list", verb, "--kind", "a,b", "--kind", "a", "-o", "name"];
    const { code, stdout, calls } = await cli(argv, { answers: { listSchedules } });
    assert.deepEqual([code, stdout], [0, "a:0\na:1\nb:0\nb:1\n"]);
    const checked = calls.filter(({ method }) => method === "getJob");
    assert.deepEqual(checked.map(({ request }) => request.kind), ["a", "b", "a"]);
    const limited = await cli([...argv, "--limit", "3"], { answers: { listSchedules } });
    assert.equal(limited.stdout, "a:0\na:1\nb:0\n");
  }
});

test("logs takes one kind, and a comma of its name in escaped form", async () => {
  for (const kinds of [["--kind", "a,b"], ["--kind", "a", "--kind", "b"]]) {
    const { code, stderr, calls } = await cli(["logs", ...kinds]);
    assert.equal(code, 2);
    assert.match(stderr, /log of kinds "a" and "b": wanted one\nhint: Give one --kind/);
    assert.deepEqual(calls, []);
  }
  const { calls } = await cli(["logs", "--kind", "a\\,b"]);
  const { request } = calls.find(({ method }) => method === "lookupInstanceLogs")!;
  assert.equal((request.query as { kind: string }).kind, "a,b");
});
