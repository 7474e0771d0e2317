import type { Clock } from "../../src/platform/clock.ts";
import type { Row } from "../../src/store/ledger/tables/row.ts";
import type { OwnedTables } from "../../src/store/ledger/tables/tables.ts";
import type { Advance, NewInstance, Store } from "../../src/store/store.ts";
import { override, overrideTables } from "../support/override.ts";

/** The parts of the world that a plant may use. */
export interface PlantContext {
  /** The server's clock. */
  readonly clock: Clock;
  /** How often the node of this name was killed. */
  killsOf(node: string): number;
}

/** A bug of INVARIANTS.md's list, put into an otherwise correct world. */
export interface Plant {
  readonly name: string;
  /** Invariants that detect it, any of them. */
  readonly tells: readonly string[];
  /** Puts the bug below the store's semantics. */
  readonly tables?: (tables: OwnedTables, context: PlantContext) => OwnedTables;
  /** Puts the bug into the store, below what is recorded. */
  readonly store?: (store: Store, context: PlantContext) => Store;
  /** Puts the bug into a node, between its manager and its link. */
  readonly node?: (store: Store) => Store;
  /** The store uses the caller's time. */
  readonly isTimeOfNodes?: boolean;
  /** The world that gets it; absent: memory. */
  readonly world?: "ahead";
  /** The first seed that is tried, as the ones before do not detect it; by default 1. */
  readonly firstSeed?: number;
  /** The resource accepts effects of any fence. */
  readonly isResourceOpen?: boolean;
}

/** How long a stale scan is used, and how long it then happens to nobody else, in milliseconds. */
const SCAN_MS = 20;
const SCAN_PAUSE_MS = 10_000;
const FAR_AT = Date.UTC(2100, 0, 1);

/** The planted bugs of INVARIANTS.md, in its order, and some more. */
export const PLANTS: readonly Plant[] = [
  {
    name: "claim deletes before running",
    tells: ["D1", "D2"],
    tables: deletingClaims,
  },
  {
    name: "scan, then remove",
    tells: ["E1", "E2", "E3"],
    tables: staleScans,
    firstSeed: 6,
  },
  {
    name: "attempts reset by a retry",
    tells: ["A1", "A2"],
    tables: (tables) =>
      overrideTables(tables, {
        instances: {
          update: (before, after) => tables.instances.update(before, resetAttempts(after)),
        },
      }),
  },
  {
    name: "no tick key",
    tells: ["C2"],
    tables: (tables) =>
      overrideTables(tables, {
        ticks: { list: (id, range) => range.limit === 1 ? [] : tables.ticks.list(id, range) },
      }),
    store: advancingAlways,
  },
  {
    name: "retention by age only",
    tells: ["R1"],
    tables: expiringByAge,
  },
  {
    name: "effects unfenced",
    tells: ["X1"],
    isResourceOpen: true,
  },
  {
    name: "settle unfenced",
    tells: ["F1"],
    store: settlingAny,
    firstSeed: 4,
  },
  {
    name: "retry kept in memory",
    tells: ["L1"],
    tables: retriesInMemory,
    firstSeed: 21,
  },
  {
    name: "schedule cursor moved before the instance is inserted",
    tells: ["C1"],
    node: cursorFirst,
  },
  {
    name: "lease measured by the node's clock",
    tells: ["E1"],
    node: (store) => ofNodeTime(store),
    isTimeOfNodes: true,
  },
  {
    name: "begun as soon as it is claimed",
    tells: ["T1"],
    node: (store) =>
      override(store, {
        claim: async (request) => {
          const { value, ...rest } = await store.claim(request);
          return { ...rest, value: value.map((instance) => ({ ...instance, dueAt: 0 })) };
        },
      }),
    world: "ahead",
  },
  {
    name: "submit not idempotent",
    tells: ["S1"],
    store: submittingTwice,
  },
  {
    name: "slots not counted",
    tells: ["B1"],
    store: withoutLimits("concurrency"),
    firstSeed: 5,
  },
  {
    name: "starts not counted",
    tells: ["B2"],
    store: withoutLimits("rate"),
    firstSeed: 10,
  },
  {
    name: "unique keys kept by the unfinished only",
    tells: ["S2"],
    tables: (tables) =>
      overrideTables(tables, {
        instances: {
          scan: (index, range) =>
            index.type === "uniqueKey" ? [] : tables.instances.scan(index, range),
        },
      }),
  },
  {
    name: "held instances never let go",
    tells: ["L1"],
    tables: (tables) =>
      overrideTables(tables, {
        instances: {
          update: (before, after) => {
            const isLetGo = before.isReady === null && after.isReady === false &&
              before.instance.state === "scheduled";
            tables.instances.update(before, isLetGo ? before : after);
          },
        },
        // Otherwise nodes would claim without end.
        waiting: { firstLater: (kind) => tables.waiting.firstLater(kind) ?? Infinity },
      }),
  },
];

