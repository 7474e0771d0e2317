import type { StepPut } from "../../../core/wait.ts";
import type { ErrorInfo, Instance } from "../../../core/instance.ts";
import { JOB_STATES } from "../../../core/state.ts";
import { endOf, parkOf, settleInstance } from "../../ledger/rules.ts";
import { storable, storableError } from "../../ledger/storable.ts";
import type { LogAppend, Settlement, SettleResult } from "../../store.ts";
import { RESULT } from "../script/constants.ts";
import type { Packable, Unpacker } from "./msgpack.ts";
import { readFixed, readRow } from "./rows.ts";

type Final = Extract<Settlement["outcome"], { readonly type: "final" }>;

/** Number of recent runs that an outcome may join. */
const RUNS_OPEN = 4;

/** Plain outcomes of one claim: instances, results, usage differ. See `script/outcomes.lua`. */
interface Run {
  readonly fence: number;
  readonly kind: string;
  readonly outcome: Final;
  readonly ids: string[];
  readonly results: (string | null)[];
  hasResults: boolean;
  readonly usages: (string | false)[];
  hasUsages: boolean;
}

/** Settlements, sorted for sending. */
export interface SettlementPlan {
  readonly settlements: readonly Settlement[];
  /** Their instances as claimed, if remembered by this node. */
  readonly known: readonly (Instance | undefined)[];
  readonly runs: readonly Run[];
  /** Positions of settlements that are in no run. */
  readonly others: readonly number[];
}

/** Collect plain settlements into runs. */
export function planSettlements(
  settlements: readonly Settlement[],
  known: readonly (Instance | undefined)[],
): SettlementPlan {
  const runs: Run[] = [];
  const others: number[] = [];
  for (const [index, settlement] of settlements.entries()) {
    const instance = known[index];
    if (!instance || !isPlainClaim(instance) || !isPlain(settlement)) others.push(index);
    else addToRuns(runs, settlement, instance.kind);
  }
  // Runs are settled first. If an instance is in both, send all separately, to keep the order.
  const otherIds = new Set(others.map((index) => settlements[index]!.id));
  if (others.length === 0 || runs.every(({ ids }) => ids.every((id) => !otherIds.has(id)))) {
    return { settlements, known, runs, others };
  }
  return { settlements, known, runs: [], others: settlements.map((_, index) => index) };
}

/** Settlements in the form of the script: single ones, then the runs. */
export function packSettlements(
  { settlements, known, runs, others }: SettlementPlan,
): readonly Packable[] {
  return [
    others.map((index) => {
      const settlement = settlements[index]!;
      return packSettlement(settlement, known[index] !== undefined && isComputable(settlement));
    }),
    runs.map(packRun),
  ];
}

// Changes by others are only visible on the server, which excludes such rows from a run.
function isPlainClaim(claimed: Instance): boolean {
  const { attempt, uniqueKey, scheduleId, retryOf, flowId, deadlineAt, parentId } = claimed;
  return attempt === 1 && uniqueKey === null && scheduleId === null && retryOf === null &&
    flowId === null && deadlineAt === null && parentId === null && claimed.stepsAt === null &&
    claimed.resumes === 0 && claimed.slotKey === null;
}

/** True if the claimer can compute the result; it does not know which waits are satisfied. */
function isComputable({ steps = [], outcome }: Settlement): boolean {
  return steps.length === 0 && outcome.type !== "park";
}

type PlainSettlement = Settlement & { readonly outcome: Final };

function isPlain(settlement: Settlement): settlement is PlainSettlement {
  const { logs, version, progress, news, endedAgoMs, steps = [], outcome } = settlement;
  return outcome.type === "final" && outcome.error === null && !outcome.isFailure &&
    logs.length === 0 && version === undefined && progress === undefined &&
    news === undefined && endedAgoMs === undefined && steps.length === 0;
}

function addToRuns(runs: Run[], settlement: PlainSettlement, kind: string): void {
  const { id, fence, outcome, usage } = settlement;
  const run = openRun(runs, fence, kind, outcome);
  run.ids.push(id);
  run.results.push(storable(outcome.resultsJson));
  if (outcome.resultsJson !== null) run.hasResults = true;
  run.usages.push(usage !== undefined && JSON.stringify(usage));
  if (usage !== undefined) run.hasUsages = true;
}

// Attempts of neighbouring claims end interleaved.
function openRun(runs: Run[], fence: number, kind: string, outcome: Final): Run {
  for (let at = runs.length - 1; at >= 0 && at >= runs.length - RUNS_OPEN; at--) {
    const run = runs[at]!;
    if (
      run.fence === fence && run.kind === kind && run.outcome.state === outcome.state &&
      run.outcome.reason === outcome.reason
    ) return run;
  }
  const none = { ids: [], results: [], hasResults: false, usages: [], hasUsages: false };
  const run = { fence, kind, outcome, ...none };
  runs.push(run);
  return run;
}

