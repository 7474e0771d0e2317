import type { LogRow, PlacedLog, Row } from "../ledger/tables/row.ts";
import type { LogRange, LogTable } from "../ledger/tables/tables.ts";
import type { Changed } from "./changed.ts";
import { type Key, KeyFamily, SortedKeys } from "./sorted_keys.ts";

/** A log line with the seq of its instance. */
export interface StoredLine extends PlacedLog {
  readonly instanceSeq: number;
}

/** Log lines by instance and by time. */
export class MemoryLogs implements LogTable {
  readonly #lines = new Map<number, StoredLine>();
  readonly #byTime = new SortedKeys();
  readonly #byPlace = new SortedKeys();
  readonly #byInstance = new KeyFamily<number>();
  readonly #changed: Changed<number, StoredLine> | undefined;
  /** Place of the last written line. */
  lastPlace = 0;

  constructor(changed?: Changed<number, StoredLine>) {
    this.#changed = changed;
  }

  add(row: Row, logs: readonly LogRow[]): void {
    for (const log of logs) this.write(row, this.lastPlace + 1, log);
  }

  write({ seq, instance }: Row, place: number, line: LogRow): void {
    const entry = { instanceId: instance.id, kind: instance.kind, ...line };
    this.#put({ place, entry, instanceSeq: seq });
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

  /** True if there is a line at a place. */
  has(place: number): boolean {
    return this.#lines.has(place);
  }

  read(range: LogRange): readonly PlacedLog[] {
    const { instanceSeq, order, afterAt = -Infinity, afterPlace = 0, limit } = range;
    const { beforeAt = Infinity } = range;
    const isByTime = instanceSeq === null && order === "time";
    const isBack = instanceSeq !== null && order === "back";
    const isReverse = isBack || (instanceSeq === null && order === "newest");
    const all = isByTime ? this.#byTime : this.#byPlace;
    const keys = instanceSeq === null ? all : this.#byInstance.get(instanceSeq);
    const place = isBack ? afterPlace - 1 : isReverse ? Infinity : afterPlace + 1;
    const from: Key = [isByTime ? afterAt : 0, 0, place];
    const lines: PlacedLog[] = [];
    for (const [at, , found] of keys?.walk(from, isReverse) ?? []) {
      if (lines.length === limit || (isByTime && at >= beforeAt)) break;
      lines.push(this.#lines.get(found)!);
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
      const key: Key = [0, 0, place];
      this.#lines.delete(place);
      this.#byTime.delete([line.entry.at, 0, place]);
      this.#byPlace.delete(key);
      this.#byInstance.delete(line.instanceSeq, key);
      this.#changed?.(place, null, () => this.#put(line));
      count += 1;
    }
    return count;
  }

  #put(line: StoredLine): void {
    const { place, entry, instanceSeq } = line;
    const { lastPlace } = this;
    const key: Key = [0, 0, place];
    this.#lines.set(place, line);
    this.#byTime.add([entry.at, 0, place]);
    this.#byPlace.add(key);
    this.#byInstance.add(instanceSeq, key);
    this.lastPlace = Math.max(lastPlace, place);
    this.#changed?.(place, line, () => {
      this.remove([place]);
      this.lastPlace = lastPlace;
    });
  }
}
