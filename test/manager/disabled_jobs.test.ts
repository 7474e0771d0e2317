import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { jobOf, ManagerWorld } from "../support/manager_world.ts";

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
