import { type Instance, isElsewhere } from "../../../core/instance.ts";
import type { ClaimRequest, RenewRequest, RenewResult } from "../../store.ts";
import { checkBatch, checkLimit } from "../checks.ts";
import { Gate } from "./gate.ts";
import { claimLimited } from "./limited_claims.ts";
import { markAt } from "../maintenance/marks.ts";
import { compareReady, type ReadyKey, readyKeyOf, type Row } from "../tables/row.ts";
import { claimInstance, passDeadline } from "../rules.ts";
import { noteFreed } from "../operations/cancel.ts";
import { finishAttempt } from "../operations/settle.ts";
import { putOffEnd } from "../operations/unwinding.ts";
import { updateInstance } from "../operations/update_instance.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Most rows that one claim makes ready; the next claims continue. */
const PROMOTE_MAX = 10_000;

/** Claim due instances in claim order. Never reads paused kinds, or ones the node cannot run. */
export function claim(
  state: LedgerState,
  moment: Moment,
  request: ClaimRequest,
): readonly Instance[] {
  checkLimit(request.limit, "claim");
  if (markAt(state, moment.wallMs) !== null) return [];
  const gate = new Gate(state, moment, request);
  const firstLater = state.tables.waiting.firstLater(null);
  // Limits and pauses go by the current time.
  const dueBy = state.dueBy(moment, request);
  if (firstLater !== null && firstLater <= dueBy) state.promote(dueBy, PROMOTE_MAX);
  if (hasPassedDeadlines(state, moment)) return [];
  openQueues(state, moment, request, gate);
  const kinds = claimableKinds(state, moment, request.kinds);
  if (kinds.length === 0) return [];
  const take = (row: Row): Instance => {
    const instance = gate.withSlot(claimInstance(row.instance, request.node, moment));
    const after: Row = { seq: row.seq, instance, isReady: null, expireAt: null };
    state.replace(row, after);
    const untilMs = moment.monotonicMs + request.leaseMs;
    state.setLease(instance.id, { row: after, untilMs });
    state.shareLease(after, request.leaseMs);
    return instance;
  };
  const isPlain = (kind: string) => state.counts.get(kind)!.behind === 0 && !gate.isLimited(kind);
  if (!kinds.every(isPlain)) {
    return claimLimited(state, kinds, { gate, limit: request.limit, take });
  }
  if (kinds.length === 1) return state.tables.waiting.ready(kinds[0]!, request.limit).map(take);
  return takeAcross(state, kinds, request.limit).map(take);
}

/** True if an instance has waited past its deadline. Requests {@link reap}; claims wait for it. */
function hasPassedDeadlines(state: LedgerState, moment: Moment): boolean {
  if (!state.deadlines.havePassed(moment.wallMs)) return false;
  state.hints.push({ type: "deadlines" });
  return true;
}

/** Release queues whose delay has ended or was set under different limits. */
function openQueues(state: LedgerState, moment: Moment, request: ClaimRequest, gate: Gate): void {
  const { queues } = state;
  const stampOf = (kind: string) => gate.stampOf(kind);
  const isLetGo = queues.noteLimits(request, stampOf);
  const isReleased = queues.release(moment.wallMs, PROMOTE_MAX);
  if (isLetGo || isReleased) state.isDirty = true;
}

function claimableKinds(
  state: LedgerState,
  moment: Moment,
  runnable: ReadonlySet<string>,
): readonly string[] {
  const kinds: string[] = [];
  for (const [kind, counts] of state.counts) {
    if (counts.ready === 0 || !runnable.has(kind)) continue;
    if (state.pausedUntil(kind, moment.wallMs) === null) kinds.push(kind);
  }
  return kinds;
}

/** Ready rows of one kind, read as needed. */
interface KindRows {
  readonly kind: string;
  rows: readonly Row[];
  next: number;
  isWhole: boolean;
}

/** The first rows of several kinds, in claim order. */
function takeAcross(state: LedgerState, kinds: readonly string[], limit: number): readonly Row[] {
  const taken: Row[] = [];
  const all: KindRows[] = kinds.map((kind) => ({ kind, rows: [], next: 0, isWhole: false }));
  const heads: (ReadyKey | null)[] = kinds.map((kind) => state.head(kind));
  while (taken.length < limit) {
    let best = -1;
    for (const [index, head] of heads.entries()) {
      if (head && (best < 0 || compareReady(head, heads[best]!) < 0)) best = index;
    }
    if (best < 0) break;
    const own = all[best]!;
    taken.push(peek(state, own, limit)!);
    own.next += 1;
    const row = peek(state, own, limit);
    heads[best] = row && readyKeyOf(row);
  }
  return taken;
}

