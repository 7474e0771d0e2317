import type { StoreAddress } from "./store_address.ts";

/** Files of a TLS connection to a store's servers. */
export interface StoreTls {
  /** Authority of the servers' certificates (PEM file); null for the system's. */
  readonly ca: string | null;
  /** Our certificate and its key (PEM files). */
  readonly cert: string | null;
  readonly key: string | null;
  /** Name that the servers' certificates must have; null for the host of the URL. */
  readonly serverName: string | null;
}

/** A target for a move, named in the configuration. */
export interface StoreTarget {
  /** Includes user and password, and absolute paths. */
  readonly address: StoreAddress;
  /** Without secrets. */
  readonly url: string;
  /** Namespace there; null for the configured store's. */
  readonly prefix: string | null;
}

/** A store and its connection settings. */
export interface StoreConfig {
  /** Includes user and password, and absolute paths. */
  readonly address: StoreAddress;
  /** As configured, without secrets. */
  readonly url: string;
  /** Every key of a shared server begins with it. */
  readonly prefix: string;
  /** Null for plain TCP. */
  readonly tls: StoreTls | null;
  /** Replicas that must have a write before it is acknowledged (Valkey). */
  readonly waitReplicas: number;
  /** Time for which the start waits for unreachable servers (Valkey, etcd). */
  readonly startWaitMs: number;
  /** A node whose clock differs from its peers' by more claims nothing (etcd, modules). */
  readonly maxSkewMs: number;
  /** Acknowledge a write once on disk, or once the system has it (SQLite). */
  readonly fsync: "full" | "normal";
  /** The targets to which a caller may move the store, by name. */
  readonly targets: Readonly<Record<string, StoreTarget>>;
}

/** Defaults. */
export const STORE_DEFAULTS: Omit<StoreConfig, "address" | "url"> = {
  prefix: "jobctl",
  tls: null,
  waitReplicas: 0,
  startWaitMs: 0,
  maxSkewMs: 1_000,
  fsync: "full",
  targets: {},
};

const SERVERS = ["valkey", "etcd"] as const;
/** The types of stores that an option is for, by its key in `[store]`. */
const STORES_OF_OPTION: Readonly<Record<string, readonly StoreAddress["type"][]>> = {
  username: SERVERS,
  password: SERVERS,
  sentinel_username: ["valkey"],
  sentinel_password: ["valkey"],
  prefix: SERVERS,
  tls: SERVERS,
  wait_replicas: ["valkey"],
  start_wait: SERVERS,
  max_skew: ["etcd", "module"],
  fsync: ["sqlite"],
};

/** True if a key of `[store]` has an effect with a type of stores. */
export function isForStore(key: string, type: StoreAddress["type"]): boolean {
  return STORES_OF_OPTION[key]?.includes(type) ?? true;
}

/** Valid namespaces. Braces would change which server of a cluster has the keys. */
export const STORE_PREFIX = /^[\w.:/-]{1,64}$/;

/** Valid target names: none that could be a URL or a path. */
export const TARGET_NAME = /^[\w-]{1,64}$/;
