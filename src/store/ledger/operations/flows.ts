import {
  type Continued,
  CONTINUED_KEY,
  groupOf,
  isMadeKey,
  type OpenChildren,
  signalIdKey,
  signalKey,
  SIGNALS_KEY,
  SIGNALS_MAX,
  STEP_CHARS_MAX,
  STEP_KEY_LENGTH_MAX,
  stepMemoKey,
  type StepPut,
  STEPS_MAX,
} from "../../../core/wait.ts";
import { JobError } from "../../../core/errors.ts";
import type { Instance } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import type { ClaimKey, KeptSteps, PutSteps, SignalRequest, SignalResult } from "../../store.ts";
import { checkBatch, checkName } from "../checks.ts";
import type { FamilyEnds, LedgerState, Moment } from "../state.ts";
import type { Row } from "../tables/row.ts";
import { readJson, writeStep } from "./step_records.ts";
import {
  endTurn,
  giveLastTurns,
  giveTurns,
  openChildren,
  releaseChildren,
  saveOpen,
} from "./turns.ts";
import { updateInstance } from "./update_instance.ts";

/** Record steps of claims. @returns the stale ones */
export function putSteps(
  state: LedgerState,
  moment: Moment,
  { puts }: { readonly puts: readonly PutSteps[] },
): readonly ClaimKey[] {
  checkPuts(puts);
  const stale: ClaimKey[] = [];
  for (const { id, fence, steps } of puts) {
    const lease = state.leaseOf({ id, fence });
    if (lease) writeSteps(state, moment, lease.row, steps);
    else stale.push({ id, fence });
  }
  return stale;
}

/** Write step records of an instance. @returns its row after that */
export function writeSteps(
  state: LedgerState,
  moment: Moment,
  row: Row,
  steps: readonly StepPut[] = [],
): Row {
  const { id } = row.instance;
  let before = row;
  for (const { key, data, isNew } of steps) {
    if (isNew && state.tables.memos.get(stepMemoKey(id, key)) !== null) continue;
    if (key === CONTINUED_KEY) {
      endRound(state, moment, row.instance, data);
      before = changed(state, row, { failures: 0, crashes: 0 });
    }
    writeStep(state, id, key, data);
    if (isMadeKey(key)) giveTurns(state, moment, id, groupOf(key)!);
  }
  return steps.length === 0 ? row : withSteps(state, before, moment.stamp);
}

/** Delete the records of an instance except signals that it has not taken, numbered anew. */
function endRound(state: LedgerState, moment: Moment, instance: Instance, data: string): void {
  const { id } = instance;
  releaseChildren(state, moment, instance);
  const taken = takenIn(data);
  const counts = new Map<string, number>();
  const kept: [key: string, data: string][] = [];
  const move = (key: string): string | null => {
    const [, name, n] = /^signal\/(.*)\/(\d+)$/su.exec(key) ?? [];
    if (name === undefined) return null;
    const place = Number(n) - (taken.get(name) ?? 0);
    if (place < 1) return null;
    counts.set(name, Math.max(counts.get(name) ?? 0, place));
    return signalKey(name, place);
  };
  takeSteps(state, id, (step, text) => {
    const signalOf = step.startsWith(signalIdKey("")) ? readJson<string>(text)! : step;
    const moved = move(signalOf);
    if (moved === null) return;
    kept.push(signalOf === step ? [moved, text] : [step, JSON.stringify(moved)]);
  });
  for (const [key, text] of kept) writeStep(state, id, key, text);
  if (counts.size > 0) {
    writeStep(state, id, SIGNALS_KEY, JSON.stringify(Object.fromEntries(counts)));
  }
}

/** Numbers of taken signals, by name. Job code can forge any record of its own instance. */
function takenIn(data: string): ReadonlyMap<string, number> {
  const record = readJson<Partial<Continued> | null>(data);
  const isCount = (count: unknown) => Number.isSafeInteger(count) && count as number > 0;
  return new Map(Object.entries(record?.taken ?? {}).filter(([, count]) => isCount(count)));
}

/** Copy step records to a new instance. @returns it after that */
export function copySteps(
  state: LedgerState,
  moment: Moment,
  { from, to, steps }: { readonly from: string; readonly to: string; readonly steps: KeptSteps },
): Instance {
  const { instances, memos } = state.tables;
  for (const key of steps.keys) {
    const memo = memos.get(stepMemoKey(from, key));
    if (memo !== null) writeStep(state, to, key, memo.data);
  }
  writeSteps(state, moment, instances.get(to)!, steps.puts);
  return withSteps(state, instances.get(to)!, moment.stamp).instance;
}

