import { JobError } from "../core/errors.ts";
import type { Instance, RunningProcess } from "../core/instance.ts";
import type { Block } from "../core/job/limits.ts";
import type { Ping, StatusSource } from "../http/monitoring/status_source.ts";
import type { ChangeOfInstance } from "../manager/instances/followers.ts";
import type { LiveFacts } from "../manager/api.ts";
import type { SessionFacts } from "../manager/sessions/session.ts";
import type { Clock } from "../platform/clock.ts";
import type { Backend, CallSignal, StreamName, StreamSignal, UnaryName } from "../rpc/backend.ts";
import { LazyWatch } from "../rpc/watch/lazy_watch.ts";
import { BatchSender, canceled, fromPlainError, readBatch } from "./batches.ts";
import { ANSWER_CODEC, REQUEST_CODEC } from "./frame_codecs.ts";
import type { Answer, Batch, Change, Facts, PostBatch, Question, Request } from "./messages.ts";

/** A request waiting for the manager's thread. */
interface Waiting {
  resolve(value: unknown): void;
  reject(error: JobError): void;
}

/** Questions without parameters. */
type SharedQuestion =
  | "readiness"
  | "metrics"
  | "hooks"
  | "pingKeys"
  | "listPauses"
  | "kinds"
  | "ownKinds";
type ChangeListener = (change: ChangeOfInstance | null) => void;

/** Completes calls in the thread of the manager. */
export class RemoteBackend implements Backend, StatusSource, LiveFacts, SessionFacts {
  readonly #sender: BatchSender<Request>;
  readonly #waiting = new Map<number, Waiting>();
  /** Questions in flight, by name. */
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<ChangeListener>();
  /** Resolves with the first changes after someone starts to watch. */
  #watching = Promise.withResolvers<void>();
  #lastId = 0;
  readonly #watch: LazyWatch;

