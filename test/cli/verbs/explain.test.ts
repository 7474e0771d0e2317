import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { JobError } from "../../../src/core/errors.ts";
import { TickReportSchema } from "../../../src/rpc/gen/job_pb.ts";
import type { Schedule } from "../../../src/rpc/gen/job_pb.ts";
import { msOf, timestampOf } from "../../../src/cli/io/wire.ts";
import { schedule } from "../../support/worlds/cli_messages.ts";
import { cli, type CliRun } from "../../support/worlds/cli_world.ts";

const DISABLED = "Nightly backup [eu]";

function scheduleIn(timezone: string): Schedule {
  return { ...schedule(), id: `in ${timezone}`, kind: "sum", timezone };
}

/** Runs of a daemon whose schedules are in these zones; it answers a tick of each at any time. */
async function explain(
  words: readonly string[],
  zones: readonly string[],
  isTerminal = true,
): Promise<CliRun> {
  const schedules = zones.map(scheduleIn);
  return await cli(["explain", ...words], {
    isTerminal,
    answers: {
      getJob: ({ kind }: { kind: string }) => {
        if (kind !== "sum") throw new JobError("not_found", `no job "${kind}"`);
        return { job: { kind, timezone: "America/New_York" } };
      },
      listSchedules: { schedules },
      explain: ({ at, kind = "sum" }: { at: ReturnType<typeof timestampOf>; kind?: string }) => {
        if (!["sum", DISABLED].includes(kind)) {
          throw new JobError("not_found", "no such kind", { hint: `Did you mean "${DISABLED}"?` });
        }
        return {
          reports: schedules.map((one) =>
            create(TickReportSchema, { schedule: one, kind, at, outcome: "ran", why: "w" })
          ),
        };
      },
    },
  });
}

function askedAt({ calls }: CliRun): readonly string[] {
  return calls.filter(({ method }) => method === "explain")
    .map(({ request }) => new Date(msOf((request as { at: never }).at)!).toISOString());
}

test("explain --at reads a time without a zone in that of the schedule, and says which", async () => {
  const run = await explain(["sum", "--at", "02:30"], ["Asia/Tokyo"]);
  assert.deepEqual(askedAt(run), ["2026-11-23T17:30:00.000Z"]);
  assert.match(run.stderr, /"02:30" is a time in Asia\/Tokyo, the zone of the schedules of sum/);
});

test("explain --at looks at the clock change if it skipped the time, and says so", async () => {
  const run = await explain(["sum", "--at", "2026-03-29 02:30"], ["Europe/Berlin"]);
  assert.deepEqual(askedAt(run), ["2026-03-29T01:00:00.000Z"]);
  assert.match(run.stderr, /Europe\/Berlin skipped "2026-03-29 02:30": jobs due then run at/);
});

test("explain reads a time in each zone that schedules have, and tells of the schedules of that zone", async () => {
  const run = await explain(["02:30"], ["Asia/Tokyo", "Europe/Berlin"]);
  assert.deepEqual(askedAt(run), ["2026-11-23T17:30:00.000Z", "2026-11-24T01:30:00.000Z"]);
  assert.match(run.stderr, /in Asia\/Tokyo, Europe\/Berlin, the zones of the schedules$/m);
  assert.deepEqual([...run.stdout.matchAll(/^ +Schedule: +(.*)$/gm)].map(([, id]) => id), [
    "in Asia/Tokyo",
    "in Europe/Berlin",
  ]);
});

test("explain shows the times of an answer in one zone, that of its rule", async () => {
  const at = timestampOf(Date.parse("2026-11-24T17:30:00Z"));
  const report = create(TickReportSchema, {
    ...{ kind: "sum", at, outcome: "none", rule: "r", why: "w", timezone: "Asia/Tokyo" },
    ...{ previousAt: timestampOf(Date.parse("2026-11-24T17:00:00Z")) },
    ...{ nextAt: timestampOf(Date.parse("2026-11-24T18:00:00Z")) },
  });
  const { stdout } = await cli(["explain", "sum"], {
    isTerminal: true,
    answers: { getJob: { job: { kind: "sum" } }, explain: { reports: [report] } },
  });
  assert.match(stdout, /^2026-11-25 02:30:00 \+09:00 {2}sum/);
  assert.match(stdout, /before 2026-11-25 02:00:00 \+09:00, after 2026-11-25 03:00:00 \+09:00/);
});

test("explain takes a time with a zone, and a relative one, as it stands", async () => {
  for (const text of ["2026-11-24T02:30:00Z", "-2h"]) {
    const run = await explain(["sum", `--at=${text}`], ["Asia/Tokyo"]);
    assert.deepEqual(askedAt(run).length, 1);
    assert.doesNotMatch(run.stderr, /is a time in/);
  }
});

test("explain says the zone into a pipe as well, and takes the job's where it has no schedule", async () => {
  const run = await explain(["sum", "--at", "02:30"], [], false);
  assert.deepEqual(askedAt(run), ["2026-11-24T07:30:00.000Z"]);
  assert.equal(run.stderr, '"02:30" is a time in America/New_York, the zone of job sum\n');
});

test("explain finds a disabled kind whose name has blanks, and tells what is near", async () => {
  const found = await explain([DISABLED], ["UTC"]);
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stdout, /Nightly backup \[eu\] .*ran/);
  const missing = await explain(["Nightly backup"], ["UTC"]);
  assert.equal(missing.code, 4);
  assert.match(missing.stderr, /it is not a kind, an instance id or a time/);
  assert.match(missing.stderr, /Did you mean "Nightly backup \[eu\]"\?; a time is/);
});

test("explain names the reason of an outcome, but not that a run was fine", async () => {
  const heads = [];
  for (const reason of ["ok", "error", undefined]) {
    const run = await cli(["explain", "sum", "--no-color"], {
      isTerminal: true,
      answers: {
        explain: { reports: [create(TickReportSchema, { kind: "sum", outcome: "ran", reason })] },
      },
    });
    heads.push(run.stdout.trim());
  }
  assert.deepEqual(heads.map((head) => head.replace(/^.*sum {2}/, "")), [
    "ran",
    "ran (error)",
    "ran",
  ]);
});
