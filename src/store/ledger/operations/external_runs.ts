import { JobError } from "../../../core/errors.ts";
import { type Instance, isElsewhere } from "../../../core/instance.ts";
import type { TickKey } from "../../../core/time/tick_of_run.ts";
import { stateIndex } from "../tables/row.ts";
import {
  OPEN_RUNS_MAX,
  type RecordRuns,
  type RunReport,
  type RunResult,
  type RunsResult,
  UNREPORTED,
} from "../../external_runs.ts";
import { checkBatch, checkNewInstance, checkTime, QuotaError } from "../checks.ts";
import { acceptInstance } from "../accept_instance.ts";
import { settleInstance } from "../rules.ts";
import { isStorable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { Row } from "../tables/row.ts";
import { fateOf } from "./fates.ts";
import { addLines } from "./logs.ts";
import { addNewsOfMissed } from "./memos.ts";
import { updateInstance } from "./update_instance.ts";

/** Longest name of a host, in characters. */
const HOST_LENGTH_MAX = 255;

/** Record runs that happen elsewhere: all or none. Every one is checked before the first write. */
export function recordRuns(
  state: LedgerState,
  moment: Moment,
  { runs, missed = [] }: Omit<RecordRuns, "at">,
): RunsResult {
  checkRuns(state, runs, missed);
  return {
    runs: runs.map((run) => recordRun(state, moment, run)),
    missed: missed.filter((tick) => markMissed(state, moment, tick)),
  };
}

function checkRuns(
  state: LedgerState,
  runs: readonly RunReport[],
  missed: readonly TickKey[],
): void {
  checkReports(runs, missed);
  const begun = new Map<string, Set<string>>();
  for (const { instance: { id, kind } } of runs) {
    const existing = state.tables.instances.get(id)?.instance;
    if (existing) assertRun(existing, kind);
    else begun.set(kind, (begun.get(kind) ?? new Set()).add(id));
  }
  for (const [kind, ids] of begun) {
    const open = state.counts.get(kind)?.states[stateIndex("processing")] ?? 0;
    if (open + ids.size > OPEN_RUNS_MAX) throw openRunsError(kind);
  }
}

/** @throws JobError `invalid_argument` for reports that cannot be stored exactly */
export function checkReports(runs: readonly RunReport[], missed: readonly TickKey[]): void {
  checkBatch(runs.length + missed.length, "record");
  const kinds = new Map<string, string>();
  for (const { instance, node, startedAt, end } of runs) {
    checkNewInstance(instance);
    if (startedAt !== null) checkTime(startedAt, "startedAt");
    if (end !== null) checkTime(end.at, "end.at");
    if ((kinds.get(instance.id) ?? instance.kind) !== instance.kind) throw notARun(instance.id);
    kinds.set(instance.id, instance.kind);
    if (node.length >= 1 && node.length <= HOST_LENGTH_MAX && isStorable(node)) continue;
    throw new JobError(
      "invalid_argument",
      `Cannot record a run of a host with a name of ${node.length} characters: wanted text of 1 to ${HOST_LENGTH_MAX} without NUL`,
      { path: "node" },
    );
  }
  for (const { tick } of missed) checkTime(tick, "tick");
}

/** @throws JobError `already_exists` if an instance is not a run elsewhere of this kind */
function assertRun(existing: Instance, kind: string): void {
  if (existing.kind !== kind || !isElsewhere(existing)) throw notARun(existing.id);
}

/** The error for an id that is not a run's. */
export function notARun(id: string): JobError {
  return new JobError(
    "already_exists",
    `Cannot record a run as ${id}: another instance has this id`,
    {
      path: "id",
      hint: "Use another run id",
    },
  );
}

/** The error for too many unfinished runs. */
export function openRunsError(kind: string): JobError {
  return new QuotaError(
    `Cannot record the start of a run of "${kind}": ${OPEN_RUNS_MAX} of its runs have not ended`,
    "Report their ends, or set a shorter timeout for the job",
  );
}

function recordRun(state: LedgerState, moment: Moment, run: RunReport): RunResult {
  const { instance: { id }, end, logs } = run;
  const existing = state.tables.instances.get(id);
  if (existing && (end === null || existing.instance.state !== "processing")) {
    return { instance: existing.instance, status: "repeated" };
  }
  const row = existing ?? begin(state, moment, run);
  if (logs.length > 0) addLines(state, row, { fence: 0, logs });
  if (end === null) return { instance: row.instance, status: "begun" };
  const { state: endState, reason, error } = end;
  const isFailure = endState !== "completed";
  const outcome = { type: "final", state: endState, reason, error, isFailure } as const;
  const { instance } = settleInstance(
    row.instance,
    { ...outcome, resultsJson: isFailure ? null : "[]" },
    Math.floor(end.at),
  );
  updateInstance(state, moment, row, instance);
  return { instance, status: "ended" };
}

function begin(state: LedgerState, moment: Moment, run: RunReport): Row {
  const { instance: input, node, startedAt } = run;
  const instance: Instance = {
    ...acceptInstance(input, moment),
    state: "processing",
    processedAt: startedAt === null ? null : Math.floor(startedAt),
    attempt: 1,
    node,
  };
  const row: Row = { seq: state.seq + 1, instance, isReady: null, expireAt: null };
  state.insert(row);
  if (input.scheduleId !== null && input.scheduledFor !== null) {
    noteRun(state, moment, { scheduleId: input.scheduleId, tick: input.scheduledFor }, input.id);
  }
  return row;
}

/** Record the run of a tick, unless known. */
function noteRun(state: LedgerState, moment: Moment, key: TickKey, instanceId: string): void {
  const { scheduleId, tick } = key;
  const { ticks, schedules } = state.tables;
  const record = schedules.get(scheduleId);
  if (!record) return;
  const decided = fateOf(ticks, scheduleId, tick);
  if (decided && (decided.count > 1 || decided.fate === "fired")) return;
  if (decided) ticks.remove(scheduleId, tick);
  const fate = { scheduleId, from: tick, to: tick, count: 1, at: moment.wallMs };
  ticks.add({ ...fate, fate: "fired", reason: null, instanceId });
  if (tick <= (record.lastRunAt ?? -Infinity)) return;
  schedules.save({ ...record, lastRunAt: tick });
}

function markMissed(state: LedgerState, moment: Moment, { scheduleId, tick }: TickKey): boolean {
  const { ticks, schedules } = state.tables;
  const fate = fateOf(ticks, scheduleId, tick);
  if (fate?.fate !== "expected") return false;
  state.isDirty = true;
  ticks.remove(scheduleId, tick);
  ticks.add({ ...fate, fate: "missed", reason: UNREPORTED, at: moment.wallMs });
  const record = schedules.get(scheduleId);
  if (record) addNewsOfMissed(state, moment, record.kind, fate);
  return true;
}