/**
 * Note that an instance has step records: the others need no read.
 *
 * @param stepsAt the time, or 0 for a signal
 * @returns its row after that
 */
function withSteps(state: LedgerState, row: Row, stepsAt: number): Row {
  const { instance } = row;
  if (instance.stepsAt !== null && instance.stepsAt >= Math.min(stepsAt, 1)) return row;
  return changed(state, row, { stepsAt });
}

/** Change fields of an instance that keeps its place in its queue. @returns its row after that */
function changed(
  state: LedgerState,
  row: Row,
  fields: Partial<Pick<Instance, "stepsAt" | "failures" | "crashes">>,
): Row {
  const instance = { ...row.instance, ...fields };
  const after: Row = { ...row, instance };
  state.replace(row, after);
  const lease = state.leases.get(instance.id);
  if (lease) state.setLease(instance.id, { ...lease, row: after });
  return after;
}

/** True if one of the waits of an instance is satisfied. */
export function isSatisfied(state: LedgerState, { id, waits }: Instance): boolean {
  return waits?.some(({ key }) =>
    key !== null && state.tables.memos.get(stepMemoKey(id, key)) !== null
  ) ?? false;
}

/** Record signals. */
export function signal(
  state: LedgerState,
  moment: Moment,
  { signals }: { readonly signals: readonly SignalRequest[] },
): readonly SignalResult[] {
  checkSignals(signals);
  return signals.map((request) => signalOne(state, moment, request));
}

function signalOne(
  state: LedgerState,
  moment: Moment,
  { to, name, data, signalId }: SignalRequest,
): SignalResult {
  const { instances, memos } = state.tables;
  const row = "id" in to ? instances.get(to.id) : instances.openByKey(to.uniqueKey);
  if (!row) return { status: "gone", instance: null };
  const { instance } = row;
  const { id } = instance;
  if (isFinal(instance.state)) return { status: "ended", instance };
  if (signalId !== null && memos.get(stepMemoKey(id, signalIdKey(signalId))) !== null) {
    return { status: "duplicate", instance };
  }
  const counts = readJson<Record<string, number>>(memos.get(stepMemoKey(id, SIGNALS_KEY))?.data);
  const sent = Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
  if (sent >= SIGNALS_MAX) {
    return { status: "full", instance };
  }
  const n = (Object.hasOwn(counts ?? {}, name) ? counts![name]! : 0) + 1;
  const key = signalKey(name, n);
  writeStep(state, id, SIGNALS_KEY, JSON.stringify({ ...counts, [name]: n }));
  writeStep(state, id, key, data);
  if (signalId !== null) writeStep(state, id, signalIdKey(signalId), JSON.stringify(key));
  const noted = withSteps(state, row, 0);
  const after = wake(state, moment, noted, key);
  return { status: after === null ? "stored" : "woke", instance: after ?? noted.instance };
}

/** Make an instance due if it is parked on a key. @returns it, or null if it is not */
function wake(state: LedgerState, moment: Moment, row: Row, key: string): Instance | null {
  const { instance } = row;
  if (instance.state !== "scheduled" || !instance.waits?.some((wait) => wait.key === key)) {
    return null;
  }
  if (row.isReady || instance.dueAt <= moment.wallMs) return instance;
  const after = { ...instance, dueAt: moment.wallMs };
  updateInstance(state, moment, row, after);
  return after;
}

/**
 * Record the outcome of children for their parents, which become due if they wait for it. Children
 * of parents that ended take their turns without them.
 */
export function deliverOutcomes(state: LedgerState, moment: Moment, ends: FamilyEnds): void {
  for (const child of ends.children) deliver(state, moment, child);
  for (const parent of ends.parents) giveLastTurns(state, moment, parent);
}

