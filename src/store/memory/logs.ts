import type { LogRow, PlacedLog, Row } from "../ledger/tables/row.ts";
import type { LogRange, LogTable } from "../ledger/tables/tables.ts";
import { type Key, SortedKeys } from "./sorted_keys.ts";

/** A log line with the seq of its instance. */
export interface StoredLine extends PlacedLog {
  readonly instanceSeq: number;
}

/** Log lines by instance and by time. */
export class MemoryLogs implements LogTable {
  readonly #lines = new Map<number, StoredLine>();
  readonly #byTime = new SortedKeys();
  readonly #byPlace = new SortedKeys();
  readonly #byInstance = new Map<number, SortedKeys>();
  #place = 0;

  add(row: Row, logs: readonly LogRow[]): void {
    const { id: instanceId, kind } = row.instance;
    for (const log of logs) {
      const entry = { instanceId, kind, ...log };
      this.put({ place: ++this.#place, entry, instanceSeq: row.seq });
    }
  }

  write({ seq, instance }: Row, place: number, line: LogRow): void {
    const entry = { instanceId: instance.id, kind: instance.kind, ...line };
    this.put({ place, entry, instanceSeq: seq });
    this.#place = Math.max(this.#place, place);
  }

  /** Places of lines whose instance does not exist. */
  orphans(hasRow: (seq: number) => boolean, limit: number): readonly number[] {
    const places: number[] = [];
    for (const [seq, keys] of this.#byInstance) {
      if (hasRow(seq)) continue;
      for (const [, , place] of keys.walk([0, 0, 0], false)) {
        if (places.length === limit) return places;
        places.push(place);
      }
    }
    return places;
  }

  /** Put a line at a free place. */
  put(line: StoredLine): void {
    const { place, entry, instanceSeq } = line;
    this.#lines.set(place, line);
    let places = this.#byInstance.get(instanceSeq);
    if (!places) this.#byInstance.set(instanceSeq, places = new SortedKeys());
    const key: Key = [0, 0, place];
    places.add(key);
    this.#byTime.add([entry.at, 0, place]);
    this.#byPlace.add(key);
  }

  /** The line at a place. */
  at(place: number): StoredLine | null {
    return this.#lines.get(place) ?? null;
  }

  /** Place of the last written line. */
  get lastPlace(): number {
    return this.#place;
  }

  set lastPlace(place: number) {
    this.#place = place;
  }

  read(range: LogRange): readonly PlacedLog[] {
    const { instanceSeq, order, afterAt, afterPlace, beforeAt, limit } = range;
    const isByTime = instanceSeq === null && order === "time";
    const isReverse = instanceSeq === null && order === "newest";
    const all = isByTime ? this.#byTime : this.#byPlace;
    const keys = instanceSeq === null ? all : this.#byInstance.get(instanceSeq);
    const from: Key = [isByTime ? afterAt : 0, 0, isReverse ? Infinity : afterPlace + 1];
    const lines: PlacedLog[] = [];
    for (const [at, , place] of keys?.walk(from, isReverse) ?? []) {
      if (lines.length === limit || (isByTime && at >= beforeAt)) break;
      lines.push(this.#lines.get(place)!);
    }
    return lines;
  }

  lastSeq(instanceSeq: number): number {
    const places = this.#byInstance.get(instanceSeq)?.walk([0, 0, Infinity], true) ?? [];
    for (const [, , place] of places) return this.#lines.get(place)!.entry.seq;
    return 0;
  }

  removeOf(instanceSeq: number, limit: number): number {
    const places: number[] = [];
    for (const [, , place] of this.#byInstance.get(instanceSeq)?.walk([0, 0, 0], false) ?? []) {
      if (places.length === limit) break;
      places.push(place);
    }
    return this.remove(places);
  }

  remove(places: readonly number[]): number {
    let count = 0;
    for (const place of places) {
      const line = this.#lines.get(place);
      if (!line) continue;
      this.#lines.delete(place);
      this.#byTime.delete([line.entry.at, 0, place]);
      this.#byPlace.delete([0, 0, place]);
      const held = this.#byInstance.get(line.instanceSeq)!;
      held.delete([0, 0, place]);
      if (!held.first()) this.#byInstance.delete(line.instanceSeq);
      count += 1;
    }
    return count;
  }
}
