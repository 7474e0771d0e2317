import { isElsewhere } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/time/schedule.ts";
import { isFinal } from "../../core/state.ts";
import type { LogRow, Row } from "../ledger/tables/row.ts";
import type { EndedAttempt, StoreMark } from "../records.ts";
import type { ClockReport } from "./node_clocks.ts";
import { expireAt } from "../ledger/rules.ts";
import { noteFreed } from "../ledger/operations/cancel.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { Starts } from "../ledger/tables/tables.ts";
import type { NodeRecord } from "../nodes.ts";
import type { Memo, Pause } from "../store.ts";
import { KEYS, partsOfKey } from "./keys.ts";
import type { MediumChanges, MediumPair } from "./medium.ts";
import type { ReplicaTables } from "./tables.ts";
import { extraOf, readInstance } from "./row_values.ts";

/** Members of a window's value that this version knows. */
const WINDOW_MEMBERS: ReadonlySet<string> = new Set(["starts", "expireAt"]);

/** The replica that commits of other owners change. */
interface Target {
  readonly state: LedgerState;
  readonly tables: ReplicaTables;
  /** This node's moment, when it learns of the change. */
  readonly moment: Moment;
  /** True if it was committed just now. */
  readonly isNew: boolean;
}

/** A row of a log. */
interface LogValue extends LogRow {
  readonly of: number;
}

/** Apply another owner's commit, or a part of an image, to a replica with its state and hints. */
export function applyChanges(target: Target, { puts, deletes }: MediumChanges): void {
  const { state, tables } = target;
  tables.journal.isApplying = true;
  try {
    for (const key of deletes) applyRow(target, key, null);
    // Instances first: everything else belongs to one.
    const others: MediumPair[] = [];
    for (const pair of puts) {
      if (pair[0].startsWith("i/")) putInstance(target, pair[0], pair[1]);
      else if (pair[0] !== KEYS.head) others.push(pair);
    }
    for (const [key, text] of others) applyRow(target, key, text);
  } finally {
    tables.journal.isApplying = false;
    state.endUncommitted();
  }
}

function putInstance(target: Target, key: string, text: string): void {
  const { state, tables, moment } = target;
  const { instance, isHeld, leaseMs, extra } = readInstance(text);
  const seq = Number(key.slice(2));
  const isWaiting = instance.state === "scheduled" && !isHeld;
  const row: Row = {
    seq,
    instance,
    isReady: isWaiting ? instance.dueAt <= moment.wallMs : null,
    expireAt: expireAt(instance),
  };
  const before = tables.instances.get(instance.id);
  if (!before) state.insert(row);
  else replaceRow(state, before, row);
  if (before?.isReady !== null && before?.instance.slotKey && isFinal(instance.state)) {
    noteFreed(state, moment, instance.kind);
  }
  tables.keepExtra(key, extra);
  const isClaimed = instance.state === "processing" && !isElsewhere(instance);
  tables.leases.note(seq, isClaimed ? leaseMs : null);
  const existing = state.leases.get(instance.id);
  if (existing && (!isClaimed || existing.row.instance.fence !== instance.fence)) {
    state.setLease(instance.id, undefined);
    noteFreed(state, moment, instance.kind);
    const { id, fence, state: reached } = instance;
    // It may have been replaced before its start: its node must not begin it.
    if (reached === "canceled") state.hints.push({ type: "cancel", claims: [{ id, fence }] });
  }
  if (isClaimed) noteClaim(target, instance.id, leaseMs);
  if (isWaiting) state.hints.push({ type: "instances", dueAt: instance.dueAt });
}

/** A row may have gone through several states in one commit. */
function replaceRow(state: LedgerState, before: Row, after: Row): void {
  if (before.isReady === null || after.isReady === null) return state.update(before, after);
  const between: Row = {
    seq: after.seq,
    instance: { ...after.instance, state: "processing" },
    isReady: null,
    expireAt: null,
  };
  state.update(before, between);
  state.update(between, after);
}

/** A claim, new or changed: its lease runs from when this node learns of it. */
function noteClaim({ state, tables, moment }: Target, id: string, leaseMs: number | null): void {
  const row = tables.instances.get(id)!;
  const existing = state.leases.get(id);
  const { fence, cancelRequestedAt } = row.instance;
  const isMarked = existing && existing.row.instance.cancelRequestedAt === null;
  if (cancelRequestedAt !== null && (!existing || isMarked)) {
    state.hints.push({ type: "cancel", claims: [{ id, fence }] });
  }
  const untilMs = moment.monotonicMs + (leaseMs ?? 0);
  state.setLease(id, existing ? { ...existing, row } : { row, untilMs });
}

