import assert from "node:assert/strict";
import { test } from "node:test";
import { TransferBudget } from "../../src/worker/output/transfer_budget.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

async function work(clock: SimClock, budget: TransferBudget, ms: number): Promise<number> {
  const begunMs = clock.now().monotonicMs;
  await clock.advance(ms);
  return budget.spend(begunMs, 0);
}

test("TransferBudget allows work on output for a quarter of the time", async () => {
  const clock = new SimClock();
  const budget = new TransferBudget(clock);
  assert.equal(await work(clock, budget, 20), 0);
  assert.equal(await work(clock, budget, 4), 0);
  // 25 ms of work take a window of 100 ms, of which 25 are over.
  assert.equal(await work(clock, budget, 1), 75);
  await clock.advance(75);
  assert.equal(await work(clock, budget, 20), 0);
});

test("TransferBudget pauses longer after work of more than a window", async () => {
  const clock = new SimClock();
  const budget = new TransferBudget(clock);
  assert.equal(await work(clock, budget, 60), 180);
});

test("TransferBudget forgets work when its window is over", async () => {
  const clock = new SimClock();
  const budget = new TransferBudget(clock);
  assert.equal(await work(clock, budget, 20), 0);
  await clock.advance(100);
  assert.equal(await work(clock, budget, 20), 0);
});

test("TransferBudget pauses until the window is over when all outputs have used their bytes", async () => {
  const clock = new SimClock();
  const budget = new TransferBudget(clock);
  const spend = (bytes: number) => budget.spend(clock.now().monotonicMs, bytes);
  for (let count = 0; count < 8; count++) assert.equal(spend(1_048_576), 0);
  await clock.advance(40);
  assert.equal(spend(1), 60);
  assert.equal(spend(1), 60);
  await clock.advance(60);
  assert.equal(spend(1), 0);
});

test("TransferBudget releases memory after every 8 MiB of output", () => {
  let released = 0;
  const budget = new TransferBudget(new SimClock(), () => released += 1);
  for (let index = 0; index < 15; index += 1) budget.spend(0, 1_048_576);
  assert.equal(released, 1);
  budget.spend(0, 1_048_576);
  assert.equal(released, 2);
});
