import type { ScheduleRecord, TickFate } from "../../../core/time/schedule.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "../../../core/time/ticks.ts";
import type { TickTable } from "../tables/tables.ts";

/** The access to fates that these functions need. */
export type FateTable = Pick<TickTable, "list" | "add" | "remove">;

/** The fate of a tick, alone or within a range; null without one. */
export function fateOf(ticks: FateTable, scheduleId: string, tick: number): TickFate | null {
  const range = { from: -Number.MAX_SAFE_INTEGER, to: tick, isReverse: true, limit: 1 };
  const [fate] = ticks.list(scheduleId, range);
  return fate && fate.to >= tick ? fate : null;
}

/** Record a fate for the undecided ticks of its range. Decided ticks keep their fate. */
export function addFate(ticks: FateTable, record: ScheduleRecord, fate: TickFate): void {
  const { scheduleId, from, to } = fate;
  let existing = fateOf(ticks, scheduleId, from) ?? fateFrom(ticks, scheduleId, from, to);
  if (!existing) return ticks.add(fate);
  let left: number | null = from;
  while (existing && left !== null && left <= to) {
    if (existing.from > left) {
      addPart(ticks, record, fate, { from: left, untilMs: existing.from - 1 });
    }
    left = nextTickOf(record.spec, record.startAt, existing.to);
    existing = fateFrom(ticks, scheduleId, existing.to + 1, to);
  }
  if (left !== null && left <= to) addPart(ticks, record, fate, { from: left, untilMs: to });
}

/** Take one tick out of a range with one fate; the ticks on both sides keep it. */
export function cutOut(
  ticks: FateTable,
  record: ScheduleRecord,
  fate: TickFate,
  tick: number,
): void {
  const { spec, startAt } = record;
  ticks.remove(fate.scheduleId, fate.from);
  const before = { afterMs: fate.from - 1, untilMs: tick - 1 };
  const last = lastTickOf(spec, startAt, before);
  const count = countTicksOf(spec, startAt, before);
  if (last !== null) ticks.add({ ...fate, to: last, count });
  const next = nextTickOf(spec, startAt, tick);
  const left = fate.count - count - 1;
  if (next !== null && next <= fate.to && left > 0) {
    ticks.add({ ...fate, from: next, count: left });
  }
}

/** The first fate that begins in a span, both ends included. */
function fateFrom(
  ticks: FateTable,
  scheduleId: string,
  from: number,
  to: number,
): TickFate | null {
  if (from > to) return null;
  return ticks.list(scheduleId, { from, to, isReverse: false, limit: 1 })[0] ?? null;
}

function addPart(
  ticks: FateTable,
  { spec, startAt }: ScheduleRecord,
  fate: TickFate,
  { from, untilMs }: { readonly from: number; readonly untilMs: number },
): void {
  const span = { afterMs: from - 1, untilMs };
  const last = lastTickOf(spec, startAt, span);
  if (last === null) return;
  ticks.add({ ...fate, from, to: last, count: countTicksOf(spec, startAt, span) });
}
