import type { NextDue, NextDueRequest } from "../../store.ts";
import { markAt } from "../maintenance/marks.ts";
import type { LedgerState, Moment } from "../state.ts";
import { Gate } from "./gate.ts";
import { claimableAt } from "./limited_claims.ts";

/** The earliest time with something to claim or a schedule to advance. */
export function nextDue(
  state: LedgerState,
  moment: Moment,
  request: Omit<NextDueRequest, "at">,
): Omit<NextDue, "at"> {
  const mark = markAt(state, moment.wallMs);
  if (mark?.type === "draining") return { instanceAt: mark.until, scheduleAt: mark.until };
  if (mark !== null) return { instanceAt: null, scheduleAt: null };
  return {
    instanceAt: nextInstance(state, moment, request.kinds, new Gate(state, moment, request)),
    scheduleAt: state.scheduleCount === 0 ? null : state.tables.schedules.firstAt(),
  };
}

function nextInstance(
  state: LedgerState,
  moment: Moment,
  kinds: ReadonlySet<string>,
  gate: Gate,
): number | null {
  let next = Infinity;
  const waiting: string[] = [];
  let isEveryKindFree = true;
  for (const [kind, counts] of state.counts) {
    if (counts.ready + counts.later === 0) continue;
    const pausedUntil = state.pausedUntil(kind, moment.wallMs);
    if (!kinds.has(kind) || pausedUntil !== null) isEveryKindFree = false;
    if (!kinds.has(kind)) continue;
    if (counts.ready > 0) {
      next = Math.min(next, pausedUntil ?? readyAt(state, moment, kind, gate));
    }
    if (counts.later > 0) waiting.push(kind);
  }
  if (isEveryKindFree) {
    next = Math.min(next, waiting.length > 0 ? state.tables.waiting.firstLater(null)! : Infinity);
  } else {
    for (const kind of waiting) {
      const pausedUntil = state.pausedUntil(kind, moment.wallMs) ?? -Infinity;
      next = Math.min(next, Math.max(pausedUntil, state.tables.waiting.firstLater(kind)!));
    }
  }
  return next === Infinity ? null : next;
}

/** When an instance of a kind with ready rows can be claimed; Infinity if a slot must be freed. */
function readyAt(state: LedgerState, moment: Moment, kind: string, gate: Gate): number {
  if (state.counts.get(kind)!.behind > 0 || gate.isLimited(kind)) {
    return claimableAt(state, gate, kind, moment.wallMs);
  }
  return Math.min(state.head(kind)!.dueAt, moment.wallMs);
}
