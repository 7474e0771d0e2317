import assert from "node:assert/strict";
import test from "node:test";
import type { Timer } from "../../../src/platform/clock.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MINUTE = 60_000;
/** To take back what lost its lease, to delete what is past its retention, and to report. */
const WAKES_A_MINUTE_MAX = 5;

class CountingClock extends SimClock {
  wakes = 0;

  override timer(delayMs: number, callback: () => void): Timer {
    return super.timer(delayMs, () => {
      this.wakes += 1;
      callback();
    });
  }
}

test("a manager that is alone and has nothing to do wakes five times a minute, also after it did something", async () => {
  const clock = new CountingClock();
  const store = new MemoryStore({ defer: (callback) => clock.defer(callback) });
  const world = await new ManagerWorld({ before: { clock, store }, nodeLeaseMs: 10 * MINUTE })
    .started();
  const wakesOfTenMinutes = async () => {
    clock.wakes = 0;
    await clock.advance(10 * MINUTE);
    return clock.wakes;
  };
  assert.ok(await wakesOfTenMinutes() <= 10 * WAKES_A_MINUTE_MAX, `${clock.wakes} wakes`);
  await world.schedule();
  const renewals = world.link.count("renew");
  await clock.advance(2 * LEASE_MS);
  assert.equal(world.link.count("renew"), renewals + 6);
  world.executor.last.ok();
  await clock.advance(MINUTE);
  assert.ok(await wakesOfTenMinutes() <= 10 * WAKES_A_MINUTE_MAX, `${clock.wakes} wakes`);
});
