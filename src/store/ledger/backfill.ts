import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/schedule.ts";
import { countTicksOf, lastTickOf, nextTickOf } from "../../core/ticks.ts";
import type { Backfill } from "../store.ts";
import { checkFires, insertTick } from "./advance.ts";
import type { LedgerState, Moment } from "./state.ts";

/** Reason in the fate of a tick that ran since somebody asked for it later. */
const BACKFILL = "backfill";

/** Run past ticks that have no run; what was recorded of them before gives way. */
export function backfill(
  state: LedgerState,
  moment: Moment,
  request: Backfill,
): readonly Instance[] {
  checkFires(request);
  const { scheduleId } = request;
  const record = state.tables.getSchedule(scheduleId);
  if (!record) {
    throw new JobError("not_found", `Cannot backfill schedule "${scheduleId}": no such schedule`);
  }
  const accepted: Instance[] = [];
  for (const fire of request.fires) {
    const tick = fire.scheduledFor!;
    const fate = fateOf(state, scheduleId, tick);
    if (fate?.fate === "fired" || state.tables.get(fire.id)) continue;
    state.isDirty = true;
    if (fate) cutOut(state, record, fate, tick);
    const instance = insertTick(state, moment, fire, request.overlap);
    state.tables.addTick({
      ...{ scheduleId, from: tick, to: tick, count: 1, at: moment.at },
      ...{ fate: "fired", reason: BACKFILL, instanceId: instance.id },
    });
    accepted.push(instance);
  }
  return accepted;
}

function fateOf(state: LedgerState, scheduleId: string, tick: number): TickFate | null {
  const stretch = { from: -Number.MAX_SAFE_INTEGER, to: tick, isReverse: true, limit: 1 };
  const [fate] = state.tables.ticks(scheduleId, stretch);
  return fate && fate.to >= tick ? fate : null;
}

/** Take one tick out of a range of ticks with one fate: what is left on both sides keeps it. */
function cutOut(state: LedgerState, record: ScheduleRecord, fate: TickFate, tick: number): void {
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
