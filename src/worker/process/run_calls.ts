import type { ErrorCode } from "../../core/errors.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import { cutText } from "../../core/text/text_bytes.ts";
import type { ChildChannel } from "../../platform/process/child_channel.ts";
import type { Clock } from "../../platform/clock.ts";
import { CallWindow, WAIT_METHOD } from "./call_window.ts";
import type { FromWorker, ToWorker, WireError } from "../protocol.ts";
import type { TransferBudget } from "../output/transfer_budget.ts";

type CallMessage = Extract<FromWorker, { readonly type: "call" }>;
type Reply = Extract<ToWorker, { readonly type: "reply" }>;
type Answer = Pick<Reply, "value" | "error">;

/** Calls whose answers may be much larger than their arguments. */
const HEAVY_METHODS: ReadonlySet<string> = new Set([
  "lookupInstances",
  "cancelInstances",
  "scheduleJobs",
  "getInstance",
]);
/** Longest answer to a call, in characters. */
const REPLY_LENGTH_MAX = 4 * PAYLOAD_BYTES_MAX;
/** Unread answer bytes above which a worker's calls are refused, and above which it is ended. */
export const UNREAD_BYTES_MAX = {
  calls: 8 * PAYLOAD_BYTES_MAX,
  worker: 16 * PAYLOAD_BYTES_MAX,
} as const;
/** Longest message and hint of an error answer, in bytes. */
const ERROR_BYTES_MAX = 8_192;

interface RunCallsOptions {
  readonly clock: Clock;
  readonly channel: Pick<ChildChannel, "unreadBytes" | "send" | "sendText">;
  /** Shared by all runs. */
  readonly budget: TransferBudget;
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  /** True while the run wants answers. */
  isCurrent(): boolean;
  /** Called when the worker exceeds its limits and must end. */
  onFault(problem: string): void;
}

/**
 * Answers the `ctx.manager` calls of one run. Large answers are prepared one by one, as soon as the
 * previous one was sent and the budget has room, so that few are in memory at once.
 */
export class RunCalls {
  readonly #options: RunCallsOptions;
  readonly #window = new CallWindow();
  /** The end of each queue. Waits have a separate queue, so that neither blocks the other. */
  readonly #queues = { waits: Promise.resolve(), others: Promise.resolve() };

  constructor(options: RunCallsOptions) {
    this.#options = options;
  }

  /** Answer a call. @param bytes size of its message */
  take(message: CallMessage, bytes: number): void {
    const { method } = message;
    // The worker counts only the arguments, and their text may be shorter there.
    const entry = { method, bytes: bytes / 2 };
    if (!this.#window.has(entry)) {
      return this.#options.onFault("more concurrent calls than allowed");
    }
    this.#window.enter(entry);
    const end = (answer: Answer | null) => {
      this.#window.leave(entry);
      return answer === null ? 0 : this.#send({ type: "reply", call: message.call, ...answer });
    };
    if (method === WAIT_METHOD) this.#wait(message, end);
    else if (isHeavy(message)) this.#enqueue("others", async () => end(await this.#read(message)));
    else void this.#call(message).then(end);
  }

  // The first look-up and the final answer wait in the queue, because both may be large. The wait
  // itself does not block the queue.
  #wait(message: CallMessage, end: (answer: Answer | null) => number): void {
    this.#enqueue("waits", async () => {
      const [id] = message.args;
      const present = await this.#read({ ...message, args: [id, 0] });
      if (present === null || present.value !== null) return end(present);
      void this.#call(message).then((answer) => {
        this.#enqueue("waits", () => Promise.resolve(end(answer)));
      });
      return 0;
    });
  }

  /** @param task returns the pause that must follow it, in ms */
  #enqueue(queue: "waits" | "others", task: () => Promise<number>): void {
    this.#queues[queue] = this.#queues[queue].then(task).then((pauseMs) => {
      if (pauseMs === 0) return;
      return new Promise((resolve) => this.#options.clock.timer(pauseMs, resolve));
    });
  }

  /** Answer a heavy call. It is not even executed while earlier answers are unread. */
  #read(message: CallMessage): Promise<Answer | null> {
    if (this.#isBehind) {
      return Promise.resolve({ error: refusal("earlier responses were not read") });
    }
    return this.#call(message);
  }

  async #call({ method, args }: CallMessage): Promise<Answer | null> {
    if (!this.#options.isCurrent()) return null;
    return await this.#options.call(method, args).then((value) => ({ value }), errorOf);
  }

  get #isBehind(): boolean {
    return this.#options.channel.unreadBytes > UNREAD_BYTES_MAX.calls;
  }

  /** @returns pause before the next large answer, in ms */
  #send(reply: Reply): number {
    const { channel, onFault, isCurrent, clock, budget } = this.#options;
    if (!isCurrent()) return 0;
    if (channel.unreadBytes > UNREAD_BYTES_MAX.worker) {
      onFault("calls without reading the responses");
      return 0;
    }
    const sinceMs = clock.now().monotonicMs;
    const isBehind = this.#isBehind;
    const text = isBehind ? "" : JSON.stringify(reply);
    const problem = isBehind
      ? "earlier responses were not read"
      : text.length > REPLY_LENGTH_MAX
      ? `it has ${text.length} characters, at most ${REPLY_LENGTH_MAX} are sent to a job`
      : null;
    if (problem === null) channel.sendText(text);
    else {
      const error = refusal(problem);
      channel.send({ type: "reply", call: reply.call, error } satisfies ToWorker);
    }
    return budget.spend(sinceMs, text.length);
  }
}

/** True if its answer may be much larger than its arguments. */
function isHeavy({ method, args }: CallMessage): boolean {
  if (HEAVY_METHODS.has(method)) return true;
  // The answer is the instance with that key, even if its arguments differ.
  return method === "scheduleJob" &&
    (args[1] as { readonly onConflict?: unknown } | null | undefined)?.onConflict === "keep";
}

function refusal(problem: string): WireError {
  return {
    code: "resource_exhausted" satisfies ErrorCode,
    message: `Cannot respond to the call: ${problem}`,
    hint: "Ask for a smaller page",
  };
}

function errorOf(thrown: unknown): { readonly error: WireError } {
  const { code, message, hint, path } = thrown as Partial<WireError>;
  const error = {
    code: code ?? "internal",
    message: cutText(message ?? String(thrown), ERROR_BYTES_MAX),
    hint: hint === undefined ? undefined : cutText(hint, ERROR_BYTES_MAX),
    path,
  };
  return { error: withoutUndefined(error) };
}
