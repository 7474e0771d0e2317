import type { Instance } from "../../../core/instance.ts";
import type { ClaimRequest, RenewRequest, RenewResult } from "../../store.ts";
import { checkBatch, checkLimit } from "../checks.ts";
import { Gate } from "./gate.ts";
import { claimLimited } from "./limited_claims.ts";
import { markAt } from "../maintenance/marks.ts";
import { compareReady, type ReadyKey, readyKeyOf, type Row } from "../tables/row.ts";
import { claimInstance, expireAt, passDeadline } from "../rules.ts";
import { finishAttempt } from "../operations/settle.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Rows that one claim makes ready at most: the claims after it go on. */
const PROMOTE_MAX = 10_000;

/** Take due instances in claim order. Kinds that are not served or paused are never read. */
export function claim(
  state: LedgerState,
  moment: Moment,
  request: ClaimRequest,
): readonly Instance[] {
  checkLimit(request.limit, "claim");
  if (markAt(state, moment.wallMs) !== null) return [];
  const gate = new Gate(state, moment, request);
  const firstLater = state.tables.waiting.firstLater(null);
  // Limits and pauses go by the time that it is.
  const dueBy = state.dueBy(moment, request);
  if (firstLater !== null && firstLater <= dueBy) state.promote(dueBy, PROMOTE_MAX);
  if (hasPassedDeadlines(state, moment)) return [];
  openQueues(state, moment, request, gate);
  const kinds = claimableKinds(state, moment, request.kinds);
  if (kinds.length === 0) return [];
  const take = (row: Row): Instance => {
    const instance = claimInstance(row.instance, request.node, moment);
    const after: Row = { seq: row.seq, instance, isReady: null, expireAt: null };
    state.updateClaimed(row, after);
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

/** Whether something waits past its deadline: nothing is claimed until {@link reap}, which is asked for, has ended it. */
function hasPassedDeadlines(state: LedgerState, moment: Moment): boolean {
  if (!state.deadlines.havePassed(moment.wallMs)) return false;
  state.hints.push({ type: "deadlines" });
  return true;
}

/** Let the queues go whose hold has ended, or was by other limits. */
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
  served: ReadonlySet<string>,
): readonly string[] {
  const kinds: string[] = [];
  for (const [kind, counts] of state.counts) {
    if (counts.ready === 0 || !served.has(kind)) continue;
    if (state.pausedUntil(kind, moment.wallMs) === null) kinds.push(kind);
  }
  return kinds;
}

/** Ready rows of one kind, read as far as they are wanted. */
interface Run {
  readonly kind: string;
  rows: readonly Row[];
  next: number;
  isWhole: boolean;
}

/** The first rows of several kinds in claim order. */
function takeAcross(state: LedgerState, kinds: readonly string[], limit: number): readonly Row[] {
  const taken: Row[] = [];
  const runs: Run[] = kinds.map((kind) => ({ kind, rows: [], next: 0, isWhole: false }));
  const heads: (ReadyKey | null)[] = kinds.map((kind) => state.head(kind));
  while (taken.length < limit) {
    let best = -1;
    for (const [index, head] of heads.entries()) {
      if (head && (best < 0 || compareReady(head, heads[best]!) < 0)) best = index;
    }
    if (best < 0) break;
    const run = runs[best]!;
    taken.push(peek(state, run, limit)!);
    run.next += 1;
    const row = peek(state, run, limit);
    heads[best] = row && readyKeyOf(row);
  }
  return taken;
}

function peek(state: LedgerState, run: Run, limit: number): Row | null {
  if (run.next === run.rows.length && !run.isWhole) {
    // Twice as many as before: few when kinds alternate, all when one has a long run.
    const count = Math.min(limit + 1, Math.max(2, run.rows.length * 2));
    run.rows = state.tables.waiting.ready(run.kind, count);
    run.isWhole = run.rows.length < count || count === limit + 1;
  }
  return run.rows[run.next] ?? null;
}

/** Extend the leases of claims that are held. An only owner writes nothing: its leases end with it. */
export function renew(
  state: LedgerState,
  moment: Moment,
  request: RenewRequest,
): readonly RenewResult[] {
  checkBatch(request.claims.length, "renew");
  return request.claims.map(({ id, fence }) => {
    const lease = state.heldLease({ id, fence });
    if (!lease) return { id, fence, status: "stale" };
    state.setLease(id, { ...lease, untilMs: moment.monotonicMs + request.leaseMs });
    state.shareLease(lease.row, request.leaseMs);
    const isCanceling = lease.row.instance.cancelRequestedAt !== null;
    return { id, fence, status: isCanceling ? "canceling" : "renewed" };
  });
}

/** Take back what lost its lease, and end what waits past its deadline. */
export function reap(state: LedgerState, moment: Moment, limit: number): readonly Instance[] {
  checkLimit(limit, "reap");
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
  // From here on the first deadline is known.
  if (late.length < left) state.deadlines.havePassed(moment.wallMs);
  return [...taken, ...ended];
}

/** How long {@link reap} will find nothing, in ms, as far as is known without the tables; 0 when it may find something. */
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

/** Processing rows of an owner that is gone. */
function unleased(state: LedgerState, limit: number): Row[] {
  const range = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit };
  const rows: Row[] = [];
  for (const kind of state.counts.keys()) {
    rows.push(
      ...state.tables.instances.scan({ type: "kindState", kind, state: "processing" }, range),
    );
  }
  const found = rows.filter(({ instance }) => !state.leases.has(instance.id)).slice(0, limit);
  if (found.length === 0) state.hasUnleased = false;
  return found;
}

function endWaiting(state: LedgerState, moment: Moment, row: Row): Instance {
  const { instance } = passDeadline(row.instance, row.instance.error, moment.stamp);
  state.update(row, { seq: row.seq, instance, isReady: null, expireAt: expireAt(instance) });
  return instance;
}

/** The worker or the node of a processing row is lost. */
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
