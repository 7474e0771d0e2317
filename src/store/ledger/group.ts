import { isJobError, JobError, toJobError } from "../../core/errors.ts";
import type { Instant } from "../../platform/clock.ts";
import type { Committed, OpenRequest, StoreInfo } from "../store.ts";
import { QuotaError } from "./checks.ts";
import { checkOpening } from "./maintenance/marks.ts";
import { addNewsOfEnds } from "./operations/memos.ts";
import { deliverOutcomes } from "./operations/flows.ts";
import { recover } from "./operations/recover.ts";
import type { LedgerOwner, OperationOptions } from "./owner.ts";
import { LedgerState, type Moment, momentBy } from "./state.ts";
import type { OwnedTables } from "./tables/tables.ts";

/** Turns of the event loop that a group waits for a busy medium, at about 3 ms each. */
const BUSY_TURNS_MAX = 2_000;
/** Most revisions that are acknowledged without being stored; an opening skips this number. */
const REV_GAP = 2 ** 20;

/** A queued operation, kept until it is resolved. */
export interface QueuedOperation {
  readonly at: Instant;
  readonly run: (state: LedgerState, moment: Moment) => unknown;
  readonly resolve: (committed: Committed<never>) => void;
  readonly reject: (error: JobError) => void;
}

type Operation = QueuedOperation & Pick<OperationOptions, "isIdle">;

/** Settings of a sole owner. */
export interface LedgerOptions {
  /** Replaces the callers' clocks, when several simulated nodes share the store. */
  readonly clock?: (() => Instant) | undefined;
  /**
   * Runs a callback at the end of this turn of the event loop; without it each operation runs at
   * once, in a separate group.
   */
  readonly defer?: ((callback: () => void) => void) | undefined;
}

/** The result of an operation that ran: its value, or its refusal. */
export interface Result<Operation> {
  readonly operation: Operation;
  /** The recorded time. */
  readonly at: number;
  readonly value?: unknown;
  readonly error?: JobError;
}

/**
 * The sole owner of its tables. Runs operations in order; operations of one turn of the event loop
 * share a transaction. A refused operation has written nothing and does not affect the others; if
 * the medium fails, the whole group is rolled back.
 */
export class GroupCommit implements LedgerOwner {
  readonly state: LedgerState;
  readonly #tables: OwnedTables;
  readonly #clock: (() => Instant) | undefined;
  readonly #defer: ((callback: () => void) => void) | undefined;
  readonly #publish: () => void;
  #queue: Operation[] = [];
  #isScheduled = false;
  #busyTurns = 0;
  #storedRev = 0;
  #mustLoad = false;

  /** @param publish called after each commit */
  constructor(tables: OwnedTables, { clock, defer }: LedgerOptions, publish: () => void) {
    this.#tables = tables;
    this.state = new LedgerState(tables, { hasOwnClock: clock !== undefined });
    this.#clock = clock;
    this.#defer = defer;
    this.#publish = publish;
  }

  get problem(): JobError | null | undefined {
    return this.#tables.problem;
  }

