import { isElsewhere } from "../../../core/instance.ts";
import { isFinal, JOB_STATES } from "../../../core/state.ts";
import { messageOf } from "../../../core/errors.ts";
import type { EndedAttempt, StoreProblem } from "../../records.ts";
import { countHeld, countRow, emptyCounts, type KindCounts, type Row } from "../tables/row.ts";
import { checkLimit } from "../checks.ts";
import { expireAt } from "../rules.ts";
import type { LedgerState } from "../state.ts";

/** Rows checked before yielding to the event loop. */
const ROWS = 500;
const CHECKED_ATTEMPTS = 1_000;

/** Counts of the rows seen, valid if nothing changed meanwhile. */
interface Seen {
  readonly counts: Map<string, KindCounts>;
  readonly held: Map<string, number>;
}

/** Check the medium, every row alone, and counts and indexes against the rows. */
export async function findProblems(
  state: LedgerState,
  limit: number,
  turn: () => Promise<void>,
): Promise<readonly StoreProblem[]> {
  checkLimit(limit, "check for problems");
  const problems: StoreProblem[] = [...state.tables.maintenance.findProblems(limit)];
  try {
    problems.push(...await rowProblems(state, limit - problems.length, turn));
  } catch (thrown) {
    // The medium reports an impossible value; the row cannot even be read then.
    if (problems.length === 0) throw thrown;
    problems.push({ check: "rows", message: `some cannot be checked: ${messageOf(thrown)}` });
  }
  return problems.slice(0, limit);
}

async function rowProblems(
  state: LedgerState,
  limit: number,
  turn: () => Promise<void>,
): Promise<readonly StoreProblem[]> {
  const { rev } = state;
  const problems: StoreProblem[] = [];
  const seen: Seen = { counts: new Map(), held: new Map() };
  let last = 0;
  while (problems.length < limit) {
    const range = { from: last + 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: ROWS };
    const rows = state.tables.instances.scan({ type: "all" }, range);
    for (const row of rows) {
      problems.push(...problemsOf(state, row));
      countRow(seen.counts, row, 1);
      countHeld(seen.held, row, 1);
    }
    if (rows.length < ROWS) break;
    last = rows.at(-1)!.seq;
    await turn();
  }
  // If others wrote meanwhile, the counts are of different moments.
  if (state.rev === rev) problems.push(...countProblems(state, seen));
  return problems;
}

function problemsOf(state: LedgerState, row: Row): StoreProblem[] {
  const { tables } = state;
  const { instance, seq } = row;
  const problems: StoreProblem[] = [];
  const report = (check: string, found: string) =>
    problems.push({ check, message: `instance ${instance.id}: ${found}` });
  if (seq > state.seq) report("order", `accepted as ${seq}, after the last one, ${state.seq}`);
  if (tables.instances.get(instance.id)?.seq !== seq) report("index by id", "not found by its id");
  if (instance.uniqueKey !== null && !isFinal(instance.state)) {
    const holder = tables.instances.openByKey(instance.uniqueKey);
    if (holder?.seq !== seq) report("index by unique key", "not found by its key");
  }
  for (const found of inconsistencies(row)) report("instance", found);
  const ended = tables.endedAttempts.list(seq, 1, CHECKED_ATTEMPTS);
  for (const found of attemptInconsistencies(row, ended)) report("history", found);
  return problems;
}

/** Inconsistencies within one row. */
function inconsistencies(row: Row): readonly string[] {
  const { instance: i, isReady } = row;
  const isEnd = isFinal(i.state);
  const found: string[] = [];
  const expect = (isRight: boolean, text: string) => void (isRight || found.push(text));
  expect((i.settledAt !== null) === isEnd, `${i.state} with settled time ${i.settledAt}`);
  expect(
    row.expireAt === expireAt(i),
    `to be deleted at ${row.expireAt}, by its retention at ${expireAt(i)}`,
  );
  expect(isReady === null || i.state === "scheduled", `${i.state} and offered to claims`);
  expect(i.state !== "processing" || i.fence > 0 || isElsewhere(i), "processing without a fence");
  expect(i.state !== "processing" || i.node !== null, "processing without a node");
  const isTimed = i.state !== "processing" || i.processedAt !== null || isElsewhere(i);
  expect(isTimed, "processing without a start time");
  expect(i.attempt >= i.failures + i.crashes, `${i.failures} failures in ${i.attempt} attempts`);
  expect(i.state !== "processing" || i.attempt > 0, "processing without an attempt");
  expect(isJson(i.argumentsJson), "arguments that are not JSON");
  expect(i.resultsJson === null || isJson(i.resultsJson), "results that are not JSON");
  return found;
}

function attemptInconsistencies(
  { instance }: Row,
  ended: readonly EndedAttempt[],
): readonly string[] {
  const found: string[] = [];
  for (const [index, { attempt, fence }] of ended.entries()) {
    const before = ended[index - 1];
    if (attempt > instance.attempt) found.push(`attempt ${attempt} of ${instance.attempt}`);
    if (before && fence <= before.fence) found.push(`fence ${fence} after ${before.fence}`);
  }
  return found;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function countProblems(state: LedgerState, seen: Seen): StoreProblem[] {
  const problems: StoreProblem[] = [];
  const compare = (what: string, counted: number, actual: number) => {
    if (counted === actual) return;
    problems.push({ check: "counts", message: `${what}: ${counted} counted, ${actual} there` });
  };
  for (const kind of new Set([...state.counts.keys(), ...seen.counts.keys()])) {
    const counted = state.counts.get(kind) ?? emptyCounts();
    const actual = seen.counts.get(kind) ?? emptyCounts();
    for (const [index, name] of JOB_STATES.entries()) {
      compare(`${name} instances of "${kind}"`, counted.states[index]!, actual.states[index]!);
    }
    compare(`ready instances of "${kind}"`, counted.ready, actual.ready);
    compare(`waiting instances of "${kind}"`, counted.later, actual.later);
    compare(`instances of "${kind}" behind others`, counted.behind, actual.behind);
  }
  for (const scheduleId of new Set([...state.held.keys(), ...seen.held.keys()])) {
    compare(
      `instances that schedule "${scheduleId}" holds back`,
      state.held.get(scheduleId) ?? 0,
      seen.held.get(scheduleId) ?? 0,
    );
  }
  return problems;
}
