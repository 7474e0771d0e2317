import { toJobError } from "../core/errors.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import type { StatusSource } from "../http/monitoring/status_source.ts";
import type { ChangeOfInstance } from "../manager/instances/followers.ts";
import type { LiveFacts } from "../manager/api.ts";
import { type SessionApi, type SessionFacts, sessionFactsOf } from "../manager/sessions/session.ts";
import type { Clock } from "../platform/clock.ts";
import type { Lazy } from "../platform/lazy.ts";
import type { Backend, CallInfo } from "../rpc/backend.ts";
import { BatchSender, canceled, readBatch, toPlainError } from "./batches.ts";
import { ANSWER_CODEC, REQUEST_CODEC } from "./frame_codecs.ts";
import type { Answer, Batch, Change, Facts, PostBatch, Question, Request } from "./messages.ts";

/** Most changes listed in one batch. */
const CHANGES_MAX = 100;

/** Options of the endpoint. */
export interface ManagerEndpointOptions {
  readonly backend: Lazy<Backend<CallInfo>>;
  readonly source: StatusSource;
  readonly facts: LiveFacts;
  readonly sessions: SessionApi;
  /** Subscribe to changes; returns a function that unsubscribes. */
  readonly subscribe: (listener: (event: ChangeOfInstance) => void) => () => void;
  readonly clock: Clock;
  readonly mask?: SecretMask | undefined;
  readonly post: PostBatch<Answer>;
}

/** Questions about the manager that the source answers. */
const FROM_SOURCE: Readonly<Record<keyof StatusSource, true>> = {
  readiness: true,
  metrics: true,
  ping: true,
  pingKeys: true,
  hooks: true,
  deliver: true,
};

interface OpenStream {
  readonly messages: AsyncIterator<Uint8Array>;
  readonly abort: AbortController;
}

/** The manager's side: completes requests of the listeners' thread. */
export class ManagerEndpoint {
  readonly #options: ManagerEndpointOptions;
  readonly #sender: BatchSender<Answer>;
  readonly #sessions: SessionFacts;
  readonly #calls = new Set<number>();
  readonly #streams = new Map<number, OpenStream>();

  /** Instances that have changed in this event loop turn. */
  readonly #changed = new Map<string, Change>();
  #unsubscribe: (() => void) | null = null;
  #isStopped = false;

  constructor(options: ManagerEndpointOptions) {
    this.#options = options;
    this.#sessions = sessionFactsOf(options.sessions);
    this.#sender = new BatchSender(ANSWER_CODEC, options.clock, options.post);
  }

  /** Start the requests in a message of the listeners' thread. */
  receive(batch: Batch<Request>): void {
    readBatch(REQUEST_CODEC, batch, (request, payload) => this.#take(request, payload));
  }

  /** Abandon all calls and streams. */
  stop(): void {
    this.#isStopped = true;
    this.#watch(false);
    for (const id of [...this.#calls.keys(), ...this.#streams.keys()]) this.#cancel(id);
  }

  #take(request: Request, payload: Uint8Array): void {
    if (request.type === "watch") return this.#watch(request.isOn);
    const { id } = request;
    switch (request.type) {
      case "call":
        return void this.#complete(request, payload);
      case "stream": {
        const abort = new AbortController();
        this.#streams.set(id, { messages: this.#stream(request, payload, abort.signal), abort });
        return void this.#next(id);
      }
      case "next":
        return void this.#next(id);
      case "cancel":
        return this.#cancel(id);
      case "ask":
        return void this.#sendFact(id, request.question);
    }
  }

  /** Also responds to a canceled call: the listeners wait until its work has ended. */
  async #complete(
    { id, method, jobs, caller, isJson }: Request & { readonly type: "call" },
    payload: Uint8Array,
  ): Promise<void> {
    this.#calls.add(id);
    const signal = { isCanceled: () => !this.#calls.has(id), jobs, caller, isJson };
    try {
      const { backend } = this.#options;
      // Always waits: a cancellation may be in the same batch.
      const loaded = await (backend.value ?? backend.get());
      if (signal.isCanceled()) throw canceled();
      const bytes = await loaded.complete(method, payload, signal);
      if (signal.isCanceled()) throw canceled();
      this.#sender.send({ type: "message", id }, bytes);
    } catch (thrown) {
      this.#fail(id, thrown, `Cannot complete ${method}`);
    } finally {
      this.#calls.delete(id);
    }
  }

  async *#stream(
    { method, jobs, isJson }: Request & { readonly type: "stream" },
    payload: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const backend = await this.#options.backend.get();
    yield* backend.stream(method, payload, { signal, jobs, isJson });
  }

  async #next(id: number): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    try {
      const { done, value } = await stream.messages.next();
      if (!this.#streams.has(id)) return;
      if (!done) {
        this.#sender.send({ type: "message", id }, value);
        return;
      }
      this.#streams.delete(id);
      this.#sender.send({ type: "end", id });
    } catch (thrown) {
      if (this.#streams.delete(id)) this.#fail(id, thrown, "Cannot complete the stream");
    }
  }

  #cancel(id: number): void {
    this.#calls.delete(id);
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    stream.abort.abort();
    // A stream that waits for its next message ends with the signal.
    void Promise.resolve(stream.messages.return?.()).catch(() => {});
  }

  async #sendFact(id: number, { name, args }: Question): Promise<void> {
    const { source, facts } = this.#options;
    const owner: Partial<Facts> = name in FROM_SOURCE
      ? source
      : name in this.#sessions
      ? this.#sessions
      : facts;
    try {
      const value: unknown = await Reflect.apply(owner[name]!, owner, args);
      this.#sender.send({ type: "fact", id, value });
    } catch (thrown) {
      this.#fail(id, thrown, "Cannot read the status");
    }
  }

  #watch(isOn: boolean): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    if (!isOn) return;
    this.#unsubscribe = this.#options.subscribe(({ type, instance: { id, kind } }) => {
      const isState = type === "state" || type === "progress" ||
        this.#changed.get(id)?.isState === true;
      if (this.#changed.size === 0) this.#options.clock.defer(() => this.#sendChanges());
      // Too many changes to list need not be collected.
      if (this.#changed.size <= CHANGES_MAX) this.#changed.set(id, { id, kind, isState });
    });
    // Changes since the listeners subscribed were missed.
    this.#sender.send({ type: "changes", changes: null });
  }

  #sendChanges(): void {
    const changes = this.#changed.size > CHANGES_MAX ? null : [...this.#changed.values()];
    this.#changed.clear();
    this.#sender.send({ type: "changes", changes });
  }

  #fail(id: number, thrown: unknown, action: string): void {
    if (this.#isStopped) return;
    const error = toJobError(thrown, action);
    // The caller's own text stays unmasked: a mask would reveal whether they guessed a secret.
    const isOurs = error.code === "internal" || error.code === "unavailable";
    const shown = isOurs && this.#options.mask ? this.#options.mask.jobError(error) : error;
    this.#sender.send({ type: "fail", id, error: toPlainError(shown, action) });
  }
}
