import { JobError } from "../core/errors.ts";
import type { ErrorInfo, Instance } from "../core/instance.ts";
import type { StepInfo } from "../core/flow/step_info.ts";
import type { Context } from "../core/job/job.ts";
import type { JobState } from "../core/state.ts";
import type { JobFunction, Stored } from "../core/stored_types.ts";
import { checkOptions, DURATION, isObject, type KeysOf } from "../core/text/object_keys.ts";
import { type DurationInput, readDuration } from "../core/time/duration.ts";
import { UNDO_SIGNAL, type Wait } from "../core/wait.ts";
import type { LibraryJobInput } from "../library/library_job.ts";
import type { SignalReport } from "../manager/api/instances.ts";
import { type StepStub, StepStubs } from "./stubs.ts";
import { TestWorld } from "./test_world.ts";

/** Options of {@link testFlow}. */
export interface TestFlowOptions
  extends Pick<LibraryJobInput, "params" | "retry" | "timeout" | "deadline"> {
  /**
   * Functions in the place of the steps' own, by the names of steps; `NAME!undo` for an undo. A
   * step without one runs its own function.
   */
  readonly steps?: Readonly<Record<string, StepStub>>;
  /** Functions of the jobs that it calls, by their kinds. */
  readonly children?: Readonly<Record<string, JobFunction>>;
  /** The time at the beginning; by default the start of 2026, UTC. */
  readonly startAt?: Date;
}

const KEYS: KeysOf<TestFlowOptions> = {
  params: ["the parameters as text, or schemas", () => true],
  retry: ["retries", () => true],
  timeout: DURATION,
  deadline: DURATION,
  steps: ["an object of functions by the names of steps", isFunctions],
  children: ["an object of functions by the kinds of jobs", isFunctions],
  startAt: ["a Date", (value) => value instanceof Date],
};

function isFunctions(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((one) => typeof one === "function");
}

/** A step, wait, child or signal of a {@link TestFlow}. */
export interface TestStep extends Pick<StepInfo, "type" | "name" | "state" | "error"> {
  /** Calls of its function so far, also those that a crash left without a record. */
  readonly runs: number;
  /** Its result. */
  readonly value: unknown;
}

/** A wait that a flow is parked on. */
export interface TestWait extends Pick<Wait, "type" | "name"> {
  /** Its end in any case; null without one. */
  readonly until: Date | null;
}

/**
 * Run a function with steps in virtual time, as the daemon would: with records, parks and replays,
 * in this process, on a store in memory.
 *
 * ```ts
 * const flow = testFlow(order, { steps: { charge: () => ({ id: "c1" }), refund: never } });
 * await flow.run("o-1");
 * assert.deepEqual(flow.parkedOn, ["approved"]);
 * await flow.signal("approved", { ok: true });
 * await flow.advance("2s");
 * assert.equal(flow.result, "shipped o-1");
 * ```
 *
 * @param run a function that takes the context first
 * @throws JobError `invalid_argument` for wrong options
 */
export function testFlow<Args extends readonly any[], Result>(
  run: (ctx: Context, ...args: Args) => Result,
  options?: TestFlowOptions,
): TestFlow<Args, Stored<Awaited<Result>>> {
  return new TestFlow(run, checkOptions(options, KEYS, { failure: "Cannot test a flow" }));
}

/** A function with steps under test; see {@link testFlow}. */
export class TestFlow<Args extends readonly any[] = readonly any[], Result = unknown> {
  readonly #stubs: StepStubs;
  readonly #world: TestWorld;
  readonly #crashes = new Set<string>();
  #instance: Instance | null = null;
  #steps: readonly TestStep[] = [];

  constructor(run: (ctx: Context, ...args: Args) => unknown, options: TestFlowOptions) {
    const { steps = {}, children = {}, startAt, ...job } = options;
    this.#stubs = new StepStubs(steps);
    const stubbed = (ctx: Context, ...args: Args) => run(this.#stubs.within(ctx), ...args);
    this.#world = new TestWorld({
      jobs: [
        { params: "ctx: Context, ...args: unknown[]", ...job, kind: KIND, run: stubbed },
        ...Object.entries(children).map(([kind, child]) => ({ kind, run: child })),
      ],
      startAt: startAt ?? new Date(Date.UTC(2026, 0, 1)),
      stubs: this.#stubs,
      diesBefore: (names) => names.some((name) => this.#crashes.delete(name)),
    });
  }

