import assert from "node:assert/strict";
import test from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { ID } from "../../support/worlds/cli_messages.ts";
import { cli, NOW } from "../../support/worlds/cli_world.ts";

const HOUR = 3_600_000;
const SPAN = { from: timestampFromMs(NOW - 24 * HOUR), to: timestampFromMs(NOW) };

type Query = Readonly<Record<string, unknown>>;

/** @param ended what a lookup of instances that ended in another span finds */
async function status(line: string, lookupTimeline: object, ended: (query: Query) => object) {
  const answers = {
    getStatus: { node: "web1", kinds: [{ kind: "old" }] },
    lookupTimeline,
    lookupInstances: ({ query }: { readonly query: Query }) =>
      query.endedAfter === undefined ? {} : ended(query),
  };
  return await cli(["status", ...line.split(" ")], { answers });
}

const nothing = () => ({});
const ago = (hours: number) => timestampFromMs(NOW - hours * HOUR);
const requestTime = (hours: number) => {
  return { seconds: BigInt((NOW - hours * HOUR) / 1_000), nanos: 0 };
};

test("status --since counts the instances of each kind that ended since then", async () => {
  const counts = [
    { kind: "sum", completed: [5n], terminated: [2n], timedOut: [1n], unfinished: [4n] },
    { kind: "waits", unfinished: [9n] },
    { kind: "report", completed: [90n] },
    { kind: "system.notice.ops", completed: [7n] },
    { canceled: [3n] },
  ];
  const earlier = [
    { kind: "sum", state: JobState.TERMINATED },
    { kind: "rare", state: JobState.COMPLETED },
  ];
  const queries: Query[] = [];
  const run = await status("--since 24h -o table", { ...SPAN, counts, total: 121n }, (query) => {
    queries.push(query);
    return { instances: earlier };
  });
  const { request } = run.calls.find(({ method }) => method === "lookupTimeline")!;
  assert.deepEqual(request, { from: requestTime(24), to: undefined, limit: 1, spans: 1 });
  assert.deepEqual(
    queries.map(({ before, endedAfter, endedBefore }) => [before, endedAfter, endedBefore]),
    [[requestTime(24), requestTime(24), undefined]],
  );
  assert.equal(
    run.stdout.slice(run.stdout.indexOf("Ended")),
    [
      "Ended since 2026-11-23 12:00:00Z (1d ago):",
      "KIND           FAILED  DONE  CANCELED",
      "sum                 4     5         -",
      "report              -    90         -",
      "(other kinds)       -     1         3",
      "",
    ].join("\n"),
  );
  assert.doesNotMatch(run.stdout, /^old/m);
});

test("status --until counts what ended before, whenever it was created", async () => {
  const counts = [{ kind: "sum", completed: [5n], terminated: [1n] }];
  const ended = ({ after }: Query) => {
    // Those created in the span that ended after it, or those created before it.
    const state = after === undefined ? JobState.TIMED_OUT : JobState.TERMINATED;
    return { instances: [{ kind: "sum", state }] };
  };
  const line = "--since 24h --until 12h -o table";
  const run = await status(line, { ...SPAN, to: ago(12), counts, total: 6n }, ended);
  const queries = run.calls.map(({ request }) => request.query as Query)
    .filter((query) => query?.endedAfter !== undefined)
    .map(({ after, before, endedAfter, endedBefore }) => [after, before, endedAfter, endedBefore]);
  assert.deepEqual(queries, [
    [undefined, requestTime(24), requestTime(24), requestTime(12)],
    [requestTime(24), requestTime(12), requestTime(12), undefined],
  ]);
  assert.match(run.stdout, /^Ended since .* until 2026-11-24 00:00:00Z \(12h ago\):$/m);
  assert.match(run.stdout, /^sum +1 +5$/m);
});

test("status --since has the counts as span in JSON", async () => {
  const counts = [{ kind: "sum", timedOut: [2n] }];
  const answer = { ...SPAN, counts, total: 2n, isEstimate: true };
  const run = await status("--since 24h", answer, nothing);
  const { span, kinds } = JSON.parse(run.stdout);
  assert.deepEqual(span, {
    ...{ from: "2026-11-23T12:00:00.000Z", to: "2026-11-24T12:00:00.000Z", is_estimate: true },
    kinds: [{ kind: "sum", timed_out: 2, completed: 0, terminated: 0, canceled: 0 }],
  });
  assert.equal(kinds[0].kind, "old");
  assert.equal(JSON.parse((await status("-o json", {}, nothing)).stdout).span, undefined);
});

