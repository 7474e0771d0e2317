import type { StatusSource } from "../http/status_source.ts";
import type { Clock } from "../platform/clock.ts";
import type { Backend } from "../rpc/backend.ts";
import { BatchSender, readBatch, toPlainError } from "./batches.ts";
import type { Answer, Batch, Question, Request } from "./messages.ts";

/** A stream that is being answered. */
interface OpenStream {
  readonly messages: AsyncIterator<Uint8Array>;
  readonly abort: AbortController;
}

/** The manager's side: answers what the listeners' thread asks for. */
export class Desk {
  readonly #backend: Backend;
  readonly #source: StatusSource;
  readonly #sender: BatchSender<Answer>;
  /** Calls that are being answered, with who wants to know that they were canceled. */
  readonly #calls = new Map<number, Set<() => void>>();
  readonly #streams = new Map<number, OpenStream>();

  constructor(
    options: {
      readonly backend: Backend;
      readonly source: StatusSource;
      readonly clock: Clock;
      readonly post: (batch: Batch<Answer>, transfer: readonly ArrayBuffer[]) => void;
    },
  ) {
    this.#backend = options.backend;
    this.#source = options.source;
    this.#sender = new BatchSender(options.clock, options.post);
  }

  /** Begin to answer what the listeners' thread sent. */
  receive(batch: Batch<Request>): void {
    readBatch(batch, (request, payload) => this.#take(request, payload));
  }

  /** Give up everything that is being answered. */
  stop(): void {
    for (const id of [...this.#calls.keys(), ...this.#streams.keys()]) this.#cancel(id);
  }

  #take(request: Request, payload: Uint8Array): void {
    const { id } = request;
    switch (request.type) {
      case "call":
        return void this.#answer(request, payload);
      case "stream": {
        const abort = new AbortController();
        const messages = this.#backend.stream(request.method, payload, abort.signal);
        this.#streams.set(id, { messages: messages[Symbol.asyncIterator](), abort });
        return void this.#next(id);
      }
      case "next":
        return void this.#next(id);
      case "cancel":
        return this.#cancel(id);
      case "ask":
        return void this.#tell(id, request.question);
    }
  }

  async #answer(
    { id, method }: Request & { readonly type: "call" },
    payload: Uint8Array,
  ): Promise<void> {
    const listeners = new Set<() => void>();
    this.#calls.set(id, listeners);
    const signal = {
      isCanceled: () => !this.#calls.has(id),
      onCancel: (listener: () => void) => void listeners.add(listener),
    };
    try {
      const bytes = await this.#backend.answer(method, payload, signal);
      if (!signal.isCanceled()) {
        this.#sender.send({ type: "message", id, bytes: bytes.byteLength }, bytes);
      }
    } catch (thrown) {
      if (!signal.isCanceled()) this.#fail(id, thrown, `Cannot answer ${method}`);
    }
    this.#calls.delete(id);
  }

  async #next(id: number): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    try {
      const { done, value } = await stream.messages.next();
      if (!this.#streams.has(id)) return;
      if (!done) {
        this.#sender.send({ type: "message", id, bytes: value.byteLength }, value);
        return;
      }
      this.#streams.delete(id);
      this.#sender.send({ type: "end", id });
    } catch (thrown) {
      if (this.#streams.delete(id)) this.#fail(id, thrown, "Cannot answer");
    }
  }

  #cancel(id: number): void {
    const listeners = this.#calls.get(id);
    this.#calls.delete(id);
    for (const listener of listeners ?? []) listener();
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    stream.abort.abort();
    // One that waits for its next message ends with the signal.
    void Promise.resolve(stream.messages.return?.()).catch(() => {});
  }

  async #tell(id: number, question: Question): Promise<void> {
    try {
      const value = await this.#valueOf(question);
      this.#sender.send({ type: "told", id, value });
    } catch (thrown) {
      this.#fail(id, thrown, "Cannot tell the status");
    }
  }

  #valueOf(question: Question): Promise<string | boolean | null> {
    switch (question) {
      case "isServing":
        return this.#backend.isServing();
      case "unreadiness":
        return this.#source.unreadiness();
      case "metrics":
        return this.#source.metrics();
    }
  }

  #fail(id: number, thrown: unknown, action: string): void {
    this.#sender.send({ type: "fail", id, error: toPlainError(thrown, action) });
  }
}
