import type { Clock, Instant } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { LedgerStore } from "../ledger/store.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { Store } from "../store.ts";
import { ClockWatch } from "./clock_watch.ts";
import type { ReplicaMedium } from "./medium.ts";
import { ReplicaOwner } from "./owner.ts";
import { ReplicaTables } from "./tables.ts";

/** What a replicated store is made of. */
export interface ReplicaStoreOptions {
  readonly medium: ReplicaMedium;
  readonly clock: Clock;
  readonly random: Random;
  /** Counts in place of the callers' clocks: for tests. */
  readonly now?: () => Instant;
  /**
   * A node whose clock differs by more from those of most of its peers claims nothing, fires nothing and takes nothing back.
   * Absent: clocks are not compared.
   */
  readonly maxSkewMs?: number;
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
  readonly #state: LedgerState;

  constructor({ medium, clock, random, now, maxSkewMs }: ReplicaStoreOptions) {
    const tables = new ReplicaTables(medium);
    if (maxSkewMs !== undefined) {
      tables.clocks = new ClockWatch(maxSkewMs, now ?? (() => clock.now()));
    }
    const writer = [...random.bytes(9)].map((byte) => byte.toString(36)).join("");
    let owner!: ReplicaOwner;
    let ledger!: LedgerState;
    super(tables, {
      clock: now,
      // A long read goes on when what was run meanwhile is decided.
      defer: (callback) => clock.defer(() => void owner.settled().then(callback, callback)),
    }, (state, publish) => {
      ledger = state;
      owner = new ReplicaOwner(state, { medium, tables, clock, random, now, writer, publish });
      return owner;
    });
    this.tables = tables;
    this.#owner = owner;
    this.#state = ledger;
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

  override async joinNode(...[request]: Args<"joinNode">) {
    this.tables.clocks?.join(request.id, this.#state);
    return await super.joinNode(request);
  }

  override async claim(...[request]: Args<"claim">) {
    this.tables.clocks?.check(this.#state, "claim");
    return await super.claim(request);
  }

  override async reap(...[request]: Args<"reap">) {
    this.tables.clocks?.check(this.#state, "take back what lost its lease");
    return await super.reap(request);
  }

  override async advance(...[request]: Args<"advance">) {
    this.tables.clocks?.check(this.#state, "fire what is due");
    return await super.advance(request);
  }

  override async putSchedule(...[request]: Args<"putSchedule">) {
    if (request.isByClock) this.tables.clocks?.check(this.#state, "correct a schedule");
    return await super.putSchedule(request);
  }
}