  async open(request: OpenRequest): Promise<StoreInfo> {
    const { state } = this;
    const { type, location, isDurable } = this.#tables;
    try {
      const { storeId, epoch, format } = this.#tables.open(request);
      state.epoch = epoch;
      state.hasUnleased = request.isMaintenance === true;
      state.leases.clear();
      state.nodes.clear();
      state.load();
      // Never repeat a revision that was acknowledged but not stored before a crash.
      state.rev += REV_GAP;
      if (!request.isMaintenance) checkOpening(state.mark, location);
      const opening = this.run(request.at, (opened, moment) => {
        return request.isMaintenance ? [] : recover(opened, moment, request.keeps);
      });
      await this.#drain();
      const { rev, value: recovered } = await opening;
      const info = { type, location, storeId, epoch, format, isDurable, rev, recovered };
      return this.problem === undefined ? info : { ...info, hasFiles: true };
    } catch (error) {
      this.#tables.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#drain();
    this.#tables.close();
  }

  run<T>(
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    { isIdle }: OperationOptions = {},
  ): Promise<Committed<T>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ at, isIdle, run: operation, resolve, reject });
      if (this.#defer) this.#schedule(this.#defer);
      else this.#flush();
    });
  }

  momentOf(at: Instant): Moment {
    return momentBy(this.#clock?.() ?? at, this.state.at);
  }

  turn(): Promise<void> {
    return new Promise((resolve) => this.#defer ? this.#defer(resolve) : resolve());
  }

  /** Run the queue, waiting for a busy medium within the patience of operations. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      this.#flush();
      if (this.#queue.length > 0) await new Promise<void>((resolve) => this.#defer!(resolve));
    }
  }

  #flush(): void {
    this.#queue = this.#writable(this.#queue);
    const group = this.#queue;
    if (group.length === 0) return;
    const { state } = this;
    let rev = 0;
    let results: readonly Result<Operation>[];
    try {
      if (this.#mustLoad) state.load();
      this.#mustLoad = false;
      const isIdle = this.#isIdle(group);
      if (!isIdle && !this.#tables.begin()) {
        this.#waitForMedium();
        return;
      }
      this.#queue = [];
      rev = state.rev;
      results = group.map((operation) =>
        runOperation(state, operation, this.momentOf(operation.at))
      );
      for (const { error } of results) if (!error) state.rev += 1;
      if (state.rev - this.#storedRev >= REV_GAP) state.isDirty = true;
      if (isIdle && state.isDirty) throw new Error("An idle operation wrote something");
      if (state.isDirty) {
        state.commit();
        this.#storedRev = state.rev;
      } else {
        state.endUncommitted();
        if (!isIdle) state.tables.rollback();
      }
    } catch (thrown) {
      this.#queue = this.#queue === group ? [] : this.#queue;
      this.#giveUp(group, toJobError(thrown, "Cannot write to the store"));
      return;
    }
    this.#busyTurns = 0;
    for (const { operation, at, value, error } of results) {
      if (error) operation.reject(error);
      else operation.resolve({ rev: ++rev, at, value: value as never });
    }
    this.#publish();
  }

  /**
   * The operations that may run. While the medium must not be written, renewals still may: attempts
   * keep running, and are settled later.
   */
  #writable(group: Operation[]): Operation[] {
    const error = this.#tables.problem ?? null;
    if (error === null) return group;
    const [idle, others] = [true, false].map((wanted) =>
      group.filter((operation) => this.#isIdleNow(operation) === wanted)
    );
    for (const operation of others!) operation.reject(error);
    return idle!;
  }

  #isIdle(group: readonly Operation[]): boolean {
    if (this.state.rev + group.length - this.#storedRev >= REV_GAP) return false;
    return group.every((operation) => this.#isIdleNow(operation));
  }

  #isIdleNow({ isIdle, at }: Operation): boolean {
    return isIdle?.(this.state, this.momentOf(at)) ?? false;
  }

  #schedule(defer: (callback: () => void) => void): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    defer(() => {
      this.#isScheduled = false;
      this.#flush();
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
      `Cannot write to ${this.#tables.location}: another program keeps it locked`,
      { hint: "End the program that writes to the file" },
    );
    for (const operation of group) operation.reject(error);
  }

  #giveUp(group: readonly Operation[], error: JobError): void {
    try {
      this.state.rollback();
      this.state.tables.rollback();
      this.state.load();
    } catch (thrown) {
      if (!isJobError(thrown)) error = toJobError(thrown, "Cannot roll back");
      this.#mustLoad = true;
    }
    for (const operation of group) operation.reject(error);
  }
}

/** Run an operation. @throws any error that may have left it half written: all but a refusal */
export function runOperation<One extends QueuedOperation>(
  state: LedgerState,
  operation: One,
  moment: Moment,
): Result<One> {
  try {
    const value = operation.run(state, moment);
    const family = state.takeFamily();
    if (family !== null) deliverOutcomes(state, moment, family);
    state.releaseHeld();
    addNewsOfEnds(state, moment, state.takeFinals());
    state.at = Math.max(state.at, moment.at);
    return { operation, at: moment.at, value };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { operation, at: moment.at, error };
  }
}

/** True if an operation threw this before it wrote anything. */
function isRefusal(error: unknown): error is JobError {
  if (error instanceof QuotaError) return true;
  return error instanceof JobError &&
    !["unavailable", "resource_exhausted", "internal"].includes(error.code);
}
