import type { ErrorCode } from "../core/errors.ts";
import { cutText } from "../core/text_bytes.ts";
import type { ChildChannel } from "../platform/child_channel.ts";
import { CallWindow } from "./call_window.ts";
import type { FromWorker, ToWorker, WireError } from "./protocol.ts";
import { REPLY_LENGTH_MAX, UNREAD_BYTES_MAX } from "./worker_limits.ts";

type CallMessage = Extract<FromWorker, { readonly type: "call" }>;
type Reply = Extract<ToWorker, { readonly type: "reply" }>;

/** Calls whose answers may be large; of one run they are executed one after another, each when the answer before it was sent. */
const HEAVY_METHODS: ReadonlySet<string> = new Set([
  "lookupInstances",
  "cancelInstances",
  "scheduleJobs",
  "getInstance",
]);
/** Longest message and hint of an error answer, in bytes. */
const ERROR_BYTES_MAX = 8_192;

/** Options of {@link RunCalls}. */
export interface RunCallsOptions {
  readonly channel: ChildChannel;
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  /** Whether the run still wants answers. */
  isCurrent(): boolean;
  /** Called when the worker exceeds its limits and must end. */
  onFault(problem: string): void;
}

/** Answers the `ctx.manager` calls of one run, no more at once than the daemon can hold. */
export class RunCalls {
  readonly #options: RunCallsOptions;
  readonly #window = new CallWindow();
  #heavy: Promise<unknown> = Promise.resolve();

  constructor(options: RunCallsOptions) {
    this.#options = options;
  }

  /** Answer a call. @param bytes size of its message */
  take(message: CallMessage, bytes: number): void {
    const { method, call } = message;
    // The worker counts only the arguments, and their text may be shorter there.
    const entry = { method, bytes: bytes / 2 };
    if (!this.#window.has(entry)) {
      return this.#options.onFault("more concurrent calls than allowed");
    }
    this.#window.enter(entry);
    const answer = async () => {
      const answered = this.#options.isCurrent()
        ? await this.#options.call(method, message.args).then((value) => ({ value }), errorOf)
        : null;
      this.#window.leave(entry);
      if (answered && this.#options.isCurrent()) this.#send({ type: "reply", call, ...answered });
    };
    if (HEAVY_METHODS.has(method)) this.#heavy = this.#heavy.then(answer);
    else void answer();
  }

  #send(reply: Reply): void {
    const { channel, onFault } = this.#options;
    if (channel.unreadBytes > UNREAD_BYTES_MAX.worker) {
      return onFault("calls without reading the answers");
    }
    const isBehind = channel.unreadBytes > UNREAD_BYTES_MAX.calls;
    const text = isBehind ? "" : JSON.stringify(reply);
    const problem = isBehind
      ? "earlier answers were not read"
      : text.length > REPLY_LENGTH_MAX
      ? `it has ${text.length} characters, at most ${REPLY_LENGTH_MAX} are sent to a job`
      : null;
    if (problem === null) return channel.sendText(text);
    const error: WireError = {
      code: "resource_exhausted" satisfies ErrorCode,
      message: `Cannot answer the call: ${problem}`,
      hint: "Ask for a smaller page",
    };
    channel.send({ type: "reply", call: reply.call, error } satisfies ToWorker);
  }
}

function errorOf(thrown: unknown): { readonly error: WireError } {
  const { code, message, hint, path } = thrown as Partial<WireError>;
  const error = {
    code: code ?? "internal",
    message: cutText(message ?? String(thrown), ERROR_BYTES_MAX),
    ...(hint === undefined ? {} : { hint: cutText(hint, ERROR_BYTES_MAX) }),
    ...(path === undefined ? {} : { path }),
  };
  return { error };
}
