import { formatWithOptions } from "node:util";
import { quoteValue } from "../core/text/quote_value.ts";
import { DURATION_MS_MAX, parseDuration } from "../core/time/duration.ts";
import { encodeJson } from "../core/arguments/encode.ts";
import { JobError } from "../core/errors.ts";
import type { LogEntry, LogLevel, Progress } from "../core/instance.ts";
import type { Context, InstanceHandle, InstanceLog, WorkerInfo } from "../core/job/job.ts";
import { PAYLOAD_BYTES_MAX } from "../core/payload_chars.ts";
import { readBulkFilter, readInstanceFilter } from "../core/job/instance_filter.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import type { JobManager } from "../core/job/job_manager.ts";
import type { InjectedType } from "../core/arguments/signature.ts";
import type { JobState } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import { abortError, errorOfInfo } from "./attempt_errors.ts";
import type { AbortCause } from "./executor.ts";
import { encodeJobError, endAtJob } from "./job_stack.ts";
import { Flow } from "./flow/flow.ts";
import type { LEFT, Parked } from "./flow/parked.ts";
import { type FlowParts, FlowScope } from "./flow/flow_scope.ts";
import { roundPrefix } from "../core/wait.ts";
import { SignalsTaken } from "./flow/operations.ts";
import { takeBack } from "./flow/undo.ts";
import { ProgressReporter, readProgress } from "./progress_reporter.ts";
import type { TaskInstance } from "./protocol.ts";

/** Dependencies of a scope on its process. */
export interface ScopeHost {
  readonly workerId: string;
  readonly clock: Clock;
  /** Masks secrets before a text is cut. */
  readonly mask: SecretMask;
  log(entries: readonly LogEntry[]): void;
  progress(progress: Progress): void;
  call(method: string, args: readonly unknown[]): Promise<unknown>;
}

/** Longest message of one `log` call, in characters. */
const MESSAGE_LENGTH_MAX = 8_192;

/** Shown instead of a value whose own code threw. */
const UNSHOWN = "a value that cannot be shown";

/** The outcome that job code chose by `snooze` or `discard`, for any end of its function. */
export type Verdict =
  | { readonly type: "snooze"; readonly delayMs: number; readonly error: Error }
  | { readonly type: "discard"; readonly error: Error };

/** Values as one message, as `console.log` would print them. */
function lineText(values: readonly unknown[], mask: SecretMask): string {
  const [only] = values;
  if (values.length === 1 && typeof only === "string") return messageText(endAtJob(only), mask);
  return messageText(printedText(values, { maxStringLength: MESSAGE_LENGTH_MAX }), mask);
}

/** Values like `console.log` prints them without a terminal; stacks end at the job's code. */
export function printedText(
  values: readonly unknown[],
  options: { readonly maxStringLength?: number } = {},
): string {
  try {
    return endAtJob(formatWithOptions({ colors: false, ...options }, ...values));
  } catch {
    return UNSHOWN;
  }
}

function messageText(value: unknown, mask: SecretMask): string {
  try {
    return mask.bounded(String(value), MESSAGE_LENGTH_MAX);
  } catch {
    return UNSHOWN;
  }
}

/**
 * Everything that the job code of one attempt can reach: handle, context, log, signal and proxies.
 * Each is created on first use, as most jobs use none.
 */
export class AttemptScope implements Record<InjectedType, unknown> {
  readonly instance: TaskInstance;
  readonly #host: ScopeHost;
  readonly #state: JobState;
  #abort: AbortController | null = null;
  #cause: AbortCause | null = null;
  #verdict: Verdict | null = null;
  #isClosed = false;
  #handle: InstanceHandle | null = null;
  #log: InstanceLog | null = null;
  #reporter: ProgressReporter | null = null;
  #hasBadProgress = false;
  /** Its steps, once job code uses any. */
  #flow: FlowParts | null = null;
  #steps: FlowScope | null = null;
  readonly #interrupted = Promise.withResolvers<Parked | typeof LEFT>();
  #hasContext = false;
  /** @throws JobError `invalid_argument` for arguments that its function does not take */
  checkArguments: (args: readonly unknown[]) => void = () => {};

  constructor(instance: TaskInstance, host: ScopeHost, state: JobState = "processing") {
    this.instance = instance;
    this.#host = host;
    this.#state = state;
  }

  get mask(): SecretMask {
    return this.#host.mask;
  }

  /** The last one counts. */
  get verdict(): Verdict | null {
    return this.#verdict;
  }