// Nodes have their limits, and the store obeys only the others.
function withoutLimits(dropped: "concurrency" | "rate"): (store: Store) => Store {
  return (store) =>
    override(store, {
      claim: ({ limits, ...request }) => {
        const kept = [...limits?.kinds ?? []].map(([kind, own]) =>
          [kind, { ...own, [dropped]: [] }] as const
        );
        return store.claim({ ...request, limits: { kinds: new Map(kept), pools: [] } });
      },
    });
}

// A claimed instance leaves the store; only its outcome returns.
function deletingClaims(tables: OwnedTables): OwnedTables {
  return overrideTables(tables, {
    instances: {
      update: (before, after) => {
        if (after.instance.state === "processing") {
          if (before.instance.state === "scheduled") tables.instances.remove(before);
        } else if (before.instance.state !== "processing") tables.instances.update(before, after);
        else if (after.instance.reason !== "lost") tables.instances.insert(after);
      },
    },
  });
}

// A second claim, soon after the first, uses what the first one saw.
function staleScans(tables: OwnedTables, { clock }: PlantContext): OwnedTables {
  const scans = new Map<string, { readonly atMs: number; readonly rows: readonly Row[] }>();
  let nextMs = 0;
  return overrideTables(tables, {
    waiting: {
      ready: (kind, limit) => {
        const atMs = clock.now().monotonicMs;
        const last = scans.get(kind);
        if (last && last.rows.length > 0 && atMs >= nextMs && atMs - last.atMs < SCAN_MS) {
          nextMs = atMs + SCAN_PAUSE_MS;
          return last.rows.slice(0, limit);
        }
        // A stale claim leaves its row in the index of ready ones: it would be claimed without end.
        const rows = tables.waiting.ready(kind, limit)
          .filter(({ instance }) => instance.state === "scheduled");
        scans.set(kind, { atMs, rows });
        return rows;
      },
    },
  });
}

function resetAttempts(after: Row): Row {
  if (after.instance.reason !== "error") return after;
  return { ...after, instance: { ...after.instance, attempt: 0, failures: 0 } };
}

// Compare-and-set without the comparison.
function advancingAlways(store: Store): Store {
  const current = async (one: Advance): Promise<Advance> => {
    const record = await store.getSchedule(one.scheduleId);
    if (!record) return one;
    return { ...one, generation: record.generation, expectedCursor: record.cursor };
  };
  return override(store, {
    advance: async ({ at, advances }) =>
      store.advance({ at, advances: await Promise.all(advances.map(current)) }),
  });
}

// Everything older than the retention of successes, in any state.
function expiringByAge(tables: OwnedTables): OwnedTables {
  const all = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false };
  return overrideTables(tables, {
    instances: {
      expired: (wallMs, limit) =>
        tables.instances.scan({ type: "all" }, { ...all, limit })
          .filter(({ instance }) => instance.createdAt + instance.keepSuccessMs <= wallMs),
    },
  });
}

