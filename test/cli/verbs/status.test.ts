import assert from "node:assert/strict";
import test from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { ID } from "../../support/worlds/cli_messages.ts";
import { cli, NOW } from "../../support/worlds/cli_world.ts";

const HOUR = 3_600_000;
const SPAN = { from: timestampFromMs(NOW - 24 * HOUR), to: timestampFromMs(NOW) };

async function status(line: string, lookupTimeline: object) {
  const answers = { getStatus: { node: "web1", kinds: [{ kind: "old" }] }, lookupTimeline };
  return await cli(["status", ...line.split(" ")], { answers });
}

test("status --since counts the instances of each kind that were created since then", async () => {
  const counts = [
    { kind: "sum", completed: [5n], terminated: [2n], timedOut: [1n], unfinished: [4n] },
    { canceled: [3n] },
  ];
  const run = await status("--since 24h -o table", { ...SPAN, counts, total: 15n });
  const { request } = run.calls.find(({ method }) => method === "lookupTimeline")!;
  assert.deepEqual(request, {
    from: { seconds: BigInt((NOW - 24 * HOUR) / 1_000), nanos: 0 },
    ...{ to: undefined, limit: 1, spans: 1 },
  });
  assert.equal(
    run.stdout.slice(run.stdout.indexOf("Created")),
    [
      "Created since 2026-11-23 12:00:00Z (1d ago):",
      "KIND           NOT ENDED  FAILED  DONE  CANCELED",
      "sum                    4       3     5         -",
      "(other kinds)          -       -     -         3",
      "",
    ].join("\n"),
  );
  assert.doesNotMatch(run.stdout, /^old/m);
});

test("status --since has the counts as span in JSON", async () => {
  const counts = [{ kind: "sum", timedOut: [2n] }];
  const run = await status("--since 24h", { ...SPAN, counts, total: 2n, isEstimate: true });
  const { span, kinds } = JSON.parse(run.stdout);
  const none = { completed: 0, terminated: 0, canceled: 0, unfinished: 0 };
  assert.deepEqual(span, {
    ...{ from: "2026-11-23T12:00:00.000Z", to: "2026-11-24T12:00:00.000Z", is_estimate: true },
    kinds: [{ kind: "sum", timed_out: 2, ...none }],
  });
  assert.equal(kinds[0].kind, "old");
  assert.equal(JSON.parse((await status("-o json", {})).stdout).span, undefined);
});

test("status --since counts a single instance, but none that began before", async () => {
  const runs = [NOW - 25 * HOUR, NOW - HOUR].map((createdMs) => ({
    ...{ kind: "sum", uuid: ID, state: JobState.TERMINATED },
    createdAt: timestampFromMs(createdMs),
  }));
  const run = await status("--since 24h", { ...SPAN, runs, total: 1n });
  const { kinds: [counted, ...others] } = JSON.parse(run.stdout).span;
  assert.deepEqual([counted.terminated, counted.completed, others.length], [1, 0, 0]);
  const none = await status("--since 24h -o table", { ...SPAN, runs: runs.slice(0, 1) });
  assert.match(none.stdout, /^Created since .*: nothing$/m);
});

test("status says of the next schedule if a pause of everything skips it", async () => {
  const next = NOW + HOUR;
  const text = async (pause: object) => {
    const getStatus = { node: "web1", kinds: [], nextScheduleAt: timestampFromMs(next) };
    const answers = { getStatus, listPauses: { pauses: [pause] } };
    const { stdout } = await cli(["status", "-o", "table"], { answers });
    return /^Next schedule:.*$/m.exec(stdout)![0];
  };
  assert.match(await text({}), /\(in 1h\), skipped by the pause$/);
  assert.match(await text({ until: timestampFromMs(next + 1) }), /, skipped by the pause$/);
  assert.match(await text({ until: timestampFromMs(next) }), /\(in 1h\)$/);
  assert.match(await text({ kind: "sum" }), /\(in 1h\)$/);
});

test("status --until needs --since", async () => {
  const run = await status("--until 09:00", {});
  assert.equal(run.code, 2);
  assert.match(run.stderr, /without --since\nhint: Add --since/);
});
