import { encodeError } from "../core/encode.ts";
import { type ErrorCode, JobError } from "../core/errors.ts";
import { importJob } from "../jobs/import_job.ts";
import type { Clock } from "../platform/clock.ts";
import { AttemptScope } from "./attempt_scope.ts";
import { AttemptTraces, type Traces } from "./attempt_traces.ts";
import { type RunningCommand, startCommand } from "./command_runner.ts";
import type { Guard } from "./guard.ts";
import { FamilySweeper, MARKER_VARIABLE } from "../platform/descendants.ts";
import type { WorkerOutput } from "./worker_output.ts";
import type { AttemptResult, FromWorker, ToWorker, WireJob } from "./protocol.ts";
import { failAttempt, type JobCode, runAttempt, runHandler } from "./run_attempt.ts";
import { unreadable } from "../platform/process_setup.ts";

type RunMessage = Extract<ToWorker, { readonly type: "run" }>;

/** What a worker's session stands on. */
export interface SessionHost {
  readonly clock: Clock;
  readonly guard: Guard;
  send(message: FromWorker): void;
  /** Send and resolve once the message has left this process. */
  deliver(message: FromWorker): Promise<void>;
  readonly output: WorkerOutput;
  /** Whether our own event listeners still stand: job code can remove them. */
  isIntact(): boolean;
}

/** One run of this worker, until its result is sent. */
interface CurrentRun {
  readonly message: RunMessage;
  readonly scope: AttemptScope;
  readonly isCommand: boolean;
  /** Monotonic ms at which it began. */
  readonly startMs: number;
  code: JobCode | null;
  command: RunningCommand | null;
  /** Something uncaught failed it: what the job function still returns does not count. */
  isFailing: boolean;
  /** What it came to, while a handler runs. */
  decided: AttemptResult | null;
}