  /** Begin, and run until it waits or has ended. @throws JobError `conflict` a second time */
  async run(...args: Args): Promise<void> {
    if (this.#instance !== null) throw conflict("begin the flow", "it has begun already");
    this.#instance = await this.#world.begin(KIND, args);
    await this.#rest();
  }

  /**
   * Send a signal, and run until it waits again or has ended.
   *
   * @returns `status` as of `manager.signalInstance`
   */
  async signal(
    name: string,
    value?: unknown,
    options: { readonly by?: string; readonly signalId?: string } = {},
  ): Promise<SignalReport["status"]> {
    const { id } = this.#begun("send a signal");
    const { manager } = this.#world;
    const { status } = await manager.signalInstance({ id }, name, { value, ...options });
    await this.#rest();
    return status;
  }

  /**
   * Let time pass: milliseconds or a duration such as "3d". Every pause, timeout and retry on the
   * way happens at its time.
   */
  async advance(time: DurationInput): Promise<void> {
    this.#begun("advance the time");
    await this.#world.advance(readDuration("time", time));
    await this.#rest();
  }

  /** Cancel it: what its steps did is undone. A second time abandons the undos. */
  async cancel(): Promise<void> {
    const { id } = this.#begun("cancel the flow");
    const { manager } = this.#world;
    // It waits for the end, which may be far. Its state shows a failure.
    manager.cancelInstances({ ids: [id] }).catch(() => {});
    await this.#world.settle();
    await this.#rest();
  }

  /** Decide on an undo whose retries are used up. @throws JobError `conflict` without one */
  async undo(decision: "retry" | "abandon"): Promise<void> {
    const { id } = this.#begun("decide on an undo");
    const { manager } = this.#world;
    const value = { retry: decision === "retry" };
    await manager.signalInstance({ id }, UNDO_SIGNAL, { value });
    await this.#rest();
  }

  /**
   * Let the process die once, when this step or wait has ended, and before that is recorded: the
   * step runs again. Call it before the step comes. `NAME!undo` stands for an undo.
   */
  crashAt(name: string): void {
    this.#crashes.add(name);
  }

  /** Names of the signals, steps, pauses and children that it is parked on. */
  get parkedOn(): readonly string[] {
    return this.waits.map(({ name }) => name);
  }

  /** The waits that it is parked on. */
  get waits(): readonly TestWait[] {
    return (this.#instance?.waits ?? []).map(({ type, name, until }) => {
      return { type, name, until: until === null ? null : new Date(until) };
    });
  }

  /** "scheduled" while it is parked; before the begin "created". */
  get state(): JobState {
    return this.#instance?.state ?? "created";
  }

  /** The virtual time. */
  get now(): Date {
    return new Date(this.#world.nowMs);
  }

  /** Its result. @throws JobError `conflict` if it has not completed */
  get result(): Result {
    const { state, error, resultsJson } = this.#begun("take the result");
    if (state === "completed") return (JSON.parse(resultsJson!) as readonly Result[])[0]!;
    const why = error === null ? "" : `: ${error.message}`;
    const waits = this.parkedOn.map((name) => `"${name}"`).join(", ");
    const what = waits === "" ? `it is ${state}${why}` : `it is parked on ${waits}`;
    throw conflict("take the result", what);
  }

  /** Why it failed; null if it did not. */
  get error(): ErrorInfo | null {
    return this.#instance?.error ?? null;
  }

  /** Its steps, waits, children and signals, in the order of their ends. */
  get steps(): readonly TestStep[] {
    return this.#steps;
  }

  /** Steps with a stub that have not run, and crashes that have not come: a name may be wrong. */
  get unreached(): readonly string[] {
    return [...this.#stubs.unreached, ...this.#crashes];
  }

  #begun(what: string): Instance {
    if (this.#instance !== null) return this.#instance;
    throw conflict(what, "it has not begun", "Begin it: await flow.run(…)");
  }

  async #rest(): Promise<void> {
    await this.#world.rest();
    const { id } = this.#instance!;
    const { manager } = this.#world;
    this.#instance = await manager.getInstance(id);
    this.#steps = (await manager.listSteps(id)).map(({ type, name, state, error, valueJson }) => ({
      type,
      name,
      state,
      error,
      runs: type === "step" ? this.#stubs.runs.get(name) ?? 0 : 0,
      value: valueJson === null ? null : JSON.parse(valueJson) as unknown,
    }));
    const [unexpected] = this.#stubs.unexpected;
    if (unexpected !== undefined) {
      throw conflict(`run step "${unexpected}"`, "its stub is `never`");
    }
  }
}

/** The kind of the function under test. */
const KIND = "flow";

function conflict(what: string, why: string, hint?: string): JobError {
  return new JobError("conflict", `Cannot ${what}: ${why}`, { hint });
}
