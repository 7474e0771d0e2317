import type { Instance } from "../../../core/instance.ts";
import type { Backfill } from "../../store.ts";
import { checkFires, insertTick } from "./advance.ts";
import { cutOut, fateOf } from "./fates.ts";
import { noScheduleError } from "../refusals.ts";
import type { LedgerState, Moment } from "../state.ts";
import { keyHolder } from "./unique.ts";

/** Reason in the fate of a tick that was run later on request. */
const BACKFILL = "backfill";

/** Run past ticks that have no run; their recorded fates are replaced. */
export function backfill(
  state: LedgerState,
  moment: Moment,
  { backfill: request }: { readonly backfill: Backfill },
): readonly Instance[] {
  checkFires(request);
  const { scheduleId } = request;
  const record = state.tables.schedules.get(scheduleId);
  if (!record) {
    throw noScheduleError(scheduleId);
  }
  const accepted: Instance[] = [];
  for (const fire of request.fires) {
    const tick = fire.scheduledFor!;
    const fate = fateOf(state.tables.ticks, scheduleId, tick);
    if (fate?.fate === "fired" || state.tables.instances.get(fire.id)) continue;
    // The instance with its key does the same work: after its end, the tick can be requested again.
    if (fire.uniqueKey !== null && keyHolder(state, moment, fire.uniqueKey)) continue;
    state.isDirty = true;
    if (fate) cutOut(state.tables.ticks, record, fate, tick);
    const instance = insertTick(state, moment, fire, request.overlap);
    state.tables.ticks.add({
      scheduleId,
      from: tick,
      to: tick,
      count: 1,
      at: moment.wallMs,
      fate: "fired",
      reason: BACKFILL,
      instanceId: instance.id,
    });
    accepted.push(instance);
  }
  return accepted;
}
