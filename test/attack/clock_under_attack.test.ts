import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ATTACKS } from "../../scripts/attack/attacks.ts";
import { type Bounds, measureIn } from "../../scripts/attack/measure.ts";
import { startWorld, type World } from "../../scripts/attack/world.ts";

// The short form of npm run attack: some of its attacks, weaker and on one daemon, one after the
// other. Its bounds are such that a machine which does other things too keeps them; a clock that
// stands does not.
const BOUNDS: Bounds = {
  lostMax: 0,
  lateMsMax: 1_000,
  peakMax: 400,
  afterMax: 400,
  restMs: 10_000,
};
const SHORT = { seconds: 2, scale: 0.3, bounds: BOUNDS, lookAfterMs: 1_500 };
const NAMES = [
  "lookups-gone",
  "pages",
  "rapid-reset",
  "http-pipeline",
  "job-channel",
];

function attackOf(name: string) {
  return ATTACKS.find((attack) => attack.name === name)!;
}

let world: World;

before(async () => {
  const needs = { ...attackOf("job-channel").needs, records: { small: 1_000, large: 1_000 } };
  world = await startWorld(needs, null);
});
after(() => world.end());

for (const name of NAMES) {
  test(`the clock goes on under attack: ${name}, ${attackOf(name).about}`, async () => {
    const report = await measureIn(world, attackOf(name), SHORT);
    assert.ok(report.ticks >= 2, `${report.ticks} ticks were looked at`);
    assert.ok(Object.values(report.tally).some((count) => count > 0), "nothing was attacked");
    assert.deepEqual(report.problems, []);
  });
}

test("measureIn() finds the lost ticks of a daemon that is frozen", async () => {
  world.daemon.signal("SIGSTOP");
  setTimeout(() => world.daemon.signal("SIGCONT"), 2_500);
  const report = await measureIn(world, null, { ...SHORT, seconds: 3 });
  assert.ok(report.lost >= 1, `lost ${report.lost} of ${report.ticks}`);
  assert.match(report.problems.join(), /ticks lost/);
});
