import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobDefinition } from "../../src/core/job/job.ts";
import type { Overlap, ScheduleSpec } from "../../src/core/time/schedule.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { clockChanges } from "../../src/tools/simulation/clock_changes.ts";
import { differences, RunTimesByKind } from "../../src/tools/simulation/difference.ts";
import {
  simulate,
  type SimulatedJob,
  type SimulatedTick,
} from "../../src/tools/simulation/engine.ts";
import type { SimulatedLimit } from "../../src/tools/simulation/slots.ts";
import { report } from "../../src/tools/simulation/report.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../support/worlds/manager_world.ts";

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const CRONS = ["*/5 * * * *", "*/7 * * * *", "0 * * * *", "30 2,14 * * *", "*/20 * * * * *"];
/** Odd, as the durations are: what falls on one instant has no one order. */
const RATE_MS = HOUR + 7;
/** Runs of the pool at once. */
const HEAVY = 2;
const OVERLAPS: readonly Overlap[] = ["skip", "allow", "queue", "replace"];

interface Case {
  readonly definition: JobDefinition;
  readonly job: SimulatedJob;
}

/**
 * Jobs of a seed, as the manager and as the simulation know them. Odd durations: no end falls on a
 * tick.
 */
function casesOf(seed: number): readonly Case[] {
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]) => items[Math.floor(random.next() * items.length)]!;
  return Array.from({ length: 10 }, (_, index) => {
    const kind = `job${index}`;
    const priority = Math.floor(random.next() * 3);
    const spec: Partial<ScheduleSpec> = {
      ...random.next() < 0.2
        ? { cron: null, everyMs: 90_000 }
        : { cron: pick(CRONS), everyMs: null },
      overlap: pick(OVERLAPS),
      timezone: pick(["UTC", "Europe/Berlin"]),
      jitterMs: random.next() < 0.3 ? 40_000 : 0,
      ...random.next() < 0.2 ? { runsMax: 20 } : {},
      ...random.next() < 0.2 ? { blackout: ["03:00-09:30"] } : {},
      ...random.next() < 0.2 ? { startsAt: START + 5 * HOUR, endsAt: START + 20 * HOUR } : {},
    };
    const schedule = scheduleOf(spec);
    const slot = random.next() < 0.3 ? 1 + Math.floor(random.next() * 2) : null;
    const rate = random.next() < 0.3 ? 3 : null;
    const pool = random.next() < 0.4 ? "heavy" : null;
    const options = {
      priority,
      keepSuccessMs: 9 * DAY,
      keepFailureMs: 9 * DAY,
      concurrency: slot === null ? [] : [{ max: slot, by: [], per: "node" as const }],
      rate: rate === null ? [] : [{ max: rate, perMs: RATE_MS, by: [] }],
      pool,
      // Some run beside the workers.
      workerSlot: index % 4 !== 3,
    };
    const limits: readonly SimulatedLimit[] = [
      ...slot === null ? [] : [{ key: kind, max: slot, perMs: null }],
      ...rate === null ? [] : [{ key: kind, max: rate, perMs: RATE_MS }],
      ...pool === null ? [] : [{ key: `pool ${pool}`, max: HEAVY, perMs: null }],
    ];
    return {
      definition: jobOf(kind, { options, schedules: [schedule] }),
      job: {
        kind,
        durationMs: 1 + 2 * Math.floor(random.next() * 200_000),
        hasSlot: options.workerSlot,
        schedules: [{ id: `config:${kind}:0`, spec: schedule.spec, priority, limits }],
      },
    };
  });
}

function line(tick: Pick<SimulatedTick, "kind" | "at" | "fate" | "startedAt" | "endedAt">): string {
  const { kind, at, fate, startedAt, endedAt } = tick;
  return [kind, at - START, fate, startedAt, endedAt].join(" ");
}

/** What the manager makes of the same jobs on a simulated clock. */
async function managed(cases: readonly Case[], workers: number, spanMs: number) {
  const jobs = cases.map(({ definition }) => definition);
  const world = new ManagerWorld({ jobs, workers, pools: { heavy: HEAVY } });
  world.executor.onRun = (attempt) => {
    const { kind } = attempt.instance;
    const { durationMs } = cases.find(({ job }) => job.kind === kind)!.job;
    const timer = world.clock.timer(durationMs, () => attempt.ok());
    attempt.abort = (cause) => {
      timer.cancel();
      attempt.aborted(cause);
    };
  };
  await world.started();
  await world.clock.advance(spanMs - 1);
  const lines: string[] = [];
  for (const { job: { kind, schedules: [schedule] } } of cases) {
    const scheduleId = schedule!.id;
    let token: string | undefined;
    do {
      const page = { limit: 1_000, order: "oldest", token } as const;
      const { items, nextToken } = await world.of(world.store.listFates({ scheduleId }, page));
      for (const { from, fate, instanceId } of items) {
        const none = { startedAt: null, endedAt: null };
        if (instanceId === null) {
          lines.push(line({ kind, at: from, fate: fate as "skipped", ...none }));
          continue;
        }
        const { state, processedAt, settledAt } = await world.get(instanceId);
        const ended = state === "completed" ? "ran" : state === "canceled" ? "replaced" : "pending";
        const endedAt = ended === "replaced" && processedAt === null ? null : settledAt;
        lines.push(line({ kind, at: from, fate: ended, startedAt: processedAt, endedAt }));
      }
      token = nextToken ?? undefined;
    } while (token);
  }
  return lines.sort();
}

