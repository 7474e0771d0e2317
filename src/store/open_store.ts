import type { StoreConfig } from "../core/store_config.ts";
import type { Clock, Instant } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { createEtcdStore } from "./etcd/etcd_store.ts";
import { createModuleStore } from "./module/module_store.ts";
import { MemoryStore } from "./memory/memory_store.ts";
import { SqliteStore } from "./sqlite/sqlite_store.ts";
import type { Store } from "./store.ts";
import { createValkeyStore } from "./valkey/create_valkey_store.ts";

/** What stores are given by those who make them. */
export interface StoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Counts in place of the clock by which things are due: for tests of a store. */
  readonly now?: () => Instant;
}

/** The store that the configuration names, not yet open. */
export function createStore(config: StoreConfig, parts: StoreParts): Store {
  const { address } = config;
  const defer = (callback: () => void) => parts.clock.defer(callback);
  switch (address.type) {
    case "memory":
      return new MemoryStore({ clock: parts.now });
    case "sqlite":
      return new SqliteStore({ path: address.path, defer, clock: parts.now, fsync: config.fsync });
    case "etcd":
      return createEtcdStore({ ...config, address }, parts);
    case "module": {
      const { url, prefix, maxSkewMs } = config;
      return createModuleStore({ ...address, url, prefix }, { ...parts, maxSkewMs });
    }
    case "valkey":
      return createValkeyStore({ ...config, address }, parts);
  }
}
