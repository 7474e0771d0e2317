import type { EtcdAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { ReplicaStore } from "../replica/store.ts";
import type { Store } from "../store.ts";
import { EtcdMedium } from "./medium.ts";
import type { Presence } from "./presence.ts";

/** Longest that one call with all its tries takes; who waits for a request is answered sooner. */
const CALL_MS = 15_000;

/** What a store on etcd is made of. */
export interface EtcdStoreOptions {
  readonly medium: EtcdMedium;
  readonly clock: Clock;
  readonly random: Random;
  /** A node whose clock differs by more from those of most of its peers claims nothing, fires nothing and takes nothing back. */
  readonly maxSkewMs: number;
  /** Counts in place of the callers' clocks: for tests. */
  readonly now?: () => Instant;
}

type Args<Name extends keyof Store> = Store[Name] extends (...args: infer A) => unknown ? A : never;

/**
 * The replicated ledger on etcd. Due times go by the clocks of the nodes: each that has joined keeps a key under an etcd lease of its
 * own, by which they compare their clocks. Leases of claims are rows, and every node counts them from when it learned of them.
 */
export class EtcdStore extends ReplicaStore {
  readonly #medium: EtcdMedium;
  readonly #options: EtcdStoreOptions;
  /** By node: one of a process, several in tests. */
  readonly #presences = new Map<string, Presence>();

  constructor(options: EtcdStoreOptions) {
    // Clocks are compared by keys under leases, sooner than by rows.
    const { maxSkewMs: _, ...replica } = options;
    super(replica);
    this.#medium = options.medium;
    this.#options = options;
  }

  override async close(): Promise<void> {
    for (const node of [...this.#presences.keys()]) await this.#leave(node);
    await super.close();
  }

  override async joinNode(...[request]: Args<"joinNode">) {
    const joined = await super.joinNode(request);
    await this.#leave(request.id);
    const { maxSkewMs, now } = this.#options;
    const limits = { leaseMs: request.leaseMs, maxSkewMs, ...now ? { now } : {} };
    const presence = this.#medium.presenceOf(request.id, limits);
    this.#presences.set(request.id, presence);
    await presence.start();
    return joined;
  }

  override async leaveNode(...[request]: Args<"leaveNode">) {
    await this.#leave(request.id);
    return await super.leaveNode(request);
  }

  override async listNodes(...[request]: Args<"listNodes">) {
    const records = await super.listNodes(request);
    const [presence] = this.#presences.values();
    if (!presence) return records;
    return records.map((record) => ({ ...record, skewMs: presence.skewOf(record.id) }));
  }

  override async claim(...[request]: Args<"claim">) {
    this.#presences.get(request.node)?.check("claim");
    return await super.claim(request);
  }

  override async reap(...[request]: Args<"reap">) {
    this.#checkClock("take back what lost its lease");
    return await super.reap(request);
  }

  override async advance(...[request]: Args<"advance">) {
    this.#checkClock("fire what is due");
    return await super.advance(request);
  }

  override async putSchedule(...[request]: Args<"putSchedule">) {
    if (request.isByClock) this.#checkClock("correct a schedule");
    return await super.putSchedule(request);
  }

  #checkClock(action: string): void {
    for (const presence of this.#presences.values()) presence.check(action);
  }

  async #leave(node: string): Promise<void> {
    const presence = this.#presences.get(node);
    this.#presences.delete(node);
    await presence?.stop();
  }
}

/** The medium of a store on etcd that the configuration names. */
export function createEtcdMedium(
  { address, prefix, tls, startWaitMs }: StoreConfig & { readonly address: EtcdAddress },
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
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

/** The store on etcd that the configuration names, not yet open. */
export function createEtcdStore(
  config: StoreConfig & { readonly address: EtcdAddress },
  parts: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    /** Counts in place of the callers' clocks. */
    readonly now?: () => Instant;
  },
): EtcdStore {
  const medium = createEtcdMedium(config, parts);
  const { clock, random, now } = parts;
  return new EtcdStore({
    ...{ medium, clock, random, maxSkewMs: config.maxSkewMs },
    ...(now ? { now } : {}),
  });
}
