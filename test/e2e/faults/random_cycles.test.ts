import assert from "node:assert/strict";
import test from "node:test";
import { checkCycles } from "../../support/cluster/cycle_check.ts";
import { randomPlan } from "../../support/cluster/cycle_plan.ts";
import { withCycles } from "../../support/cluster/cycle_run.ts";

/** A test that fails runs the same cycles again. */
const SEED = 34;
/** Longest command of the random cycles, in milliseconds. */
const COMMAND_MS_MAX = 5_000;

test("cycles of kills, freezes, upgrades and restarts leave no command without its end", async () => {
  // Longer ones, on every store: npm run kills -- --commands --how random.
  const options = { plan: randomPlan(SEED, 3, COMMAND_MS_MAX), store: "sqlite" } as const;
  const { violations, figures } = await withCycles(options, checkCycles);
  assert.ok(violations.length === 0, [...violations, JSON.stringify(figures)].join("\n"));
  assert.ok(figures.ran_once! + figures.ran_again_counted_as_lost! > 0);
});
