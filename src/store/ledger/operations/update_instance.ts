import type { Instance } from "../../../core/instance.ts";
import { expireAt } from "../rules.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { Row } from "../tables/row.ts";

/** Update the instance of a row; if it waits, announce its due time. */
export function updateInstance(
  state: LedgerState,
  moment: Moment,
  row: Row,
  instance: Instance,
): void {
  const isWaiting = instance.state === "scheduled";
  const isReady = isWaiting ? instance.dueAt <= moment.wallMs : null;
  state.update(row, { seq: row.seq, instance, isReady, expireAt: expireAt(instance) });
  if (isWaiting) state.hints.push({ type: "instances", dueAt: instance.dueAt });
}
