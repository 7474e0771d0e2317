import { tellAtRandom } from "../../test/support/notices/random_story.ts";
import { closeStoryServers } from "../../test/support/notices/story_stores.ts";

const STORES = {
  memory: "memory",
  sqlite: "SQLite",
  replicas: "etcd's replica",
  valkey: "Valkey",
} as const;

/**
 * Run jobs at random on daemons that are killed, with channels that fail; whether the notices that
 * were delivered agree with how the runs ended, for all seeds.
 */
export async function runNotices(name: string, seeds: readonly number[]): Promise<boolean> {
  const store = Object.entries(STORES).find(([one]) => one === name)?.[1];
  if (store === undefined) {
    console.error(`No store "${name}" for notices: ${Object.keys(STORES).join(", ")}`);
    return false;
  }
  const started = performance.now();
  let failed = 0;
  let [kills, notices] = [0, 0];
  for (const seed of seeds) {
    const result = await tellAtRandom(seed, store);
    kills += result.kills;
    notices += result.notices;
    if (result.violations.length === 0) continue;
    failed += 1;
    console.log(`seed ${seed}: ${result.violations.join("; ")}`);
    console.log(`  replay: npm run sim -- --notices --store ${name} --seed ${seed}`);
  }
  await closeStoryServers();
  const seconds = (performance.now() - started) / 1_000;
  const rate = `${kills} kills, ${notices} notices, ${seconds.toFixed(0)} s`;
  console.log(`${seeds.length - failed} passed, ${failed} failed (${rate})`);
  return failed === 0;
}
