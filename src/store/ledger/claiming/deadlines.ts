import type { Row } from "../tables/row.ts";
import type { Tables } from "../tables/tables.ts";

/** The first deadline of waiting rows, in memory so that a claim reads nothing for it. */
export class Deadlines {
  readonly #tables: Tables;
  /** Lower bound of waiting rows' deadlines; null if unknown. */
  #first: number | null = null;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Read it again when next needed. */
  clear(): void {
    this.#first = null;
  }

  /** Lower bound of waiting rows' deadlines, epoch ms, as known without the tables. */
  get first(): number {
    return this.#first ?? -Infinity;
  }

  /** A row was written. @returns true if its deadline is now the first */
  note({ instance: { state, deadlineAt } }: Row): boolean {
    if (deadlineAt === null || state !== "scheduled" || deadlineAt >= this.first) return false;
    this.#first = deadlineAt;
    return true;
  }

  /** True if a row waits past its deadline at `wallMs`. */
  havePassed(wallMs: number): boolean {
    if (this.first > wallMs) return false;
    const [row] = this.#tables.instances.pastDeadline(Number.MAX_SAFE_INTEGER, 1);
    this.#first = row?.instance.deadlineAt ?? Infinity;
    return this.#first <= wallMs;
  }
}
