import type { ScheduleRecord } from "../../core/time/schedule.ts";
import type { PauseTable, ScheduleTable } from "../ledger/tables/tables.ts";
import { placeOfText } from "../records.ts";
import type { Pause } from "../store.ts";
import type { Changed } from "./changed.ts";
import { LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Schedules by id and by time. */
export class MemorySchedules implements ScheduleTable {
  readonly #records = new Map<string, ScheduleRecord>();
  /** In their order. */
  readonly #ids: string[] = [];
  readonly #times = new SortedKeys();
  readonly #numbers = new Map<string, number>();
  readonly #idByNumber = new Map<number, string>();
  readonly #changed: Changed<string, ScheduleRecord> | undefined;
  #number = 0;

  constructor(changed?: Changed<string, ScheduleRecord>) {
    this.#changed = changed;
  }

  count(): number {
    return this.#records.size;
  }

  get(id: string): ScheduleRecord | null {
    return this.#records.get(id) ?? null;
  }

  save(record: ScheduleRecord): void {
    const before = this.#records.get(record.id);
    let number = this.#numbers.get(record.id);
    if (number === undefined) {
      number = ++this.#number;
      this.#numbers.set(record.id, number);
      this.#idByNumber.set(number, record.id);
      this.#ids.splice(placeOfText(this.#ids, record.id), 0, record.id);
    }
    if (before?.nextAt != null) this.#times.delete([before.nextAt, 0, number]);
    if (record.nextAt !== null) this.#times.add([record.nextAt, 0, number]);
    this.#records.set(record.id, record);
    this.#changed?.(record.id, record, () => {
      if (before) this.save(before);
      else this.remove(record.id);
    });
  }

  remove(id: string): void {
    const record = this.#records.get(id);
    if (!record) return;
    const number = this.#numbers.get(id)!;
    if (record.nextAt !== null) this.#times.delete([record.nextAt, 0, number]);
    this.#numbers.delete(id);
    this.#idByNumber.delete(number);
    this.#ids.splice(placeOfText(this.#ids, id), 1);
    this.#records.delete(id);
    this.#changed?.(id, null, () => this.save(record));
  }

  list({ afterId, isReverse, limit }: Parameters<ScheduleTable["list"]>[0]): ScheduleRecord[] {
    const ids = this.#ids;
    let found: readonly string[];
    if (isReverse) {
      const end = afterId === null ? ids.length : placeOfText(this.#ids, afterId);
      found = ids.slice(Math.max(0, end - limit), end).reverse();
    } else {
      let start = afterId === null ? 0 : placeOfText(this.#ids, afterId);
      if (afterId !== null && ids[start] === afterId) start += 1;
      found = ids.slice(start, start + limit);
    }
    return found.map((id) => this.#records.get(id)!);
  }

  due(
    wallMs: number,
    { limit, skip = 0 }: { readonly limit: number; readonly skip?: number },
  ): ScheduleRecord[] {
    const due: ScheduleRecord[] = [];
    let left = skip;
    for (const [nextAt, , number] of this.#times.walk(LOWEST, false)) {
      if (nextAt > wallMs || due.length === limit) break;
      if (left-- > 0) continue;
      due.push(this.#records.get(this.#idByNumber.get(number)!)!);
    }
    return due;
  }

  firstAt(): number | null {
    return this.#times.first()?.[0] ?? null;
  }
}

/** Pauses by kind. */
export class MemoryPauses implements PauseTable {
  readonly #pauses = new Map<string | null, Pause>();
  readonly #changed: Changed<string | null, Pause> | undefined;

  constructor(changed?: Changed<string | null, Pause>) {
    this.#changed = changed;
  }

  all(): readonly Pause[] {
    return [...this.#pauses.values()];
  }

  save(pause: Pause): void {
    const before = this.#pauses.get(pause.kind);
    this.#pauses.set(pause.kind, pause);
    this.#changed?.(pause.kind, pause, () => {
      if (before) this.save(before);
      else this.remove(pause.kind);
    });
  }

  remove(kind: string | null): void {
    const before = this.#pauses.get(kind);
    if (!before) return;
    this.#pauses.delete(kind);
    this.#changed?.(kind, null, () => this.save(before));
  }
}
