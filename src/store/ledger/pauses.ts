import type { NextDue, Pause } from "../store.ts";
import { checkTime } from "./checks.ts";
import { storable } from "./rules.ts";
import type { LedgerState, Moment } from "./state.ts";

/** Hold a kind, or all, until a time or until resumed. */
export function setPause(
  state: LedgerState,
  moment: Moment,
  request: {
    readonly kind: string | null;
    readonly until: number | null;
    readonly reason: string;
  },
): Pause {
  if (request.until !== null) checkTime(request.until, "until");
  const pause: Pause = {
    kind: request.kind,
    until: request.until === null ? null : Math.ceil(request.until),
    reason: storable(request.reason),
    at: moment.at,
  };
  state.isDirty = true;
  state.tables.savePause(pause);
  state.pauses.set(pause.kind, pause);
  state.hints.push({ type: "pauses" });
  return pause;
}

/** Resume; whether there was a pause. */
export function removePause(state: LedgerState, kind: string | null): boolean {
  if (!state.pauses.has(kind)) return false;
  state.isDirty = true;
  state.tables.removePause(kind);
  state.pauses.delete(kind);
  state.hints.push({ type: "pauses" });
  return true;
}

/** Forget pauses that ended by themselves. */
export function removeEndedPauses(state: LedgerState, moment: Moment): void {
  for (const pause of [...state.pauses.values()]) {
    if (pause.until !== null && pause.until <= moment.wallMs) removePause(state, pause.kind);
  }
}

/** The earliest time at which there is something to claim or a schedule to advance. */
export function nextDue(
  state: LedgerState,
  moment: Moment,
  kinds: ReadonlySet<string>,
): Omit<NextDue, "at"> {
  return {
    instanceAt: nextInstance(state, moment, kinds),
    scheduleAt: state.scheduleCount === 0 ? null : state.tables.firstSchedule(),
  };
}

function nextInstance(
  state: LedgerState,
  moment: Moment,
  kinds: ReadonlySet<string>,
): number | null {
  let next = Infinity;
  const served: string[] = [];
  let isEveryKindFree = true;
  for (const [kind, counts] of state.counts) {
    if (counts.ready + counts.later === 0) continue;
    const pausedUntil = state.pausedUntil(kind, moment.wallMs);
    if (!kinds.has(kind) || pausedUntil !== null) isEveryKindFree = false;
    if (!kinds.has(kind)) continue;
    if (counts.ready > 0) {
      next = Math.min(next, pausedUntil ?? Math.min(state.head(kind)!.dueAt, moment.wallMs));
    }
    if (counts.later > 0) served.push(kind);
  }
  if (isEveryKindFree) {
    next = Math.min(next, served.length > 0 ? state.tables.firstLater(null)! : Infinity);
  } else {
    for (const kind of served) {
      const pausedUntil = state.pausedUntil(kind, moment.wallMs) ?? -Infinity;
      next = Math.min(next, Math.max(pausedUntil, state.tables.firstLater(kind)!));
    }
  }
  return next === Infinity ? null : next;
}
