import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTACKS } from "../../scripts/attack/attacks.ts";
import { BOUNDS, type Bounds, measureIn, type Report } from "../../scripts/attack/measure.ts";
import { startWorld } from "../../scripts/attack/world.ts";

// The bounds on memory as they are promised, for the attacks that once went beyond them. A machine
// that does other things too changes little about memory, so only the lateness is not judged.
const MEMORY: Bounds = { ...BOUNDS, lostMax: Infinity, lateMsMax: Infinity };
const NAMES = ["job-large-gets", "job-large-reads", "followers-large", "waits-large"];

async function attack(name: string): Promise<Report> {
  const found = ATTACKS.find((one) => one.name === name)!;
  const world = await startWorld(found.needs ?? {}, null);
  try {
    return await measureIn(world, found, { seconds: 3, scale: 1, bounds: MEMORY, lookAfterMs: 0 });
  } finally {
    await world.end();
  }
}

test("memory stays bounded and falls again under attacks that read much", async () => {
  // At once, each on its own daemon, to save time.
  for (const { name, tally, problems } of await Promise.all(NAMES.map(attack))) {
    assert.ok((tally.runs ?? tally.connections ?? 0) > 0, `${name} did nothing`);
    assert.deepEqual(problems, [], name);
  }
});
