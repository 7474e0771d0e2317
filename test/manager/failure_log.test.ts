import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import type { RetryPolicy } from "../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import test from "node:test";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

function retries(max: number): { readonly retry: RetryPolicy } {
  return {
    retry: {
      ...JOB_DEFAULTS.retry,
      max,
      backoff: "fixed",
      initialMs: 0,
      capMs: 0,
      jitter: 0,
    },
  };
}

/** The lines of the daemon's log that tell of failures, as level and message. */
function failures(world: ManagerWorld): readonly string[] {
  return world.records.filter((line) =>
    / (An attempt failed|An instance failed|Too many failures)/.test(line)
  );
}

test("each failed attempt is one warning, and a dead letter an error", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { options: retries(1) })] })
    .started();
  world.executor.onRun = (attempt) => attempt.fail();
  const { id } = await world.schedule();
  const lines = failures(world);
  assert.equal(lines.length, 3, lines.join("\n"));
  assert.match(lines[0]!, /^warn An attempt failed/);
  assert.match(lines[0]!, /"attempt":1.*"next":"/);
  assert.match(lines[1]!, /^warn An attempt failed/);
  assert.match(lines[1]!, /"attempt":2/);
  assert.doesNotMatch(lines[1]!, /"next":"/);
  assert.match(lines[2]!, /^error An instance failed for good/);
  for (const line of lines) assert.ok(line.includes(`"kind":"work","instance":"${id}"`), line);
});

test("failures for good of the kind that the caller shows are not in the log", async () => {
  const options = retries(1);
  const jobs = [jobOf("shown", { options }), jobOf("work", { options })];
  const world = await new ManagerWorld({ jobs, shownKind: "shown" }).started();
  world.executor.onRun = (attempt) => attempt.fail();
  await world.schedule("shown");
  const [line, ...others] = failures(world);
  assert.match(line!, /^warn An attempt failed.*"attempt":1.*"next":"/);
  assert.deepEqual(others, []);
  await world.schedule("work");
  assert.equal(failures(world).length, 4);
});

test("what succeeds, snoozes or is canceled is no failure", async () => {
  const world = await new ManagerWorld().started();
  world.executor.onRun = (attempt) => attempt.ok();
  await world.schedule();
  const { id } = await world.schedule("work", { at: world.clock.now().wallMs + 60_000 });
  await world.of(world.manager.cancelInstances({ ids: [id] }));
  assert.deepEqual(failures(world), []);
});

test("the first of many failures are logged, and the number of the others", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { options: retries(0) })] })
    .started();
  world.executor.onRun = (attempt) => attempt.fail();
  for (let count = 0; count < 60; count++) await world.schedule();
  assert.equal(failures(world).length, 50);
  await world.clock.advance(1_000);
  const last = failures(world).at(-1)!;
  assert.match(last, /^warn Too many failures to log each one/);
  assert.match(last, /"omitted":70/);
});
