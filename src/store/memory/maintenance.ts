import type { MaintenanceTable } from "../ledger/tables/tables.ts";
import type { StoreMark, StoreProblem, StoreSize } from "../records.ts";
import type { Changed } from "./changed.ts";
import type { MemoryInstances } from "./instances.ts";
import type { MemoryLogs } from "./logs.ts";

/** The mark of a store in memory, which has no medium to check or compact. */
export class MemoryMaintenance implements MaintenanceTable {
  readonly #instances: MemoryInstances;
  readonly #logs: MemoryLogs;
  readonly #changed: Changed<"mark", StoreMark> | undefined;
  #mark: StoreMark | null = null;

  constructor(
    instances: MemoryInstances,
    logs: MemoryLogs,
    changed?: Changed<"mark", StoreMark>,
  ) {
    this.#instances = instances;
    this.#logs = logs;
    this.#changed = changed;
  }

  readMark(): StoreMark | null {
    return this.#mark;
  }

  saveMark(mark: StoreMark | null): void {
    const before = this.#mark;
    this.#mark = mark;
    this.#changed?.("mark", mark, () => this.saveMark(before));
  }

  removeOrphans(limit: number): number {
    const hasRow = (seq: number) => this.#instances.at(seq) !== null;
    return this.#logs.remove(this.#logs.orphans(hasRow, limit));
  }

  findProblems(): readonly StoreProblem[] {
    return [];
  }

  size(): StoreSize {
    return { bytes: null, freeBytes: null };
  }

  compact(): void {}
}
