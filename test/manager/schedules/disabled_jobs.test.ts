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

test("an unknown kind leads to the known ones, with the number of those left out", async () => {
  const hintOf = async (count: number, kind: string) => {
    const jobs = Array.from({ length: count }, (_, index) => jobOf(`job${index}`));
    const world = await new ManagerWorld({ jobs }).started();
    try {
      await world.of(world.manager.scheduleJob(kind));
    } catch (error) {
      if (isJobError(error, "not_found")) return error.hint ?? "";
      throw error;
    }
    return assert.fail("it is known");
  };
  assert.match(await hintOf(10, "backup"), /^Known kinds: job0, .*, job9$/);
  assert.match(await hintOf(12, "backup"), /, job9, and 2 more: jobctl list jobs$/);
  assert.match(await hintOf(1, "curl -s http://x/"), /^To run a command, add it to the config/);
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
