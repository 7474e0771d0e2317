import { JobError } from "../core/errors.ts";
import type { StatusSource, Unreadiness } from "../http/status_source.ts";
import type { Clock } from "../platform/clock.ts";
import type { Backend, CallSignal, UnaryName } from "../rpc/backend.ts";
import type { StreamName } from "../rpc/handlers.ts";
import { BatchSender, fromPlainError, readBatch } from "./batches.ts";
import type { Answer, Batch, Question, Request } from "./messages.ts";

/** What waits for an answer of the manager's thread. */
interface Waiting {
  resolve(value: Uint8Array | string | boolean | null): void;
  reject(error: JobError): void;
}

/** Answers calls by asking the thread of the manager. */
export class RemoteBackend implements Backend, StatusSource {
  readonly #sender: BatchSender<Request>;
  readonly #waiting = new Map<number, Waiting>();
  /** Questions that are being asked: one answer serves everybody who asks meanwhile. */
  readonly #asked = new Map<Question, Promise<unknown>>();
  #lastId = 0;

  constructor(
    clock: Clock,
    post: (batch: Batch<Request>, transfer: readonly ArrayBuffer[]) => void,
  ) {
    this.#sender = new BatchSender(clock, post);
  }

  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    const id = ++this.#lastId;
    const answer = this.#wait(id) as Promise<Uint8Array>;
    this.#sender.send({ type: "call", id, method, bytes: request.byteLength }, request);
    call.onCancel(() => this.#cancel(id));
    return answer;
  }

  async *stream(
    method: StreamName,
    request: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const id = ++this.#lastId;
    const cancel = () => this.#cancel(id);
    signal.addEventListener("abort", cancel);
    try {
      let next = this.#wait(id);
      this.#sender.send({ type: "stream", id, method, bytes: request.byteLength }, request);
      for (;;) {
        const message = await next;
        if (message === null || signal.aborted) return;
        yield message as Uint8Array;
        if (signal.aborted) return;
        next = this.#wait(id);
        this.#sender.send({ type: "next", id });
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#sender.send({ type: "cancel", id });
    }
  }

  isServing(): Promise<boolean> {
    return this.#ask("isServing") as Promise<boolean>;
  }

  unreadiness(): Promise<Unreadiness> {
    return this.#ask("unreadiness") as Promise<Unreadiness>;
  }

  metrics(): Promise<string> {
    return this.#ask("metrics") as Promise<string>;
  }

  stop(): void {
    const error = new JobError("unavailable", "Cannot answer: the daemon is stopping", {
      hint: "Try again when it has restarted",
    });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Take what the manager's thread sent. */
  receive(batch: Batch<Answer>): void {
    readBatch(batch, (answer, payload) => this.#take(answer, payload));
  }

  #take(answer: Answer, payload: Uint8Array): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    switch (answer.type) {
      case "message":
        return waiting?.resolve(payload);
      case "end":
        return waiting?.resolve(null);
      case "told":
        return waiting?.resolve(answer.value);
      case "fail":
        return waiting?.reject(fromPlainError(answer.error));
    }
  }

  #wait(id: number): Promise<Uint8Array | string | boolean | null> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Nobody waits any longer. The answer, if one is on its way, is dropped. */
  #cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    this.#sender.send({ type: "cancel", id });
    waiting.reject(new JobError("canceled", "Canceled: the client went away"));
  }

  #ask(question: Question): Promise<unknown> {
    const asked = this.#asked.get(question);
    if (asked) return asked;
    const id = ++this.#lastId;
    const answer = this.#wait(id).finally(() => this.#asked.delete(question));
    this.#asked.set(question, answer);
    this.#sender.send({ type: "ask", id, question });
    return answer;
  }
}
