import type { ScheduleRecord, TickFate } from "../../../core/job/schedule.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "../../../core/time/ticks.ts";
import type { Tables } from "../tables/tables.ts";

/** What holds the fates of ticks. */
export interface FateHolder {
  readonly tables: Pick<Tables, "ticks" | "addTick" | "removeTick">;
}

/** The fate that a tick has, by itself or within a range; null for none. */
export function fateOf(state: FateHolder, scheduleId: string, tick: number): TickFate | null {
  const range = { from: -Number.MAX_SAFE_INTEGER, to: tick, isReverse: true, limit: 1 };
  const [fate] = state.tables.ticks(scheduleId, range);
  return fate && fate.to >= tick ? fate : null;
}

/** Record a fate of those of its ticks that have none: one that has its fate keeps it, whatever became of the cursor. */
export function addFate(state: FateHolder, record: ScheduleRecord, fate: TickFate): void {
  const { scheduleId, from, to } = fate;
  let there = fateOf(state, scheduleId, from) ?? fateFrom(state, scheduleId, from, to);
  if (!there) return state.tables.addTick(fate);
  let left: number | null = from;
  while (there && left !== null && left <= to) {
    if (there.from > left) addPart(state, record, fate, { from: left, untilMs: there.from - 1 });
    left = nextTickOf(record.spec, record.startAt, there.to);
    there = fateFrom(state, scheduleId, there.to + 1, to);
  }
  if (left !== null && left <= to) addPart(state, record, fate, { from: left, untilMs: to });
}

/** Take one tick out of a range of ticks with one fate: what is left on both sides keeps it. */
export function cutOut(
  state: FateHolder,
  record: ScheduleRecord,
  fate: TickFate,
  tick: number,
): void {
  const { spec, startAt } = record;
  state.tables.removeTick(fate.scheduleId, fate.from);
  const before = { afterMs: fate.from - 1, untilMs: tick - 1 };
  const last = lastTickOf(spec, startAt, before);
  const count = countTicksOf(spec, startAt, before);
  if (last !== null) state.tables.addTick({ ...fate, to: last, count });
  const next = nextTickOf(spec, startAt, tick);
  const left = fate.count - count - 1;
  if (next !== null && next <= fate.to && left > 0) {
    state.tables.addTick({ ...fate, from: next, count: left });
  }
}

/** The first fate that begins in a span, both ends included. */
function fateFrom(
  state: FateHolder,
  scheduleId: string,
  from: number,
  to: number,
): TickFate | null {
  if (from > to) return null;
  return state.tables.ticks(scheduleId, { from, to, isReverse: false, limit: 1 })[0] ?? null;
}

function addPart(
  state: FateHolder,
  { spec, startAt }: ScheduleRecord,
  fate: TickFate,
  { from, untilMs }: { readonly from: number; readonly untilMs: number },
): void {
  const span = { afterMs: from - 1, untilMs };
  const last = lastTickOf(spec, startAt, span);
  if (last === null) return;
  state.tables.addTick({ ...fate, from, to: last, count: countTicksOf(spec, startAt, span) });
}