// The instance is looked up by its id alone.
function settlingAny(store: Store): Store {
  return override(store, {
    settle: async ({ settlements, ...request }) => {
      const current = await Promise.all(settlements.map(async (settlement) => ({
        ...settlement,
        fence: (await store.get(settlement.id))?.fence ?? settlement.fence,
      })));
      const committed = await store.settle({ ...request, settlements: current });
      const value = committed.value.map((result, index) => ({
        ...result,
        fence: settlements[index]!.fence,
      }));
      return { ...committed, value };
    },
  });
}

// The node waits for the back-off and only then schedules the instance again: if it dies meanwhile,
// the instance is lost.
function retriesInMemory(tables: OwnedTables, { clock, killsOf }: PlantContext): OwnedTables {
  interface Parked {
    readonly row: Row;
    readonly node: string;
    readonly kills: number;
  }
  const parked = new Map<string, Parked>();
  const dueAt = ({ row, node, kills }: Parked) =>
    killsOf(node) === kills ? row.instance.dueAt : Infinity;
  const away = (row: Row): Row => ({
    ...row,
    isReady: false,
    instance: { ...row.instance, dueAt: FAR_AT },
  });
  const firstParked = () => Math.min(...[...parked.values()].map(dueAt), Infinity);
  const shown = (row: Row): Row => parked.get(row.instance.id)?.row ?? row;
  return overrideTables(tables, {
    instances: {
      get: (id) => parked.get(id)?.row ?? tables.instances.get(id),
      scan: (index, range) => tables.instances.scan(index, range).map(shown),
      update: (before, after) => {
        parked.delete(after.instance.id);
        const isRetry = before.instance.state === "processing" &&
          after.instance.reason === "error" &&
          after.instance.state === "scheduled" && after.instance.dueAt > clock.now().wallMs;
        if (!isRetry) return tables.instances.update(before, after);
        const node = before.instance.node!;
        parked.set(after.instance.id, { row: after, node, kills: killsOf(node) });
        tables.instances.update(before, away(after));
      },
    },
    waiting: {
      promote: (wallMs, limit) => {
        for (const [id, one] of parked) {
          if (dueAt(one) > wallMs) continue;
          parked.delete(id);
          tables.instances.update(away(one.row), one.row);
        }
        return tables.waiting.promote(wallMs, limit);
      },
      firstLater: (kind) => {
        const first = Math.min(tables.waiting.firstLater(kind) ?? Infinity, firstParked());
        return first === Infinity ? null : first;
      },
    },
  });
}

// Two requests instead of one.
function cursorFirst(store: Store): Store {
  return override(store, {
    advance: async ({ at, advances }) => {
      const moved = await store.advance({
        at,
        advances: advances.map((one) => ({ ...one, fires: [] })),
      });
      const fires: NewInstance[] = moved.value.flatMap(({ status }, index) =>
        status === "advanced" ? advances[index]!.fires : []
      );
      if (fires.length > 0) await store.enqueue({ at, instances: fires });
      return moved;
    },
  });
}

function ofNodeTime(store: Store): Store {
  const named = ["claim", "renew", "reap", "settle"] as const;
  const methods: Partial<Record<string, unknown>> = {};
  for (const name of named) {
    methods[name] = (request: { readonly at: { readonly wallMs: number } }) => {
      const { wallMs } = request.at;
      const method = store[name] as (request: unknown) => Promise<unknown>;
      return method.call(store, { ...request, at: { wallMs, monotonicMs: wallMs } });
    };
  }
  return override(store, methods as Partial<Store>);
}

// Each request creates a new instance, even with the same id.
function submittingTwice(store: Store): Store {
  let count = 0;
  const renamed = async (instance: NewInstance): Promise<NewInstance> => {
    if (!await store.get(instance.id)) return instance;
    count += 1;
    const id = `${instance.id.slice(0, -8)}${count.toString(16).padStart(8, "0")}`;
    return { ...instance, id, uniqueKey: null };
  };
  return override(store, {
    enqueue: async ({ at, instances }) =>
      store.enqueue({ at, instances: await Promise.all(instances.map(renamed)) }),
  });
}