/** Two of them, with one and with four workers: `npm run slow -- simulation` compares twenty. */
const SEEDS = process.env["JOBCTL_SIMULATIONS"] === "all"
  ? Array.from({ length: 20 }, (_, index) => index + 1)
  : [3, 4];

for (const seed of SEEDS) {
  test(`simulate() does tick for tick what the manager does, seed ${seed}`, async () => {
    const cases = casesOf(seed);
    const workers = 1 + seed % 4;
    const lines: string[] = [];
    simulate({
      jobs: cases.map(({ job }) => job),
      workers,
      node: "node",
      fromMs: START,
      toMs: START + DAY,
    }, (tick) => void lines.push(line(tick)));
    const expected = await managed(cases, workers, DAY);
    assert.ok(expected.length > 500, `${expected.length} ticks`);
    assert.deepEqual(lines.sort(), expected);
  });
}

function jobWith(spec: Partial<ScheduleSpec>, durationMs = 1): SimulatedJob {
  const { spec: whole } = scheduleOf(spec);
  return {
    kind: "work",
    durationMs,
    schedules: [{ id: "config:work:0", spec: whole, priority: 5, limits: [] }],
  };
}

test("report() tells of overlaps, waits and the depth of the queue", () => {
  const input = { workers: 1, node: "node", fromMs: START, toMs: START + HOUR };
  const slow = jobWith({ cron: "*/10 * * * *" }, 15 * 60_000);
  const other = { ...jobWith({ cron: "20 * * * *" }), kind: "other" };
  const { kinds, load, ticks } = report({ ...input, jobs: [slow, other] });
  assert.equal(ticks, 6);
  const [work, late] = kinds;
  assert.equal(work!.overlaps, 2);
  assert.equal(work!.overlapAt, START + 20 * 60_000);
  assert.equal(work!.skipped, 2);
  assert.equal(late!.waitMaxMs, 5 * 60_000);
  assert.equal(load.depthMax, 1);
  assert.equal(load.depthMaxAt, START + 20 * 60_000);
  assert.equal(load.busyMax, 1);
});

const YEAR = { fromMs: START, toMs: Date.UTC(2027, 0, 1) };

for (
  const [cron, effects] of [
    ["30 2 * * *", ["moved", "once"]],
    ["*/30 * * * *", ["follows", "follows"]],
    ["0 12 * * *", [null, null]],
    ["0 3 * * *", [null, null]],
    ["0 2,3 * * *", ["moved", "once"]],
  ] as const
) {
  test(`clockChanges() says what the change of the clock does to "${cron}"`, () => {
    const jobs = [jobWith({ cron, timezone: "Europe/Berlin" })];
    const changes = clockChanges(jobs, YEAR);
    assert.deepEqual(changes.map(({ effect }) => effect), effects);
    assert.deepEqual(changes.map(({ shiftMs }) => shiftMs), [HOUR, -HOUR]);
  });
}

test("clockChanges() lists the times around the change with their offsets", () => {
  const jobs = [jobWith({ cron: "30 2 * * *", timezone: "Europe/Berlin" })];
  assert.deepEqual(clockChanges(jobs, YEAR).map(({ times }) => times), [
    ["2026-03-29 03:00:00 +02:00"],
    ["2026-10-25 02:30:00 +02:00"],
  ]);
  assert.deepEqual(clockChanges([jobWith({ cron: "30 2 * * *" })], YEAR), []);
});

test("differences() names the ticks that only one configuration runs", () => {
  const gather = (cron: string) => {
    const times = new RunTimesByKind();
    const input = { workers: 4, node: "node", fromMs: START, toMs: START + DAY };
    simulate({ ...input, jobs: [jobWith({ cron })] }, (tick) => times.add(tick));
    return times;
  };
  assert.deepEqual(differences(gather("0 6,18 * * *"), gather("0 6,20 * * *")), [{
    kind: "work",
    onlyBefore: 1,
    onlyBeforeAt: [START + 18 * HOUR],
    onlyAfter: 1,
    onlyAfterAt: [START + 20 * HOUR],
    both: 1,
  }]);
  assert.deepEqual(differences(gather("0 6 * * *"), gather("0 6 * * *")), []);
});
