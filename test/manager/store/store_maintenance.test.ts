import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { StoreStep, StoreWork } from "../../../src/maintenance/step.ts";
import type { ManagerParts } from "../../../src/manager/manager_parts.ts";
import { StoreMaintenance } from "../../../src/manager/store/store_maintenance.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import type { StoreInfo } from "../../../src/store/store.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MOVE: StoreWork = { type: "migrate", to: "new", prefix: null };
const INFO = { type: "memory" } as StoreInfo;
const REPORT: StoreStep = { type: "report", report: { to: "new" } };

/** Store maintenance whose works do what the test says. */
class MaintenanceWorld {
  readonly clock = new SimClock();
  readonly started: StoreWork[] = [];
  /** Ends the work that began last: true for its report, false if it fails. */
  end: (isDone: boolean) => void = () => {};
  readonly maintenance: StoreMaintenance;

  constructor() {
    const workOnStore = (work: StoreWork) => this.#work(work);
    const options = { workOnStore, node: "n1", clock: this.clock, drainMs: 1, leaseMs: 1 };
    const parts = { options: { ...options, logger: silentLogger }, store: {} };
    this.maintenance = new StoreMaintenance(parts as unknown as ManagerParts);
  }

  async *#work(work: StoreWork): AsyncGenerator<StoreStep> {
    this.started.push(work);
    yield { type: "progress", text: `pass ${this.started.length}` };
    const isDone = await new Promise<boolean>((resolve) => this.end = resolve);
    if (!isDone) throw new Error("broken off");
    yield REPORT;
  }

  run(work: StoreWork, signal?: AbortSignal): AsyncGenerator<StoreStep> {
    return this.maintenance.run(work, INFO, signal);
  }
}

async function textOf(steps: AsyncGenerator<StoreStep>): Promise<string> {
  const { value } = await steps.next();
  return value?.type === "progress" ? value.text : value?.type ?? "end";
}

test("run() joins the same move, reports its progress and returns its report", async () => {
  const world = new MaintenanceWorld();
  const first = world.run(MOVE);
  assert.equal(await textOf(first), "pass 1");
  const ended = first.next();
  const second = world.run(MOVE);
  assert.match(await textOf(second), /Joining the move to new/);
  const progress = textOf(second);
  await world.clock.advance(1_000);
  assert.equal(await progress, "pass 1");
  const report = second.next();
  await world.clock.settle();
  world.end(true);
  assert.deepEqual((await ended).value, REPORT);
  await first.next();
  assert.deepEqual((await report).value, REPORT);
  assert.equal(world.started.length, 1);
  assert.equal((await second.next()).done, true);
});

for (const how of ["fails", "is left by its caller"] as const) {
  test(`run() begins the same move again when the one that was running ${how}`, async () => {
    const world = new MaintenanceWorld();
    const first = world.run(MOVE);
    await first.next();
    const second = world.run(MOVE);
    await second.next();
    const next = textOf(second);
    await world.clock.settle();
    if (how === "fails") {
      const failed = assert.rejects(first.next(), /broken off/);
      await world.clock.settle();
      world.end(false);
      await failed;
    } else await first.return(undefined);
    assert.equal(await next, "pass 2");
    const report = second.next();
    await world.clock.settle();
    world.end(true);
    assert.deepEqual((await report).value, REPORT);
  });
}

test("run() refuses another work, and stops waiting when its caller leaves", async () => {
  const world = new MaintenanceWorld();
  await world.run(MOVE).next();
  for (const work of [{ type: "gc", compacts: false }, { ...MOVE, to: "other" }] as const) {
    await assert.rejects(world.run(work).next(), (error) => isJobError(error, "conflict"));
  }
  const abort = new AbortController();
  const steps = world.run(MOVE, abort.signal);
  await steps.next();
  const left = assert.rejects(steps.next(), (error) => isJobError(error, "canceled"));
  abort.abort();
  await world.clock.advance(1_000);
  await left;
});
