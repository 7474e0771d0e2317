import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instant } from "../../src/platform/clock.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { GroupCommit } from "../../src/store/ledger/group.ts";
import { LedgerStore } from "../../src/store/ledger/store.ts";
import type { Tables } from "../../src/store/ledger/tables/tables.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";
import { SqliteTables } from "../../src/store/sqlite/tables.ts";
import type { Store } from "../../src/store/store.ts";
import { checkTables } from "./check_tables.ts";
import { applySteps, byId } from "./apply_step.ts";
import { START, TurnDrawer } from "./draw_turns.ts";
import { failingTables, type MediumFaults } from "./failing_tables.ts";
import type { Turn } from "./model_turns.ts";
import { replicaFixture } from "./replica_fixture.ts";
import { StoreModel } from "./store_model.ts";
import { valkeyFixture } from "./valkey_fixture.ts";
import { WatchedStore } from "./watched_store.ts";

/** The stores that a trail can run on. */
export const MODELLED_STORES = [
  "memory",
  "memory in groups",
  "sqlite",
  "sqlite file",
  "replica",
  "two replicas",
  "valkey",
] as const;
export type ModelledStore = typeof MODELLED_STORES[number];

/** A trail on which a store differs from the model. */
export interface Mismatch {
  readonly seed: number;
  readonly store: ModelledStore;
  readonly message: string;
  /** Made as short as possible by leaving out turns and requests. */
  readonly turns: readonly Turn[];
}

// Requests made before the next promise belong to one turn.
const defer = (callback: () => void) => queueMicrotask(callback);

/** A store under test that can be closed and opened again. */
export interface Fixture {
  readonly faults: MediumFaults;
  /** Tables of the last opened store; null if they are elsewhere. */
  tables: Tables | null;
  /** Tables of further nodes. */
  readonly others?: readonly Tables[];
  open(): Store;
  /** Set the time. */
  setTime?(now: Instant): void;
  /** Another, opened store that loads what was written. */
  reload?(): Promise<Store>;
  end(): void;
}

/** A store of a type, empty and not yet open. */
export async function fixtureOf(type: ModelledStore): Promise<Fixture> {
  const faults: MediumFaults = { fails: null, hasFailed: false };
  if (type === "valkey") return await valkeyFixture(faults, defer);
  if (type === "replica" || type === "two replicas") {
    return replicaFixture(faults, type === "replica" ? 1 : 2);
  }
  if (type === "memory" || type === "memory in groups") {
    const tables = new MemoryTables();
    const options = type === "memory" ? {} : { defer };
    const store = new LedgerStore((publish) => new GroupCommit(tables, options, publish));
    return { faults, tables, open: () => store, end: () => {} };
  }
  const folder = type === "sqlite" ? null : mkdtempSync(join(tmpdir(), "store-model-"));
  const path = folder === null ? ":memory:" : join(folder, "jobs.db");
  const fixture: Fixture = {
    faults,
    tables: new SqliteTables(path),
    open: () => {
      const tables = failingTables(new SqliteTables(path), faults);
      fixture.tables = tables;
      return new LedgerStore((publish) => new GroupCommit(tables, { defer }, publish));
    },
    end: () => folder !== null && rmSync(folder, { recursive: true }),
  };
  return fixture;
}

/** Stores with one clock for all nodes. */
const CLOCKED: ReadonlySet<ModelledStore> = new Set(["replica", "two replicas", "valkey"]);

/** True if a closed store keeps its data, and opening takes back the claims of every node. */
export function canReopen(type: ModelledStore): boolean {
  return !["sqlite", "replica", "two replicas", "valkey"].includes(type);
}

/**
 * Draw a trail by a seed, and run it on a store and on the model.
 *
 * @returns null if they agree in everything, else the shortest trail found on which they do not
 */
export async function findMismatch(
  seed: number,
  store: ModelledStore,
  turnCount: number,
): Promise<Mismatch | null> {
  const turns: Turn[] = [];
  let drawer: TurnDrawer | null = null;
  const message = await runTrail(store, (model) => {
    drawer ??= new TurnDrawer(seededRandom(seed), model);
    if (turns.length === turnCount) return null;
    const turn = drawer.draw();
    turns.push(turn);
    return turn;
  });
  if (message === null) return null;
  const shorter = await shrink(store, turns);
  return { seed, store, message: await replay(store, shorter) ?? message, turns: shorter };
}

