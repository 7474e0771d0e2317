import assert from "node:assert/strict";
import test from "node:test";
import { tellUnderKills } from "../../support/notices/kill_notices.ts";

/** `npm run kills -- --notices` kills as often as wanted. */
const KILLS = 3;

test("the daemon tells each incident once while it is killed again and again", async () => {
  const seed = Date.now() % 1_000_000;
  const { violations, figures } = await tellUnderKills({ kills: KILLS, seed });
  assert.deepEqual(violations, [], `Seed ${seed}, ${JSON.stringify(figures)}`);
  assert.ok(figures.runs > 0);
});
