import { hostname } from "node:os";
import { loadConfig } from "../config/load_config.ts";
import type { Environment } from "../config/expand.ts";
import { JobError } from "../core/errors.ts";
import { maskUrl, parseStoreUrl } from "../core/store_address.ts";
import type { StoreConfig } from "../core/store_config.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { type Logger, silentLogger } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { createStore } from "../store/open_store.ts";
import type { Store } from "../store/store.ts";
import type { StoreStep, StoreWork, StoreWorkContext } from "./step.ts";
import { restoreBackup, type Restored } from "./restore.ts";
import { salvageFile, workOnStore } from "./work.ts";

/** Who opens a store to look after it. */
const NODE = `jobctl-${hostname()}`;
/** How long attempts of other nodes may take to end, in milliseconds. */
const DRAIN_MS = 60_000;

/** A store that a URL names, not yet open. */
export interface NamedStore {
  readonly store: Store;
  /** Without secrets. */
  readonly url: string;
  /** Namespace when it is another one than the configuration names. */
  readonly prefix?: string;
}

/** Where the store of a command is, when no daemon is asked. */
export interface StorePlace {
  /** Null for the built-in configuration. */
  readonly configFile: string | null;
  /** URL in place of the configuration's. */
  readonly url: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

/** The store at another URL, reached as the configuration says where the URL does not. @throws JobError `invalid_argument` */
export function storeAt(
  base: StoreConfig,
  { url, prefix }: { readonly url: string; readonly prefix: string | null },
  logger: Logger,
): NamedStore {
  const address = parseStoreUrl(url);
  const isRemote = address.type === "valkey" || address.type === "etcd";
  const config: StoreConfig = {
    ...base,
    address,
    url: maskUrl(url),
    prefix: prefix ?? base.prefix,
    tls: isRemote && address.isTls
      ? base.tls ?? { ca: null, cert: null, key: null, serverName: null }
      : null,
  };
  const store = createStore(config, { clock: systemClock, random: systemRandom, logger });
  const isNamed = config.prefix !== base.prefix && address.type !== "sqlite";
  return { store, url: config.url, ...(isNamed ? { prefix: config.prefix } : {}) };
}

/** The configuration of a store by a command's options. @throws JobError `invalid_config` */
export async function loadStoreConfig(place: StorePlace): Promise<StoreConfig> {
  const flags = place.url === undefined ? {} : { store: place.url };
  const { config } = await loadConfig(place.configFile, { env: place.env, cwd: place.cwd, flags });
  return config.store;
}

/** Does works on the stores of a daemon's configuration. */
export function storeWorker(config: StoreConfig, logger: Logger) {
  return (
    work: StoreWork,
    context: Omit<StoreWorkContext, "openTarget" | "random">,
  ): AsyncGenerator<StoreStep> =>
    workOnStore(work, {
      ...context,
      random: systemRandom,
      openTarget: (url, prefix) => storeAt(config, { url, prefix }, logger),
    });
}

/** Fill the configured store with a backup. @param lines reads the backup anew from its first line */
export async function restoreConfigured(
  lines: () => AsyncIterable<string>,
  options: {
    readonly place: StorePlace;
    readonly clock: Clock;
    readonly progress: (text: string) => void;
  },
): Promise<Restored> {
  const { place, clock, progress } = options;
  const config = await loadStoreConfig(place);
  const store = createStore(config, { clock, random: systemRandom, logger: silentLogger });
  return await restoreBackup(lines, { store, clock, node: NODE, progress });
}

/** Do a work on a configured store that no daemon of this machine has open. */
export async function* workOffline(
  work: StoreWork,
  place: StorePlace,
  options: { readonly logger: Logger; readonly clock: Clock; readonly signal?: AbortSignal },
): AsyncGenerator<StoreStep> {
  const { logger, clock, signal } = options;
  const config = await loadStoreConfig(place);
  if (work.type === "salvage") {
    if (config.address.type === "sqlite") return yield* salvageFile(config.address.path, clock);
    throw new JobError("invalid_argument", `Cannot salvage ${config.url}: it is no SQLite file`, {
      hint: "Use store backup without --salvage",
    });
  }
  const store = createStore(config, { clock, random: systemRandom, logger });
  const node = NODE;
  const info = await store.open({ at: clock.now(), node, isMaintenance: true });
  try {
    yield* storeWorker(config, logger)(work, {
      ...{ store, info, node, clock, drainMs: DRAIN_MS },
      hold: () => Promise.resolve(() => {}),
      ...(signal ? { signal } : {}),
    });
  } finally {
    await store.close();
  }
}
