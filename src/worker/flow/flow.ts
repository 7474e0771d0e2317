import { AsyncLocalStorage } from "node:async_hooks";
import { encodeJson } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import type { FlowMethod, RecordPage } from "../../core/flow/flow_calls.ts";
import {
  type Continued,
  CONTINUED_KEY,
  ENDING_KEY,
  PUTS_MAX,
  type StepPut,
  STEPS_MAX,
  UNDO_KEY,
  UNDONE_KEY,
  type Wait,
  WAITS_MAX,
} from "../../core/wait.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import type { ErrorInfo, LogLevel } from "../../core/instance.ts";
import { StepError, type StepFailure } from "../../core/flow/step_error.ts";
import type { Clock } from "../../platform/clock.ts";
import { LEFT, Parked } from "./parked.ts";
import type { OpenName } from "./step_names.ts";
import {
  canceledKey,
  type EndingRecord,
  orderKey,
  type RecordPut,
  type StepRecord,
} from "./step_records.ts";

/** Dependencies of a flow on its attempt. */
export interface FlowHost {
  readonly instance: {
    readonly id: string;
    readonly fence: number;
    readonly cancelRequestedAt: number | null;
  };
  readonly clock: Clock;
  /** Write a line to the log of the instance. */
  note(level: LogLevel, message: string): void;
  /** A thrown value as data, without secrets. */
  readonly describe: (thrown: unknown) => ErrorInfo;
  /** Aborts with the attempt. */
  readonly signal: () => AbortSignal;
  call(method: FlowMethod, args: readonly unknown[]): Promise<unknown>;
}

/** Something that job code awaits. */
export interface Operation {
  readonly open: OpenName;
  /** True if it takes back what a step did. */
  readonly isUndo: boolean;
  /** True while a function of job code runs for it. */
  readonly isRunning: boolean;
  /** Place of its stored outcome; null without one. */
  readonly order: number | null;
  /** Deliver the stored outcome. */
  deliver(): void;
  /** Begin what must run for it, if it can at this time. @returns true while it runs */
  run(nowMs: number): boolean;
  /** When it was satisfied, epoch ms, if what it waits for has come; else null. */
  satisfiedAt(nowMs: number): number | null;
  /** True if it is the time that satisfies it: something that came earlier may be unread. */
  readonly isTimed: boolean;
  /** Record its outcome at a place, and deliver it. */
  conclude(order: number): void;
  /** Its waits, for the record of the parked instance. */
  waits(): readonly Wait[];
}

/**
 * One run of an instance with steps: answers recorded ones, runs the others, and ends the run when
 * only waits are left.
 *
 * Outcomes are delivered one at a time, when job code has nothing else to do, in the order of their
 * first delivery: which of two waits came first is the same in every run.
 */
export class Flow {
  readonly host: FlowHost;
  /** The step whose function calls, if any. */
  readonly inside = new AsyncLocalStorage<string>();
  readonly #records = new Map<string, unknown>();
  readonly #operations = new Set<Operation>();
  /** Tries under way of steps that can be taken back. */
  readonly #acting = new Set<Promise<void>>();
  readonly #puts = new Map<string, RecordPut>();
  readonly #parked = Promise.withResolvers<Parked>();
  readonly #left = Promise.withResolvers<typeof LEFT>();
  /** The end of the last write, and the number of writes under way. */
  #written: Promise<void> = Promise.resolve();
  #writing = 0;
  /** True if a record waits to be written whose outcome job code has seen. */
  #hasSeen = false;
  /** The write under way of such records. */
  #seen: Promise<void> | null = null;
  /** Up to when the records are read, epoch ms. */
  #readAt = -Infinity;
  /** Number of reads under way. */
  #reads = 0;
  #lastOrder = 0;
  #begun = 0;
  #isDue = false;
  #isOver = false;
  #isReplaying = false;
  #isToCancel = false;
  /** The step or wait that a cancel ends, until job code has it. */
  #canceled: Operation | null = null;
  /** True once job code has ended, and nothing more is begun for it. */
  #hasEnded = false;
  #isUndoing = false;

  constructor(host: FlowHost) {
    this.host = host;
  }

  /** Resolves when the run waits. */
  get parked(): Promise<Parked> {
    return this.#parked.promise;
  }

