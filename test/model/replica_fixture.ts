import type { Clock, Instant } from "../../src/platform/clock.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { ReplicaStore } from "../../src/store/replica/store.ts";
import { REV_STEP } from "../../src/store/replica/head.ts";
import type { Committed, Store } from "../../src/store/store.ts";
import { SharedMedium } from "../support/servers/shared_medium.ts";
import { checkReplicas } from "./check_replicas.ts";
import { checkTables } from "./check_tables.ts";
import type { MediumFaults } from "./failing_tables.ts";
import type { Fixture } from "./model_run.ts";

/**
 * Reads that guide a claiming node go to the replica that wrote last; all others to another one.
 */
const GUIDES: ReadonlySet<string> = new Set(["nextDue", "blocks"]);
const WRITES: ReadonlySet<string> = new Set([
  ...["enqueue", "claim", "renew", "settle", "cancel", "reap", "redrive", "appendLogs", "advance"],
  ...["backfill", "putSchedule", "deleteSchedule", "retain", "clearInstances", "clearLogs"],
  ...["setPause", "removePause", "putMemo", "addNews", "removeMemos"],
]);

/**
 * Replicas on one medium. Each turn's requests go to the next replica and its reads to the one
 * after, which knows only what the medium reported. Where the medium of a trail fails, another
 * writer is first, or a response is lost.
 */
export function replicaFixture(faults: MediumFaults, count: number): Fixture {
  const shared = new SharedMedium();
  const media = Array.from({ length: count }, () => shared.connect());
  let now: Instant = { wallMs: 0, monotonicMs: 0 };
  let turn = 0;
  let lossCount = 0;
  const clock: Clock = { ...systemClock };
  const stores = media.map((medium, index) =>
    new ReplicaStore({ medium, clock, random: seededRandom(index), now: () => now })
  );
  const fail = () => {
    if (faults.fails === "commit") {
      const { version } = shared;
      const puts = [["x/other", "{}"]] as const;
      shared.apply({ expected: version, next: version + 1, puts, deletes: [] });
    } else if (faults.fails === "write") {
      lossCount += 1;
      media[turn % count]!.faults.commits.push(lossCount % 2 === 0 ? "loseAfter" : "loseBefore");
    }
    faults.fails = null;
  };
  // An operation that wrote nothing comes after the last commit known to its node, in no order with
  // those of other nodes.
  const placed = (committed: Committed<unknown>) => {
    const half = REV_STEP / 2;
    const place = committed.rev % REV_STEP;
    if (place < half) return committed;
    const rev = committed.rev - place + half + turn / 100 + (place - half) / 1_000_000;
    return { ...committed, rev };
  };
  const all = <T>(run: (store: ReplicaStore) => Promise<T>) => Promise.all(stores.map(run));
  const routed: Partial<Store> = {
    open: async (request) => {
      const infos = [];
      for (const store of stores) infos.push(await store.open(request));
      return infos[0]!;
    },
    close: async () => void await all((store) => store.close()),
    subscribe: (listener) => {
      const stops = stores.map((store) => store.subscribe(listener));
      return () => stops.forEach((stop) => stop());
    },
  };
  const store = new Proxy(stores[0]!, {
    get(_target, key) {
      const own = Reflect.get(routed, key);
      if (own) return own;
      const name = String(key);
      const isWrite = WRITES.has(name);
      if (isWrite) fail();
      const place = isWrite || GUIDES.has(name) ? turn : turn + 1;
      const target = stores[place % count]!;
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return isWrite
        ? (request: unknown) => value.call(target, request).then(placed)
        : value.bind(target);
    },
  });
  return {
    faults,
    tables: stores[0]!.tables,
    others: stores.slice(1).map(({ tables }) => tables),
    open: () => store,
    setTime: (time) => {
      now = time;
      turn += 1;
    },
    reload: async () => {
      const medium = shared.connect();
      const loaded = new ReplicaStore({ medium, clock, random: seededRandom(9), now: () => now });
      await loaded.open({ at: now, node: "another" });
      checkTables(loaded.tables);
      // One of them also loads everything again.
      media.at(-1)!.cutWatch();
      await all((one) => one.stats());
      const replicas = stores.map(({ tables }) => tables);
      checkReplicas(replicas, { loaded: loaded.tables, rows: shared.rows });
      return loaded;
    },
    end: () => {},
  };
}
