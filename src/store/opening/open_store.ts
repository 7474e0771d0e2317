import type { StoreConfig } from "../../core/settings/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { createLazyStore } from "../lazy_store.ts";
import { MemoryStore } from "../memory/store.ts";
import type { Salvages } from "../sqlite/open_database.ts";
import { SqliteStore } from "../sqlite/store.ts";
import type { Store } from "../store.ts";

/** Time for which SQLite keeps pages in memory after it has read or written them. */
const PAGES_MS = 10_000;

/** Parts to make a store of. */
export interface StoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Replaces the clock that decides due times, to test a store. */
  readonly now?: () => Instant;
  /** Lost commits of a SQLite file to accept instead of refusing to open it. */
  readonly salvages?: Salvages | undefined;
}

/** The store of a configuration, not yet open. Code that talks to a server is loaded on opening. */
export function createStore(config: StoreConfig, parts: StoreParts): Store {
  const { address } = config;
  const defer = (callback: () => void) => parts.clock.defer(callback);
  switch (address.type) {
    case "memory":
      return new MemoryStore({ clock: parts.now });
    case "sqlite":
      return new SqliteStore({
        path: address.path,
        defer,
        clock: parts.now,
        fsync: config.fsync,
        salvages: parts.salvages,
        warn: (message) => parts.logger.warn(message),
        later: (callback) => parts.clock.timer(PAGES_MS, callback, { unref: true }),
      });
    case "etcd":
      return createLazyStore(async () => {
        const { createEtcdStore } = await import("../etcd/create.ts");
        return createEtcdStore({ ...config, address }, parts);
      });
    case "module":
      return createLazyStore(async () => {
        const { loadModuleStore } = await import("../module/create.ts");
        const { url, prefix, maxSkewMs } = config;
        return await loadModuleStore({ ...address, url, prefix }, { ...parts, maxSkewMs });
      });
    case "valkey":
      return createLazyStore(async () => {
        const { createValkeyStore } = await import("../valkey/store.ts");
        return createValkeyStore({ ...config, address }, parts);
      });
  }
}
