import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { PLANTS } from "../../test/sim/plants.ts";
import { findPlant, runWorld, SIM_STORES, type SimStore } from "../../test/sim/world.ts";
import { runModel } from "./run_model.ts";
import { runNotices } from "./run_notices.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    /** The first seed; without --seeds the only one. */
    seed: { type: "string" },
    store: { type: "string", default: "memory" },
    /** Print the fingerprint of what each seed did. */
    trace: { type: "boolean", default: false },
    /** Put in each planted bug and say which seed finds it. */
    plants: { type: "boolean", default: false },
    /** Random requests on the store alone, compared with the model of its interface. */
    model: { type: "boolean", default: false },
    /** Jobs that fail at random, compared with the notices that channels deliver. */
    notices: { type: "boolean", default: false },
  },
});
const { store } = values;
const first = Number(values.seed ?? 1);
const length = Number(values.seeds ?? (values.seed === undefined ? 200 : 1));
const seeds = Array.from({ length }, (_, index) => first + index);
if (values.model) process.exit(await runModel(store, seeds) ? 0 : 1);
if (values.notices) process.exit(await runNotices(store, seeds) ? 0 : 1);
const storeType = SIM_STORES.find((one) => one === store);
if (storeType === undefined) {
  console.error(`No store "${store}": ${SIM_STORES.join(", ")}`);
  process.exit(2);
}
process.exitCode = (values.plants ? await findPlants() : await runSeeds(storeType)) ? 0 : 1;

async function runSeeds(store: SimStore): Promise<boolean> {
  const started = performance.now();
  let failed = 0;
  for (const seed of seeds) {
    const { violations, trace } = await runWorld(seed, store);
    if (values.trace) {
      console.log(`seed ${seed}: ${createHash("sha256").update(trace).digest("hex")}`);
    }
    if (violations.length === 0) continue;
    failed += 1;
    console.log(`seed ${seed}: ${violations.length} violations`);
    for (const violation of violations.slice(0, 5)) console.log(`  ${JSON.stringify(violation)}`);
    console.log(`  replay: npm run sim -- --store ${store} --seed ${seed}`);
  }
  const perSecond = seeds.length / ((performance.now() - started) / 1_000);
  const rate = values.trace ? "" : ` (${perSecond.toFixed(1)} seeds a second)`;
  console.log(`${seeds.length - failed} passed, ${failed} failed${rate}`);
  return failed === 0;
}

async function findPlants(): Promise<boolean> {
  let missed = 0;
  for (const plant of PLANTS) {
    const found = await findPlant(plant);
    if (found === null) missed += 1;
    console.log(`${plant.name}: ${found ? `${found.invariant} at seed ${found.seed}` : "missed"}`);
  }
  console.log(`${PLANTS.length - missed} found, ${missed} missed`);
  return missed === 0;
}
