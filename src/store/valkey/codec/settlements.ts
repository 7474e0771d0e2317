import type { ErrorInfo, Instance, LogEntry } from "../../../core/instance.ts";
import { JOB_STATES } from "../../../core/state.ts";
import { settleInstance, storable, storableError } from "../../ledger/rules.ts";
import type { Settlement, SettleResult } from "../../store.ts";
import { RESULT } from "../script/constants.ts";
import type { Packer, Unpacker } from "./msgpack.ts";
import { readFixed, readRow } from "./rows.ts";

type Final = Extract<Settlement["outcome"], { readonly type: "final" }>;

/** How many of the last runs an outcome may join. */
const RUNS_OPEN = 4;

/**
 * Plain outcomes of one claim, which differ in instance and result; see `script/outcomes.lua`.
 */
interface Run {
  readonly fence: number;
  readonly kind: string;
  readonly outcome: Final;
  readonly ids: string[];
  readonly results: (string | null)[];
  hasResults: boolean;
}

/** Settlements, sorted for sending. */
export interface SettlementPlan {
  readonly settlements: readonly Settlement[];
  /** Their instances as claimed, if this node remembers them. */
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
  // Runs are settled first. If an instance occurs in a run and outside, send all separately, to
  // keep their order.
  const otherIds = new Set(others.map((index) => settlements[index]!.id));
  if (others.length === 0 || runs.every(({ ids }) => ids.every((id) => !otherIds.has(id)))) {
    return { settlements, known, runs, others };
  }
  return { settlements, known, runs: [], others: settlements.map((_, index) => index) };
}

/** Write settlements, as two arguments. */
export function writeSettlements(
  into: Packer,
  { settlements, known, runs, others }: SettlementPlan,
): number {
  into.list(others.length);
  for (const index of others) {
    writeSettlement(into, settlements[index]!, known[index] !== undefined);
  }
  into.list(runs.length);
  for (const run of runs) writeRun(into, run);
  return 2;
}

// Changes by others are only visible on the server, which excludes such rows from a run.
function isPlainClaim(claimed: Instance): boolean {
  const { attempt, uniqueKey, scheduleId, retryOf, deadlineAt } = claimed;
  return attempt === 1 && uniqueKey === null && scheduleId === null && retryOf === null &&
    deadlineAt === null;
}

type PlainSettlement = Settlement & { readonly outcome: Final };

function isPlain(settlement: Settlement): settlement is PlainSettlement {
  const { logs, version, progress, outcome } = settlement;
  return outcome.type === "final" && outcome.error === null && !outcome.isFailure &&
    logs.length === 0 && version === undefined && progress === undefined;
}

function addToRuns(runs: Run[], { id, fence, outcome }: PlainSettlement, kind: string): void {
  const run = openRun(runs, fence, kind, outcome);
  run.ids.push(id);
  run.results.push(storable(outcome.resultsJson));
  if (outcome.resultsJson !== null) run.hasResults = true;
}

// Attempts of one claim end interleaved with those of neighbouring claims.
function openRun(runs: Run[], fence: number, kind: string, outcome: Final): Run {
  for (let at = runs.length - 1; at >= 0 && at >= runs.length - RUNS_OPEN; at--) {
    const run = runs[at]!;
    if (
      run.fence === fence && run.kind === kind && run.outcome.state === outcome.state &&
      run.outcome.reason === outcome.reason
    ) return run;
  }
  const run = { fence, kind, outcome, ids: [], results: [], hasResults: false };
  runs.push(run);
  return run;
}

function writeRun(into: Packer, { fence, kind, outcome, ids, results, hasResults }: Run): void {
  into.list(6);
  into.write(fence);
  into.write(kind);
  into.write(JOB_STATES.indexOf(outcome.state));
  into.write(storable(outcome.reason));
  into.write(ids);
  into.write(hasResults ? results : false);
}

function writeSettlement(into: Packer, settlement: Settlement, isKnown: boolean): void {
  const { id, fence, logs, version, progress, outcome } = settlement;
  into.list(outcome.type === "final" ? 12 : 10);
  into.write(id);
  into.write(fence);
  into.write(isKnown);
  writeLines(into, logs);
  into.write(version === undefined ? false : storable(version));
  into.write(progress === undefined ? false : JSON.stringify(progress));
  into.write(outcome.type === "release" && outcome.isUnstarted ? "unstarted" : outcome.type);
  if (outcome.type === "final") {
    into.write(JOB_STATES.indexOf(outcome.state));
    into.write(storable(outcome.reason));
    into.write(errorText(outcome.error));
    into.write(storable(outcome.resultsJson));
    into.write(outcome.isFailure);
    return;
  }
  into.write(Math.ceil(outcome.dueAt));
  into.write(outcome.type === "retry" ? storable(outcome.reason) : false);
  into.write("error" in outcome ? errorText(outcome.error) : false);
}

/** Write log lines; false if there are none. */
export function writeLines(into: Packer, lines: readonly LogEntry[]): void {
  if (lines.length === 0) return into.write(false);
  into.list(lines.length);
  for (const { at, level, message, source } of lines) {
    into.list(4);
    into.write(Math.floor(at));
    into.write(level);
    into.write(storable(message));
    into.write(source);
  }
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
  const results: Settled[] = [];
  for (let left = from.list() / 3; left > 0; left--) {
    const result = from.read() as number;
    const status = result === RESULT.SETTLED_NOW
      ? "settled"
      : result === RESULT.REPEATED
      ? "repeated"
      : "stale";
    results.push({ status, row: from.bytes(), fixed: from.bytes() });
  }
  return results;
}

/** Compute a settled instance that nobody else has changed. The script has the same rules. */
function settledInstance(claimed: Instance, settlement: Settlement, at: number): Instance {
  const { version, progress, outcome } = settlement;
  const isAsClaimed = version === undefined && progress === undefined;
  const instance = isAsClaimed ? claimed : {
    ...claimed,
    version: version === undefined ? claimed.version : storable(version),
    progress: progress === undefined ? claimed.progress : progress,
  };
  return settleInstance(instance, outcome, at).instance;
}
