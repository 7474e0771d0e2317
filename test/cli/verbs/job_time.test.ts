import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { msOf, type Timestamp } from "../../../src/cli/io/wire.ts";
import { schedule, waiting } from "../../support/worlds/cli_messages.ts";
import { cli, type CliRun } from "../../support/worlds/cli_world.ts";

/**
 * Times that name no zone, where the option is about one job: they are in that job's zone, not in
 * the terminal's.
 */

interface Daemon {
  /** The zones of the job's schedules. */
  readonly zones?: readonly string[];
  /** The job's own; absent: the daemon tells none. */
  readonly timezone?: string;
  readonly isMissing?: boolean;
}

async function run(argv: readonly string[], daemon: Daemon): Promise<CliRun> {
  const { zones = [], timezone, isMissing = false } = daemon;
  const schedules = zones.map((zone, index) => ({
    ...schedule(),
    id: `s${index}`,
    kind: "sum",
    timezone: zone,
  }));
  return await cli(argv, {
    answers: {
      getJob: ({ kind }: { kind: string }) => {
        if (isMissing) throw new JobError("not_found", `no job "${kind}"`);
        return { job: { kind, ...(timezone === undefined ? {} : { timezone }) } };
      },
      listSchedules: { schedules },
      scheduleJob: { instance: waiting() },
      updateSchedule: { schedule: schedule() },
      pause: { pause: {} },
    },
  });
}

/** What was sent as a field of a request, as an instant. */
function sent({ calls }: CliRun, method: string, ...path: readonly string[]): string {
  let value: unknown = calls.find((call) => call.method === method)?.request;
  for (const name of path) value = (value as Record<string, unknown>)[name];
  return new Date(msOf(value as Timestamp)!).toISOString();
}

test("schedule --at reads a time without a zone in that of the job's schedules, and says which", async () => {
  const found = await run(["schedule", "sum", "--at", "09:00"], {
    zones: ["Asia/Tokyo"],
    timezone: "UTC",
  });
  assert.equal(found.code, 0, found.stderr);
  assert.equal(sent(found, "scheduleJob", "at"), "2026-11-25T00:00:00.000Z");
  assert.match(
    found.stderr,
    /^"09:00" is a time in Asia\/Tokyo, the zone of the schedules of sum$/m,
  );
});

test("schedule --at takes the job's own zone where it has no schedule, or schedules that differ", async () => {
  for (const zones of [[], ["Asia/Tokyo", "UTC"]]) {
    const found = await run(["schedule", "sum", "--at", "tomorrow 9:00"], {
      zones,
      timezone: "Europe/Berlin",
    });
    assert.equal(sent(found, "scheduleJob", "at"), "2026-11-25T08:00:00.000Z");
    assert.match(found.stderr, /is a time in Europe\/Berlin, the zone of job sum$/m);
  }
});

test("schedule --at names this terminal's zone if the daemon tells none", async () => {
  for (const isMissing of [false, true]) {
    const found = await run(["schedule", "sum", "--at", "09:00"], { isMissing });
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    assert.ok(
      found.stderr.includes(`is a time in ${timeZone}, the zone of this terminal`),
      found.stderr,
    );
  }
});

test("schedule --at asks for no zone where the time names one, and says nothing with --quiet", async () => {
  for (const at of ["2026-11-25T09:00:00Z", "+10m"]) {
    const found = await run(["schedule", "sum", "--at", at], { zones: ["Asia/Tokyo"] });
    assert.equal(found.stderr, "");
    assert.deepEqual(found.calls.map(({ method }) => method), ["scheduleJob"]);
  }
  const quiet = await run(["schedule", "sum", "-q", "--at", "09:00"], { zones: ["Asia/Tokyo"] });
  assert.equal(quiet.stderr, "");
  assert.equal(sent(quiet, "scheduleJob", "at"), "2026-11-25T00:00:00.000Z");
});

for (
  const [argv, method, path, instant] of [
    [
      ["schedule", "sum", "--cron", "0 9 * * *", "--starts-at", "2026-12-01 09:00"],
      "scheduleJob",
      ["recurrence", "startsAt"],
      "2026-12-01T00:00:00.000Z",
    ],
    [
      ["schedule", "sum", "--cron", "0 9 * * *", "--timezone", "Europe/Berlin"]
        .concat("--ends-at", "2026-12-01 09:00"),
      "scheduleJob",
      ["recurrence", "endsAt"],
      "2026-12-01T08:00:00.000Z",
    ],
    [
      ["schedule", "sum", "--cron", "CRON_TZ=Europe/Berlin 0 9 * * *"]
        .concat("--starts-at", "2026-12-01 09:00"),
      "scheduleJob",
      ["recurrence", "startsAt"],
      "2026-12-01T08:00:00.000Z",
    ],
    [
      ["update", "schedule", "s0", "--ends-at", "2026-12-01 09:00"],
      "updateSchedule",
      ["recurrence", "endsAt"],
      "2026-12-01T00:00:00.000Z",
    ],
    [["skip", "sum", "--until", "09:00"], "skipTicks", ["until"], "2026-11-25T00:00:00.000Z"],
    [["pause", "sum", "--until", "09:00"], "pause", ["until"], "2026-11-25T00:00:00.000Z"],
    [
      ["backfill", "sum", "--from", "2026-11-20", "--dry-run"],
      "backfill",
      ["from"],
      "2026-11-19T15:00:00.000Z",
    ],
    [
      ["backfill", "sum", "--from", "2026-11-20", "--to", "2026-11-21 12:00", "--dry-run"],
      "backfill",
      ["to"],
      "2026-11-21T03:00:00.000Z",
    ],
  ] as const
) {
  test(`${argv.join(" ")} reads its time in the zone of the schedule`, async () => {
    const found = await run(argv, { zones: ["Asia/Tokyo"], timezone: "UTC" });
    assert.equal(found.code, 0, found.stderr);
    assert.equal(sent(found, method, ...path), instant);
    assert.match(found.stderr, /is a time in (?:Asia\/Tokyo|Europe\/Berlin)/);
  });
}
