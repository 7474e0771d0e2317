import { secretsOf } from "../../core/job/job.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import { systemClock } from "../../platform/clock.ts";
import { AttemptScope } from "../attempt_scope.ts";
import { AttemptTraces } from "./attempt_traces.ts";
import type { Guard } from "../guard/guard.ts";
import {
  FamilySweeper,
  MARKER_VARIABLE,
  peakRssBytes,
  type Sweep,
} from "../../platform/process/descendants.ts";
import { spentMs } from "../../platform/system/runtime.ts";
import { WorkerOutput } from "../output/worker_output.ts";
import { encodeJobError } from "../job_stack.ts";
import { BatchMemory } from "../batching/batch_memory.ts";
import {
  type AttemptResult,
  type FromWorker,
  MEMORY_DESCRIPTOR,
  type ResultMessage,
  type ToWorker,
  type WireJob,
} from "../protocol.ts";
import { failAttempt, type JobCode, loadCode, runAttempt, runHandler } from "../run_attempt.ts";
import { loadStarvation } from "../../platform/process/resources.ts";
import { unreadable } from "../../platform/process/process_setup.ts";
import { openSharedMemory } from "../../platform/process/shared_memory.ts";
import { SessionCalls } from "./session_calls.ts";

type RunMessage = Extract<ToWorker, { readonly type: "run" }>;

/** Dependencies of a session on its process. */
export interface SessionHost {
  readonly guard: Guard;
  send(message: FromWorker): void;
  /** Send and resolve once the message has left this process. */
  deliver(message: FromWorker): Promise<void>;
  /** True while our own event listeners are registered: job code can remove them. */
  isIntact(): boolean;
}

/** One run of this worker, until its result is sent. */
interface SessionRun {
  readonly message: RunMessage;
  readonly scope: AttemptScope;
  /** Monotonic ms of its start. */
  readonly startMs: number;
  /** Processor time of this process at that time. */
  readonly spentMs: number;
  code: JobCode | null;
  /** True if an uncaught error failed it: a later return value of the job function is ignored. */
  isFailing: boolean;
  /** Its result during a handler, which may change it. */
  decided: AttemptResult | null;
}

/** Shortest run whose usage is reported. */
const LONG_RUN_MS = 1_000;
/** Wait before the code of an instance with steps is loaded again. */
const RELOAD_MS = 60_000;
/** Age up to which a reading of the processor time is reused: each costs a part of a short run. */
const SPENT_AGE_MS_MAX = 10;
/** Age at which a batch is not continued. The daemon normally takes it back far sooner. */
const BATCH_MS_MAX = 50;

/** A finished run that is not yet reported. */
interface Ended {
  readonly current: SessionRun;
  readonly result: AttemptResult;
  readonly tookMs: number;
  /** Its leftover processes. */
  readonly sweep: Sweep;
}

