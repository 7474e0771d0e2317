import type { Instance } from "../../../core/instance.ts";
import type { JobState } from "../../../core/state.ts";
import type { InstanceQuery } from "../../store.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { checkLimit } from "../checks.ts";
import { rowsOfIds } from "../reading/reads.ts";
import type { Row } from "../tables/row.ts";
import { cancelInstance, expireAt, replaceInstance } from "../rules.ts";
import { updateInstance } from "./update_instance.ts";
import { Scan } from "../reading/scan.ts";
import type { LedgerState, Moment } from "../state.ts";

const OPEN_STATES: readonly JobState[] = ["created", "scheduled", "processing"];

/** Cancel unfinished instances that match: fewer than `limit` if large, but at least one. */
export function cancel(
  state: LedgerState,
  moment: Moment,
  request: {
    readonly query: InstanceQuery;
    readonly limit: number;
    readonly isForced?: boolean;
  },
): readonly Instance[] {
  checkLimit(request.limit, "cancel");
  const states = OPEN_STATES.filter((one) => request.query.states?.includes(one) ?? true);
  const rows = openRows(state, { ...request, query: { ...request.query, states } });
  return rows.map((row) => cancelRow(state, moment, row));
}

/** Cancel an unfinished, unmarked row, and notify the node that runs it. */
export function cancelRow(
  state: LedgerState,
  moment: Moment,
  row: Row,
  reason: "canceled" | "replaced" = "canceled",
): Instance {
  const instance = cancelInstance(row.instance, moment.stamp, reason);
  if (instance.state === "scheduled") {
    updateInstance(state, moment, row, instance);
    return instance;
  }
  const after: Row = { seq: row.seq, instance, isReady: null, expireAt: expireAt(instance) };
  state.update(row, after);
  if (row.instance.state === "scheduled" && row.instance.slotKey !== null) {
    noteFreed(state, moment, instance.kind);
  }
  if (instance.state === "processing") {
    const { id, fence } = instance;
    state.setLease(id, { ...state.leases.get(id)!, row: after });
    state.hints.push({ type: "cancel", claims: [{ id, fence }] });
  }
  return instance;
}

/**
 * Cancel an unstarted row because another instance takes its unique key. An early claim ends at
 * once, and its node is notified.
 */
export function replaceRow(state: LedgerState, moment: Moment, row: Row): Instance {
  const { id, fence, kind, state: before } = row.instance;
  const instance = replaceInstance(row.instance, moment.stamp);
  state.update(row, { seq: row.seq, instance, isReady: null, expireAt: expireAt(instance) });
  if (before === "processing") {
    state.setLease(id, undefined);
    noteFreed(state, moment, kind);
    state.hints.push({ type: "cancel", claims: [{ id, fence }] });
  }
  return instance;
}

function openRows(
  state: LedgerState,
  { query, limit, isForced = false }: {
    readonly query: InstanceQuery;
    readonly limit: number;
    readonly isForced?: boolean;
  },
): readonly Row[] {
  const bounds = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false };
  const matching = query.ids ? rowsOfIds(state, query) : new Scan(state, query, bounds).rows();
  const rows: Row[] = [];
  let chars = 0;
  for (const row of matching) {
    const { state: current, cancelRequestedAt } = row.instance;
    if (cancelRequestedAt !== null && (!isForced || current === "processing")) continue;
    rows.push(row);
    chars += instanceChars(row.instance);
    if (rows.length >= limit || chars >= PAGE_CHARS_MAX) break;
  }
  return rows;
}

/** A slot is free: announce kinds whose limits may have blocked instances. */
export function noteFreed(state: LedgerState, moment: Moment, kind: string): void {
  if (!state.usage.has(kind)) return;
  // In a pool other kinds can use it.
  for (const limited of state.usage.kinds()) {
    if (!state.counts.get(limited)?.ready) continue;
    state.hints.push({ type: "instances", dueAt: moment.wallMs });
    return;
  }
}
