import { join } from "node:path";
import { LEASE_MS, StoreWorld } from "../../src/conformance/world/store_world.ts";
import { contentOf } from "../../src/maintenance/content.ts";
import type { StoreStep, StoreWork, StoreWorkContext } from "../../src/maintenance/step.ts";
import { workOnStore } from "../../src/maintenance/work.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import type { Store } from "../../src/store/store.ts";

/** A store in a file of a folder, not yet open. */
export function fileStore(folder: string, name: string): Store {
  return new SqliteStore({ path: join(folder, name), defer: systemClock.defer });
}

/**
 * An open store with `count` instances in every state that they can have, with logs, a schedule and
 * a memo.
 */
export async function filledStore(store: Store, count: number): Promise<StoreWorld> {
  const world = new StoreWorld(store);
  ({ wallMs: world.wallMs, monotonicMs: world.monotonicMs } = systemClock.now());
  await store.open({ at: world.at, node: "n1" });
  const logs = [{ at: 1, level: "info", message: "hällo \u{1f600}", source: "job" } as const];
  for (let index = 0; index < count; index++) {
    if (index % 3 === 0) await world.finish({ keepSuccessMs: 86_400_000 }, { logs });
    else if (index % 3 === 1) await world.addOne({ dueAt: world.wallMs + 3_600_000 });
    else {
      const running = await world.start({ retryMax: 3 });
      const error = { name: "Error", message: "again" };
      const dueAt = world.wallMs + 3_600_000;
      await world.settle(running, { outcome: { type: "retry", dueAt, reason: "error", error } });
    }
  }
  await world.putSchedule({ cursor: world.wallMs, nextAt: world.wallMs + 60_000 });
  await store.setPause({ at: world.at, kind: "other", until: null, reason: "x" });
  const news = [{ id: "ü", event: "missed", at: 1, instanceId: null, detail: "{}" }];
  const memo = {
    key: "job:mail",
    version: 7,
    watch: "ends",
    data: "{}",
    news,
    droppedNews: 2,
  } as const;
  await store.records.writeRecords({ at: world.at, records: [{ type: "memo", memo }] });
  return world;
}

/** Do a work on an open store; answers its report. */
export async function workOn(
  world: StoreWorld,
  work: StoreWork,
  given: Partial<StoreWorkContext> & { readonly target?: Store } = {},
): Promise<{ readonly steps: readonly StoreStep[]; readonly report: Record<string, unknown> }> {
  const steps: StoreStep[] = [];
  const context: StoreWorkContext = {
    store: world.store,
    info: { ...await infoOf(world.store), recovered: [] },
    node: "n1",
    clock: systemClock,
    random: systemRandom,
    openTarget: (url, prefix) => ({
      ...{ store: given.target!, url },
      ...(prefix === null ? {} : { prefix }),
    }),
    suspend: () => Promise.resolve(() => {}),
    drainMs: LEASE_MS,
    ...given,
  };
  for await (const step of workOnStore(work, context)) steps.push(step);
  const last = steps.at(-1);
  return { steps, report: last?.type === "report" ? { ...last.report } : {} };
}

async function infoOf(store: Store) {
  const info = await store.open({ at: systemClock.now(), node: "n1" });
  await store.close();
  return info;
}

/** A hash of what an open store holds. */
export async function hashOf(store: Store): Promise<string> {
  return (await contentOf(store.records)).hash;
}

/** A store in memory. */
export function memoryStore(): Store {
  return new MemoryStore({ defer: systemClock.defer });
}
