import { isHeld, type Row } from "../ledger/tables/row.ts";
import type { Head, KindTable, SharedTable, Tables } from "../ledger/tables/tables.ts";
import { MemoryMaintenance } from "../memory/maintenance.ts";
import type { NodeRecord } from "../nodes.ts";
import type { StoreMark } from "../records.ts";
import type { ClockWatch } from "./clock_watch.ts";
import { ReplicaEndedAttempts, ReplicaInstances } from "./instances.ts";
import { Journal } from "./journal.ts";
import * as keys from "./keys.ts";
import { ReplicaLimits } from "./limits.ts";
import { ReplicaLogs } from "./logs.ts";
import type { MediumChanges, ReplicaMedium } from "./medium.ts";
import { type Extra, writeInstance } from "./row_values.ts";
import { ReplicaPauses, ReplicaSchedules, ReplicaTicks } from "./schedules.ts";

/** The mark of the store, with each change recorded in the journal. */
class ReplicaMaintenance extends MemoryMaintenance {
  readonly #journal: Journal;

  constructor(instances: ReplicaInstances, logs: ReplicaLogs, journal: Journal) {
    super(instances, logs);
    this.#journal = journal;
  }

  override saveMark(mark: StoreMark | null): void {
    const before = super.readMark();
    super.saveMark(mark);
    this.#journal.value(keys.MARK, mark, () => super.saveMark(before));
  }
}

/** A replica of the rows of a medium. Its journal holds what an owner's operations change. */
export class ReplicaTables implements Tables {
  readonly type: string;
  readonly location: string;
  readonly isDurable: boolean;
  readonly journal = new Journal();
  instances!: ReplicaInstances;
  waiting!: ReplicaInstances;
  kinds!: KindTable;
  limits!: ReplicaLimits;
  endedAttempts!: ReplicaEndedAttempts;
  logs!: ReplicaLogs;
  schedules!: ReplicaSchedules;
  ticks!: ReplicaTicks;
  pauses!: ReplicaPauses;
  maintenance!: ReplicaMaintenance;
  readonly shared: SharedTable = {
    saveLease: (row, leaseMs) => this.instances.saveLease(row, leaseMs),
    saveNode: (id, record) => this.#saveNode(id, record),
  };
  /** Reports this node's clock with its row. */
  clocks: ClockWatch | null = null;
  #head!: Head;
  readonly #extras = new Map<string, Extra>();

  constructor({ type, location, isDurable }: ReplicaMedium) {
    this.type = type;
    this.location = location;
    this.isDurable = isDurable;
    this.clear();
  }

  /** Forget every row. */
  clear(): void {
    const { journal } = this;
    journal.clear();
    this.#head = { rev: 0, at: 0, seq: 0 };
    this.endedAttempts = new ReplicaEndedAttempts(journal);
    this.instances = new ReplicaInstances(this.endedAttempts, journal);
    this.waiting = this.instances;
    const { counts } = this.instances;
    this.kinds = { read: () => counts.read(), save: () => {} };
    this.limits = new ReplicaLimits(journal);
    this.logs = new ReplicaLogs(journal);
    this.schedules = new ReplicaSchedules(journal);
    this.ticks = new ReplicaTicks(journal);
    this.pauses = new ReplicaPauses(journal);
    this.maintenance = new ReplicaMaintenance(this.instances, this.logs, journal);
    this.#extras.clear();
  }

  commit(head: Head): void {
    this.#head = head;
    this.journal.clear();
  }

  rollback(): void {
    this.journal.takeBack();
  }

  readHead(): Head {
    return this.#head;
  }

  /** The epoch is written with the head. */
  raiseEpoch(): void {}

  /** The changes of the group, without the head. */
  changes(): MediumChanges {
    return this.journal.changes(
      (key, row) => this.#valueOf(key, row),
      (key) => this.#extras.get(key),
    );
  }

  /** Keep what a newer version wrote into a value, to write it again with each change. */
  keepExtra(key: string, extra: Extra | null): void {
    if (extra) this.#extras.set(key, extra);
    else this.#extras.delete(key);
  }

  #valueOf(key: string, row: Row): string {
    const isClaimed = row.instance.state === "processing";
    const leaseMs = isClaimed ? this.instances.leaseMsOf(row.seq) : null;
    const extra = this.#extras.get(key) ?? null;
    return writeInstance(row, { isHeld: isHeld(row), leaseMs, extra });
  }

  #saveNode(id: string, record: NodeRecord | null): void {
    this.journal.value(keys.nodeKey(id), record, () => {});
    const report = record?.leftAt === null ? this.clocks?.reportOf(id) : null;
    if (report || (this.clocks && record?.leftAt !== null)) {
      this.journal.value(keys.clockKey(id), report, () => {});
    }
  }
}
