import type { Instance } from "../../../core/instance.ts";
import { loseAttempt } from "../claiming/claims.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Rows that an opening takes back at a time. */
const RECOVER_ROWS = 1_000;

/** Every lease of an earlier opening is void: its instances are lost, without waiting. */
export function recover(state: LedgerState, moment: Moment): readonly Instance[] {
  // An opening is always stored, with its revision.
  state.isDirty = true;
  const recovered: Instance[] = [];
  for (const kind of state.counts.keys()) {
    const index = { type: "kindState", kind, state: "processing" } as const;
    const all = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: RECOVER_ROWS };
    for (;;) {
      const rows = state.tables.instances.scan(index, all);
      for (const row of rows) recovered.push(loseAttempt(state, moment, row));
      if (rows.length < RECOVER_ROWS) break;
    }
  }
  return recovered;
}
