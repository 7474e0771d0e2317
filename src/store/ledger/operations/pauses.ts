import type { Pause } from "../../store.ts";
import { checkTime } from "../checks.ts";
import { storable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Pause a kind, or all, until a time or until resumed. */
export function setPause(
  state: LedgerState,
  moment: Moment,
  request: Omit<Pause, "at">,
): Pause {
  if (request.until !== null) checkTime(request.until, "until");
  const pause: Pause = {
    kind: request.kind,
    until: request.until === null ? null : Math.ceil(request.until),
    reason: storable(request.reason),
    at: moment.stamp,
  };
  state.isDirty = true;
  state.tables.pauses.save(pause);
  state.pauses.set(pause.kind, pause);
  state.hints.push({ type: "pauses" });
  return pause;
}

/** Resume. @returns true if there was an unexpired pause */
export function removePause(
  state: LedgerState,
  moment: Moment,
  { kind }: { readonly kind: string | null },
): boolean {
  const pause = state.pauses.get(kind);
  if (!pause) return false;
  state.isDirty = true;
  state.tables.pauses.remove(kind);
  state.pauses.delete(kind);
  state.hints.push({ type: "pauses" });
  return (pause.until ?? Infinity) > moment.wallMs;
}

/** Delete expired pauses. */
export function removeEndedPauses(state: LedgerState, moment: Moment): void {
  for (const pause of [...state.pauses.values()]) {
    if (pause.until !== null && pause.until <= moment.wallMs) removePause(state, moment, pause);
  }
}
