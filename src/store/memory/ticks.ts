import type { TickFate } from "../../core/time/schedule.ts";
import type { Range, TickTable } from "../ledger/tables/tables.ts";
import { compareText } from "../records.ts";
import { type GapRequest, isGap } from "../spans.ts";
import type { Changed } from "./changed.ts";
import { LOWEST, SortedKeys } from "./sorted_keys.ts";

/** Identifies a fate. */
type TickKey = Pick<TickFate, "scheduleId" | "from">;

/** Fates of ticks by schedule and time. */
export class MemoryTicks implements TickTable {
  readonly #schedules = new Map<string, { fates: Map<number, TickFate>; times: SortedKeys }>();
  /** Ticks without a run, by their time and a number. */
  readonly #gaps = new SortedKeys();
  readonly #gapByNumber = new Map<number, TickFate>();
  readonly #numbers = new Map<string, number>();
  #lastNumber = 0;
  readonly #changed: Changed<TickKey, TickFate> | undefined;

  constructor(changed?: Changed<TickKey, TickFate>) {
    this.#changed = changed;
  }

  add(fate: TickFate): void {
    let ticks = this.#schedules.get(fate.scheduleId);
    if (!ticks) {
      ticks = { fates: new Map(), times: new SortedKeys() };
      this.#schedules.set(fate.scheduleId, ticks);
    }
    ticks.fates.set(fate.from, fate);
    ticks.times.add([fate.from, 0, 0]);
    if (isGap(fate)) this.#addGap(fate);
    this.#changed?.(fate, fate, () => this.remove(fate.scheduleId, fate.from));
  }

  remove(scheduleId: string, from: number): void {
    const ticks = this.#schedules.get(scheduleId);
    const fate = ticks?.fates.get(from);
    if (!ticks || !fate) return;
    ticks.fates.delete(from);
    ticks.times.delete([from, 0, 0]);
    if (isGap(fate)) this.#removeGap(fate);
    if (ticks.fates.size === 0) this.#schedules.delete(scheduleId);
    this.#changed?.(fate, null, () => this.add(fate));
  }

  list(scheduleId: string, { from, to, isReverse, limit }: Range): readonly TickFate[] {
    const ticks = this.#schedules.get(scheduleId);
    const found: TickFate[] = [];
    for (const [at] of ticks?.times.walk([isReverse ? to : from, 0, 0], isReverse) ?? []) {
      if (found.length === limit || (isReverse ? at < from : at > to)) break;
      found.push(ticks!.fates.get(at)!);
    }
    return found;
  }

  all(after: TickKey | null, limit: number): readonly TickFate[] {
    const found: TickFate[] = [];
    for (const scheduleId of [...this.#schedules.keys()].sort(compareText)) {
      const order = after ? compareText(scheduleId, after.scheduleId) : 1;
      if (order < 0) continue;
      const from = order === 0 ? after!.from + 1 : -Number.MAX_SAFE_INTEGER;
      const left = limit - found.length;
      if (left === 0) break;
      const range = { from, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: left };
      found.push(...this.list(scheduleId, range));
    }
    return found;
  }

  gaps({ after, before, skip = 0, limit }: GapRequest): readonly TickFate[] {
    const found: TickFate[] = [];
    let passed = 0;
    for (const [from, , number] of this.#gaps.walk([before, 0, 0], true)) {
      if (from < after || found.length === limit) break;
      passed += 1;
      if (passed > skip) found.push(this.#gapByNumber.get(number)!);
    }
    return found;
  }

  removeRecorded(before: number, limit: number): number {
    const old = this.#recordedBefore(before, limit);
    for (const { scheduleId, from } of old) this.remove(scheduleId, from);
    return old.length;
  }

  #recordedBefore(before: number, limit: number): readonly TickFate[] {
    const old: TickFate[] = [];
    for (const { fates, times } of this.#schedules.values()) {
      // Fates of a schedule are recorded in the order of their ticks.
      for (const [from] of times.walk(LOWEST, false)) {
        const fate = fates.get(from)!;
        if (old.length === limit) return old;
        if (fate.at >= before) break;
        old.push(fate);
      }
    }
    return old;
  }

  #addGap(fate: TickFate): void {
    const number = ++this.#lastNumber;
    this.#gaps.add([fate.from, 0, number]);
    this.#gapByNumber.set(number, fate);
    this.#numbers.set(gapName(fate), number);
  }

  #removeGap(fate: TickFate): void {
    const number = this.#numbers.get(gapName(fate))!;
    this.#gaps.delete([fate.from, 0, number]);
    this.#gapByNumber.delete(number);
    this.#numbers.delete(gapName(fate));
  }
}

function gapName({ scheduleId, from }: TickKey): string {
  return `${from} ${scheduleId}`;
}