/** The worker's side of the protocol: executes one attempt at a time. */
export class WorkerSession {
  readonly #host: SessionHost;
  readonly #jobs = new Map<number, WireJob>();
  readonly #code = new Map<number, JobCode>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #sweeper = new FamilySweeper(
    process.env[MARKER_VARIABLE] ?? "",
    process.pid,
  );
  #callCount = 0;
  #current: CurrentRun | null = null;
  #lastRun = 0;
  #traces: AttemptTraces | null = null;
  #isTainted = false;
  #isExclusive = false;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "job":
        this.#jobs.set(message.ref, message.job);
        return;
      case "run":
        return this.#begin(message);
      case "abort":
        if (this.#current?.message.run !== message.run) return;
        this.#current.scope.abort(message.cause);
        this.#current.command?.abort();
        return;
      case "reply":
        return this.#answer(message);
      case "mark":
        return this.#host.output.mark(message.run);
      case "end":
        process.exit(0);
    }
  }

  /** Something was thrown outside of what job code awaits: it fails the run that is going on, or comes too late for it. */
  uncaught(thrown: unknown): void {
    this.#isTainted = true;
    const current = this.#current;
    if (!current) {
      this.#host.send({ type: "late", run: this.#lastRun, error: encodeError(thrown) });
      return;
    }
    if (current.isFailing) return;
    current.isFailing = true;
    const error = encodeError(thrown);
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

  #begin(message: RunMessage): void {
    const { run } = message;
    if (this.#isTainted) return this.#host.send({ type: "refused", run });
    const job = this.#jobs.get(message.ref)!;
    const scope = new AttemptScope(message.instance, {
      workerId: message.workerId,
      now: () => this.#host.clock.now().wallMs,
      timer: (delayMs, callback) => this.#host.clock.timer(delayMs, callback, { unref: true }),
      log: (entries) => this.#host.output.log(run, entries),
      progress: (progress) => this.#host.send({ type: "progress", run, progress }),
      call: (method, args) => this.#call(run, method, args),
    }, message.handler?.type === "stateChange" ? message.handler.state : "processing");
    const isCommand = job.source.type === "command";
    const current: CurrentRun = {
      message,
      scope,
      isCommand,
      startMs: this.#host.clock.now().monotonicMs,
      code: null,
      command: null,
      isFailing: false,
      decided: null,
    };
    this.#current = current;
    this.#host.output.begin(run, message.token);
    // A command has the descriptors and not our functions.
    if (!isCommand) {
      this.#host.output.install();
      this.#traces ??= new AttemptTraces();
    }
    const result = job.source.type === "command"
      ? this.#runCommand(current, job.source.command)
      : this.#runModule(current, job);
    void result.then((value) => {
      if (!current.isFailing) this.#finish(current, value);
    });
  }

  async #runModule(current: CurrentRun, job: WireJob): Promise<AttemptResult> {
    const { message, scope } = current;
    let code = this.#code.get(message.ref);
    if (!code) {
      const isClean = this.#traces!.look().reuse === "clean";
      try {
        code = await loadModule(job);
      } catch (error) {
        const { source } = job;
        const reason = source.type === "module" ? unreadable(source.path) : null;
        return { type: "error", error: encodeError(reason ?? error) };
      }
      // What its load set up is there for all its attempts, but must not meet those of other modules.
      if (isClean && this.#traces!.rebase()) this.#isExclusive = true;
      this.#code.set(message.ref, code);
    }
    current.code = code;
    if (message.wantsStarted) this.#host.send({ type: "started", run: message.run });
    const { handler } = message;
    const loaded = code;
    return await this.#host.output.within(() =>
      handler === null
        ? runAttempt(loaded, scope, (result) => this.#decide(current, result))
        : runHandler(loaded.handlers, scope, handler)
    );
  }

  #runCommand(
    current: CurrentRun,
    command: Extract<WireJob["source"], { readonly type: "command" }>["command"],
  ): Promise<AttemptResult> {
    const { run, instance } = current.message;
    current.command = startCommand(command, instance, {
      starting: () => this.#host.guard.expectCommand(),
      group: (group) => {
        this.#host.guard.setCommandGroup(group);
        if (group !== null) this.#sweeper.addSession(group);
        this.#host.send({ type: "group", run, group });
      },
      started: () => this.#host.send({ type: "started", run }),
    });
    return current.command.result;
  }

  // The daemon has it before the handler begins: a handler that spins or exits takes nothing with it.
  async #decide(current: CurrentRun, result: AttemptResult): Promise<void> {
    if (this.#current !== current) return;
    current.decided = result;
    await this.#host.deliver({ type: "decided", run: current.message.run, result });
  }

  #finish(current: CurrentRun, result: AttemptResult): void {
    if (this.#current !== current) return;
    this.#current = null;
    const { run } = current.message;
    const tookMs = this.#host.clock.now().monotonicMs - current.startMs;
    this.#lastRun = run;
    current.scope.close();
    const { killed, isQuiet } = this.#sweeper.sweep();
    for (const call of this.#calls.values()) call.reject(new Error("The attempt has ended"));
    this.#calls.clear();
    const { reuse, left } = this.#look(current, killed);
    if (left !== null) {
      const message = `Ended with its worker, as it was left behind: ${left}`;
      const at = this.#host.clock.now().wallMs;
      const entry = { at, level: "info", source: "system", message } as const;
      this.#host.output.log(run, [entry]);
    }
    const isSilent = this.#host.output.end(isQuiet && !current.message.wantsMarks) || undefined;
    const isExclusive = this.#isExclusive || undefined;
    this.#host.send({ type: "result", run, result, reuse, isExclusive, isSilent, tookMs });
  }

  #look(current: CurrentRun, killed: number): Traces {
    if (this.#isTainted || !this.#host.isIntact()) return { reuse: null, left: null };
    // A command is a child itself: it ends without the worker.
    if (current.isCommand) return { reuse: "clean", left: null };
    return killed > 0 ? { reuse: null, left: "a child process" } : this.#traces!.look();
  }

  #call(run: number, method: string, args: readonly unknown[]): Promise<unknown> {
    const call = ++this.#callCount;
    const pending = Promise.withResolvers<unknown>();
    // Nobody may be waiting any more when the attempt ends first.
    pending.promise.catch(() => {});
    this.#calls.set(call, pending);
    this.#host.send({ type: "call", run, call, method, args });
    return pending.promise;
  }

  #answer({ call, value, error }: Extract<ToWorker, { readonly type: "reply" }>): void {
    const pending = this.#calls.get(call);
    this.#calls.delete(call);
    if (!pending) return;
    if (!error) return pending.resolve(value);
    const { code, message, hint, path } = error;
    pending.reject(new JobError(code as ErrorCode, message, { hint, path }));
  }
}

async function loadModule(job: WireJob): Promise<JobCode> {
  if (job.source.type !== "module") throw new Error(`A ${job.source.type} job has no module`);
  const { path, entry, version } = job.source;
  return { ...await importJob(path, entry, version), signature: job.signature };
}
