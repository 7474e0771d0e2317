import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

/** Reports on ticks whose schedule or job has changed. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ID = "config:work:0";

function work(spec: Partial<ScheduleSpec>): JobDefinition {
  return jobOf("work", { schedules: [scheduleOf({ timezone: "UTC", ...spec })] });
}

async function started(jobs: readonly JobDefinition[], before?: ManagerWorld) {
  const kept = before === undefined ? {} : { before: { clock: before.clock, store: before.store } };
  const world = await new ManagerWorld({ jobs, ...kept }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  return world;
}

async function reload(world: ManagerWorld, jobs: readonly JobDefinition[]): Promise<void> {
  const scheduleDefaults = scheduleOf({}).spec;
  await world.of(world.manager.reload({ jobs, disabled: new Map(), scheduleDefaults }));
}

async function fatesOf(world: ManagerWorld): Promise<readonly string[]> {
  const page = { limit: 500, order: "oldest" } as const;
  const { items } = await world.of(world.store.listFates({ scheduleId: ID }, page));
  return items.map(({ fate, count, reason }) => `${fate} ${count} ${reason}`);
}

/** An hourly schedule ran once, was removed for `hours`, and is back with another spec. */
async function editedWhileDown(hours: number, spec: Partial<ScheduleSpec>): Promise<ManagerWorld> {
  const first = await started([work({ cron: "0 * * * *", misfire: "latest" })]);
  await first.clock.advance(HOUR);
  await first.of(first.manager.stop());
  await first.clock.advance(hours * HOUR + 5 * MINUTE);
  return await started([work(spec)], first);
}

for (const hours of [1, 3, 30]) {
  test(`a schedule edited during ${hours} h without a daemon keeps the fate of the ticks before`, async () => {
    const world = await editedWhileDown(hours, { cron: "30 * * * *" });
    const missed = Array.from({ length: hours }, () => "missed 1 changed");
    assert.deepEqual(await fatesOf(world), ["fired 1 null", ...missed]);
    const nowMs = world.clock.now().wallMs;
    for (let back = 1; back <= Math.min(hours, 3); back++) {
      const at = Math.floor(nowMs / HOUR) * HOUR - (back - 1) * HOUR;
      const reports = await world.of(world.manager.explain({ kind: "work", at }));
      const [report] = reports;
      assert.equal(reports.length, 1);
      assert.deepEqual([report!.outcome, report!.reason], ["missed", "changed"], `${back} h ago`);
      assert.match(report!.why, /^It was missed\. .*when the schedule was changed/);
    }
    await world.clock.advance(HOUR);
    assert.equal((await fatesOf(world)).at(-1), "fired 1 null");
  });
}

test("a schedule edited after hundreds of ticks without a daemon has one record of the older ones", async () => {
  const world = await editedWhileDown(300, { cron: "30 * * * *" });
  const fates = await fatesOf(world);
  assert.deepEqual(fates.slice(0, 3), ["fired 1 null", "missed 200 changed", "missed 1 changed"]);
  assert.equal(fates.length, 102);
  const at = Math.floor(world.clock.now().wallMs / HOUR) * HOUR - 150 * HOUR;
  const [report] = await world.of(world.manager.explain({ kind: "work", at }));
  assert.match(report!.why, /^It was missed\. 200 ticks from /);
});

test("a schedule whose times stay when it is edited during a downtime keeps its fates as well", async () => {
  const world = await editedWhileDown(3, { cron: "0 * * * *", overlap: "allow" });
  assert.deepEqual(await fatesOf(world), ["fired 1 null", ...Array(3).fill("missed 1 changed")]);
});

test("a tick that is due when a running daemon reads an edited schedule runs", async () => {
  const world = await started([work({ cron: "0 * * * *" })]);
  const toHour = HOUR - world.clock.now().wallMs % HOUR;
  await world.clock.advance(toHour - 1);
  // Both in one turn: the tick is due, and was not looked at.
  await world.clock.advance(1);
  await reload(world, [work({ cron: "30 * * * *" })]);
  await world.clock.advance(1_000);
  assert.deepEqual(await fatesOf(world), ["fired 1 null"]);
});

