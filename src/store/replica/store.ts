import { LedgerStore } from "../ledger/store.ts";
import { type ReplicaOptions, ReplicaOwner } from "./owner.ts";
import type { ReplicaTables } from "./tables.ts";

/**
 * The ledger on a medium that several nodes share, each with a replica of all rows in memory. Reads
 * wait until the replica has everything acknowledged to anyone before; calls that only wake and
 * guide this node return the replica's state.
 */
export class ReplicaStore extends LedgerStore {
  /** The replica, to check it. */
  readonly tables: ReplicaTables;

  constructor(options: ReplicaOptions) {
    let owner!: ReplicaOwner;
    super((publish) => owner = new ReplicaOwner(options, publish));
    this.tables = owner.tables;
  }
}
