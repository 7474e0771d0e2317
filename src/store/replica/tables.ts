import { isElsewhere } from "../../core/instance.ts";
import { isHeld, type Row } from "../ledger/tables/row.ts";
import type { Head, SharedTable, Tables } from "../ledger/tables/tables.ts";
import type { Changed } from "../memory/changed.ts";
import { MemoryEndedAttempts } from "../memory/ended_attempts.ts";
import { MemoryInstances } from "../memory/instances.ts";
import { MemoryKinds } from "../memory/kinds.ts";
import { MemoryLimits } from "../memory/limits.ts";
import { MemoryLogs } from "../memory/logs.ts";
import { MemoryMaintenance } from "../memory/maintenance.ts";
import { MemoryMemos } from "../memory/memos.ts";
import { MemoryPauses, MemorySchedules } from "../memory/schedules.ts";
import { MemoryTicks } from "../memory/ticks.ts";
import type { NodeRecord } from "../nodes.ts";
import type { ClockWatch } from "./clock_watch.ts";
import { Journal } from "./journal.ts";
import { KEYS } from "./keys.ts";
import { ReplicaLeases } from "./leases.ts";
import type { MediumChanges } from "./medium.ts";
import { type Extra, writeInstance } from "./row_values.ts";

/** A replica of a medium's rows: tables in memory; an owner's changes go to the journal. */
export class ReplicaTables implements Tables {
  readonly journal = new Journal();
  instances!: MemoryInstances;
  waiting!: MemoryInstances;
  kinds!: MemoryKinds;
  limits!: MemoryLimits;
  endedAttempts!: MemoryEndedAttempts;
  logs!: MemoryLogs;
  schedules!: MemorySchedules;
  ticks!: MemoryTicks;
  pauses!: MemoryPauses;
  memos!: MemoryMemos;
  maintenance!: MemoryMaintenance;
  leases!: ReplicaLeases;
  readonly shared: SharedTable = {
    saveLease: (row, leaseMs) => this.leases.save(row, leaseMs),
    saveNode: (id, record) => this.#saveNode(id, record),
  };
  /** Reports this node's clock with its row. */
  clocks: ClockWatch | null = null;
  #head!: Head;
  readonly #extras = new Map<string, Extra>();

  constructor() {
    this.clear();
  }

  clear(): void {
    const { journal } = this;
    journal.clear();
    this.#head = { rev: 0, at: 0, seq: 0 };
    const note = <Key, Value>(keyOf: (key: Key) => string): Changed<Key, Value> => {
      return (key, value, undo) => journal.value(keyOf(key), value, undo);
    };
    this.endedAttempts = new MemoryEndedAttempts(note(KEYS.endedAttempt));
    this.instances = new MemoryInstances(
      this.endedAttempts,
      (before, after) => this.#noteRow(before, after),
    );
    this.waiting = this.instances;
    this.leases = new ReplicaLeases(journal);
    this.kinds = new MemoryKinds();
    this.limits = new MemoryLimits({
      // Each replica delays queues separately.
      delay: (_queue, _delay, undo) => journal.own(undo),
      window: (window, value, undo) => {
        const stored = value && { starts: value.starts, expireAt: value.expireAt };
        journal.value(KEYS.window(window), stored, undo);
      },
    });
    this.logs = new MemoryLogs((place, line, undo) => journal.line(place, line, undo));
    this.schedules = new MemorySchedules(note(KEYS.schedule));
    this.ticks = new MemoryTicks(note(KEYS.tick));
    this.pauses = new MemoryPauses(note(KEYS.pause));
    this.memos = new MemoryMemos(note(KEYS.memo));
    this.maintenance = new MemoryMaintenance(this.instances, this.logs, note(() => KEYS.mark));
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

  /** Keep members that a newer version wrote into a value, to write them with each change. */
  keepExtra(key: string, extra: Extra | null): void {
    if (extra) this.#extras.set(key, extra);
    else this.#extras.delete(key);
  }

  #valueOf(key: string, row: Row): string {
    const isClaimed = row.instance.state === "processing" && !isElsewhere(row.instance);
    const leaseMs = isClaimed ? this.leases.msOf(row.seq) : null;
    const extra = this.#extras.get(key) ?? null;
    return writeInstance(row, { isHeld: isHeld(row), leaseMs, extra });
  }

  #noteRow(before: Row | null, after: Row | null): void {
    const { instances } = this;
    const undo = () => {
      if (before && after) instances.update(after, before);
      else if (before) instances.insert(before);
      else instances.remove(after!);
    };
    // A row that only moved in the indexes is unchanged for others.
    const isSame = before && after && before.instance === after.instance &&
      isHeld(before) === isHeld(after);
    const { seq } = (after ?? before)!;
    if (isSame) this.journal.own(undo);
    else this.journal.instance(seq, after, undo);
    if (before?.instance.state === "processing" && after?.instance.state !== "processing") {
      this.leases.end(seq);
    }
  }

  #saveNode(id: string, record: NodeRecord | null): void {
    this.journal.value(KEYS.node(id), record, () => {});
    const report = record?.leftAt === null ? this.clocks?.reportOf(id) : null;
    if (report || (this.clocks && record?.leftAt !== null)) {
      this.journal.value(KEYS.clock(id), report, () => {});
    }
  }
}
