import type { Clock, Instant } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { LedgerStore } from "../ledger/ledger_store.ts";
import type { Store } from "../store.ts";
import type { ReplicaMedium } from "./medium.ts";
import { ReplicaOwner } from "./replica_owner.ts";
import { ReplicaTables } from "./replica_tables.ts";

/** What a replicated store is made of. */
export interface ReplicaStoreOptions {
  readonly medium: ReplicaMedium;
  readonly clock: Clock;
  readonly random: Random;
  /** Counts in place of the callers' clocks: for tests. */
  readonly now?: () => Instant;
}

type Args<Name extends keyof Store> = Store[Name] extends (...args: infer A) => unknown ? A : never;

/**
 * The ledger on a medium that several nodes share, each with a replica of all rows in memory. Reads wait until the replica has
 * everything that anybody was answered before; what only wakes and guides this node is answered by what it has.
 */
export class ReplicaStore extends LedgerStore {
  /** The replica, for checks of it. */
  readonly tables: ReplicaTables;
  readonly #owner: ReplicaOwner;

  constructor({ medium, clock, random, now }: ReplicaStoreOptions) {
    const tables = new ReplicaTables(medium);
    const writer = [...random.bytes(9)].map((byte) => byte.toString(36)).join("");
    let owner!: ReplicaOwner;
    super(tables, {
      clock: now,
      // A long read goes on when what was run meanwhile is decided.
      defer: (callback) => clock.defer(() => void owner.settled().then(callback, callback)),
    }, (state, publish) => {
      owner = new ReplicaOwner(state, { medium, tables, clock, random, now, writer, publish });
      return owner;
    });
    this.tables = tables;
    this.#owner = owner;
  }

  protected override synced(): Promise<void> {
    return this.#owner.synced();
  }

  override async getSchedule(...args: Args<"getSchedule">) {
    await this.#owner.synced();
    return await super.getSchedule(...args);
  }

  override async listSchedules(...args: Args<"listSchedules">) {
    await this.#owner.synced();
    return await super.listSchedules(...args);
  }

  override async dueSchedules(...args: Args<"dueSchedules">) {
    await this.#owner.settled();
    return await super.dueSchedules(...args);
  }

  override async listFates(...args: Args<"listFates">) {
    await this.#owner.synced();
    return await super.listFates(...args);
  }

  override async get(...args: Args<"get">) {
    await this.#owner.synced();
    return await super.get(...args);
  }

  override async list(...args: Args<"list">) {
    await this.#owner.synced();
    return await super.list(...args);
  }

  override async history(...args: Args<"history">) {
    await this.#owner.synced();
    return await super.history(...args);
  }

  override async logs(...args: Args<"logs">) {
    await this.#owner.synced();
    return await super.logs(...args);
  }

  override async tailLogs(...args: Args<"tailLogs">) {
    await this.#owner.settled();
    return await super.tailLogs(...args);
  }

  override async logEnd(...args: Args<"logEnd">) {
    await this.#owner.synced();
    return await super.logEnd(...args);
  }

  override async stats(...args: Args<"stats">) {
    await this.#owner.synced();
    return await super.stats(...args);
  }

  override async clearInstances(...args: Args<"clearInstances">) {
    await this.#owner.synced();
    return await super.clearInstances(...args);
  }

  override async clearLogs(...args: Args<"clearLogs">) {
    await this.#owner.synced();
    return await super.clearLogs(...args);
  }

  override async listPauses(...args: Args<"listPauses">) {
    await this.#owner.synced();
    return await super.listPauses(...args);
  }

  override async listNodes(...args: Args<"listNodes">) {
    await this.#owner.synced();
    return await super.listNodes(...args);
  }

  override async nextDue(...args: Args<"nextDue">) {
    await this.#owner.settled();
    return await super.nextDue(...args);
  }

  override async blockOf(...args: Args<"blockOf">) {
    await this.#owner.synced();
    return await super.blockOf(...args);
  }

  override async blocks(...args: Args<"blocks">) {
    await this.#owner.settled();
    return await super.blocks(...args);
  }
}
