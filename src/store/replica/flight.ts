import { backoffMs } from "../../core/backoff.ts";
import { isJobError, JobError, toJobError } from "../../core/errors.ts";
import { type Clock, type Instant, sleep } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { type QueuedOperation, type Result as ResultOf, runOperation } from "../ledger/group.ts";
import type { Moment } from "../ledger/state.ts";
import type { Committed } from "../store.ts";
import { type Head, nextHead, REV_STEP } from "./head.ts";
import { KEYS } from "./keys.ts";
import type { MediumCommit, ReplicaMedium } from "./medium.ts";
import type { Replica } from "./replica.ts";
import type { Patience } from "./unreachable.ts";

/** Most operations of one commit. */
const OPERATIONS_MAX = 1_000;
/** Most changes of one commit, where the medium sets no limit. */
const CHANGES_MAX = 1_000;
const CHARACTERS_MAX = 1_000_000;
/** Waits before an undecided commit is sent again. */
const BACKOFF = { firstMs: 10, longestMs: 1_000 };

/** An operation of one of several owners. */
export interface Operation extends QueuedOperation {
  readonly canBeLate: boolean;
  /** True if it is an opening, which is committed even if it wrote nothing. */
  readonly isOpening: boolean;
  /** Monotonic time of the request. */
  readonly askedMs: number;
}

/** The result of an operation. */
export type Result = ResultOf<Operation>;

/** Executed operations whose commit is not decided yet. */
export interface Flight {
  readonly results: readonly Result[];
  /** Null if nothing was written: only the freshness of the replica is checked. */
  readonly commit: MediumCommit | null;
  readonly head: Head;
  /** The number of the commit, counted per writer. */
  readonly number: number;
  readonly sentMs: number;
  /** True if an attempt with a lost result may have made the commit; a later head decides. */
  isUndecided: boolean;
}

/**
 * Run operations from the front of a queue, up to the size of one commit.
 *
 * @throws GroupError if one fails other than by a refusal
 */
export function runGroup(
  replica: Replica,
  queue: readonly Operation[],
  options: {
    readonly medium: ReplicaMedium;
    readonly momentOf: (at: Instant) => Moment;
  },
): readonly Result[] {
  const { changesMax = CHANGES_MAX, charactersMax = CHARACTERS_MAX } = options.medium;
  const { state, tables } = replica;
  const results: Result[] = [];
  for (const operation of queue.slice(0, OPERATIONS_MAX)) {
    if (
      tables.journal.changeCount >= changesMax || tables.journal.characterCount >= charactersMax
    ) break;
    try {
      results.push(runOperation(state, operation, options.momentOf(operation.at)));
    } catch (thrown) {
      throw new GroupError(operation, thrown);
    }
  }
  state.rates.save();
  return results;
}

/** An operation failed; the others of its group run again without it. */
export class GroupError extends Error {
  readonly operation: Operation;
  readonly error: JobError;

  constructor(operation: Operation, thrown: unknown) {
    super("An operation failed");
    this.operation = operation;
    this.error = toJobError(thrown, "Cannot write to the store");
  }
}

/** The commit of a group's changes; null if it changed nothing. */
export function newFlight(
  replica: Replica,
  results: readonly Result[],
  by: { readonly writer: string; readonly number: number; readonly sentMs: number },
): Flight | null {
  const { state, tables, version: expected } = replica;
  const { writer, number, sentMs } = by;
  const openings = results.filter(({ operation }) => operation.isOpening).length;
  if (tables.journal.changeCount === 0 && openings === 0) return null;
  const next = expected + 1;
  const opened = { ...replica.head, epoch: replica.head.epoch + openings };
  const head = nextHead(opened, state, {
    writer,
    number,
    version: next,
    operations: results.length,
    place: tables.logs.lastPlace,
  });
  const { puts, deletes } = tables.changes();
  const commit = {
    expected,
    next,
    puts: [...puts, [KEYS.head, JSON.stringify(head)] as const],
    deletes,
  };
  return { results, commit, head, number, sentMs, isUndecided: false };
}

/** The flight of a group without writes, until the freshness of the replica is known. */
export function unwrittenFlight({ head }: Replica, results: readonly Result[]): Flight {
  return { results, commit: null, head, number: 0, sentMs: 0, isUndecided: false };
}

/** The operations of a flight. */
export function operationsOf({ results }: Flight): readonly Operation[] {
  return results.map(({ operation }) => operation);
}

/**
 * Try a commit until its outcome is known.
 *
 * @param isWanted false once nobody waits for it; the result then means nothing
 * @returns true if it was made; "undecided" if an earlier attempt may have made it
 * @throws JobError if it was not made, and cannot be
 */
export async function sendCommit(
  commit: MediumCommit,
  { medium, clock, random, patience, isWanted }: {
    readonly medium: ReplicaMedium;
    readonly clock: Clock;
    readonly random: Random;
    readonly patience: Patience;
    readonly isWanted: () => boolean;
  },
): Promise<boolean | "undecided"> {
  let isUnknown = false;
  for (let tries = 1;; tries++) {
    try {
      const isDone = await medium.commit(commit, isWanted);
      if (!isDone && isUnknown) return "undecided";
      patience.responded();
      return isDone;
    } catch (thrown) {
      if (!isUnknown && isDefinite(thrown)) throw thrown;
      isUnknown = true;
      patience.failed();
    }
    if (!isWanted()) return "undecided";
    await backOff(tries, clock, random);
    if (!isWanted()) return "undecided";
  }
}

/** Wait before another try, longer each time. */
export function backOff(tries: number, clock: Clock, random: Random): Promise<void> {
  return sleep(clock, backoffMs(BACKOFF, tries - 1, random.next()));
}

/** Resolve the operations of a successful commit: not before it was sent. */
export function resolveAll({ results, commit, sentMs }: Flight): void {
  for (const [index, result] of results.entries()) {
    resolveOne(result, { rev: commit!.next * REV_STEP + index + 1, sentMs });
  }
}

/** Resolve or reject one operation. */
export function resolveOne(
  { operation, at, value, error }: Result,
  committed: Pick<Committed<unknown>, "rev" | "sentMs">,
): void {
  if (error) operation.reject(error);
  else operation.resolve({ ...committed, at, value: value as never });
}

// Any other error, from any medium, leaves it unknown whether the commit was made.
function isDefinite(thrown: unknown): boolean {
  return isJobError(thrown) && !["unavailable", "internal", "timeout"].includes(thrown.code);
}