function peek(state: LedgerState, own: KindRows, limit: number): Row | null {
  if (own.next === own.rows.length && !own.isWhole) {
    // Twice the previous number: few if kinds alternate, all if one kind comes in a row.
    const count = Math.min(limit + 1, Math.max(2, own.rows.length * 2));
    own.rows = state.tables.waiting.ready(own.kind, count);
    own.isWhole = own.rows.length < count || count === limit + 1;
  }
  return own.rows[own.next] ?? null;
}

/** Renew leases. A sole owner writes nothing: its leases end with it. */
export function renew(
  state: LedgerState,
  moment: Moment,
  request: RenewRequest,
): readonly RenewResult[] {
  checkBatch(request.claims.length, "renew");
  return request.claims.map(({ id, fence }) => {
    const lease = state.leaseOf({ id, fence });
    if (!lease) return { id, fence, status: "stale" };
    state.setLease(id, { ...lease, untilMs: moment.monotonicMs + request.leaseMs });
    state.shareLease(lease.row, request.leaseMs);
    const isCanceling = lease.row.instance.cancelRequestedAt !== null;
    return { id, fence, status: isCanceling ? "canceling" : "renewed" };
  });
}

/** Take back instances whose lease has expired, and end waiting ones past their deadline. */
export function reap(
  state: LedgerState,
  moment: Moment,
  { limit }: { readonly limit: number },
): readonly Instance[] {
  checkLimit(limit, "reap");
  // Most calls find nothing: an idle daemon does not read its tables for them.
  if (quietMs(state, moment) > 0) return [];
  const lost: Row[] = state.hasUnleased ? unleased(state, limit) : [];
  for (const lease of state.leases.values()) {
    if (lost.length >= limit) break;
    if (lease.untilMs > moment.monotonicMs) continue;
    lost.push(lease.row);
  }
  const taken = lost.map((row) => loseAttempt(state, moment, row));
  const left = limit - taken.length;
  const late = left === 0 ? [] : state.tables.instances.pastDeadline(moment.wallMs, left);
  const ended = late.map((row) => endWaiting(state, moment, row));
  // This makes the first deadline known.
  if (late.length < left) state.deadlines.havePassed(moment.wallMs);
  return [...taken, ...ended];
}

/** Time in ms for which {@link reap} will find nothing, without reading tables; 0 if it may. */
export function quietMs(
  state: LedgerState,
  moment: Pick<Moment, "wallMs" | "monotonicMs">,
): number {
  if (state.hasUnleased) return 0;
  let leftMs = state.deadlines.first - moment.wallMs;
  for (const { untilMs } of state.leases.values()) {
    leftMs = Math.min(leftMs, untilMs - moment.monotonicMs);
  }
  return Math.max(0, leftMs);
}

/** Processing rows of an owner that no longer exists. */
function unleased(state: LedgerState, limit: number): Row[] {
  const range = { to: Number.MAX_SAFE_INTEGER, isReverse: false, limit };
  const found: Row[] = [];
  for (const kind of state.counts.keys()) {
    const index = { type: "kindState", kind, state: "processing" } as const;
    for (let from = 1; found.length < limit;) {
      const rows = state.tables.instances.scan(index, { ...range, from });
      const isLost = ({ instance }: Row) =>
        !state.leases.has(instance.id) && !isElsewhere(instance);
      found.push(...rows.filter(isLost).slice(0, limit - found.length));
      if (rows.length < limit) break;
      from = rows.at(-1)!.seq + 1;
    }
  }
  if (found.length === 0) state.hasUnleased = false;
  return found;
}

function endWaiting(state: LedgerState, moment: Moment, row: Row): Instance {
  const { instance: ended } = passDeadline(row.instance, row.instance.error, moment.stamp);
  const instance = putOffEnd(state, ended, row.instance);
  updateInstance(state, moment, row, instance);
  if (instance.slotKey !== null) noteFreed(state, moment, instance.kind);
  return instance;
}

/** End the attempt of a processing row whose worker or node is lost. */
export function loseAttempt(state: LedgerState, moment: Moment, row: Row): Instance {
  const node = row.instance.node ?? "unknown";
  return finishAttempt(state, moment, row, {
    outcome: {
      type: "crash",
      dueAt: moment.wallMs,
      error: { name: "LeaseLost", message: `The lease of node "${node}" ended without a result` },
    },
  });
}
