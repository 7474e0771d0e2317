import assert from "node:assert/strict";
import test from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { JobInstance } from "../../src/rpc/gen/job_pb.ts";
import { ID, instance, job, schedule } from "../support/worlds/cli_messages.ts";
import { cli, NOW } from "../support/worlds/cli_world.ts";

const LENGTHS = [500n, 90_000n, undefined, 7_000n];
const ALL = LENGTHS.map((durationMs, index) =>
  instance({ uuid: `${ID.slice(0, -1)}${index}`, durationMs })
);

interface Lookup {
  readonly brief?: boolean;
  readonly query: { readonly uuids?: readonly string[]; readonly oldestFirst?: boolean };
}

/** A daemon with instances, which cuts long texts if it is asked for little. */
function daemonWith(instances: readonly JobInstance[]) {
  return {
    getJob: { job: job() },
    lookupInstances: ({ brief, query: { uuids, oldestFirst } }: Lookup) => {
      const found = instances.filter(({ uuid }) => uuids?.includes(uuid) ?? true);
      const ordered = oldestFirst ? found.toReversed() : found;
      return { instances: ordered.map((one) => brief ? { ...one, results: [] } : one) };
    },
  };
}

async function ends(line: string, isTerminal = false): Promise<string> {
  const answers = daemonWith(ALL);
  const run = await cli(line.split(" "), { answers, ...(isTerminal ? { isTerminal } : {}) });
  assert.equal(run.code, 0, run.stderr);
  const ids: string[] = JSON.parse(run.stdout).map(({ id }: { readonly id: string }) => id.at(-1));
  return ids.join("");
}

test("--sort orders by a field in either direction, what has none last", async () => {
  assert.equal(await ends("list instances --sort took"), "0312");
  assert.equal(await ends("list instances --sort took:desc"), "1302");
  assert.equal(await ends("list instances --sort duration_ms:asc"), "0312");
  assert.equal(await ends("list instances --sort took:desc --limit 2"), "13");
  assert.equal(await ends("list dead --sort id:desc"), "3210");
});

test("--sort created is the order of the store, in which nothing is collected", async () => {
  assert.equal(await ends("list instances --sort created:desc --limit 1"), "0");
  assert.equal(await ends("list instances --sort created_at --limit 1"), "3");
});

test("--sort shows whole instances, and says how many of those sorted are shown", async () => {
  const run = await cli(["list", "instances", "--sort", "took", "--limit", "1"], {
    answers: daemonWith(ALL),
    isTerminal: true,
    env: { NO_COLOR: "1" },
  });
  assert.match(run.stdout, /00000000 .* 3\n$/);
  assert.equal(run.stderr, "This is the first of 4; --all shows the rest\n");
});

test("--sort says, also to programs, that only the first were sorted", async () => {
  const many = Array.from(
    { length: 10_001 },
    (_, index) => instance({ uuid: `${ID.slice(0, -5)}${String(index).padStart(5, "0")}` }),
  );
  const answers = {
    lookupInstances: ({ query }: { readonly query: { readonly uuids?: string[] } }) => ({
      instances: query.uuids === undefined ? many : many.slice(0, 1),
    }),
  };
  const run = await cli(["list", "instances", "--sort", "kind", "--limit", "1"], { answers });
  assert.match(run.stderr, /^Only the first 10000 were sorted: choose fewer by --since/);
});

test("--sort orders jobs, schedules and timers, too", async () => {
  const schedules = ["b", "a"].map((kind, index) => ({
    ...{ ...schedule(kind), kind },
    nextRunAt: timestampFromMs(NOW - index),
  }));
  const jobs = ["b", "a"].map((kind) => ({ ...job(), kind }));
  const answers = { listSchedules: { schedules }, listRegisteredJobs: { jobs } };
  for (const noun of ["jobs", "schedules", "timers"]) {
    const run = await cli(["list", noun, "--sort", "kind", "-o", "jsonl"], { answers });
    const kinds = run.stdout.trim().split("\n").map((line) => JSON.parse(line).kind);
    assert.deepEqual(kinds, ["a", "b"], run.stderr);
  }
  const next = await cli(["list", "schedules", "--sort", "next"], { answers });
  assert.deepEqual(JSON.parse(next.stdout).map(({ id }: { id: string }) => id), ["a", "b"]);
});

test("--sort refuses a field that there is not, and another form", async () => {
  const answers = daemonWith(ALL);
  for (
    const [given, message] of [
      ["knid", /Cannot sort by "knid": no such field\nhint: Did you mean "kind"\? Fields: /],
      ["tok:desc", /hint: Did you mean "took"\? Fields: took, kind, /],
      ["kind:down", /Cannot read --sort "kind:down": wanted a field/],
      [":desc", /Cannot read --sort ":desc"/],
    ] as const
  ) {
    const run = await cli(["list", "instances", "--sort", given], { answers });
    assert.equal(run.code, 2);
    assert.match(run.stderr, message);
  }
});
