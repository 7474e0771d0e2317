import { toJobError } from "../../core/errors.ts";
import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import { maskOutcome } from "../attempt_errors.ts";
import {
  type AttemptOutcome,
  type AttemptSink,
  HANDLER_MS_MAX,
  type HandlerCall,
  type HandlerTask,
} from "../executor.ts";
import { type TaskInstance, taskInstance } from "../protocol.ts";
import type { WorkerEnding } from "./worker_ending.ts";
import type { WorkerProcess } from "./worker_process.ts";
import type { HostedRun } from "./run_host.ts";

const NAMES: Readonly<Record<HandlerCall["type"], string>> = {
  stateChange: "onStateChange",
  terminate: "onTerminate",
};

/** Write a system line to the log of a handler's call. */
export function noteTo(task: HandlerTask, clock: Clock, message: string): void {
  task.log([{ at: clock.now().wallMs, level: "error", source: "system", message }]);
}

/** One call of a handler in a worker process. */
export class HandlerRun implements HostedRun {
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  readonly handler: HandlerCall;
  readonly sink: AttemptSink;
  /** No lease limits a handler after the commit, but a frozen daemon must not leave it running. */
  deadlineMs = 0;
  readonly #ending = Promise.withResolvers<AttemptOutcome | null>();
  /** Its outcome; null if it was killed. */
  readonly done = this.#ending.promise;
  readonly #task: HandlerTask;
  readonly #clock: Clock;
  readonly #mask: SecretMask;
  #worker: WorkerProcess | null = null;

  constructor(task: HandlerTask, clock: Clock, mask: SecretMask) {
    this.#task = task;
    this.#clock = clock;
    this.#mask = mask;
    this.job = task.job;
    this.instance = { ...taskInstance(task.instance), timeoutMs: 0 };
    this.handler = task.call;
    this.sink = {
      log: (entries) => task.log(entries),
      progress: () => {},
      placed: () => {},
      endedAgo: () => {},
      used: () => {},
      call: (method) =>
        Promise.reject(new Error(`A handler cannot call "${method}" of the manager`)),
    };
  }

  begin(acquire: (job: JobDefinition) => WorkerProcess): void {
    let worker: WorkerProcess;
    try {
      worker = acquire(this.job);
    } catch (error) {
      return this.drop(toJobError(error, "Cannot start a worker").message);
    }
    const nowMs = this.#clock.now().monotonicMs;
    this.#worker = worker;
    this.deadlineMs = nowMs + 2 * HANDLER_MS_MAX;
    worker.run(this);
    worker.wakeAt(this, nowMs + HANDLER_MS_MAX);
  }

  exceeded({ message }: ErrorInfo): void {
    noteTo(this.#task, this.#clock, message);
  }

  violated(error: ErrorInfo): void {
    this.exceeded(error);
  }

  drop(why: string): void {
    this.#fail(`was not called: ${why}`);
  }

  started(): void {
    // Its time limit counts from `begin`.
  }

  decided(): void {
    // Only an attempt has a result before its handlers run.
  }

  wake(): void {
    this.#worker!.kill("SIGKILL");
  }

  ended(ending: WorkerEnding): void {
    if (ending.type === "result") {
      return this.#ending.resolve(maskOutcome(ending.result, this.#mask));
    }
    const how = ending.type === "exit" && ending.signal === "SIGKILL"
      ? `did not end within ${HANDLER_MS_MAX} ms, or its worker was killed`
      : ending.type === "exit"
      ? `ended its worker with ${ending.signal ?? `code ${ending.code}`}`
      : ending.type === "unstarted"
      ? `was not called: ${ending.message}`
      : "was not called: no worker took it";
    this.#fail(how);
  }

  #fail(how: string): void {
    noteTo(this.#task, this.#clock, `${NAMES[this.handler.type]} ${this.#mask.text(how)}`);
    this.#ending.resolve(null);
  }
}
