import assert from "node:assert/strict";
import test from "node:test";
import { checkCycles, type CycleReport } from "../../support/cluster/cycle_check.ts";
import {
  type CyclePlan,
  type CycleStore,
  endedWhileDownPlan,
  randomPlan,
  supervisorAtStartPlan,
  timeoutWhileDownPlan,
} from "../../support/cluster/cycle_plan.ts";
import { withCycles } from "../../support/cluster/cycle_run.ts";

/** The seed of all plans here: a test that fails runs the same cycles again. */
const SEED = 34;
/** Longest command of the random cycles, in milliseconds. */
const COMMAND_MS_MAX = 5_000;

/** Run a plan on some stores at once. */
function begin(plan: CyclePlan, ...stores: readonly CycleStore[]): Promise<readonly CycleReport[]> {
  const runs = stores.map((store) => withCycles({ plan, store }, checkCycles));
  return Promise.all(runs.map(async (run, index) =>
    await run.catch((error): CycleReport => ({
      violations: [`${stores[index]} broke off: ${error}`],
      figures: {},
    }))
  ));
}

// They wait most of the time, and therefore beside each other. Longer ones, on every store: npm run
// kills -- --commands --how random.
const random = begin(randomPlan(SEED, 3, COMMAND_MS_MAX), "sqlite");
const timeout = begin(timeoutWhileDownPlan(SEED, 12), "sqlite", "valkey");
const atStart = begin(supervisorAtStartPlan(SEED, 3), "valkey");
const ended = begin(endedWhileDownPlan(SEED, 8_000), "sqlite");

/** Everything held, and commands ran. */
async function check(runs: Promise<readonly CycleReport[]>): Promise<void> {
  for (const { violations, figures } of await runs) {
    assert.ok(violations.length === 0, [...violations, JSON.stringify(figures)].join("\n"));
    assert.ok(figures.ran_once! + figures.ran_again_counted_as_lost! > 0);
  }
}

test("cycles of kills, freezes, upgrades and restarts leave no command without its end", async () => {
  await check(random);
});

test("fault 101: a timeout that passes while no daemon runs ends its command alone", async () => {
  await check(timeout);
});

test("fault 102: a supervisor that is killed while a daemon starts loses each command once", async () => {
  await check(atStart);
});

test("fault 103: a command that ends while no daemon runs is recorded, and does not run again", async () => {
  await check(ended);
});
