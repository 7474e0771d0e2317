import { findMismatch, MODELLED_STORES, type ModelledStore } from "../../test/model/model_run.ts";
import { endModelServer } from "../../test/model/valkey_fixture.ts";

/** Turns of one trail. */
const TURNS = 120;

/**
 * Run random trails on a store and on the model of the `Store` interface; whether they agree in all
 * of them.
 */
export async function runModel(store: string, seeds: readonly number[]): Promise<boolean> {
  const modelled: ModelledStore | undefined = MODELLED_STORES.find((one) => one === store);
  if (!modelled) {
    console.error(`No store "${store}" for the model: ${MODELLED_STORES.join(", ")}`);
    return false;
  }
  const started = performance.now();
  let failed = 0;
  for (const seed of seeds) {
    const found = await findMismatch(seed, modelled, TURNS);
    if (!found) continue;
    failed += 1;
    console.log(`seed ${seed}: ${found.message}`);
    for (const turn of found.turns) console.log(`  ${JSON.stringify(turn)}`);
    console.log(`  replay: npm run sim -- --model --store "${store}" --seed ${seed}`);
  }
  await endModelServer();
  const perSecond = seeds.length * TURNS / ((performance.now() - started) / 1_000);
  const rate = `${TURNS} turns each, ${perSecond.toFixed(0)} turns a second`;
  console.log(`${seeds.length - failed} passed, ${failed} failed (${rate})`);
  return failed === 0;
}
