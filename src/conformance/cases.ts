import { GUARANTEES } from "./guarantees.ts";
import { CaseTime, type OpenFixture, type StoreCases, StoreWorld } from "./store_world.ts";

/** Every rule of the `Store` interface, each as one case. */
export const STORE_CASES: StoreCases = Object.assign({}, ...Object.values(GUARANTEES));

/** Run one case on a store of its own, which it opens and ends. @throws what the case found */
export async function runCase(run: StoreCases[string], open: OpenFixture): Promise<void> {
  const time = new CaseTime();
  const fixture = await open({ clock: () => time.at });
  try {
    await fixture.store.open({ at: { ...time.at, monotonicMs: 0 }, node: "n1" });
    await run(new StoreWorld(fixture.store, fixture, time));
  } finally {
    await fixture.end();
  }
}
