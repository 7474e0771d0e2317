import assert from "node:assert/strict";
import test from "node:test";
import { checkFlows } from "../../support/flow_kills/flow_check.ts";
import { withFlowKills } from "../../support/flow_kills/flow_run.ts";

test("instances in steps keep their law while daemon and workers are killed again and again", async () => {
  // Longer ones, on every store: npm run kills -- --flows.
  const seed = Date.now() % 1_000_000;
  const options = { store: "sqlite", daemons: 1, kills: 3, seed, openMax: 10 } as const;
  const { violations, figures } = await withFlowKills(options, checkFlows);
  const evidence = [`Seed ${seed}, ${JSON.stringify(figures)}`, ...violations];
  assert.ok(violations.length === 0, evidence.join("\n"));
  assert.ok(figures.completed! > 0 && figures.steps_recorded! > 0, evidence.join("\n"));
});
