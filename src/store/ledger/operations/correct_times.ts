import { correctInstance } from "../../../core/time/clock_correction.ts";
import { checkBatch } from "../checks.ts";
import type { LedgerState, Moment } from "../state.ts";
import { updateInstance } from "./update_instance.ts";

/** Correct the times of instances that a fast clock wrote. @returns the ids of the changed ones */
export function correctTimes(
  state: LedgerState,
  moment: Moment,
  { ids }: { readonly ids: readonly string[] },
): readonly string[] {
  checkBatch(ids.length, "correct the times of");
  const corrected: string[] = [];
  for (const id of ids) {
    const row = state.tables.instances.get(id);
    const instance = row && correctInstance(row.instance, moment.wallMs);
    if (!row || !instance) continue;
    updateInstance(state, moment, row, instance);
    corrected.push(id);
  }
  return corrected;
}
