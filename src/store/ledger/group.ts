import { isJobError, JobError, toJobError } from "../../core/errors.ts";
import type { Instant } from "../../platform/clock.ts";
import type { Committed, OpenRequest, StoreInfo } from "../store.ts";
import { QuotaError } from "./checks.ts";
import { type LedgerState, type Moment, momentBy } from "./state.ts";

/** Turns of the event loop that a group waits for a busy medium, at about 3 ms each. */
const BUSY_TURNS_MAX = 2_000;
/** Revisions that may be answered without being stored: an opening skips as many. */
export const REV_GAP = 2 ** 20;

/** What a ledger may know of an operation before it runs. */
export interface OperationOptions {
  /** It may answer by what other owners wrote a moment ago, if it writes nothing. */
  readonly canBeLate?: boolean;
  /** Whether it would do without the tables now: alone, it then costs an only owner no transaction. */
  readonly isIdle?: (state: LedgerState, moment: Moment) => boolean;
}

interface Operation {
  readonly at: Instant;
  readonly isIdle: OperationOptions["isIdle"];
  readonly run: (state: LedgerState, moment: Moment) => unknown;
  readonly resolve: (committed: Committed<never>) => void;
  readonly reject: (error: JobError) => void;
}

/** Who runs the operations of a ledger. */
export interface OperationGroup {
  /** Queue one operation; it must check before it writes. */
  run<T>(
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    options?: OperationOptions,
  ): Promise<Committed<T>>;
  /** Run what is queued, and answer it. */
  drain(): Promise<void>;
  /** The moment of an operation at `at`. */
  momentOf(at: Instant): Moment;
}

/** One of several owners of the data, each with a replica of it: what opens and runs in place of a {@link GroupCommit}. */
export interface LedgerOwner extends OperationGroup {
  open(request: OpenRequest): Promise<StoreInfo>;
}

type Answer =
  | { readonly operation: Operation; readonly committed: Committed<unknown> }
  | { readonly operation: Operation; readonly error: JobError };

/**
 * Runs operations in their order, those of one turn of the event loop in one transaction. An operation that is refused has
 * written nothing and leaves the others be; a medium that fails takes the whole group back.
 */
export class GroupCommit implements OperationGroup {
  readonly #state: LedgerState;
  readonly #clock: (() => Instant) | undefined;
  readonly #defer: ((callback: () => void) => void) | null;
  readonly #publish: () => void;
  #queue: Operation[] = [];
  #isScheduled = false;
  #busyTurns = 0;
  #storedRev = 0;
  #mustLoad = false;

  constructor(
    state: LedgerState,
    options: {
      /** Counts in place of the callers' clocks. */
      readonly clock: (() => Instant) | undefined;
      /** Null runs each operation at once, in a group of its own. */
      readonly defer: ((callback: () => void) => void) | null;
      /** Called after each commit. */
      readonly publish: () => void;
    },
  ) {
    this.#state = state;
    this.#clock = options.clock;
    this.#defer = options.defer;
    this.#publish = options.publish;
  }

  /** Queue one operation; it must check before it writes. */
  run<T>(
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    { isIdle }: OperationOptions = {},
  ): Promise<Committed<T>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ at, isIdle, run: operation, resolve, reject });
      if (this.#defer) this.#schedule(this.#defer);
      else this.flush();
    });
  }

  /** Run what is queued, waiting for a busy medium as long as operations do. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0) {
      this.flush();
      if (this.#queue.length > 0) await new Promise<void>((resolve) => this.#defer!(resolve));
    }
  }

  /** Run what is queued now. */
  flush(): void {
    const group = this.#queue;
    if (group.length === 0) return;
    const state = this.#state;
    let answers: readonly Answer[];
    try {
      if (this.#mustLoad) state.load();
      this.#mustLoad = false;
      const isIdle = this.#isIdle(group);
      if (!isIdle && !state.tables.begin()) {
        this.#waitForMedium();
        return;
      }
      this.#queue = [];
      answers = group.map((operation) => this.#runOne(operation));
      if (state.rev - this.#storedRev >= REV_GAP) state.isDirty = true;
      if (isIdle && state.isDirty) throw new Error("An idle operation wrote something");
      if (state.isDirty) {
        state.commit();
        this.#storedRev = state.rev;
      } else {
        state.rollback({ keepsLeases: true });
        if (!isIdle) state.tables.rollback();
      }
    } catch (thrown) {
      this.#queue = this.#queue === group ? [] : this.#queue;
      this.#giveUp(group, toJobError(thrown, "Cannot write to the store"));
      return;
    }
    this.#busyTurns = 0;
    for (const answer of answers) {
      if ("error" in answer) answer.operation.reject(answer.error);
      else answer.operation.resolve(answer.committed as Committed<never>);
    }
    this.#publish();
  }

  /** The moment of an operation at `at`. */
  momentOf(at: Instant): Moment {
    return momentBy(this.#clock?.() ?? at, this.#state.at);
  }

  #isIdle(group: readonly Operation[]): boolean {
    if (this.#state.rev + group.length - this.#storedRev >= REV_GAP) return false;
    return group.every(({ isIdle, at }) => isIdle?.(this.#state, this.momentOf(at)) ?? false);
  }

  #runOne(operation: Operation): Answer {
    const state = this.#state;
    const moment = this.momentOf(operation.at);
    try {
      const value = operation.run(state, moment);
      state.releaseHeld();
      state.at = Math.max(state.at, moment.at);
      state.rev += 1;
      return { operation, committed: { rev: state.rev, at: moment.at, value } };
    } catch (error) {
      // Anything else may have left the operation half written.
      if (!isRefusal(error)) throw error;
      return { operation, error };
    }
  }

  #schedule(defer: (callback: () => void) => void): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    defer(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  #waitForMedium(): void {
    this.#busyTurns += 1;
    if (this.#defer && this.#busyTurns < BUSY_TURNS_MAX) {
      this.#schedule(this.#defer);
      return;
    }
    this.#busyTurns = 0;
    const group = this.#queue;
    this.#queue = [];
    const error = new JobError(
      "unavailable",
      `Cannot write to ${this.#state.tables.location}: another program keeps it locked`,
      { hint: "End the program that writes to the file" },
    );
    for (const operation of group) operation.reject(error);
  }

  #giveUp(group: readonly Operation[], error: JobError): void {
    try {
      this.#state.rollback({ keepsLeases: false });
      this.#state.tables.rollback();
      this.#state.load();
    } catch (thrown) {
      if (!isJobError(thrown)) error = toJobError(thrown, "Cannot roll back");
      this.#mustLoad = true;
    }
    for (const operation of group) operation.reject(error);
  }
}

/** Whether an operation said no before it wrote anything. */
export function isRefusal(error: unknown): error is JobError {
  if (error instanceof QuotaError) return true;
  return error instanceof JobError &&
    !["unavailable", "resource_exhausted", "internal"].includes(error.code);
}
