import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

test("scheduleJob() of a disabled job says that it is disabled and why", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work")], disabledKinds: ["report"] })
    .started();
  await assert.rejects(
    world.of(world.manager.scheduleJob("report")),
    (error) =>
      isJobError(error, "not_found") &&
      /it is disabled: .*report\.ts: as asked/.test(error.message),
  );
  await assert.rejects(
    world.of(world.manager.scheduleJob("reprot")),
    (error) => isJobError(error, "not_found") && error.message.endsWith("no such kind"),
  );
});

test("explain() reports that ticks of a disabled job were and will be skipped, and why", async () => {
  const jobs = [jobOf("work", { schedules: [scheduleOf()] })];
  const first = await new ManagerWorld({ jobs }).started();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  const world = await new ManagerWorld({
    jobs: [],
    disabledKinds: ["work"],
    before: { clock, store },
  }).started();
  await clock.advance(60_000);
  const { disabled } = await world.of(world.manager.status());
  assert.deepEqual([...disabled.keys()], ["work"]);
  const reports = await world.of(world.manager.explain({ kind: "work" }));
  assert.deepEqual(reports.map(({ outcome, reason }) => [outcome, reason]), [
    ["skipped", "disabled"],
    ["pending", null],
  ]);
  assert.match(reports[1]!.why, /it will be skipped: its job is disabled: Cannot load work\.ts/);
});
