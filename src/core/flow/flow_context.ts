import type { JobFunction, Stored, TextArguments } from "../stored_types.ts";

/** A step's function gets this. */
export interface StepCall {
  /** The same text for every try of this step, as an `Idempotency-Key` for others. */
  readonly key: string;
  /** Number of this try, from 1. */
  readonly attempt: number;
  /** Aborts with the attempt, and at the step's timeout. */
  readonly signal: AbortSignal;
  /** As `Context.fence`. */
  readonly fence: number;
}

/** Retries of a step. Times are in milliseconds or durations such as "5s". */
export interface StepRetry {
  /** Retries after the first try; −1: without limit. */
  readonly max?: number;
  /** Wait before the first retry, 1 s by default; each further one is twice as long. */
  readonly initial?: number | string;
  /** Longest wait, an hour by default. */
  readonly cap?: number | string;
}

/** Options of a step that returns `Value`. */
export interface StepOptions<Value = unknown> {
  /** Tells steps of one name apart where they run side by side. */
  readonly key?: string | number;
  /** Retries after a failed try, by default as many as the job has; 0: none. */
  readonly retry?: number | StepRetry;
  /** Longest time of one try, in milliseconds or as a duration. */
  readonly timeout?: number | string;
  /**
   * Takes back what the step did. It is called with what the step returned if, later, the instance
   * fails for good, passes its deadline or is canceled. The last step is undone first. Each undo is
   * a step itself, with the same retries.
   */
  readonly undo?: (value: Value, call: StepCall) => unknown;
}

/** Options of a wait. */
export interface WaitOptions {
  /** Tells waits of one name apart where they run side by side. */
  readonly key?: string | number;
  /** Longest wait, in milliseconds or as a duration; absent: without end. */
  readonly timeout?: number | string;
}

/** The end of a wait for a signal. */
export type WaitResult<Value> =
  | { readonly timedOut: true }
  | {
    readonly timedOut: false;
    readonly value: Value;
    /** Its sender, as the daemon knows them; null if unknown. */
    readonly by: string | null;
    /** When it arrived. */
    readonly at: Date;
  };

/** Options of a call of several children. */
export interface CallAllOptions {
  /** Tells calls of one kind with the same arguments apart where they run side by side. */
  readonly key?: string | number;
  /**
   * "cancel" (the default): the first failure cancels the others, and is thrown. "drain": all end
   * first. "collect": none is thrown; each result is a {@link ChildOutcome}.
   */
  readonly onFailure?: "cancel" | "drain" | "collect";
  /** With "collect": if more children than this fail, the others are canceled, and it is thrown. */
  readonly failuresMax?: number;
  /** Most children under way at once; absent: all. The others wait for their turn, in order. */
  readonly inFlight?: number;
  /** False to keep no results: the call returns {@link ChildCounts}. */
  readonly results?: boolean;
}

/** Children of a call by their ends. */
export interface ChildCounts {
  readonly completed: number;
  /** Those that failed, timed out or were canceled. */
  readonly failed: number;
}

/**
 * Results of several children in the order of their arguments: a promise of all of them. With
 * `for await` they are read a few at a time, so that they need not be in memory together.
 */
export interface ChildResults<Value> extends Promise<readonly Value[]>, AsyncIterable<Value> {}

/** The end of one child. */
export type ChildOutcome<Value> =
  | { readonly ok: true; readonly childId: string; readonly value: Value }
  | {
    readonly ok: false;
    readonly childId: string;
    readonly state: string;
    readonly error: { readonly name: string; readonly message: string };
  };

/** Arguments of a job's function, without those that are injected. */
export type CallArguments<F extends JobFunction> = TextArguments<Parameters<F>>;
/** Result of a job's function, as JSON stores it. */
export type CallResult<F extends JobFunction> = Stored<Awaited<ReturnType<F>>>;

/**
 * Steps, waits and children of an instance. What they returned is stored: when the instance runs
 * again, after a wait, a failure or a crash, its function starts from the top, and all of these
 * return at once what they returned first. While nothing but waits is left to run, the instance is
 * parked and needs no worker.
 */
export interface FlowContext {
  /**
   * Run a function once, and store its result. What it throws is retried, with waits between, and
   * then thrown as a `StepError`, at every run the same.
   */
  step<Value>(
    name: string,
    run: (call: StepCall) => Value,
    options?: StepOptions<Stored<Awaited<Value>>>,
  ): Promise<Stored<Awaited<Value>>>;
  /** Wait, without a worker: for milliseconds, a duration such as "3d", or until a time. */
  sleep(name: string, time: number | string | Date): Promise<void>;
  /** Wait for a signal of this name. One that came before is found too, the oldest first. */
  waitFor<Value = unknown>(name: string, options?: WaitOptions): Promise<WaitResult<Value>>;
  /**
   * Run another job as a child, and wait for its result. @throws `StepError` if it does not
   * complete
   */
  call<F extends JobFunction = JobFunction>(
    kind: string,
    ...args: CallArguments<F>
  ): Promise<CallResult<F>>;
  /** Run another job once for each list of arguments, and wait for the results, in this order. */
  callAll<F extends JobFunction = JobFunction>(
    kind: string,
    args: readonly CallArguments<F>[],
    options: CallAllOptions & { readonly results: false },
  ): Promise<ChildCounts>;
  callAll<F extends JobFunction = JobFunction>(
    kind: string,
    args: readonly CallArguments<F>[],
    options: CallAllOptions & { readonly onFailure: "collect" },
  ): ChildResults<ChildOutcome<CallResult<F>>>;
  callAll<F extends JobFunction = JobFunction>(
    kind: string,
    args: readonly CallArguments<F>[],
    options?: CallAllOptions,
  ): ChildResults<CallResult<F>>;
  /** Run a function for each item, with a context whose names are its own. */
  each<Item, Value>(
    name: string,
    items: readonly Item[],
    run: (ctx: FlowContext, item: Item) => Promise<Value>,
    options: {
      /** The key of an item, by which it is known again. */
      readonly key: (item: Item) => string | number;
      /** Most items at once, 500 by default. */
      readonly max?: number;
    },
  ): Promise<readonly Value[]>;
  /** The first of several waits, with its name: the same one whenever the instance runs again. */
  first<Waits extends Readonly<Record<string, Promise<unknown>>>>(
    waits: Waits,
  ): Promise<
    { [Name in keyof Waits]: { readonly name: Name; readonly value: Awaited<Waits[Name]> } }[
      keyof Waits
    ]
  >;
  /**
   * Begin again with other arguments and without the steps so far, for work without end. The
   * instance stays the same, keeps its id and the signals that no wait has taken, and may fail as
   * often as at first. What its steps did is not undone any more. It never returns.
   */
  continueAs(...args: readonly unknown[]): Promise<never>;
  /** The time, as it was when this place was first reached. */
  now(): Date;
  /** A number from 0 to below 1, the same whenever the instance runs again. */
  random(): number;
}
