import type { StepCall } from "../../core/flow/flow_context.ts";
import { StepError, type StepFailure } from "../../core/flow/step_error.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { signalKey, type Wait } from "../../core/wait.ts";
import type { Flow, Operation } from "./flow.ts";
import type { OpenName, StepNames } from "./step_names.ts";
import { canceledKey, type SignalRecord, type StepRecord } from "./step_records.ts";

/** The common part of operations: a name, a record, and one delivery to job code. */
export abstract class Awaited<Value> implements Operation {
  readonly isUndo: boolean = false;

  get isRunning(): boolean {
    return false;
  }

  readonly open: OpenName;
  readonly flow: Flow;
  readonly #names: StepNames;
  readonly #answer = Promise.withResolvers<Value>();

  constructor(flow: Flow, names: StepNames, open: OpenName) {
    this.flow = flow;
    this.#names = names;
    this.open = open;
  }

  /** Begin it. @returns its outcome for job code */
  begin(): Promise<Value> {
    this.flow.begin(this);
    return this.#answer.promise;
  }

  get key(): string {
    return this.open.key;
  }

  get name(): string {
    return this.open.entry.name;
  }

  get stored(): StepRecord | undefined {
    return this.flow.record<StepRecord>(this.key);
  }

  get order(): number | null {
    return this.#canceled?.order ?? this.outcomeOrder;
  }

  deliver(): void {
    if (this.#canceled === undefined) return this.replay();
    this.fail(new StepError(this.name, this.flow.cancelError));
  }

  /** Place of its own outcome; null without one. */
  protected get outcomeOrder(): number | null {
    return this.stored?.order ?? null;
  }

  get #canceled(): { readonly order: number } | undefined {
    return this.flow.record(canceledKey(this.key));
  }

  protected abstract replay(): void;
  abstract satisfiedAt(nowMs: number): number | null;

  get isTimed(): boolean {
    return false;
  }

  abstract conclude(order: number): void;
  abstract waits(): readonly Wait[];

  run(_nowMs: number): boolean {
    return false;
  }

  fail(error: unknown): void {
    this.#finish();
    // Its own stack has no place of job code.
    if (error instanceof Error) error.stack = stackAt(this.open.entry.origin, error);
    this.#answer.reject(error);
  }

  protected succeed(value: Value): void {
    this.#finish();
    this.#answer.resolve(value);
  }

  protected get nowMs(): number {
    return this.flow.host.clock.now().wallMs;
  }

  #finish(): void {
    this.#names.end(this.open);
    this.flow.end(this);
  }
}

/** Most characters of a recorded stack. */
const STACK_MAX = 4_000;

/** The function of a step, and its limits. */
export interface StepRun {
  readonly run: (call: StepCall) => unknown;
  readonly retryMax: number;
  /** Wait before the first retry, and the longest one, in milliseconds. */
  readonly delayMs: number;
  readonly capMs: number;
  /** Infinity without a limit. */
  readonly timeoutMs: number;
  readonly hasUndo?: boolean;
}

/** A function that runs once. */
export class StepOperation extends Awaited<unknown> {
  readonly #how: StepRun;
  #isRunning = false;

  constructor(flow: Flow, names: StepNames, open: OpenName, how: StepRun) {
    super(flow, names, open);
    this.#how = how;
  }

  protected replay(): void {
    const { value, error, tries } = this.stored!;
    if (error !== undefined) return this.fail(new StepError(this.name, error, { attempts: tries }));
    this.succeed(value);
  }