/** The worker's side of the protocol: executes one run at a time. */
export class WorkerSession {
  readonly #host: SessionHost;
  readonly #jobs = new Map<number, WireJob>();
  readonly #code = new Map<number, JobCode>();
  readonly #mask = new SecretMask();
  readonly #output = new WorkerOutput(systemClock);
  readonly #calls: SessionCalls;
  readonly #sweeper = new FamilySweeper(
    process.env[MARKER_VARIABLE] ?? "",
    process.pid,
  );
  #current: SessionRun | null = null;
  #lastRun = 0;
  #traces: AttemptTraces | null = null;
  #isTainted = false;
  #isExclusive = false;
  #memory: BatchMemory | null = null;
  /** Processor time of this process, and when it was read. */
  #spent = { ms: 0, atMs: -Infinity };
  /** When the last batch arrived, monotonic ms, and the numbers of its runs. */
  #batch = { sinceMs: 0, firstRun: 0, lastRun: 0 };
  /** The runs of the batch that follow the current one, each with its position. */
  #followers: (readonly [position: number, message: RunMessage])[] = [];
  /** Messages that arrived in the event-loop turn in which a run ended; null in other turns. */
  #delayed: ToWorker[] | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
    this.#output.isMuted = () => this.#current?.scope.isReplaying ?? false;
    this.#calls = new SessionCalls((message) => host.send(message));
  }

  get isBusy(): boolean {
    return this.#current !== null;
  }

  receive(message: ToWorker): void {
    if (this.#delayed !== null) return void this.#delayed.push(message);
    switch (message.type) {
      case "job":
        this.#jobs.set(message.ref, message.job);
        this.#mask.add(secretsOf(message.job.source));
        return;
      case "run":
        return this.#begin(message);
      case "batch":
        return this.#beginBatch(message);
      case "abort":
        if (this.#current?.message.run !== message.run) return;
        return this.#current.scope.abort(message.cause);
      case "reply":
        return this.#calls.answer(message);
      case "mark":
        return this.#output.mark(message.run);
      case "end":
        process.exit(0);
    }
  }

  /** The process exits: kill the module's processes, which would be untraceable afterwards. */
  exiting(): void {
    if (this.#current !== null) this.#sweeper.sweep();
  }

  /** An error that job code does not await: it fails the current run, or is late for the last. */
  uncaught(thrown: unknown): void {
    this.#isTainted = true;
    const current = this.#current;
    if (current?.isFailing) return;
    const error = encodeJobError(thrown, this.#mask);
    if (!current) return this.#host.send({ type: "late", run: this.#lastRun, error });
    current.isFailing = true;
    if (current.decided !== null) {
      current.scope.note("error", `Uncaught in a handler: ${error.message}`);
      return this.#finish(current, current.decided);
    }
    if (!current.code || current.message.handler !== null) {
      return this.#finish(current, { type: "error", error });
    }
    const decided = (result: AttemptResult) => this.#decide(current, result);
    void failAttempt(current.code.handlers, current.scope, { thrown, decided }).then((result) => {
      this.#finish(current, result);
    });
  }

  #beginBatch(batch: Extract<ToWorker, { readonly type: "batch" }>): void {
    const { instances, run, type: _, ...shared } = batch;
    const common = { handler: null, wantsStarted: false, wantsMarks: false };
    const messages = instances.map((instance, position): RunMessage => {
      return { ...shared, ...common, type: "run", run: run + position, instance };
    });
    const sinceMs = systemClock.now().monotonicMs;
    this.#batch = { sinceMs, firstRun: run, lastRun: run + instances.length - 1 };
    this.#memory ??= openMemory();
    this.#memory?.enter();
    // Without shared memory only the first is executed.
    this.#followers = this.#memory === null ? [] : [...messages.entries()].slice(1);
    this.#begin(messages[0]!);
  }

  #begin(message: RunMessage): void {
    const { run } = message;
    if (this.#isTainted) return this.#host.send({ type: "refused", run });
    const job = this.#jobs.get(message.ref)!;
    const scope = new AttemptScope(message.instance, {
      workerId: message.workerId,
      clock: systemClock,
      mask: this.#mask,
      log: (entries) => this.#output.log(run, entries),
      progress: (progress) => this.#host.send({ type: "progress", run, progress }),
      call: (method, args) => this.#calls.call(run, method, args),
    }, message.handler?.type === "stateChange" ? message.handler.state : "processing");
    const current: SessionRun = {
      message,
      scope,
      ...this.#readSpent(),
      code: null,
      isFailing: false,
      decided: null,
    };
    this.#current = current;
    this.#output.begin(run, message.token, this.#mask);
    this.#output.install();
    this.#traces ??= new AttemptTraces();
    void this.#runModule(current, job).then((value) => {
      if (!current.isFailing) this.#finish(current, value);
    });
  }

  #readSpent(): Pick<SessionRun, "startMs" | "spentMs"> {
    const startMs = systemClock.now().monotonicMs;
    if (startMs - this.#spent.atMs > SPENT_AGE_MS_MAX) {
      this.#spent = { ms: spentMs(), atMs: startMs };
    }
    return { startMs, spentMs: this.#spent.ms };
  }

  async #runModule(current: SessionRun, job: WireJob): Promise<AttemptResult> {
    const { message, scope } = current;
    let code = this.#code.get(message.ref);
    if (!code) {
      const isClean = this.#traces!.check().reuse === "clean";
      try {
        code = await loadCode(job);
      } catch (error) {
        const reason = unreadable(job.source.path);
        const starvation = message.wantsStarted ? loadStarvation(error) : null;
        if (starvation !== null) return { type: "unstarted", error: encodeJobError(starvation) };
        const info = encodeJobError(reason ?? error, this.#mask);
        if (!message.instance.stepsAt) return { type: "error", error: info };
        current.scope.note("error", `${info.message}. It is tried again in a minute`);
        return { type: "snooze", delayMs: RELOAD_MS };
      }
      // All its attempts need the state that the load set up; other modules must not see it.
      if (isClean && this.#traces!.rebase()) this.#isExclusive = true;
      this.#code.set(message.ref, code);
    }
    current.code = code;
    if (message.wantsStarted) this.#host.send({ type: "started", run: message.run });
    const { handler } = message;
    const loaded = code;
    return await this.#output.within(() =>
      handler === null
        ? runAttempt(loaded, scope, (result) => this.#decide(current, result))
        : runHandler(loaded.handlers, scope, handler)
    );
  }

  // The daemon has the result before the handler begins: it survives a handler that spins or exits.
  async #decide(current: SessionRun, result: AttemptResult): Promise<void> {
    // A function that an uncaught error has failed may still end.
    if (this.#current !== current || current.decided !== null) return;
    current.decided = result;
    await this.#host.deliver({ type: "decided", run: current.message.run, result });
  }

  #finish(current: SessionRun, result: AttemptResult): void {
    if (this.#current !== current) return;
    this.#current = null;
    const { run } = current.message;
    const tookMs = systemClock.now().monotonicMs - current.startMs;
    this.#lastRun = run;
    current.scope.close();
    const sweep = this.#sweeper.sweep();
    this.#calls.end();
    const ended: Ended = { current, result, tookMs, sweep };
    if (this.#followers.length === 0 || !this.#canContinue(ended)) return this.#report(ended);
    // Unhandled rejections show after this turn of the event loop, and must not meet the next run.
    systemClock.defer(() => this.#continue(ended));
  }

  /**
   * True if the next run of the batch may begin. Checks only what could affect it or is cheap; the
   * whole check follows at the end of the batch.
   */
  #canContinue({ current, result, tookMs, sweep }: Ended): boolean {
    if (this.#isTainted || sweep.found > 0 || !this.#output.isSilent()) return false;
    if (this.#traces!.hasLeftWork()) return false;
    const { run } = current.message;
    const message = {
      type: "result",
      run,
      result,
      reuse: "clean",
      isSilent: true,
      tookMs,
    } as const;
    return this.#memory!.write(message satisfies ResultMessage);
  }

  #continue(ended: Ended): void {
    const ageMs = systemClock.now().monotonicMs - this.#batch.sinceMs;
    if (this.#isTainted || ageMs > BATCH_MS_MAX) return this.#report(ended);
    const [position, message] = this.#followers.shift()!;
    if (!this.#memory!.begin(position)) return this.#report(ended);
    // Published first: a reader of the next run's output must know that this run has ended.
    this.#memory!.publish();
    this.#begin(message);
  }

  #report({ current, result, tookMs, sweep }: Ended): void {
    this.#followers = [];
    const { run, wantsMarks, token } = current.message;
    const { reuse, note } = this.#checkTraces(current, sweep);
    if (note !== null) {
      const at = systemClock.now().wallMs;
      const entry = { at, level: "info", source: "system", message: note } as const;
      this.#output.log(run, [entry]);
    }
    const isSilent = this.#output.end(sweep.isQuiet && !wantsMarks) || undefined;
    const isExclusive = this.#isExclusive || undefined;
    // A busy system may bring the next run in this turn, before unhandled rejections show.
    const delayed: ToWorker[] = this.#delayed = [];
    systemClock.defer(() => {
      this.#delayed = null;
      for (const message of delayed) this.receive(message);
    });
    const usage = tookMs < LONG_RUN_MS ? undefined : {
      maxRssBytes: peakRssBytes(process.pid),
      cpuMs: Math.round(spentMs() - current.spentMs),
    };
    const facts = { isExclusive, isSilent, tookMs, usage };
    this.#host.send({ type: "result", run, token, result, reuse, ...facts });
  }

  /** Check leftovers: may the worker be used again? Also returns a log line about them. */
  #checkTraces(current: SessionRun, sweep: Sweep): Verdict {
    if (this.#isTainted || !this.#host.isIntact()) return { reuse: null, note: null };
    const { found, names } = sweep;
    const { reuse, left } = found > 0
      ? { reuse: null, left: `a child process, ${nameList(names, found)}` }
      : this.#traces!.check();
    if (left === null) return { reuse, note: null };
    const { run } = current.message;
    const isAlone = run === this.#batch.firstRun || run > this.#batch.lastRun;
    const whose = isAlone ? "" : ", by it or by one that ran just before it";
    return { reuse, note: `Ended with its worker, because it was left behind${whose}: ${left}` };
  }
}

interface Verdict {
  readonly reuse: ResultMessage["reuse"];
  /** For the log; null for nothing. */
  readonly note: string | null;
}

function nameList(names: readonly string[], count: number): string {
  const more = count - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function openMemory(): BatchMemory | null {
  const buffer = openSharedMemory(MEMORY_DESCRIPTOR);
  return buffer === null ? null : new BatchMemory(buffer);
}
