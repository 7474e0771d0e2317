import type { LogRow, Row } from "../ledger/tables/row.ts";
import { MemoryLogs } from "../memory/logs.ts";
import type { Journal } from "./journal.ts";

/** Log lines, with each change recorded in the journal. */
export class ReplicaLogs extends MemoryLogs {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    super();
    this.#journal = journal;
  }

  override add(row: Row, lines: readonly LogRow[]): void {
    const before = this.lastPlace;
    super.add(row, lines);
    this.#added(lines.map((_, index) => before + index + 1), before);
  }

  override write(row: Row, place: number, line: LogRow): void {
    const before = this.lastPlace;
    super.write(row, place, line);
    this.#added([place], before);
  }

  override remove(places: readonly number[]): number {
    const lines = places.map((place) => super.at(place)).filter((line) => line !== null);
    super.remove(places);
    for (const { place } of lines) this.#journal.line(place, null);
    this.#journal.own(() => {
      for (const line of lines) super.put(line);
    });
    return lines.length;
  }

  #added(places: readonly number[], lastPlace: number): void {
    for (const place of places) this.#journal.line(place, super.at(place));
    this.#journal.own(() => {
      super.remove(places);
      this.lastPlace = lastPlace;
    });
  }
}