/** Apply a row: written, or deleted with null. */
function applyRow(target: Target, key: string, text: string | null): void {
  const { state, tables, moment } = target;
  const value: unknown = text === null ? null : JSON.parse(text);
  const [name = "", ...more] = partsOfKey(key);
  switch (key[0]) {
    case "i":
      // Written instances come before everything else.
      tables.keepExtra(key, null);
      return removeInstance(target, Number(name));
    case "l":
      tables.leases.noteRenewal(Number(name), value !== null);
      if (value) renew(target, Number(name), value as { leaseMs: number; fence: number });
      return;
    case "d": {
      const row = tables.instances.at(Number(name));
      // Ended attempts are deleted with their instance.
      if (row && value) tables.endedAttempts.add(row, value as EndedAttempt);
      return;
    }
    case "g":
      if (value) putLog(target, Number(name), value as LogValue);
      else tables.logs.remove([Number(name)]);
      return;
    case "s":
      return applySchedule(target, name, value as ScheduleRecord | null);
    case "t":
      tables.ticks.remove(name, fromOf(more[0]!));
      if (value) tables.ticks.add(value as TickFate);
      return;
    case "r": {
      const window = { kind: name, queueKey: more[0]!, perMs: Number(more[1]) };
      const stored = value as { starts: Starts; expireAt: number } | null;
      tables.keepExtra(key, stored && extraOf(stored, WINDOW_MEMBERS));
      if (stored) tables.limits.saveStarts(window, stored.starts, stored.expireAt);
      else tables.limits.removeWindow(window);
      state.rates.clear();
      return;
    }
    case "p":
      return applyPause(target, name === "" ? null : name, value as Pause | null);
    case "o":
      if (value) state.saveMemo(value as Memo);
      else state.removeMemo(name);
      return;
    case "n":
      if (value) putNode(state, moment, value as NodeRecord);
      else state.nodes.delete(name);
      state.hints.push({ type: "nodes" });
      return;
    case "c":
      if (value) tables.clocks?.heard(name, value as ClockReport, target.isNew);
      else tables.clocks?.gone(name);
      return;
    case "m":
      state.mark = value as StoreMark | null;
      tables.maintenance.saveMark(state.mark);
      state.hints.push({ type: "pauses" });
  }
}

function applySchedule(
  { state, tables }: Target,
  id: string,
  record: ScheduleRecord | null,
): void {
  const exists = tables.schedules.get(id) !== null;
  if (!record && !exists) return;
  if (record) tables.schedules.save(record);
  else tables.schedules.remove(id);
  state.scheduleCount += Number(record !== null) - Number(exists);
  state.hints.push({ type: "schedules" });
}

function applyPause({ state, tables }: Target, kind: string | null, pause: Pause | null): void {
  if (pause) {
    tables.pauses.save(pause);
    state.pauses.set(kind, pause);
  } else {
    tables.pauses.remove(kind);
    state.pauses.delete(kind);
  }
  state.hints.push({ type: "pauses" });
}

function renew(
  { state, tables, moment }: Target,
  seq: number,
  { leaseMs, fence }: { readonly leaseMs: number; readonly fence: number },
): void {
  const row = tables.instances.at(seq);
  const lease = row && state.leases.get(row.instance.id);
  if (!lease || row.instance.fence !== fence) return;
  tables.leases.note(seq, leaseMs);
  state.setLease(row.instance.id, { ...lease, untilMs: moment.monotonicMs + leaseMs });
}

function putLog({ tables }: Target, place: number, value: LogValue): void {
  const { of: instanceSeq, at, level, message, source, attempt, fence, seq } = value;
  const row = tables.instances.at(instanceSeq);
  if (!row || tables.logs.has(place)) return;
  tables.logs.write(row, place, { at, level, message, source, attempt, fence, seq });
}

function putNode(state: LedgerState, { monotonicMs }: Moment, record: NodeRecord): void {
  // Like a claim's, its lease runs from when this node learns of it.
  const leaseMs = record.leftAt === null ? record.until - record.seenAt : 0;
  state.nodes.set(record.id, { record, untilMs: monotonicMs + leaseMs });
}

/** An instance may have ended and been deleted in one commit. */
function removeInstance({ state, tables, moment }: Target, seq: number): void {
  const row = tables.instances.at(seq);
  if (!row) return;
  const { instance } = row;
  let last = row;
  if (!isFinal(instance.state)) {
    last = { seq, instance: { ...instance, state: "canceled" }, isReady: null, expireAt: null };
    state.update(row, last);
  }
  state.remove(last);
  if (!state.leases.has(instance.id)) return;
  state.setLease(instance.id, undefined);
  noteFreed(state, moment, instance.kind);
}

function fromOf(part: string): number {
  return part.startsWith("-") ? Number(part.slice(1)) - Number.MAX_SAFE_INTEGER : Number(part);
}