  get abortCause(): AbortCause | null {
    return this.#cause;
  }

  /** The first cause counts. */
  abort(cause: AbortCause): void {
    if (this.#cause !== null) return;
    this.#cause = cause;
    const error = abortError(cause, this.instance);
    this.#abort?.abort(error);
    this.#flow?.flow.abort(error);
  }

  /** From here on its log does nothing and its calls are refused. */
  close(): void {
    this.#reporter?.finish();
    this.#flow?.flow.close();
    this.#isClosed = true;
  }

  get AbortSignal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#cause !== null) this.#abort.abort(abortError(this.#cause, this.instance));
    }
    return this.#abort.signal;
  }

  get Instance(): InstanceHandle {
    return this.#handle ??= this.#makeHandle();
  }

  /** The steps of earlier runs; null if job code has used none yet. */
  get flow(): FlowParts | null {
    return this.#flow;
  }

  /** True while job code repeats what it did before: its output was recorded then. */
  get isReplaying(): boolean {
    return this.#flow !== null && this.#flow.flow.isReplaying;
  }

  /** Read what earlier runs of the instance recorded. */
  async loadSteps(): Promise<void> {
    if (this.instance.stepsAt === null) return;
    const { flow, signals } = this.#openFlow();
    await flow.load();
    signals.read(flow.records);
  }

  /** Await job code, or the waits that it leaves as the only thing to do. */
  untilParked(running: unknown): unknown {
    // Only a context has waits.
    return this.#hasContext ? Promise.race([running, this.#interrupted.promise]) : running;
  }

  /** True if this run is to take back what the steps did. */
  get isUnwinding(): boolean {
    return this.#flow?.flow.isUnwinding ?? false;
  }

  /** Take back the steps that can be. @returns the waits, if it parks before its end */
  async takeBack(): Promise<Parked | null> {
    if (!this.#flow?.flow.hasUndos) return null;
    const { flow, undos } = this.#flow;
    return await Promise.race([takeBack(flow, undos).then(() => null), flow.parked]);
  }

  #openFlow(): FlowParts {
    if (this.#flow !== null) return this.#flow;
    const flow = new Flow({
      instance: this.instance,
      clock: this.#host.clock,
      note: (level, message) => this.note(level, message),
      describe: (thrown) => encodeJobError(thrown, this.mask),
      signal: () => this.AbortSignal,
      call: (method, args) => this.#host.call(method, args),
    });
    this.#interrupted.resolve(flow.interrupted);
    // Job code may have ended by then.
    this.#interrupted.promise.catch(() => {});
    const { retryMax } = this.instance;
    const check = (args: readonly unknown[]) => this.checkArguments(args);
    this.#flow = { flow, signals: new SignalsTaken(), undos: new Map(), retryMax, check };
    if (this.#cause !== null) flow.abort(abortError(this.#cause, this.instance));
    return this.#flow;
  }

  #stepScope(): FlowScope {
    const parts = this.#openFlow();
    return this.#steps ??= new FlowScope(parts, roundPrefix(parts.flow.round));
  }

  get Context(): Context {
    this.#hasContext = true;
    const steps = () => this.#stepScope();
    const signal = () => this.AbortSignal;
    const manager = () => this.Manager;
    const { fence, scheduledFor, dueAt } = this.instance;
    return {
      instance: this.Instance,
      log: this.log,
      get signal() {
        return signal();
      },
      fence,
      scheduledFor: new Date(scheduledFor ?? dueAt),
      get manager() {
        return manager();
      },
      progress: (done, total) => this.#progress(done, total),
      snooze: (delay) => this.#snooze(delay),
      discard: (reason) => this.#discard(reason),
      step: (...args) => steps().step(...args),
      sleep: (...args) => steps().sleep(...args),
      waitFor: (...args) => steps().waitFor(...args),
      call: (...args) => steps().call(...args),
      // Its result depends on its options.
      get callAll() {
        return steps().callAll;
      },
      each: (...args) => steps().each(...args),
      first: (waits) => steps().first(waits),
      continueAs: (...args) => steps().continueAs(...args),
      now: () => steps().now(),
      random: () => steps().random(),
    };
  }

  get Worker(): WorkerInfo {
    return { id: this.#host.workerId, pid: process.pid, node: this.instance.node };
  }

  get Manager(): JobManager {
    // The node returns the types of its own manager.
    const call = <T>(method: string, ...args: readonly unknown[]) =>
      this.#call(method, args) as Promise<T>;
    return {
      scheduleJob: (kind, options) => call("scheduleJob", kind, withTime(options)),
      scheduleJobs: (requests) =>
        call("scheduleJobs", Array.isArray(requests) ? requests.map(withTime) : requests),
      getInstance: (id) => call("getInstance", id),
      // Read here, because JSON would drop undefined values and serialize a whole handle.
      lookupInstances: async (filter, page) =>
        await call("lookupInstances", readInstanceFilter(filter), page),
      cancelInstances: async (filter, options) => {
        const query = readBulkFilter(filter, { all: options?.all }, "cancel");
        const isAll = Object.keys(query).length === 0;
        return await call("cancelInstances", query, isAll ? { ...options, all: true } : options);
      },
      waitInstance: (id, timeoutMs) => call("waitInstance", id, timeoutMs),
    };
  }

  get log(): InstanceLog {
    return this.#log ??= {
      debug: (...values) => this.#print("debug", ...values),
      info: (...values) => this.#print("info", ...values),
      warn: (...values) => this.#print("warn", ...values),
      error: (...values) => this.#print("error", ...values),
    };
  }

  /** Write a system line to the instance's log. */
  note(level: LogLevel, message: string): void {
    this.#write(level, "system", message);
  }

  #snooze(delay: unknown): never {
    const delayMs = typeof delay === "string" ? parseDuration(delay) : delay;
    if (typeof delayMs !== "number" || !(delayMs >= 0 && delayMs <= DURATION_MS_MAX)) {
      throw new JobError(
        "invalid_argument",
        `Cannot snooze for ${quoteValue(delay)}: not milliseconds or a duration`,
        { path: "delay", hint: 'Write 90_000, or "90s"' },
      );
    }
    const error = errorOfInfo({ name: "Snoozed", message: "The attempt was snoozed" });
    this.#verdict = { type: "snooze", delayMs, error };
    throw error;
  }

  #discard(reason: unknown): never {
    const message = reason === undefined ? "discarded" : messageText(reason, this.mask);
    const error = errorOfInfo({ name: "Discarded", message });
    this.#verdict = { type: "discard", error };
    throw error;
  }

  #print(level: LogLevel, ...values: readonly unknown[]): void {
    if (!this.#isClosed && !this.isReplaying) {
      this.#write(level, "job", lineText(values, this.mask));
    }
  }

  #write(level: LogLevel, source: LogEntry["source"], message: string): void {
    if (this.#isClosed) return;
    this.#host.log([{ at: this.#host.clock.now().wallMs, level, source, message }]);
  }

  // A meaningless report, for example after a division by zero, must not fail the job.
  #progress(done: unknown, total: unknown): void {
    if (this.#isClosed || this.isReplaying) return;
    const progress = readProgress(done, total);
    if (progress !== null) {
      const { clock } = this.#host;
      this.#reporter ??= new ProgressReporter(clock, (given) => this.#host.progress(given));
      this.#reporter.report(progress);
    } else if (!this.#hasBadProgress) {
      this.#hasBadProgress = true;
      const given = [done, total].map((one) => messageText(one, this.mask)).join(", ");
      this.#print("warn", `progress(${given}) was ignored: it takes numbers from 0 up`);
    }
  }

  async #call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#isClosed) {
      const message = `Cannot call "${method}" of the manager: the attempt has ended`;
      throw new JobError("conflict", message, {
        hint: "Await the call before the job function returns",
      });
    }
    const what = `arguments of ${method}`;
    const text = encodeJson(args, { bytesMax: PAYLOAD_BYTES_MAX, what, isExact: true });
    return await this.#host.call(method, JSON.parse(text) as unknown[]);
  }

  #makeHandle(): InstanceHandle {
    const { instance } = this;
    const log = this.log;
    let args: readonly unknown[] | null = null;
    return {
      id: instance.id,
      kind: instance.kind,
      state: this.#state,
      attempt: instance.attempt,
      fence: instance.fence,
      priority: instance.priority,
      get arguments() {
        return args ??= JSON.parse(instance.argumentsJson) as unknown[];
      },
      scheduledFor: instance.scheduledFor === null ? null : new Date(instance.scheduledFor),
      createdAt: new Date(instance.createdAt),
      retryOf: instance.retryOf,
      log,
    };
  }
}

// JSON would turn a Date into text, while the manager takes times as epoch milliseconds too.
function withTime(options: unknown): unknown {
  const at = (options as { at?: unknown } | undefined)?.at;
  return at instanceof Date ? { ...(options as object), at: at.getTime() } : options;
}
