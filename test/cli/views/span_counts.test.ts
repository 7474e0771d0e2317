import assert from "node:assert/strict";
import { test } from "node:test";
import { countSpan } from "../../../src/cli/views/span_counts.ts";
import { createLocalClient } from "../../../src/rpc/client/local_client.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

test("countSpan() counts what ended in a span, also if it was created before", async () => {
  const kept = { options: { keepSuccessMs: 9 * HOUR, keepFailureMs: 9 * HOUR } };
  const jobs = [jobOf("work", kept), jobOf("long", kept)];
  const world = await new ManagerWorld({ workers: 9, jobs }).started();
  const attempts = () => world.executor.attempts;
  await world.schedule("long");
  await world.schedule("long");
  await world.schedule("work");
  await world.clock.settle();
  attempts()[2]!.ok();
  await world.clock.advance(2 * HOUR);
  attempts()[0]!.fail("broken");
  await world.schedule("work");
  await world.schedule("work");
  await world.clock.settle();
  attempts()[3]!.ok();
  await world.clock.advance(2 * HOUR);
  attempts()[4]!.ok();
  await world.clock.settle();

  const client = createLocalClient(world.manager);
  const counted = async (sinceHours: number, untilHours?: number) => {
    const untilMs = untilHours === undefined ? undefined : START + untilHours * HOUR;
    const { kinds, createdFrom } = await world.of(
      countSpan(client, { sinceMs: START + sinceHours * HOUR, untilMs }),
    );
    assert.equal(createdFrom, undefined);
    return kinds.map(({ kind, terminated, completed }) => [kind, terminated, completed]);
  };
  // Those that still run are not counted.
  assert.deepEqual(await counted(0), [["long", 1, 0], ["work", 0, 3]]);
  assert.deepEqual(await counted(1), [["long", 1, 0], ["work", 0, 2]]);
  assert.deepEqual(await counted(1, 3), [["long", 1, 0], ["work", 0, 1]]);
  assert.deepEqual(await counted(3), [["work", 0, 1]]);
  assert.deepEqual(await counted(0, 1), [["work", 0, 1]]);
  attempts()[1]!.ok();
  await world.of(world.manager.stop());
});