  /** Resolves when the run waits, or when it has repeated all that is to be taken back. */
  get interrupted(): Promise<Parked | typeof LEFT> {
    return Promise.race([this.#parked.promise, this.#left.promise]);
  }

  /** The end of the instance once it has taken back what its steps did; undefined before. */
  get ending(): EndingRecord | undefined {
    return this.record<EndingRecord>(ENDING_KEY);
  }

  /** True if this run takes back what the steps did. */
  get isUnwinding(): boolean {
    return this.host.instance.cancelRequestedAt !== null || this.ending !== undefined;
  }

  /** True if steps have to be taken back. */
  get hasUndos(): boolean {
    return this.#records.has(UNDO_KEY) && !this.#records.has(UNDONE_KEY);
  }

  /** The failure of the step or wait that a cancel or the deadline ends. */
  get cancelError(): StepFailure {
    return this.host.instance.cancelRequestedAt !== null
      ? { name: "Canceled", message: "The instance was canceled" }
      : { name: "DeadlineExceeded", message: "The deadline of the instance passed" };
  }

  /** True after a failure: what has no outcome is not begun again. */
  get #isLeaving(): boolean {
    return this.ending !== undefined && !this.#isPastDeadline && !this.#isUndoing;
  }

  get #isPastDeadline(): boolean {
    return this.ending?.reason === "deadline";
  }

  /** True once nothing of the run counts any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True once job code has ended: no step of its own begins any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** True while job code repeats what it did in an earlier run. */
  get isReplaying(): boolean {
    return this.#isReplaying;
  }