function packRun(run: Run): Packable {
  const { fence, kind, outcome: { state, reason }, ids, results, usages } = run;
  return [
    fence,
    kind,
    JOB_STATES.indexOf(state),
    storable(reason),
    ids,
    run.hasResults ? results : false,
    run.hasUsages ? usages : false,
  ];
}

function packSettlement(settlement: Settlement, isKnown: boolean): Packable {
  const { id, fence, version, usage, outcome } = settlement;
  const last = packLast(settlement);
  const first = [
    id,
    fence,
    isKnown,
    packLines(settlement),
    version && storable(version),
    packProgress(settlement),
    usage && JSON.stringify(usage),
    outcome.type === "release" && outcome.isUnstarted ? "unstarted" : outcome.type,
  ];
  if (outcome.type === "final") {
    const { state, reason, error, resultsJson, isFailure } = outcome;
    return [
      ...first,
      JOB_STATES.indexOf(state),
      storable(reason),
      errorText(error),
      storable(resultsJson),
      isFailure,
      ...last,
    ];
  }
  if (outcome.type === "park") {
    const { dueAt, waits } = parkOf(outcome.waits);
    return [...first, dueAt, false, false, JSON.stringify(waits), false, ...last];
  }
  const reason = outcome.type === "retry" && storable(outcome.reason);
  const error = "error" in outcome && errorText(outcome.error);
  const members = [...first, Math.ceil(outcome.dueAt), reason, error];
  // In their place within all items.
  return last.length === 0 ? members : [...members, false, false, ...last];
}

/** The members that most settlements lack. */
function packLast({ news, endedAgoMs, steps = [] }: Settlement): readonly Packable[] {
  const agoMs = endedAgoMs !== undefined && Math.floor(endedAgoMs);
  if (steps.length > 0) return [news ?? false, agoMs, steps.map(packStep)];
  if (agoMs !== false) return [news ?? false, agoMs];
  return news === undefined ? [] : [news];
}

/** The record of a step in the form of the script. */
export function packStep({ key, data, isNew = false }: StepPut): Packable {
  return [key, storable(data), isNew];
}

/** Log lines and progress of a claim in the form of the script. */
export function packAppend(append: LogAppend): Packable {
  return [append.id, append.fence, packLines(append), packProgress(append)];
}

/** Log lines in the form of the script; false for none. */
export function packLines({ logs }: Pick<LogAppend, "logs">): Packable {
  if (logs.length === 0) return false;
  return logs.map(({ at, level, message, source }) => [
    Math.floor(at),
    level,
    storable(message),
    source,
  ]);
}

function packProgress({ progress }: Pick<LogAppend, "progress">): Packable {
  return progress && JSON.stringify(progress);
}

function errorText(error: ErrorInfo | null): string | false {
  return error === null ? false : JSON.stringify(storableError(error));
}

/** The result of one settlement from the server. */
interface Settled {
  readonly status: SettleResult["status"];
  /** Null if the claimer can compute the instance itself. */
  readonly row: Uint8Array | null;
  readonly fixed: Uint8Array | null;
}

const STATUSES: Readonly<Record<number, SettleResult["status"]>> = {
  [RESULT.STALE]: "stale",
  [RESULT.SETTLED_NOW]: "settled",
  [RESULT.REPEATED]: "repeated",
};

const SETTLED: Settled = { status: "settled", row: null, fixed: null };

/** Read the results of settlements. */
export function readSettled(
  from: Unpacker,
  at: number,
  { settlements, known, others }: SettlementPlan,
): readonly SettleResult[] {
  from.list();
  const results = readSettledList(from);
  const leftIds = from.read() as readonly string[];
  const leftResults = readSettledList(from);
  const left = new Map(leftIds.map((id, index) => [id, leftResults[index]!]));
  let place = 0;
  return settlements.map((settlement, index) => {
    const { id, fence } = settlement;
    const claimed = known[index];
    const isOther = others[place] === index;
    const { status, row, fixed } = isOther ? results[place++]! : left.get(id) ?? SETTLED;
    const instance = row !== null
      ? readRow(id, row, readFixed(fixed!)).instance
      : claimed && status === "settled"
      ? settledInstance(claimed, settlement, at)
      : null;
    return { id, fence, status, instance };
  });
}

function readSettledList(from: Unpacker): readonly Settled[] {
  return from.items(3, () => {
    const status = STATUSES[from.read() as number]!;
    return { status, row: from.bytes(), fixed: from.bytes() };
  });
}

/** Compute a settled instance that nobody else has changed, by the script's rules. */
function settledInstance(claimed: Instance, settlement: Settlement, at: number): Instance {
  const { version, progress, usage, outcome, endedAgoMs } = settlement;
  const isAsClaimed = version === undefined && progress === undefined && usage === undefined;
  const instance = isAsClaimed ? claimed : {
    ...claimed,
    version: version === undefined ? claimed.version : storable(version),
    progress: progress === undefined ? claimed.progress : progress,
    usage: usage === undefined ? claimed.usage : usage,
  };
  return settleInstance(instance, outcome, endOf(claimed, at, endedAgoMs)).instance;
}
