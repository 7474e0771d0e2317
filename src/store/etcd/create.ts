import type { EtcdAddress } from "../../core/settings/store_address.ts";
import type { StoreConfig } from "../../core/settings/store_config.ts";
import type { PeerClocks } from "../ledger/owner.ts";
import type { ReplicaOptions } from "../replica/owner.ts";
import { ReplicaStore } from "../replica/store.ts";
import { EtcdMedium, type EtcdMediumOptions } from "./medium.ts";
import type { Presence } from "./presence.ts";

/** Limit of one call with all its tries; requests fail sooner. */
const CALL_MS = 15_000;

/** Parts of a store on etcd. */
export type EtcdStoreOptions = Required<Pick<ReplicaOptions, "maxSkewMs">> & ReplicaOptions & {
  readonly medium: EtcdMedium;
};

/**
 * The replicated ledger on etcd. Due times follow the nodes' clocks, which are compared by keys
 * under etcd leases. Leases of claims are rows, counted by every node from when it learned of them.
 */
export function etcdStoreOn(options: EtcdStoreOptions): ReplicaStore {
  const { medium, clock, random, now } = options;
  return new ReplicaStore({ medium, clock, random, now, clocks: new PresentNodes(options) });
}

/**
 * The nodes of this process that have joined: one, several in tests. Each keeps a key under a
 * separate etcd lease, which peers see sooner than a row.
 */
class PresentNodes implements PeerClocks {
  readonly #options: EtcdStoreOptions;
  readonly #presences = new Map<string, Presence>();

  constructor(options: EtcdStoreOptions) {
    this.#options = options;
  }

  async joined(id: string, leaseMs: number): Promise<void> {
    await this.left(id);
    const { medium, maxSkewMs, now } = this.#options;
    const presence = medium.presenceOf(id, { leaseMs, maxSkewMs, ...now ? { now } : {} });
    this.#presences.set(id, presence);
    await presence.start();
  }

  async left(id: string): Promise<void> {
    const presence = this.#presences.get(id);
    this.#presences.delete(id);
    await presence?.stop();
  }

  async close(): Promise<void> {
    for (const id of [...this.#presences.keys()]) await this.left(id);
  }

  check(action: string): void {
    for (const presence of this.#presences.values()) presence.check(action);
  }

  skewOf(id: string): number | null | undefined {
    const [presence] = this.#presences.values();
    return presence?.skewOf(id);
  }
}

type EtcdConfig = StoreConfig & { readonly address: EtcdAddress };
type Parts = Pick<EtcdMediumOptions, "clock" | "random" | "logger">;

/** The medium of the configured store on etcd. */
export function createEtcdMedium(
  { address, prefix, tls, startWaitMs }: EtcdConfig,
  parts: Parts,
): EtcdMedium {
  return new EtcdMedium({
    connection: {
      endpoints: address.hosts,
      user: address.username,
      password: address.password,
      timeoutMs: CALL_MS,
    },
    tls,
    prefix,
    startWaitMs,
    ...parts,
  });
}

/** The configured store on etcd, not yet open. */
export function createEtcdStore(
  config: EtcdConfig,
  parts: Parts & Pick<ReplicaOptions, "now">,
): ReplicaStore {
  const medium = createEtcdMedium(config, parts);
  const { clock, random, now } = parts;
  return etcdStoreOn({ medium, clock, random, now, maxSkewMs: config.maxSkewMs });
}
