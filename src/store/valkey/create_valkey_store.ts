import type { ValkeyAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { ServerLink } from "./server_link.ts";
import { keyPrefix, ValkeyStore } from "./valkey_store.ts";

/** The store on Valkey that the configuration names, not yet open. */
export function createValkeyStore(
  config: StoreConfig & { readonly address: ValkeyAddress },
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): ValkeyStore {
  const { address, prefix, tls, waitReplicas, startWaitMs } = config;
  const link = new ServerLink({
    address,
    tls,
    key: keyPrefix(prefix),
    waitReplicas,
    startWaitMs,
    ...parts,
  });
  const defer = (callback: () => void) => parts.clock.defer(callback);
  return new ValkeyStore({ link, namespace: prefix, defer, random: parts.random });
}
