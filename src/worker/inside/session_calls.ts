import { type ErrorCode, JobError } from "../../core/errors.ts";
import { utf8Bytes } from "../../core/text/text_bytes.ts";
import { CallWindow, WAIT_METHOD, type WindowCall } from "../process/call_window.ts";
import type { FromWorker, ToWorker } from "../protocol.ts";

interface PendingCall extends WindowCall {
  readonly message: Extract<FromWorker, { readonly type: "call" }>;
  readonly answer: PromiseWithResolvers<unknown>;
}

/** The worker's side of `ctx.manager` calls: calls beyond the daemon's limits wait here. */
export class SessionCalls {
  readonly #send: (message: FromWorker) => void;
  readonly #sent = new Map<number, PendingCall>();
  #window = new CallWindow();
  /** Waits and all other calls are queued separately, so that neither blocks the other. */
  readonly #waiting: readonly [PendingCall[], PendingCall[]] = [[], []];
  #count = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  call(run: number, method: string, args: readonly unknown[]): Promise<unknown> {
    const message = { type: "call", run, call: ++this.#count, method, args } as const;
    const answer = Promise.withResolvers<unknown>();
    // If the attempt ends first, there may be no waiter any more.
    answer.promise.catch(() => {});
    const call = { message, method, answer, bytes: utf8Bytes(JSON.stringify(args)) };
    this.#queueOf(method).push(call);
    this.#next();
    return answer.promise;
  }

  answer({ call: number, value, error }: Extract<ToWorker, { readonly type: "reply" }>): void {
    const call = this.#sent.get(number);
    if (!call) return;
    this.#sent.delete(number);
    this.#window.leave(call);
    this.#next();
    if (!error) return call.answer.resolve(value);
    const { code, message, hint, path } = error;
    call.answer.reject(new JobError(code as ErrorCode, message, { hint, path }));
  }

  /** The attempt has ended: no more answers. */
  end(): void {
    if (this.#sent.size === 0) return;
    const calls = [...this.#sent.values(), ...this.#waiting.flat()];
    this.#sent.clear();
    for (const queue of this.#waiting) queue.length = 0;
    this.#window = new CallWindow();
    for (const { answer } of calls) answer.reject(new Error("The attempt has ended"));
  }

  #queueOf(method: string): PendingCall[] {
    return this.#waiting[method === WAIT_METHOD ? 0 : 1];
  }

  #next(): void {
    for (const queue of this.#waiting) {
      while (queue.length > 0 && this.#window.has(queue[0]!)) this.#begin(queue.shift()!);
    }
  }

  #begin(call: PendingCall): void {
    this.#window.enter(call);
    this.#sent.set(call.message.call, call);
    this.#send(call.message);
  }
}
