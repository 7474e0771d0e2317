import type { LogEntry } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import { isFinal } from "../../core/state.ts";
import type { EndedAttempt, Row } from "../ledger/tables/row.ts";
import type { ClockReport } from "./node_clocks.ts";
import { expireAt } from "../ledger/rules.ts";
import { noteFreed } from "../ledger/operations/settle.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { Starts } from "../ledger/tables/tables.ts";
import type { NodeRecord } from "../nodes.ts";
import type { StoreMark } from "../records.ts";
import type { Pause } from "../store.ts";
import { HEAD, partsOfKey } from "./keys.ts";
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
interface LogValue extends LogEntry {
  readonly of: number;
  readonly attempt: number;
  readonly fence: number;
  readonly seq: number;
}

/**
 * Apply a commit of another owner, or a part of an image, to a replica, its state and its hints.
 */
export function applyChanges(target: Target, { puts, deletes }: MediumChanges): void {
  const { state, tables } = target;
  tables.journal.isApplying = true;
  try {
    for (const key of deletes) removeRow(target, key);
    // Instances first: everything else belongs to one.
    const others: MediumPair[] = [];
    for (const pair of puts) {
      if (pair[0].startsWith("i/")) putInstance(target, pair[0], pair[1]);
      else if (pair[0] !== HEAD) others.push(pair);
    }
    for (const [key, text] of others) putRow(target, key, text);
  } finally {
    tables.journal.isApplying = false;
    state.endApplied();
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
  tables.keepExtra(key, extra);
  const isClaimed = instance.state === "processing";
  tables.instances.noteLease(seq, isClaimed ? leaseMs : null);
  const existing = state.leases.get(instance.id);
  if (existing && (!isClaimed || existing.row.instance.fence !== instance.fence)) {
    state.setLease(instance.id, undefined);
    noteFreed(state, moment, instance.kind);
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

function putRow(target: Target, key: string, text: string): void {
  const { state, tables, moment } = target;
  const value: unknown = JSON.parse(text);
  const parts = partsOfKey(key);
  switch (key[0]) {
    case "l":
      return renew(target, Number(parts[0]), value as { leaseMs: number; fence: number });
    case "d": {
      const row = tables.instances.at(Number(parts[0]));
      if (row) tables.endedAttempts.add(row, value as EndedAttempt);
      return;
    }
    case "g":
      return putLog(target, Number(parts[0]), value as LogValue);
    case "s": {
      const record = value as ScheduleRecord;
      if (!tables.schedules.get(record.id)) state.scheduleCount += 1;
      tables.schedules.save(record);
      state.hints.push({ type: "schedules" });
      return;
    }
    case "t": {
      const fate = value as TickFate;
      tables.ticks.remove(fate.scheduleId, fate.from);
      tables.ticks.add(fate);
      return;
    }
    case "r": {
      const [kind, queueKey, perMs] = parts;
      const { starts, expireAt } = value as { starts: Starts; expireAt: number };
      const window = { kind: kind!, queueKey: queueKey!, perMs: Number(perMs) };
      tables.keepExtra(key, extraOf(value as Record<string, unknown>, WINDOW_MEMBERS));
      tables.limits.saveStarts(window, starts, expireAt);
      state.rates.clear();
      return;
    }
    case "p": {
      const pause = value as Pause;
      tables.pauses.save(pause);
      state.pauses.set(pause.kind, pause);
      state.hints.push({ type: "pauses" });
      return;
    }
    case "n":
      return putNode(state, moment, value as NodeRecord);
    case "c":
      tables.clocks?.heard(parts[0]!, value as ClockReport, target.isNew);
      return;
    case "m":
      putMark(state, value as StoreMark);
  }
}

function renew(
  { state, tables, moment }: Target,
  seq: number,
  { leaseMs, fence }: { readonly leaseMs: number; readonly fence: number },
): void {
  tables.instances.noteRenewal(seq, true);
  const row = tables.instances.at(seq);
  const lease = row && state.leases.get(row.instance.id);
  if (!lease || row.instance.fence !== fence) return;
  tables.instances.noteLease(seq, leaseMs);
  state.setLease(row.instance.id, { ...lease, untilMs: moment.monotonicMs + leaseMs });
}

function putLog({ tables }: Target, place: number, value: LogValue): void {
  const { of: instanceSeq, at, level, message, source, attempt, fence, seq } = value;
  const row = tables.instances.at(instanceSeq);
  if (!row || tables.logs.at(place)) return;
  const { id: instanceId, kind } = row.instance;
  const entry = { instanceId, kind, at, level, message, source, attempt, fence, seq };
  tables.logs.put({ place, entry, instanceSeq });
}

function putNode(state: LedgerState, { monotonicMs }: Moment, record: NodeRecord): void {
  // Its lease runs from when this node learns of it, like those of claims.
  const leaseMs = record.leftAt === null ? record.until - record.seenAt : 0;
  state.nodes.set(record.id, { record, untilMs: monotonicMs + leaseMs });
  state.hints.push({ type: "nodes" });
}

function putMark(state: LedgerState, mark: StoreMark | null): void {
  state.tables.maintenance.saveMark(mark);
  state.mark = mark;
  state.hints.push({ type: "pauses" });
}

function removeRow(target: Target, key: string): void {
  const { state, tables } = target;
  const parts = partsOfKey(key);
  switch (key[0]) {
    case "i":
      tables.keepExtra(key, null);
      return removeInstance(target, Number(parts[0]));
    case "l":
      tables.instances.noteRenewal(Number(parts[0]), false);
      return;
    case "g":
      tables.logs.remove([Number(parts[0])]);
      return;
    case "s":
      if (!tables.schedules.get(parts[0]!)) return;
      tables.schedules.remove(parts[0]!);
      state.scheduleCount -= 1;
      state.hints.push({ type: "schedules" });
      return;
    case "t":
      tables.ticks.remove(parts[0]!, fromOf(parts[1]!));
      return;
    case "r": {
      const [kind, queueKey, perMs] = parts;
      tables.limits.removeWindow({ kind: kind!, queueKey: queueKey!, perMs: Number(perMs) });
      tables.keepExtra(key, null);
      state.rates.clear();
      return;
    }
    case "p": {
      const kind = parts[0] === "" ? null : parts[0]!;
      tables.pauses.remove(kind);
      state.pauses.delete(kind);
      state.hints.push({ type: "pauses" });
      return;
    }
    case "n":
      state.nodes.delete(parts[0]!);
      state.hints.push({ type: "nodes" });
      return;
    case "c":
      tables.clocks?.gone(parts[0]!);
      return;
    case "m":
      putMark(state, null);
  }
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
