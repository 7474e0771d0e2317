import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import type { ReplicaMedium } from "../../../src/store/replica/medium.ts";
import { ReplicaStore } from "../../../src/store/replica/store.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import type { Store } from "../../../src/store/store.ts";
import { seededRandom } from "../seeded_random.ts";
import { type EtcdServer, startEtcd } from "../servers/etcd_server.ts";
import { SharedMedium } from "../servers/shared_medium.ts";
import { ValkeyWorld } from "../servers/valkey_world.ts";
import { ServedClock, SimClock } from "../worlds/sim_clock.ts";
import { EtcdMediums } from "./etcd_mediums.ts";

/** The stores that stories are played on; etcd's is its replica on a medium in this process. */
export const STORY_STORES = ["memory", "SQLite", "etcd's replica", "Valkey"] as const;
/** Some stories are also played on the replica on a real etcd. */
export type StoryStoreName = (typeof STORY_STORES)[number] | "etcd";

/** The data of a story, and the ways to it. */
export interface StoryStore {
  readonly clock: SimClock;
  /** A connection for a node; the same store where nodes share one in the process. */
  connect(): Store;
  /** Let a connection go as the end of its process does; the data stay. */
  drop(store: Store): Promise<void>;
  /** Note that the node of a connection has closed it. */
  left(store: Store): void;
  close(): Promise<void>;
}

const valkey = new ValkeyWorld();
let etcd: Promise<EtcdServer> | null = null;
let etcdCount = 0;

/** End the servers that stories were played on. */
export async function closeStoryServers(): Promise<void> {
  await valkey.close();
  await (await etcd)?.close();
  etcd = null;
}

/** A new store for a story. */
export async function openStoryStore(name: StoryStoreName, startMs?: number): Promise<StoryStore> {
  switch (name) {
    case "memory": {
      const clock = new SimClock(startMs);
      const store = new MemoryStore({ defer: (callback) => clock.defer(callback) });
      return owned(clock, () => store, async () => {});
    }
    case "SQLite": {
      const folder = await mkdtemp(join(tmpdir(), "notices-"));
      const clock = new SimClock(startMs);
      const path = join(folder, "jobs.db");
      const open = () => new SqliteStore({ path, defer: (callback) => clock.defer(callback) });
      return owned(clock, open, () => rm(folder, { recursive: true }));
    }
    case "etcd's replica":
      return inMemory(startMs);
    case "etcd":
      return await onEtcd(startMs);
    case "Valkey":
      return await served(startMs);
  }
}

/** A store with one owner: nodes share it, and it is opened anew once all of them have died. */
function owned(clock: SimClock, open: () => Store, remove: () => Promise<void>): StoryStore {
  let current: Store | null = null;
  let connections = 0;
  const end = async () => {
    const store = current;
    current = null;
    if (!store) return;
    // Each node that opened it and died has left it open.
    for (; connections > 0; connections--) {
      const closing = store.close();
      await clock.settle();
      await closing.catch(() => {});
    }
  };
  return {
    clock,
    connect() {
      current ??= open();
      connections += 1;
      return current;
    },
    async drop(store) {
      if (store !== current) return;
      if (connections === 1) return await end();
      connections -= 1;
      const closing = store.close();
      await clock.settle();
      await closing.catch(() => {});
    },
    left(store) {
      if (store !== current) return;
      connections -= 1;
      if (connections === 0) current = null;
    },
    async close() {
      await end();
      await remove();
    },
  };
}

function inMemory(startMs?: number): StoryStore {
  const shared = new SharedMedium();
  return replicated(new SimClock(startMs), () => shared.connect());
}

async function onEtcd(startMs?: number): Promise<StoryStore> {
  etcd ??= startEtcd();
  const clock = new ServedClock(startMs);
  const ports = (await etcd).members.map(({ port }) => port);
  const mediums = new EtcdMediums(ports, `story ${++etcdCount}`);
  clock.isResting = () => mediums.areResting();
  return replicated(clock, () => mediums.connect());
}

function replicated(clock: SimClock, mediumOf: () => ReplicaMedium): StoryStore {
  const open = new Set<Store>();
  let count = 0;
  const drop = async (store: Store) => {
    if (!open.delete(store)) return;
    const closing = store.close();
    await clock.settle();
    await closing.catch(() => {});
  };
  return {
    ...{ clock, drop },
    left: (store) => void open.delete(store),
    connect() {
      const random = seededRandom(++count);
      const store = new ReplicaStore({ medium: mediumOf(), clock, random, now: () => clock.now() });
      open.add(store);
      return store;
    },
    async close() {
      for (const store of [...open]) await drop(store);
    },
  };
}

async function served(startMs?: number): Promise<StoryStore> {
  const clock = new ServedClock(startMs);
  const { make } = await valkey.stores({ clock: () => clock.now() });
  const open = new Map<Store, Store>();
  const pending = new Set<Promise<unknown>>();
  /** Answered calls that may have made the server publish something, and those seen to have. */
  let changes = 0;
  let seen = 0;
  let isProbing = false;
  const counted = (store: Store): Store =>
    new Proxy(store, {
      get(target, key) {
        // Nodes look for expired leases once per lease, not every two seconds: that would be most
        // of what a story of a day asks of the server.
        if (key === "quietMs") return () => Infinity;
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (NOT_ASKED.has(String(key))) return value.bind(target);
        return (...args: unknown[]) => {
          const answer = value.apply(target, args) as Promise<unknown>;
          const ended = answer.then((result) => isChange(String(key), result), () => true)
            .then((changed) => {
              if (changed) changes += 1;
              pending.delete(ended);
            });
          pending.add(ended);
          return answer;
        };
      },
    });
  clock.isResting = async () => {
    if (pending.size > 0) {
      await Promise.race(pending);
      return false;
    }
    if (isProbing || changes === seen) return true;
    const before = changes;
    isProbing = true;
    // What the server published before this answer has then arrived too.
    await Promise.all([...open.values()].map((store) => store.get(PROBE).catch(() => {})));
    isProbing = false;
    seen = before;
    return false;
  };
  const drop = async (store: Store) => {
    const own = open.get(store);
    open.delete(store);
    await own?.close().catch(() => {});
  };
  return {
    ...{ clock, drop },
    left: (store) => void open.delete(store),
    connect() {
      const own = make();
      const store = counted(own);
      open.set(store, own);
      return store;
    },
    async close() {
      for (const store of [...open.keys()]) await drop(store);
    },
  };
}

/** Methods that return at once. */
const NOT_ASKED: ReadonlySet<string> = new Set(["subscribe"]);
/** Methods that change nothing. */
const READS = /^(?:get|list.*|logs|stats|nextDue|dueSchedules)$/;

function isChange(method: string, result: unknown): boolean {
  if (method === "reap") return (result as Awaited<ReturnType<Store["reap"]>>).value.length > 0;
  return !READS.test(method);
}

/** The id of no instance. */
const PROBE = "00000000-0000-7000-8000-000000000000";
