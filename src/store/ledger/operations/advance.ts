import { JobError } from "../../../core/errors.ts";
import type { Instance } from "../../../core/instance.ts";
import type { Overlap, ScheduleRecord } from "../../../core/time/schedule.ts";
import { isVoidFate } from "../../../core/time/clock_correction.ts";
import { skipReason } from "../../../core/time/tick_decision.ts";
import { type Advance, type AdvanceResult, BATCH_MAX, type NewInstance } from "../../store.ts";
import { checkBatch, checkNewInstance, checkTime } from "../checks.ts";
import { cancelRow, replaceRow } from "./cancel.ts";
import { addFate, cutOut, fateOf } from "./fates.ts";
import { insertHeld, insertInstance, roomFor } from "./enqueue.ts";
import { acceptInstance } from "../accept_instance.ts";
import { isClaimedEarly } from "../rules.ts";
import type { LedgerState, Moment } from "../state.ts";
import { addNewsOfMissed } from "./memos.ts";
import { keyHolder } from "./unique.ts";

/** Reason of an instance held behind others of its schedule. */
const QUEUED = "queued";

/** Make steps of schedules, each a compare-and-set on (generation, cursor). */
export function advance(
  state: LedgerState,
  moment: Moment,
  { advances }: { readonly advances: readonly Advance[] },
): readonly AdvanceResult[] {
  checkAdvances(advances);
  return advances.map((one) => advanceOne(state, moment, one));
}

/** @throws JobError `invalid_argument` for a step that cannot be stored */
export function checkAdvances(advances: readonly Advance[]): void {
  checkBatch(advances.length, "advance");
  for (const one of advances) {
    checkTime(one.cursor, "cursor");
    if (one.nextAt !== null) checkTime(one.nextAt, "nextAt");
    checkFires(one);
  }
}

/** @throws JobError `invalid_argument` for an unstorable instance, or one of another schedule */
export function checkFires(request: Pick<Advance, "scheduleId" | "fires">): void {
  checkBatch(request.fires.length, "fire");
  for (const fire of request.fires) {
    checkNewInstance(fire);
    if (fire.scheduleId === request.scheduleId && fire.scheduledFor !== null) continue;
    throw new JobError(
      "invalid_argument",
      `Cannot fire instance ${fire.id} of schedule "${request.scheduleId}": it carries schedule "${fire.scheduleId}" and time ${fire.scheduledFor}`,
      { path: "fires" },
    );
  }
}

function advanceOne(state: LedgerState, moment: Moment, request: Advance): AdvanceResult {
  const { scheduleId } = request;
  const result = {
    scheduleId,
    accepted: [] as Instance[],
    skipped: [] as number[],
    replaced: [] as Instance[],
  };
  if (request.isAhead && state.hasOwnClock) return { ...result, status: "early" };
  const record = state.tables.schedules.get(scheduleId);
  if (!record) return { ...result, status: "gone" };
  if (record.generation !== request.generation || record.cursor !== request.expectedCursor) {
    return { ...result, status: "conflict" };
  }
  if (request.isAhead && !isFree(state, moment, record, request)) {
    return { ...result, status: "early" };
  }
  state.isDirty = true;
  for (const fate of request.fates) {
    addFate(state.tables.ticks, record, { ...fate, scheduleId, at: moment.wallMs });
    // A tick of an external job may have run while reports were impossible.
    if (fate.fate === "missed" && !request.isExpected) {
      addNewsOfMissed(state, moment, record.kind, { ...fate, scheduleId });
    }
  }
  let after = record;
  for (const fire of request.fires) {
    const holder = fire.uniqueKey === null ? null : keyHolder(state, moment, fire.uniqueKey);
    after = fireOne(state, moment, { after, fire, holder, request, result });
  }
  const { runsMax = Infinity } = record.spec;
  const tzVersion = request.tzVersion ?? record.tzVersion;
  state.tables.schedules.save({
    ...after,
    cursor: request.cursor,
    nextAt: (after.runs ?? 0) >= runsMax ? null : request.nextAt,
    ...(tzVersion === undefined ? {} : { tzVersion }),
  });
  state.hints.push({ type: "schedules" });
  return { ...result, status: "advanced" };
}

/** True if an early step fires one unblocked tick. */
function isFree(
  state: LedgerState,
  moment: Moment,
  record: ScheduleRecord,
  request: Advance,
): boolean {
  const { fires: [fire, ...others], fates, scheduleId, overlap } = request;
  if (!fire || others.length + fates.length > 0) return false;
  if (overlap !== "allow" && state.tables.instances.hasOpen(scheduleId)) return false;
  if (fire.uniqueKey !== null && keyHolder(state, moment, fire.uniqueKey)) return false;
  return whyNot(state, moment, { after: record, fire, holder: null, request }, false) === null;
}

