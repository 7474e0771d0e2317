import type { EtcdAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { ReplicaStore } from "../replica/replica_store.ts";
import { EtcdMedium } from "./etcd_medium.ts";

/** API calls answer "unavailable" within 5 s. */
const CALL_MS = 4_500;

/** The store on etcd that the configuration names, not yet open. */
export function createEtcdStore(
  config: StoreConfig & { readonly address: EtcdAddress },
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): ReplicaStore {
  const { address, prefix, tls } = config;
  const medium = new EtcdMedium({
    connection: {
      endpoints: address.hosts,
      user: address.username,
      password: address.password,
      timeoutMs: CALL_MS,
    },
    tls,
    prefix,
    ...parts,
  });
  return new ReplicaStore({ medium, clock: parts.clock, random: parts.random });
}