  override run(nowMs: number): boolean {
    if (this.#isRunning) return true;
    if ((this.stored?.dueAt ?? -Infinity) > nowMs) return false;
    this.#isRunning = true;
    const trying = this.#try();
    if (this.#how.hasUndo === true) this.flow.act(trying);
    return true;
  }

  satisfiedAt(): number | null {
    return null;
  }

  override get isRunning(): boolean {
    return this.#isRunning;
  }

  conclude(_order: number): void {}

  waits(): readonly Wait[] {
    const until = this.stored?.dueAt ?? null;
    return [{ key: null, type: "step", name: this.name, until }];
  }

  async #try(): Promise<void> {
    const { flow, name } = this;
    try {
      await flow.writeSeen();
    } catch (error) {
      return flow.abort(error);
    }
    if (flow.isOver || (flow.hasEnded && !this.isUndo)) return;
    const attempt = (this.stored?.tries ?? 0) + 1;
    let outcome: Pick<StepRecord, "value" | "error">;
    try {
      const value = flow.valueOf(await this.#call(attempt), `the result of step "${name}"`);
      outcome = { value };
    } catch (thrown) {
      outcome = { error: failureOf(thrown, flow.host.describe(thrown)) };
    }
    this.#isRunning = false;
    // What an aborted attempt did is not an outcome of the step, unless it has to be taken back.
    const isDone = outcome.error === undefined && this.#how.hasUndo === true;
    if (flow.host.signal().aborted && !isDone) return;
    await this.#end(outcome, attempt).catch((error: unknown) => flow.abort(error));
    flow.poke();
  }

  /** Record the end of a try: the outcome, or another try. */
  async #end(outcome: Pick<StepRecord, "value" | "error">, tries: number): Promise<void> {
    const { flow, key, name, nowMs } = this;
    const { retryMax, delayMs, capMs } = this.#how;
    const data: StepRecord = { type: "step", name, at: nowMs, tries, ...outcome };
    if (outcome.error !== undefined && (retryMax < 0 || tries <= retryMax)) {
      const waitMs = Math.min(capMs, delayMs * 2 ** Math.min(tries - 1, 30));
      const next = `the next try is in ${formatDuration(Math.ceil(waitMs))}`;
      flow.host.note("warn", `Step "${name}", try ${tries}: ${outcome.error.message}; ${next}`);
      return flow.keep({ key, data: { ...data, dueAt: Math.ceil(nowMs + waitMs) } });
    }
    if (outcome.error !== undefined) return await this.giveUp(data);
    const hasUndo = this.#how.hasUndo === true;
    if (hasUndo) flow.keepUndo();
    await this.record(hasUndo ? { ...data, hasUndo } : data);
  }

  /** Its retries are used up. */
  protected giveUp(data: StepRecord): Promise<void> {
    return this.record(data);
  }

  /** Record its outcome, and deliver it if job code still waits. */
  protected async record(data: StepRecord): Promise<void> {
    await this.flow.put({ key: this.key, data: { ...data, order: this.flow.nextOrder() } });
    // Job code that has ended, or that an abort left, does not continue.
    if (this.isUndo || (!this.flow.hasEnded && this.flow.isInOrder)) this.replay();
  }

  #call(attempt: number): Promise<unknown> {
    const { flow, key, name } = this;
    const { instance, signal, clock } = flow.host;
    const { run, timeoutMs } = this.#how;
    const limit = new AbortController();
    const ended = Promise.withResolvers<never>();
    const timer = timeoutMs === Infinity ? null : clock.timer(timeoutMs, () => {
      const error = new Error(`Step "${name}" ran longer than its timeout`);
      error.name = "TimeoutError";
      limit.abort(error);
      ended.reject(error);
    });
    const call: StepCall = {
      key: `${instance.id}:${key}`,
      attempt,
      fence: instance.fence,
      get signal() {
        return timer === null ? signal() : AbortSignal.any([signal(), limit.signal]);
      },
    };
    const running = flow.inside.run(name, async () => await run(call));
    return Promise.race([running, ended.promise]).finally(() => timer?.cancel());
  }
}

/** A pause. */
export class SleepOperation extends Awaited<void> {
  /** @param until epoch ms, if this is its first run */
  constructor(flow: Flow, names: StepNames, open: OpenName, until: number) {
    super(flow, names, open);
    if (this.stored === undefined) this.#keep(until, {});
  }

  protected replay(): void {
    this.succeed();
  }

  override get isTimed(): boolean {
    return true;
  }

  satisfiedAt(nowMs: number): number | null {
    const dueAt = this.stored!.dueAt!;
    return dueAt <= nowMs ? dueAt : null;
  }

  conclude(order: number): void {
    this.#keep(this.stored!.dueAt!, { order });
    this.replay();
  }

  waits(): readonly Wait[] {
    return [{ key: null, type: "time", name: this.name, until: this.stored!.dueAt! }];
  }

  #keep(dueAt: number, more: { readonly order?: number }): void {
    const data = { type: "sleep", name: this.name, at: this.nowMs, dueAt, ...more };
    this.flow.keep({ key: this.key, data });
  }
}