  /** Read the records of earlier runs. */
  async load(): Promise<void> {
    await this.#read();
    for (const record of this.#records.values()) {
      const { order } = record as Partial<StepRecord>;
      if (typeof order === "number") this.#lastOrder = Math.max(this.#lastOrder, order);
    }
    this.#isReplaying = this.#lastOrder > 0;
    const hasCanceled = [...this.#records.keys()].some((key) => key.startsWith(canceledKey("")));
    const isCanceled = this.host.instance.cancelRequestedAt !== null || this.#isPastDeadline;
    this.#isToCancel = isCanceled && !hasCanceled;
  }

  async #read(): Promise<void> {
    this.#readAt = this.host.clock.now().wallMs;
    let after: string | null = null;
    do {
      const page = await this.host.call("flow.load", [after]) as RecordPage;
      for (const [key, data] of page.records) {
        if (!this.#records.has(key)) this.#records.set(key, JSON.parse(data));
      }
      after = page.after;
    } while (after !== null);
  }

  /** Await a read of records: no outcome is delivered before its end, and none after a failure. */
  async reading<T>(read: Promise<T>): Promise<T> {
    this.#reads += 1;
    try {
      const value = await read;
      this.#reads -= 1;
      this.poke();
      return value;
    } catch (error) {
      this.abort(error);
      return await new Promise<never>(() => {});
    }
  }

  record<T>(key: string): T | undefined {
    return this.#records.get(key) as T | undefined;
  }

  get records(): Iterable<unknown> {
    return this.#records.values();
  }

  /** Finished steps that can be taken back, the last one first. */
  get undoable(): readonly (readonly [key: string, step: StepRecord])[] {
    const steps = [...this.#records as Map<string, StepRecord>];
    return steps.filter(([, { hasUndo }]) => hasUndo)
      .sort(([, a], [, b]) => b.order! - a.order!);
  }

  /** Note, with the next record, that a step can be taken back. */
  keepUndo(): void {
    if (!this.hasUndos) this.keep({ key: UNDO_KEY, data: {} });
  }

  /** Note a try of a step that can be taken back. It never rejects. */
  act(trying: Promise<void>): void {
    this.#acting.add(trying);
    void trying.then(() => this.#acting.delete(trying));
  }

  /**
   * Job code has ended. Begin nothing more for it, and wait until each step under way that can be
   * taken back has its record: it is not left half done.
   */
  async settle(): Promise<void> {
    this.#hasEnded = true;
    while (this.#acting.size > 0) await Promise.all(this.#acting);
  }

  /** The round that this run belongs to: the first one has the arguments of the instance. */
  get round(): Pick<Continued, "round"> & Partial<Continued> {
    // Job code can forge any record of its own instance.
    const { round, args } = this.record<Partial<Continued> | null>(CONTINUED_KEY) ?? {};
    return Number.isSafeInteger(round) && Array.isArray(args)
      ? { round: round as number, args }
      : { round: 1 };
  }

  /** Park at once; the next run begins a new round. @throws StepError if it is to end */
  async continueAs(
    args: readonly unknown[],
    signals: { readonly counts: Continued["taken"] },
  ): Promise<never> {
    if (this.isUnwinding) throw new StepError("continueAs", this.cancelError);
    await this.settle();
    if (!this.#isOver) {
      this.#isOver = true;
      const nowMs = this.host.clock.now().wallMs;
      const record: Continued = { round: this.round.round + 1, args, taken: signals.counts };
      const steps = [{ key: CONTINUED_KEY, data: JSON.stringify(record) }];
      const wait = { key: null, type: "time", name: "continueAs", until: nowMs } as const;
      // The records that wait would go with this round.
      const parked = this.#written.then(() => new Parked([wait], steps));
      this.#parked.resolve(parked);
    }
    return await new Promise<never>(() => {});
  }

  /** Leave job code where it waits, and take back what its steps did. */
  unwind(): void {
    this.#operations.clear();
    this.#hasEnded = true;
    this.#isUndoing = true;
    this.#isToCancel = false;
    this.#isReplaying = false;
  }

  /** Place of an outcome that the store recorded itself; null before its first delivery. */
  orderOf(key: string): number | null {
    return this.record<{ readonly order: number }>(orderKey(key))?.order ?? null;
  }

  /** Keep a record to write with the next one, or with the end of the run. */
  keep(put: RecordPut): void {
    this.#add(put);
    const { order, type } = put.data as Partial<StepRecord>;
    if (order !== undefined || type === "now") this.#hasSeen = true;
  }

  /** Write a record, after those that wait to be written. @throws JobError if the claim is lost */
  async put(put: RecordPut): Promise<void> {
    this.#add(put);
    await this.flush();
  }

  #add(put: RecordPut): void {
    this.#records.set(put.key, put.data);
    this.#puts.set(put.key, put);
  }

  /**
   * Write the outcomes that job code has seen, before it acts on them: after a crash they must be
   * the same. @throws JobError if the claim is lost
   */
  async writeSeen(): Promise<void> {
    if (this.#hasSeen) await this.flush();
    else if (this.#seen !== null) await this.#seen;
  }

  /** Write the records that wait, after those under way: they arrive in the order of outcomes. */
  async flush(): Promise<void> {
    const puts = [...this.#puts.values()];
    this.#puts.clear();
    const before = this.#written;
    const write = async () => {
      await before.catch(() => {});
      for (let from = 0; from < puts.length; from += PUTS_MAX) {
        await this.host.call("flow.put", [puts.slice(from, from + PUTS_MAX)]);
      }
    };
    this.#writing += 1;
    const written = this.#written = write();
    if (this.#hasSeen) this.#seen = written;
    this.#hasSeen = false;
    try {
      await written;
    } finally {
      this.#writing -= 1;
      if (this.#seen === written) this.#seen = null;
    }
  }

  /** The records to write with the end of the run. */
  async rest(): Promise<readonly StepPut[]> {
    if (this.#puts.size > PUTS_MAX) await this.flush();
    return [...this.#puts.values()].map(({ key, data, isNew }) => {
      return { key, data: JSON.stringify(data), ...(isNew ? { isNew } : {}) };
    });
  }

  nextOrder(): number {
    return this.#lastOrder += 1;
  }

  /** JSON value of what a step returned. @throws JobError `invalid_argument` if it is too large */
  valueOf(value: unknown, what: string): unknown {
    if (value === undefined) return null;
    const text = encodeJson(value, { bytesMax: PAYLOAD_BYTES_MAX - 2_000, what });
    return JSON.parse(text);
  }

  /** @throws JobError `conflict` within the function of a step */
  checkPlace(what: string): void {
    const step = this.inside.getStore();
    if (step === undefined) return;
    throw new JobError("conflict", `Cannot ${what} within the function of step "${step}"`, {
      hint: "Await it outside of the step, before or after it",
    });
  }

  begin(operation: Operation): void {
    // Job code that was left may still run.
    if (this.#isOver || (this.#hasEnded && !operation.isUndo)) return;
    this.#begun += 1;
    if (this.#begun > STEPS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot begin "${operation.open.entry.name}": the instance has ${STEPS_MAX} steps already`,
        { hint: "Begin a new round (ctx.continueAs), or give the rest to a child (ctx.call)" },
      );
    }
    if (this.#operations.size >= WAITS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot begin "${operation.open.entry.name}": ${WAITS_MAX} steps and waits are open`,
        { hint: "Run fewer at once: ctx.each with max, or ctx.callAll" },
      );
    }
    if (operation.order === null && !this.#isLeaving) {
      this.#isReplaying = false;
      this.#cancelOnce(operation);
    }
    this.#operations.add(operation);
    this.poke();
  }

  /** After a cancel, the first step or wait without an outcome ends by it, and no later one. */
  #cancelOnce(operation: Operation): void {
    if (!this.#isToCancel) return;
    this.#isToCancel = false;
    this.#canceled = operation;
    this.keep({ key: canceledKey(operation.open.key), data: { order: this.nextOrder() } });
  }

  /** True if no outcome of an earlier place is still to be delivered. */
  get isInOrder(): boolean {
    return this.#canceled === null && this.#reads === 0;
  }

  end(operation: Operation): void {
    this.#operations.delete(operation);
    if (operation === this.#canceled) this.#canceled = null;
    this.poke();
  }

  /** Look again once job code has nothing else to do. */
  poke(): void {
    if (this.#isDue || this.#isOver) return;
    this.#isDue = true;
    this.host.clock.defer(() => {
      this.#isDue = false;
      this.#look();
    });
  }

  /**
   * The attempt is aborted. Job code is left where it waits, as when it parks: its cleanup would
   * otherwise begin in an attempt that records nothing more. Only the steps under way that can be
   * taken back are awaited, for as long as the attempt may take to end.
   */
  abort(cause: unknown): void {
    const leave = () => {
      this.#isOver = true;
      this.#parked.reject(cause);
    };
    if (this.#acting.size === 0) return leave();
    void this.settle().then(leave);
  }

  /** The run has ended: what job code still awaits never comes. */
  close(): void {
    this.#isOver = true;
  }

  /** Warn of steps that job code did not await: they are cut off. */
  warnOfRunning(): void {
    for (const { isRunning, open } of this.#operations) {
      if (!isRunning) continue;
      const cut = "was still running when the function returned, and was cut off";
      this.host.note("warn", `Step "${open.entry.name}" ${cut}: await it`);
    }
  }

  #look(): void {
    if (this.#isOver || this.#operations.size === 0) return;
    if (this.#hasEnded && !this.#isUndoing) return;
    const all = [...this.#operations];
    const nowMs = this.host.clock.now().wallMs;
    const isLeaving = this.#isLeaving;
    let running = 0;
    for (const operation of all) {
      if (!isLeaving && operation.order === null && operation.run(nowMs)) running += 1;
    }
    // An outcome is delivered once it is recorded, and before the next one.
    if (this.#writing > 0 || this.#reads > 0) return;
    let next: Operation | null = null;
    let first: { readonly operation: Operation; readonly at: number } | null = null;
    for (const operation of all) {
      if (operation.order !== null) {
        if (next === null || operation.order < next.order!) next = operation;
        continue;
      }
      const at = operation.satisfiedAt(nowMs);
      if (at !== null && (first === null || at < first.at)) first = { operation, at };
    }
    if (next !== null) return next.deliver();
    if (isLeaving) return this.#left.resolve(LEFT);
    if (first !== null) {
      const { operation, at } = first;
      if (operation.isTimed && at > this.#readAt && all.some(awaitsRecord)) {
        // What has come since may be earlier than the time that would satisfy a wait.
        return void this.reading(this.#read());
      }
      return operation.conclude(this.nextOrder());
    }
    if (running === 0) void this.#park(all);
  }

  async #park(waiting: readonly Operation[]): Promise<void> {
    this.#isOver = true;
    const waits = waiting.flatMap((operation) => operation.waits());
    try {
      this.#parked.resolve(new Parked(waits, await this.rest()));
    } catch (error) {
      this.#parked.reject(error);
    }
  }
}

/** True if an operation waits for what others record: a signal or the end of a child. */
function awaitsRecord(operation: Operation): boolean {
  return operation.order === null && operation.waits().some(({ key }) => key !== null);
}