/** Run a trail again. @returns the first difference, or null */
export async function replay(
  store: ModelledStore,
  turns: readonly Turn[],
): Promise<string | null> {
  let index = 0;
  return await runTrail(store, () => turns[index++] ?? null);
}

async function runTrail(
  type: ModelledStore,
  next: (model: StoreModel) => Turn | null,
): Promise<string | null> {
  const fixture = await fixtureOf(type);
  const model = new StoreModel({ hasOwnClock: CLOCKED.has(type) });
  let now: Instant = { wallMs: START, monotonicMs: 1_000 };
  fixture.setTime?.(now);
  let store = new WatchedStore(fixture.open());
  await store.open(now);
  model.run(now, () => model.recover());
  let turn: Turn | null = null;
  let step = -1;
  try {
    for (turn = next(model); turn; turn = next(model)) {
      step += 1;
      const { afterMs, steps } = turn;
      // Another node does not know results that were not written: with a clock set back it may
      // record an earlier time.
      const backMs = type === "two replicas" ? 0 : turn.backMs;
      now = {
        wallMs: now.wallMs + afterMs - backMs,
        monotonicMs: now.monotonicMs + afterMs,
      };
      fixture.setTime?.(now);
      if (steps[0]?.type === "reopen") {
        // Results that were not stored are lost: skip this if the clock is behind the model's.
        if (!canReopen(type) || now.wallMs < model.at) continue;
        await store.close();
        store = new WatchedStore(fixture.open());
        const recovered = await store.open(now);
        const expected = model.run(now, () => model.recover());
        assert.deepEqual(byId(recovered), byId(expected), "what an opening takes back");
      } else if (steps[0]?.type === "list") {
        model.setClock(now);
        await store.checkList(model, steps[0]);
      } else {
        Object.assign(fixture.faults, { fails: turn.fails ?? null, hasFailed: false });
        await applySteps({ store, model, faults: fixture.faults, at: now }, steps);
        fixture.faults.fails = null;
      }
      model.setClock(now);
      await store.check(model, now);
      for (const tables of [fixture.tables, ...fixture.others ?? []]) {
        if (tables) checkTables(tables);
      }
      // Without tables, the store's own check is used.
      if (!fixture.tables) assert.deepEqual(await store.problems(), []);
    }
    const reloaded = await fixture.reload?.();
    if (reloaded) {
      const loaded = new WatchedStore(reloaded);
      await loaded.check(model, now).finally(() => loaded.close());
    }
    return null;
  } catch (error) {
    const what = error instanceof Error ? error.stack : String(error);
    return `turn ${step} ${JSON.stringify(turn)}: ${what}`;
  } finally {
    await store.close().catch(() => {});
    fixture.end();
  }
}

/** Leave out turns, many at first, then single requests, as long as a difference remains. */
async function shrink(
  store: ModelledStore,
  turns: readonly Turn[],
): Promise<readonly Turn[]> {
  let kept = turns;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let start = 0; start < kept.length;) {
      // Time passes as before.
      const cut = kept.slice(start, start + size);
      const afterMs = cut.reduce((sum, one) => sum + one.afterMs, 0);
      const backMs = cut.reduce((sum, one) => sum + one.backMs, 0);
      const pause = { afterMs, backMs, fails: null, steps: [] };
      const without = [...kept.slice(0, start), ...kept.slice(start + size)];
      const paused = [...kept.slice(0, start), pause, ...kept.slice(start + size)];
      if (await replay(store, without) !== null) kept = without;
      else if (cut.some(({ steps }) => steps.length > 0) && await replay(store, paused) !== null) {
        kept = paused;
        start += 1;
      } else start += size;
    }
  }
  for (const [index] of kept.entries()) {
    for (let place = kept[index]!.steps.length - 1; place >= 0; place--) {
      const turn = kept[index]!;
      const steps = turn.steps.filter((_, at) => at !== place);
      const tried = kept.map((one, at) => at === index ? { ...turn, steps } : one);
      if (await replay(store, tried) !== null) kept = tried;
    }
  }
  return kept;
}