/** The result of a wait for a signal. */
type SignalAnswer =
  | { readonly timedOut: true }
  | { readonly timedOut: false; readonly value: unknown; readonly by: string | null; at: Date };

/** A wait for a signal. */
export class SignalOperation extends Awaited<SignalAnswer> {
  readonly #signals: SignalsTaken;

  /** @param until end of the wait, epoch ms, if this is its first run; null: none */
  constructor(
    flow: Flow,
    names: StepNames,
    open: OpenName,
    { until, signals }: { readonly until: number | null; readonly signals: SignalsTaken },
  ) {
    super(flow, names, open);
    this.#signals = signals;
    if (this.stored === undefined) this.#keep(until, {});
  }

  protected replay(): void {
    const { signal } = this.stored!;
    if (signal === null || signal === undefined) return this.succeed({ timedOut: true });
    const { value, by, at } = this.flow.record<SignalRecord>(signal)!;
    this.succeed({ timedOut: false, value, by, at: new Date(at) });
  }

  override get isTimed(): boolean {
    return this.#arrived === null;
  }

  satisfiedAt(nowMs: number): number | null {
    const { dueAt } = this;
    return this.#arrived?.at ?? (dueAt <= nowMs ? dueAt : null);
  }

  conclude(order: number): void {
    const signal = this.#arrived?.key ?? null;
    if (signal !== null) this.#signals.take(signal);
    this.#keep(this.stored!.dueAt ?? null, { order, signal });
    this.replay();
  }

  /** The end of the wait, epoch ms. */
  get dueAt(): number {
    return this.stored!.dueAt ?? Infinity;
  }

  /** The signal to take. One that came after the end of the wait, while no node looked, is late. */
  get #arrived(): { readonly key: string; readonly at: number } | null {
    const key = this.#signals.nextOf(this.name);
    const arrived = this.flow.record<SignalRecord>(key);
    return arrived !== undefined && arrived.at <= this.dueAt ? { key, at: arrived.at } : null;
  }

  waits(): readonly Wait[] {
    const key = this.#signals.nextOf(this.name);
    return [{ key, type: "signal", name: this.name, until: this.stored!.dueAt ?? null }];
  }

  #keep(dueAt: number | null, more: Partial<StepRecord>): void {
    const data = { type: "wait", name: this.name, at: this.nowMs, dueAt, ...more };
    this.flow.keep({ key: this.key, data });
  }
}

/** The signals that the waits of an instance have taken. */
export class SignalsTaken {
  readonly #taken = new Set<string>();

  /** Note the signals that earlier runs took. */
  read(records: Iterable<unknown>): void {
    for (const record of records) {
      const { type, signal } = record as Partial<StepRecord>;
      if (type === "wait" && typeof signal === "string") this.#taken.add(signal);
    }
  }

  /** Their numbers, by name. */
  get counts(): Readonly<Record<string, number>> {
    const counts = new Map<string, number>();
    for (const key of this.#taken) {
      const name = nameOfSignal(key);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return Object.fromEntries(counts);
  }

  take(key: string): void {
    this.#taken.add(key);
  }

  /** Key of the oldest signal of a name that no wait has taken; it may be still to come. */
  nextOf(name: string): string {
    for (let n = 1;; n++) {
      const key = signalKey(name, n);
      if (!this.#taken.has(key)) return key;
    }
  }
}

function nameOfSignal(key: string): string {
  return /^signal\/(.*)\/\d+$/su.exec(key)?.[1] ?? key;
}

/** The stack of an error as if it were made where job code began the step. */
function stackAt({ stack = "" }: Error, { name, message }: Error): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return [`${name}: ${message}`, ...frames].join("\n");
}

function failureOf(
  thrown: unknown,
  { name, message, stack }: Pick<StepFailure, "name" | "message" | "stack">,
): StepFailure {
  const { code, data } = (typeof thrown === "object" && thrown !== null ? thrown : {}) as {
    readonly code?: unknown;
    readonly data?: unknown;
  };
  return {
    name,
    message,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(data === undefined ? {} : { data: plainOf(data) }),
    ...(stack === undefined ? {} : { stack: stack.slice(0, STACK_MAX) }),
  };
}

/** A value as JSON stores it, if it is small. */
function plainOf(value: unknown): unknown {
  try {
    const text = JSON.stringify(value);
    return text === undefined || text.length > 10_000 ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
