import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

const HOUR = 3_600_000;

function job(kind: string, cron: string, spec: Partial<ScheduleSpec> = {}) {
  return jobOf(kind, { schedules: [scheduleOf({ cron, timezone: "UTC", ...spec })] });
}

async function worldOf(...jobs: readonly ReturnType<typeof job>[]) {
  const world = await new ManagerWorld({ jobs }).started();
  const next = async (limit = 10) => {
    const { runs, hasMore } = await world.of(world.manager.upcoming({ limit }));
    return [runs.map(({ kind }) => kind).join(" "), hasMore] as const;
  };
  return { world, next };
}

test("upcoming() has the next tick of a schedule that runs, not one that is skipped", async () => {
  const { world, next } = await worldOf(
    job("hourly", "0 * * * *"),
    job("often", "*/5 * * * *", { blackout: ["2000-01-01/2100-01-01"] }),
    job("daily", "0 0 * * *"),
    job("soon", "*/10 * * * *"),
  );
  assert.deepEqual(await next(), ["soon hourly daily", false]);
  await world.of(world.manager.pause("soon", { until: world.clock.now().wallMs + 3 * HOUR }));
  assert.deepEqual(await next(), ["hourly soon daily", false]);
  await world.of(world.manager.pause("hourly"));
  assert.deepEqual(await next(), ["soon daily", false]);
  await world.of(world.manager.stop());
});

test("upcoming() looks behind schedules whose ticks are skipped", async () => {
  const skipped = Array.from(
    { length: 5 },
    (_, index) => job(`off-${index}`, "* * * * *", { blackout: ["2000-01-01/2100-01-01"] }),
  );
  const { world, next } = await worldOf(...skipped, job("a", "20 * * * *"), job("b", "40 * * * *"));
  assert.deepEqual(await next(1), ["a", true]);
  assert.deepEqual(await next(2), ["a b", false]);
  await world.of(world.manager.stop());
});

test("status() has when a schedule runs next, without ticks that are skipped", async () => {
  const { world } = await worldOf(
    job("often", "*/5 * * * *", { blackout: ["2000-01-01/2100-01-01"] }),
    job("soon", "*/10 * * * *"),
    job("hourly", "0 * * * *"),
  );
  // An instance that waits is none.
  await world.of(world.manager.scheduleJob("soon", { after: 60_000 }));
  const next = async () => {
    const { nextRunAt } = await world.of(world.manager.status());
    return nextRunAt === null ? null : new Date(nextRunAt).toISOString().slice(11, 16);
  };
  assert.equal(await next(), "00:10");
  await world.of(world.manager.pause("soon"));
  assert.equal(await next(), "01:00");
  await world.of(world.manager.pause(null));
  assert.equal(await next(), null);
  await world.of(world.manager.stop());
});

test("status() has the end of a pause of many schedules as the next run", async () => {
  const many = Array.from({ length: 120 }, (_, index) => job(`often-${index}`, "* * * * *"));
  const { world } = await worldOf(...many);
  await world.of(world.manager.pause(null, { until: world.clock.now().wallMs + 3 * HOUR }));
  const { nextRunAt } = await world.of(world.manager.status());
  assert.equal(new Date(nextRunAt!).toISOString().slice(11, 16), "03:00");
  await world.of(world.manager.stop());
});

test("status() looks at few blackouts for the next run, and expects that another one ends", async () => {
  const off = Array.from(
    { length: 12 },
    (_, index) => job(`off-${index}`, "* * * * *", { blackout: ["2000-01-01/2100-01-01"] }),
  );
  const nextOf = async (skipped: typeof off) => {
    const { world } = await worldOf(...skipped, job("hourly", "0 * * * *"));
    const { nextRunAt } = await world.of(world.manager.status());
    await world.of(world.manager.stop());
    return new Date(nextRunAt!).toISOString().slice(11, 16);
  };
  assert.equal(await nextOf(off.slice(0, 10)), "01:00");
  assert.equal(await nextOf(off), "00:01");
});
