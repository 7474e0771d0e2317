import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../src/core/errors.ts";
import { ID, instance, schedule } from "../support/cli_messages.ts";
import { cli } from "../support/cli_world.ts";

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