test("explain() reports the history of a job that left the configuration, and when it left", async () => {
  const world = await started([work({ cron: "0 * * * *" })]);
  await world.clock.advance(2 * HOUR);
  await reload(world, []);
  const reports = await world.of(world.manager.explain({ kind: "work" }));
  assert.deepEqual(reports.map(({ outcome }) => outcome), ["ran", "ran", "none"]);
  assert.match(reports[2]!.why, /no longer in the configuration: it was removed at/);
  await assert.rejects(
    world.of(world.manager.explain({ kind: "never" })),
    (error) => isJobError(error, "not_found"),
  );
});

test("explain() reports the runs of a job without a schedule, even once the job is gone", async () => {
  const world = await started([jobOf("once")]);
  const run = await world.schedule("once");
  await world.clock.advance(1_000);
  for (const jobs of [[jobOf("once")], []]) {
    await reload(world, jobs);
    const reports = await world.of(world.manager.explain({ kind: "once" }));
    assert.deepEqual(reports.map(({ outcome, instance }) => [outcome, instance?.id]), [[
      "ran",
      run.id,
    ]]);
  }
});

test("explain() lists past ticks by pages, of one schedule if asked", async () => {
  const job = jobOf("work", {
    schedules: [
      scheduleOf({ timezone: "UTC", cron: "0 * * * *" }),
      scheduleOf({ timezone: "UTC", cron: "30 * * * *" }),
    ],
  });
  const world = await started([job]);
  await world.clock.advance(5 * HOUR + MINUTE);
  const read = (query: object) => {
    return world.of(world.manager.explain({ kind: "work", scheduleId: ID, limit: 2, ...query }));
  };
  const seen: string[] = [];
  let before: number | undefined = world.clock.now().wallMs;
  while (before !== undefined) {
    const page: readonly { readonly at: number; readonly outcome: string }[] = await read({
      before,
    });
    seen.push(
      ...page.toReversed().map(({ at, outcome }) => {
        return `${new Date(at).toISOString().slice(11, 16)} ${outcome}`;
      }),
    );
    before = page[0]?.at;
  }
  assert.deepEqual(seen, ["05:00 ran", "04:00 ran", "03:00 ran", "02:00 ran", "01:00 ran"]);
  const last = await read({});
  assert.deepEqual(last.map(({ outcome }) => outcome), ["ran", "ran", "pending"]);
  const span = { at: world.clock.now().wallMs - HOUR - MINUTE, spanMs: HOUR, limit: undefined };
  const times = (await read(span)).map(({ at }) => new Date(at).toISOString().slice(11, 16));
  assert.deepEqual(times, ["04:00"]);
  await assert.rejects(
    read({ scheduleId: "config:work:9" }),
    (error) => isJobError(error, "not_found"),
  );
  await world.of(world.manager.stop());
});

test("a run without a schedule is explained in the zone of its job", async () => {
  const world = await started([{ ...jobOf("work"), timezone: "Asia/Tokyo" }]);
  const { id } = await world.schedule();
  await world.clock.settle();
  const [report] = await world.of(world.manager.explain({ instanceId: id }));
  assert.match(report!.rule, /^requested at .* \+09:00$/);
  assert.match(report!.why, /began .* \+09:00/);
});

test("a run that a drain stopped is explained by that", async () => {
  const first = await started([jobOf("work")]);
  first.executor.onRun = () => {};
  const { id } = await first.schedule();
  await first.clock.settle();
  const stopping = first.manager.stop();
  first.executor.last.aborted("drain");
  await first.of(stopping);
  const world = await new ManagerWorld({
    jobs: [jobOf("work")],
    before: { clock: first.clock, store: first.store },
    workers: 0,
  }).started();
  const [report] = await world.of(world.manager.explain({ instanceId: id }));
  const daemon = "Attempt 1 was stopped with its daemon\\. It has been waiting since .*";
  const worker = 'for a worker: no node that runs job "work" has one \\(jobctl workers scale\\)';
  assert.match(report!.why, new RegExp(`^${daemon} ${worker}$`));
});
