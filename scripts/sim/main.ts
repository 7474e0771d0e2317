import { parseArgs } from "node:util";
import { runWorld } from "../../test/sim/world.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    seed: { type: "string" },
    store: { type: "string", default: "memory" },
  },
});
if (values.store !== "memory" && values.store !== "sqlite") {
  console.error(`No store "${values.store}": memory or sqlite`);
  process.exit(2);
}
const seeds = values.seed
  ? [Number(values.seed)]
  : Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
const started = performance.now();
let failed = 0;
for (const seed of seeds) {
  const { violations } = await runWorld(seed, values.store);
  if (violations.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed}: ${violations.length} violations`);
  for (const violation of violations.slice(0, 5)) console.log(`  ${JSON.stringify(violation)}`);
  console.log(`  replay: npm run sim -- --store ${values.store} --seed ${seed}`);
}
const perSecond = seeds.length / ((performance.now() - started) / 1_000);
console.log(
  `${seeds.length - failed} passed, ${failed} failed (${perSecond.toFixed(1)} seeds a second)`,
);
process.exit(failed === 0 ? 0 : 1);