function deliver(state: LedgerState, moment: Moment, child: Instance): void {
  const { parentId, parentStep } = child;
  const row = state.tables.instances.get(parentId!);
  if (!row) return;
  const group = groupOf(parentStep!);
  const count = group === null ? null : openChildren(state, parentId!, group);
  if (isFinal(row.instance.state)) {
    if (count?.turns) endTurn(state, moment, child, { group: group!, count, isOver: false });
    return;
  }
  if (state.tables.memos.get(stepMemoKey(parentId!, parentStep!)) !== null) return;
  const isBare = count?.isBare === true && child.state === "completed";
  writeStep(
    state,
    parentId!,
    parentStep!,
    outcomeText(isBare ? { ...child, resultsJson: null } : child),
  );
  const parent = withSteps(state, row, moment.stamp);
  if (group === null) return void wake(state, moment, parent, parentStep!);
  if (count !== null && isGroupOver(state, moment, child, { group, count })) {
    wake(state, moment, parent, group);
  }
}

/** Count the end of a child among its siblings. @returns true if the wait for them ends with it */
function isGroupOver(
  state: LedgerState,
  moment: Moment,
  child: Instance,
  { group, count }: { readonly group: string; readonly count: OpenChildren },
): boolean {
  const id = child.parentId!;
  const hasFailed = child.state !== "completed";
  const open = count.open - 1;
  const failed = count.failed + (hasFailed ? 1 : 0);
  const counted = { ...count, open, failed };
  const hasFailedTooOften = hasFailed && (count.isFast || failed > (count.failuresMax ?? Infinity));
  if (count.turns === undefined) saveOpen(state, id, group, counted);
  else endTurn(state, moment, child, { group, count: counted, isOver: hasFailedTooOften });
  if (open > 0 && !hasFailedTooOften) return false;
  if (state.tables.memos.get(stepMemoKey(id, group)) !== null) return false;
  writeStep(state, id, group, JSON.stringify({ open, by: child.id, at: child.settledAt, failed }));
  return true;
}

/** The outcome of a child as its parent gets it. */
function outcomeText({ id, state, reason, resultsJson, error, settledAt }: Instance): string {
  return JSON.stringify({ id, state, reason, resultsJson, error, at: settledAt });
}

/** @throws JobError `invalid_argument` for steps of claims that cannot be stored */
export function checkPuts(puts: readonly PutSteps[]): void {
  checkBatch(puts.length, "record steps of");
  for (const { steps } of puts) checkSteps(steps);
}

/** @throws JobError `invalid_argument` for signals that cannot be stored */
export function checkSignals(signals: readonly SignalRequest[]): void {
  checkBatch(signals.length, "send");
  for (const { name, signalId, data } of signals) {
    checkName(name, "name", STEP_KEY_LENGTH_MAX / 2);
    if (signalId !== null) checkName(signalId, "signalId", STEP_KEY_LENGTH_MAX / 2);
    checkData(data, name);
  }
}

/** @throws JobError `invalid_argument` for step records that a new instance cannot have */
export function checkKeptSteps(count: number, { keys, puts }: KeptSteps): void {
  if (count !== 1 || keys.length > STEPS_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot copy ${keys.length} step records to ${count} instances: at most ${STEPS_MAX} to one`,
    );
  }
  for (const key of keys) checkName(key, "key", STEP_KEY_LENGTH_MAX);
  checkSteps(puts);
}

/** @throws JobError `invalid_argument` for step records that cannot be stored */
export function checkSteps(steps: readonly StepPut[] = []): void {
  checkBatch(steps.length, "record");
  for (const { key, data } of steps) {
    checkName(key, "key", STEP_KEY_LENGTH_MAX);
    checkData(data, key);
  }
}

function checkData(data: string, name: string): void {
  if (data.length <= STEP_CHARS_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot record "${name}": it has ${data.length} characters, at most ${STEP_CHARS_MAX} are allowed`,
    { path: "data" },
  );
}

/** Delete the step records of an instance that is deleted. */
export function removeSteps(state: LedgerState, moment: Moment, instance: Instance): void {
  if (instance.stepsAt === null) return;
  releaseChildren(state, moment, instance);
  takeSteps(state, instance.id, () => {});
}

/** Delete the step records of an instance. @param see gets each of them */
function takeSteps(
  state: LedgerState,
  id: string,
  see: (step: string, data: string) => void,
): void {
  const range = { prefix: stepMemoKey(id, ""), after: null, limit: 1_000 };
  for (;;) {
    const found = state.tables.memos.list(range);
    for (const { key, data } of found) {
      see(key.slice(range.prefix.length), data);
      state.removeMemo(key);
    }
    if (found.length < range.limit) return;
  }
}
