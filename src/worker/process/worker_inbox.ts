import type { ChildChannel } from "../../platform/process/child_channel.ts";
import type { Clock } from "../../platform/clock.ts";
import { type ExpectedRun, MessageOrder } from "./message_order.ts";
import type { FromWorker } from "../protocol.ts";
import { RunCalls } from "./run_calls.ts";
import type { TransferBudget } from "../output/transfer_budget.ts";
import { validateMessage } from "../validate_message.ts";
import type { WorkerRun } from "./worker_run.ts";

/** A message other than a call; calls are answered by the inbox. */
export type TakenMessage = Exclude<FromWorker, { readonly type: "call" }>;

/** Callbacks of a worker's inbox. */
export interface WorkerInboxOptions {
  readonly clock: Clock;
  /** Budget for answers to calls. */
  readonly answers: TransferBudget;
  readonly channel: () => ChildChannel | null;
  /** Called before a message is judged: the current run may have changed. */
  readonly before: () => void;
  readonly receive: (message: TakenMessage) => void;
  /** Called for a message that only job code can have sent. */
  readonly violated: (problem: string) => void;
}

/** Reads the messages of a worker and passes on those that its own program may have sent. */
export class WorkerInbox {
  readonly #options: WorkerInboxOptions;
  readonly #order = new MessageOrder();
  #run: WorkerRun | null = null;
  /** Created by the first call: most runs make none. */
  #calls: RunCalls | null = null;

  constructor(options: WorkerInboxOptions) {
    this.#options = options;
  }

  begin(run: WorkerRun, expected: ExpectedRun): void {
    this.#run = run;
    this.#calls = null;
    this.#order.begin(expected);
  }

  end(): void {
    this.#run = null;
    this.#order.end();
  }

  /** @param bytes size of the message */
  read(given: unknown, bytes: number): void {
    const { before, clock, violated, receive } = this.#options;
    before();
    const message = validateMessage(given);
    if (message === "malformed") return violated("an unreadable message");
    const verdict = message === "foreign"
      ? this.#order.stray()
      : this.#order.judge(message, clock.now().monotonicMs);
    if (typeof verdict === "object") return violated(verdict.problem);
    if (verdict === "drop" || message === "foreign") return;
    if (message.type === "call") this.#callsOf(this.#run!).take(message, bytes);
    else receive(message);
  }

  #callsOf(run: WorkerRun): RunCalls {
    const { clock, answers } = this.#options;
    return this.#calls ??= new RunCalls({
      clock,
      budget: answers,
      channel: this.#options.channel()!,
      call: (method, args) => run.call(method, args),
      isCurrent: () => this.#run === run,
      onFault: this.#options.violated,
    });
  }
}