  constructor(clock: Clock, post: PostBatch<Request>) {
    this.#sender = new BatchSender(REQUEST_CODEC, clock, post);
    this.#watch = new LazyWatch({
      complete: (...call) => this.complete(...call),
      subscribe: (listener) => this.watch(listener),
      subscribed: () => this.watching(),
      clock,
    });
  }

  complete(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array> {
    // A new listener is not called for an earlier cancellation.
    if (call.isCanceled()) return Promise.reject(canceled());
    const id = ++this.#lastId;
    const answer = this.#wait(id) as Promise<Uint8Array>;
    const { jobs, caller, isJson } = call;
    this.#sender.send({ type: "call", id, method, jobs, caller, isJson }, request);
    call.onCancel(() => {
      // A canceled wait, which costs nothing, ends at once. Any other call ends when the manager
      // responds: it may be working on it, and a caller must not exceed the limit of concurrent
      // reads by canceling them.
      if (method === "waitInstance") this.#cancel(id);
      else if (this.#waiting.has(id)) this.#sender.send({ type: "cancel", id });
    });
    return answer;
  }

  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array> {
    // In this thread, once for all watchers.
    if (method === "watch") return this.#watch.stream(request, call);
    return this.#stream(method, request, call);
  }

  async *#stream(
    method: StreamName,
    request: Uint8Array,
    { signal, jobs, isJson }: StreamSignal,
  ): AsyncGenerator<Uint8Array> {
    if (signal.aborted) return;
    const id = ++this.#lastId;
    const cancel = () => this.#cancel(id);
    signal.addEventListener("abort", cancel);
    try {
      let next = this.#wait(id);
      this.#sender.send({ type: "stream", id, method, jobs, isJson }, request);
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

  readonly readiness = () => this.#askOnce("readiness");
  readonly metrics = () => this.#askOnce("metrics");
  readonly listPauses = () => this.#askOnce("listPauses");
  readonly ping = (ping: Ping) => this.#ask("ping", ping);
  readonly pingKeys = () => this.#askOnce("pingKeys");
  readonly hooks = () => this.#askOnce("hooks");
  readonly deliver: StatusSource["deliver"] = (...args) => this.#ask("deliver", ...args);
  readonly waitingCodes = () => this.#ask("waitingCodes");
  readonly redeemLoginCode: SessionFacts["redeemLoginCode"] = (...args) =>
    this.#ask("redeemLoginCode", ...args);
  readonly openSession: SessionFacts["openSession"] = (...args) =>
    this.#ask("openSession", ...args);
  readonly useSession: SessionFacts["useSession"] = (...args) => this.#ask("useSession", ...args);
  readonly revokeSession: SessionFacts["revokeSession"] = (...args) =>
    this.#ask("revokeSession", ...args);
  readonly kinds = () => this.#askOnce("kinds");
  readonly ownKinds = () => this.#askOnce("ownKinds");
  readonly isKnown = (kind: string) => this.#ask("isKnown", kind);
  readonly assertKnown = (kind: string) => this.#ask("assertKnown", kind);
  readonly kindsOfTag: LiveFacts["kindsOfTag"] = (...args) => this.#ask("kindsOfTag", ...args);
  readonly disabledBecause = (kind: string) => this.#ask("disabledBecause", kind);
  readonly timezoneOf = (kind: string) => this.#ask("timezoneOf", kind);

  blockOf(instance: Instance): Promise<Block | null> {
    if (instance.state !== "scheduled") return Promise.resolve(null);
    return this.#ask("blockOf", instance);
  }

  unservedKinds(kinds: Iterable<string>): Promise<ReadonlyMap<string, Block>> {
    const list = [...kinds];
    if (list.length === 0) return Promise.resolve(new Map());
    return this.#ask("unservedKinds", list);
  }

  processesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, RunningProcess>> {
    const list = [...ids];
    if (list.length === 0) return Promise.resolve(new Map());
    return this.#ask("processesOf", list);
  }

  /** Subscribe to changes, null meaning any; returns a function that unsubscribes. */
  watch(listener: ChangeListener): () => void {
    if (this.#listeners.size === 0) {
      this.#watching = Promise.withResolvers();
      this.#sender.send({ type: "watch", isOn: true });
    }
    this.#listeners.add(listener);
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#sender.send({ type: "watch", isOn: false });
    };
  }

  /** Resolves once watchers get every change. */
  watching(): Promise<void> {
    return this.#watching.promise;
  }

  stop(): void {
    this.#watching.resolve();
    const error = new JobError("unavailable", "Cannot complete the call: the daemon is stopping", {
      hint: "Try again when it has restarted",
    });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Handle a message of the manager's thread. */
  receive(batch: Batch<Answer>): void {
    readBatch(ANSWER_CODEC, batch, (answer, payload) => this.#take(answer, payload));
  }

  #take(answer: Answer, payload: Uint8Array): void {
    if (answer.type === "changes") return this.#publish(answer.changes);
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    switch (answer.type) {
      case "message":
        return waiting?.resolve(payload);
      case "end":
        return waiting?.resolve(null);
      case "fact":
        return waiting?.resolve(answer.value);
      case "fail":
        return waiting?.reject(fromPlainError(answer.error));
    }
  }

  #wait(id: number): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** The response is no longer needed; a late one is dropped. */
  #cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    this.#sender.send({ type: "cancel", id });
    waiting.reject(canceled());
  }

  #ask<Name extends keyof Facts>(
    name: Name,
    ...args: Parameters<Facts[Name]>
  ): ReturnType<Facts[Name]> {
    const id = ++this.#lastId;
    const answer = this.#wait(id);
    this.#sender.send({ type: "ask", id, question: { name, args } as Question });
    return answer as ReturnType<Facts[Name]>;
  }

  // One answer serves all concurrent questions.
  #askOnce<Name extends SharedQuestion>(name: Name): ReturnType<Facts[Name]> {
    let answer = this.#asked.get(name);
    if (!answer) {
      answer = this.#ask<SharedQuestion>(name).finally(() => this.#asked.delete(name));
      this.#asked.set(name, answer);
    }
    return answer as ReturnType<Facts[Name]>;
  }

  #publish(changes: readonly Change[] | null): void {
    this.#watching.resolve();
    for (const listener of [...this.#listeners]) {
      if (changes === null) listener(null);
      else {
        for (const instance of changes) {
          listener({ type: instance.isState ? "state" : "log", instance });
        }
      }
    }
  }
}
