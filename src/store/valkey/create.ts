import type { ValkeyAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { ServerLink } from "./link/server_link.ts";
import { keyPrefix, ValkeyStore } from "./store.ts";

/** What a store on Valkey is given by those who make it. */
interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Counts in place of the server's clock. */
  readonly now?: () => Instant;
}

type ValkeyConfig = StoreConfig & { readonly address: ValkeyAddress };

/** The connection to the server that the configuration names, not yet open. */
export function createValkeyLink(config: ValkeyConfig, parts: Parts): ServerLink {
  const { address, prefix, tls, waitReplicas, startWaitMs } = config;
  return new ServerLink({
    address,
    tls,
    key: keyPrefix(prefix),
    waitReplicas,
    startWaitMs,
    ...parts,
  });
}

/** The store on Valkey that the configuration names, not yet open. */
export function createValkeyStore(config: ValkeyConfig, parts: Parts): ValkeyStore {
  const link = createValkeyLink(config, parts);
  const defer = (callback: () => void) => parts.clock.defer(callback);
  const { random, logger, now } = parts;
  return new ValkeyStore({
    link,
    namespace: config.prefix,
    clock: now,
    defer,
    random,
    logger,
  });
}
