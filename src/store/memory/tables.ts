import type { Head, OwnedTables } from "../ledger/tables/tables.ts";
import { type OpenRequest, STORE_FORMAT } from "../store.ts";
import { newStoreId } from "../store_id.ts";
import { MemoryEndedAttempts } from "./ended_attempts.ts";
import { MemoryInstances } from "./instances.ts";
import { MemoryKinds } from "./kinds.ts";
import { MemoryLimits } from "./limits.ts";
import { MemoryLogs } from "./logs.ts";
import { MemoryMaintenance } from "./maintenance.ts";
import { MemoryMemos } from "./memos.ts";
import { MemoryPauses, MemorySchedules } from "./schedules.ts";
import { MemoryTicks } from "./ticks.ts";

/** Tables in this process's memory. Nothing fails, so nothing is ever rolled back. */
export class MemoryTables implements OwnedTables {
  readonly type = "memory";
  readonly location = "memory:";
  readonly isDurable = false;
  readonly kinds = new MemoryKinds();
  readonly endedAttempts = new MemoryEndedAttempts();
  readonly instances = new MemoryInstances(this.endedAttempts);
  readonly waiting = this.instances;
  readonly limits = new MemoryLimits();
  readonly logs = new MemoryLogs();
  readonly schedules = new MemorySchedules();
  readonly ticks = new MemoryTicks();
  readonly pauses = new MemoryPauses();
  readonly memos = new MemoryMemos();
  readonly maintenance = new MemoryMaintenance(this.instances, this.logs);
  #head: Head = { rev: 0, at: 0, seq: 0 };
  #storeId: string | null = null;
  #epoch = 0;

  open(request: OpenRequest) {
    this.#storeId ??= newStoreId(request);
    this.#epoch += 1;
    return { storeId: this.#storeId, epoch: this.#epoch, format: STORE_FORMAT, ...this.#head };
  }

  close(): void {}

  begin(): boolean {
    return true;
  }

  commit(head: Head): void {
    this.#head = head;
  }

  rollback(): void {}

  readHead(): Head {
    return this.#head;
  }

  raiseEpoch(epoch: number): void {
    this.#epoch = epoch;
  }
}