test("status --since counts a single instance, but none that has not ended", async () => {
  const [before, within] = [25, 1].map((hours) => ({
    ...{ kind: "sum", uuid: ID, state: JobState.TERMINATED, createdAt: ago(hours) },
  }));
  const run = await status("--since 24h", { ...SPAN, runs: [before, within], total: 1n }, nothing);
  const { kinds: [counted, ...others] } = JSON.parse(run.stdout).span;
  assert.deepEqual([counted.terminated, counted.completed, others.length], [1, 0, 0]);
  const running = { ...within, state: JobState.PROCESSING };
  for (const runs of [[before], [before, running]]) {
    const none = await status("--since 24h -o table", { ...SPAN, runs }, nothing);
    assert.match(none.stdout, /^Ended since .*: nothing$/m);
  }
});

test("status --since says from when on all instances are counted", async () => {
  const counts = [{ kind: "sum", completed: [5n] }];
  const read = (line: string, found: (query: Query) => object) =>
    status(`--since 24h ${line}`, { ...SPAN, counts, total: 5n }, found);
  const limited = () => ({ lookedTo: ago(48), nextPageToken: "more" });
  const { stdout } = await read("-o table", limited);
  assert.match(
    stdout,
    /\nInstances created before 2026-11-22 12:00:00Z \(2d ago\) are not counted\n$/,
  );
  const { span } = JSON.parse((await read("-o json", limited)).stdout);
  assert.equal(span.created_from, "2026-11-22T12:00:00.000Z");
  // So many that no more pages are read.
  const old = { kind: "sum", state: JobState.COMPLETED, createdAt: ago(30) };
  const many = await read("-o json", () => ({ instances: [old], nextPageToken: "more" }));
  assert.equal(JSON.parse(many.stdout).span.created_from, "2026-11-23T06:00:00.000Z");
  assert.equal(JSON.parse(many.stdout).span.kinds[0].completed, 10);
});

test("status says when a schedule runs next, or that none will", async () => {
  const text = async (given: object) => {
    const getStatus = { node: "web1", kinds: [], ...given };
    const { stdout } = await cli(["status", "-o", "table"], { answers: { getStatus } });
    return /^Next schedule:\s*(.*)$/m.exec(stdout)?.[1];
  };
  const next = { schedules: 2n, nextScheduleAt: timestampFromMs(NOW + HOUR) };
  assert.equal(await text(next), "2026-11-24 13:00:00Z (in 1h)");
  assert.equal(await text({ schedules: 2n }), "none will run");
  assert.equal(await text({ schedules: 0n }), undefined);
});

test("status --since refuses a span without time in it", async () => {
  const future = await status("--since 2026-11-25", {}, nothing);
  assert.equal(future.code, 2);
  assert.match(
    future.stderr,
    /since 2026-11-25 00:00:00Z: it is not before now\nhint: Give --since/,
  );
  const line = "--since 2026-11-23 --until 2026-11-22";
  assert.match((await status(line, {}, nothing)).stderr, /not before --until, 2026-11-22 00:00/);
  assert.ok(future.calls.every(({ method }) => method !== "lookupTimeline"));
});

test("status shows which running commands are frozen or being canceled", async () => {
  const running = [
    { kind: "a", uuid: ID, frozenAt: ago(1) },
    { kind: "b", uuid: `${ID.slice(0, -1)}1`, cancelRequestedAt: ago(1) },
    { kind: "c", uuid: `${ID.slice(0, -1)}2` },
  ].map((one) => ({ ...one, state: JobState.PROCESSING, process: { rssBytes: 1n } }));
  const read = async (instances: readonly object[]) => {
    const answers = { getStatus: { node: "web1" }, lookupInstances: { instances } };
    return (await cli(["status", "--no-color"], { answers, isTerminal: true })).stdout;
  };
  assert.match(await read(running), /STATE\n.* frozen\n.* canceling\n.* -\n/);
  assert.doesNotMatch(await read(running.slice(2)), /STATE/);
});

test("status --until needs --since", async () => {
  const run = await status("--until 09:00", {}, nothing);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /without --since\nhint: Add --since/);
});
