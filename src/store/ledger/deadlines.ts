import type { Row } from "./row.ts";
import type { Tables } from "./tables.ts";

/** The first deadline of what waits, kept at hand so that a claim reads nothing for it. */
export class Deadlines {
  readonly #tables: Tables;
  /** No waiting row has an earlier one; null when it is not known. */
  #first: number | null = null;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Read again at the next question. */
  clear(): void {
    this.#first = null;
  }

  /** A row was written. */
  note({ instance: { state, deadlineAt } }: Row): void {
    if (deadlineAt === null || state !== "scheduled" || this.#first === null) return;
    this.#first = Math.min(this.#first, deadlineAt);
  }

  /** Whether nothing waits past its deadline at `wallMs`, as far as is known without the tables. */
  areAhead(wallMs: number): boolean {
    return this.#first !== null && this.#first > wallMs;
  }

  /** Whether something waits past its deadline at `wallMs`. */
  havePassed(wallMs: number): boolean {
    if (this.areAhead(wallMs)) return false;
    const [row] = this.#tables.pastDeadline(Number.MAX_SAFE_INTEGER, 1);
    this.#first = row?.instance.deadlineAt ?? Infinity;
    return this.#first <= wallMs;
  }
}
