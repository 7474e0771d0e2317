import type { KindCounts } from "../ledger/tables/row.ts";
import type { KindTable } from "../ledger/tables/tables.ts";

/** The counts of kinds at the last commit, copied: the ledger changes its own. */
export class MemoryKinds implements KindTable {
  readonly #counts = new Map<string, KindCounts>();

  read(): Map<string, KindCounts> {
    return new Map([...this.#counts].map(([kind, counts]) => [kind, copyOf(counts)]));
  }

  save(kind: string, counts: KindCounts): void {
    this.#counts.set(kind, copyOf(counts));
  }
}

function copyOf(counts: KindCounts): KindCounts {
  return { ...counts, states: [...counts.states] };
}