interface Step {
  readonly after: ScheduleRecord;
  /** The instance that has the unique key. */
  readonly holder: Instance | null;
  readonly fire: NewInstance;
  readonly request: Advance;
  readonly result: {
    readonly accepted: Instance[];
    readonly skipped: number[];
    readonly replaced: Instance[];
  };
}

/** Decide one tick. @returns the schedule after it */
function fireOne(state: LedgerState, moment: Moment, step: Step): ScheduleRecord {
  const { after, fire, request, result } = step;
  const { scheduleId, overlap } = request;
  const tick = fire.scheduledFor!;
  // A decided tick keeps its fate, even if the cursor changed, unless a fast clock decided it.
  const decided = fateOf(state.tables.ticks, scheduleId, tick);
  if (decided && !isVoidFate(after, decided, tick)) return after;
  if (decided) cutOut(state.tables.ticks, after, decided, tick);
  const isBusy = overlap !== "allow" && state.tables.instances.hasOpen(scheduleId);
  const reason = whyNot(state, moment, step, isBusy);
  const fate = { scheduleId, from: tick, to: tick, count: 1, at: moment.wallMs };
  if (reason !== null) {
    state.tables.ticks.add({ ...fate, fate: "skipped", reason, instanceId: null });
    result.skipped.push(tick);
    const skipNext = (after.skipNext ?? 0) - 1;
    return reason === "skip requested" && skipNext >= 0 ? { ...after, skipNext } : after;
  }
  if (request.isExpected) {
    state.tables.ticks.add({ ...fate, fate: "expected", reason: null, instanceId: null });
    return { ...after, runs: (after.runs ?? 0) + 1 };
  }
  if (step.holder) {
    const row = state.tables.instances.get(step.holder.id)!;
    result.replaced.push(replaceRow(state, moment, row));
  }
  if (overlap === "replace") result.replaced.push(...replaceOpen(state, moment, scheduleId));
  // Without an unfinished instance there is nothing to wait for.
  const instance = insertTick(state, moment, fire, isBusy ? overlap : "allow");
  state.tables.ticks.add({ ...fate, fate: "fired", reason: null, instanceId: instance.id });
  result.accepted.push(instance);
  return { ...after, runs: (after.runs ?? 0) + 1, lastRunAt: tick };
}

/** Why a tick does not fire, or null. A refusal becomes a fate: it must not block the schedule. */
function whyNot(
  state: LedgerState,
  moment: Moment,
  step: Omit<Step, "result">,
  isBusy: boolean,
): string | null {
  const { after, fire, request } = step;
  const reason = skipReason(after, fire.scheduledFor!, {
    overlap: request.overlap,
    runs: after.runs ?? 0,
    skipNext: after.skipNext ?? 0,
    isPaused: state.pausedUntil(fire.kind, moment.wallMs) !== null,
    isBusy,
    queuedCount: state.held.get(request.scheduleId) ?? 0,
    isCatchUp: request.isCatchUp ?? false,
  });
  if (reason !== null) return reason;
  if (state.tables.instances.get(fire.id)) return "id taken";
  if (step.holder && !canReplace(fire, step.holder, moment)) return "unique key taken";
  return roomFor(state, fire) > 0 ? null : "queue full";
}

/** Accept a tick's instance. Unless the overlap is "allow", unfinished earlier ones hold it. */
export function insertTick(
  state: LedgerState,
  moment: Moment,
  fire: NewInstance,
  overlap: Overlap,
): Instance {
  const instance = acceptInstance(fire, moment);
  if (overlap === "allow" || !state.tables.instances.hasOpen(fire.scheduleId!)) {
    insertInstance(state, moment, instance);
    return instance;
  }
  const held = { ...instance, reason: QUEUED };
  insertHeld(state, held);
  return held;
}

/** Cancel the unfinished instances of a schedule, which a later tick replaces. */
function replaceOpen(state: LedgerState, moment: Moment, scheduleId: string): readonly Instance[] {
  const all = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: BATCH_MAX };
  const rows = state.tables.instances.scan({ type: "openSchedule", scheduleId }, all)
    .filter(({ instance }) => instance.cancelRequestedAt === null);
  return rows.map((row) => cancelRow(state, moment, row, "replaced"));
}

function canReplace(fire: NewInstance, holder: Instance, { stamp }: Moment): boolean {
  const isBegun = holder.state !== "scheduled" && !isClaimedEarly(holder, stamp);
  return fire.unique?.onConflict === "replace" && holder.kind === fire.kind && !isBegun;
}
