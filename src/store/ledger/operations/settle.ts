import type { Instance } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import { type Settlement, type SettleResult } from "../../store.ts";
import { STEP_KEY_LENGTH_MAX, type Wait } from "../../../core/wait.ts";
import { checkBatch, checkName, checkTime } from "../checks.ts";
import { noteFreed } from "./cancel.ts";
import { updateInstance } from "./update_instance.ts";
import { checkSteps, isSatisfied, writeSteps } from "./flows.ts";
import { hasEnding, putOffEnd } from "./unwinding.ts";
import { writeLogs } from "./logs.ts";
import { addNewsOfOutput } from "./memos.ts";
import type { Row } from "../tables/row.ts";
import { endOf, isRepeated, settleInstance } from "../rules.ts";
import { storable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";

/** Record outcomes of claims, each with its logs and its consequences. */
export function settle(
  state: LedgerState,
  moment: Moment,
  { settlements }: { readonly settlements: readonly Settlement[] },
): readonly SettleResult[] {
  checkSettlements(settlements);
  return settlements.map((settlement) => settleOne(state, moment, settlement));
}

function settleOne(state: LedgerState, moment: Moment, settlement: Settlement): SettleResult {
  const { id, fence } = settlement;
  const lease = state.leaseOf(settlement);
  if (!lease) {
    const row = state.tables.instances.get(id);
    if (!row) return { id, fence, status: "stale", instance: null };
    const ended = state.tables.endedAttempts.byFence(row.seq, fence);
    const status = isRepeated(row.instance, ended, settlement) ? "repeated" : "stale";
    return { id, fence, status, instance: row.instance };
  }
  writeLogs(state, lease, settlement.logs);
  const row = writeSteps(state, moment, lease.row, settlement.steps);
  const instance = finishAttempt(state, moment, row, settlement);
  if (settlement.news !== undefined && isFinal(instance.state)) {
    addNewsOfOutput(state, moment, instance);
  }
  return { id, fence, status: "settled", instance };
}

/** Write a processing row after its attempt, end its lease, and announce it. */
export function finishAttempt(
  state: LedgerState,
  moment: Moment,
  row: Row,
  how: Pick<Settlement, "outcome" | "version" | "progress" | "usage" | "endedAgoMs">,
): Instance {
  const { instance, ended } = settleInstance(
    withReport(row.instance, how),
    how.outcome,
    endOf(row.instance, moment.stamp, how.endedAgoMs),
    hasEnding(state, row.instance),
  );
  const isAwake = instance.state === "scheduled" && isSatisfied(state, instance);
  const after = isAwake
    ? { ...instance, dueAt: moment.wallMs }
    : putOffEnd(state, instance, row.instance);
  updateInstance(state, moment, row, after);
  if (ended) state.addEnded(row, ended);
  state.setLease(instance.id, undefined);
  noteFreed(state, moment, instance.kind);
  return after;
}

/** @throws JobError `invalid_argument` for settlements that cannot be stored */
export function checkSettlements(settlements: readonly Settlement[]): void {
  checkBatch(settlements.length, "settle");
  for (const { outcome, steps } of settlements) {
    checkSteps(steps);
    if (outcome.type === "park") checkWaits(outcome.waits);
    else if (outcome.type !== "final") checkTime(outcome.dueAt, "dueAt");
  }
}

function checkWaits(waits: readonly Wait[]): void {
  checkBatch(waits.length, "wait for");
  for (const { key, until } of waits) {
    if (key !== null) checkName(key, "key", STEP_KEY_LENGTH_MAX);
    if (until !== null) checkTime(until, "until");
  }
}

/** The instance with its attempt's report. */
function withReport(
  instance: Instance,
  reported: Pick<Settlement, "version" | "progress" | "usage">,
): Instance {
  const { version = instance.version, progress = instance.progress } = reported;
  const { usage = instance.usage } = reported;
  const isSame = version === instance.version && progress === instance.progress;
  if (isSame && usage === instance.usage) return instance;
  return { ...instance, version: storable(version), progress, usage };
}
