import type * as grpc from "@grpc/grpc-js";
import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { CallTracker, Origin } from "../guard/call_tracker.ts";
import { Quota } from "../guard/quota.ts";
import type { StreamName } from "../backend.ts";
import { REFLECTION, UNREAD_MS } from "../limits.ts";
import { encodeMessage } from "../model/message_codec.ts";
import type { Calls } from "./call_policy.ts";
import { callerOf, toStatus, wantsJson } from "./calls.ts";
import type { ReflectionStream } from "./reflection.ts";

/** Longest silence on a stream of work on the store. */
const HEARTBEAT_MS = 10_000;

/** The server's side of a call that returns a stream. */
type Stream = grpc.ServerWritableStream<Uint8Array, Uint8Array>;

interface StreamsOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly tracker: CallTracker;
}

/**
 * The streaming calls. Each produces the next message only when the client has read the previous
 * one, so memory has at most one message per stream. A client that leaves a message unread for half
 * a minute is disconnected with an error.
 */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #open = new Set<AbortController>();
  readonly #reflections = new Quota("reflection streams", REFLECTION);

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  readonly follow = (stream: Stream): void => {
    void this.#serve(stream, "Cannot follow", (signal) => this.#pass("follow", stream, signal));
  };

  readonly watch = (stream: Stream): void => {
    void this.#serve(stream, "Cannot watch", (signal) => this.#pass("watch", stream, signal));
  };

  /** Serve one call of WorkOnStore; the work ends if the client disconnects. */
  readonly workOnStore = (stream: Stream): void => {
    const { clock } = this.#options;
    void this.#serve(stream, "Cannot work on the store", async (signal) => {
      const heartbeat = new LazyTimer(clock, () => {
        heartbeat.setIn(HEARTBEAT_MS);
        const bytes = encodeMessage("job.v1.WorkOnStoreResponse", { progress: "…" });
        void writeMessage(stream, bytes, { clock, signal }).catch(() => {});
      });
      heartbeat.setIn(HEARTBEAT_MS);
      await this.#pass("workOnStore", stream, signal).finally(() => heartbeat.cancel());
    });
  };

  /** Serve one reflection call of either version; its code is loaded with the first call. */
  readonly reflect = (stream: ReflectionStream): void => {
    void this.#serve(stream, "Cannot reflect", async (signal) => {
      const release = this.#reflections.take(this.#originOf(stream));
      try {
        const { reflect } = await import("./reflection.ts");
        const responses = reflect(stream, { clock: this.#options.clock, signal });
        await this.#send(responses, stream, signal);
      } finally {
        release();
      }
    });
  };

  /** End every stream; clients resume when a daemon is back. */
  stop(): void {
    for (const abort of this.#open) abort.abort();
  }

  /** @param serve is given a signal that aborts when the client disconnects */
  async #serve(
    stream: Stream | ReflectionStream,
    action: string,
    serve: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const abort = new AbortController();
    this.#open.add(abort);
    // The client has disconnected, with or without an error.
    for (const event of ["cancelled", "close", "error"]) stream.on(event, () => abort.abort());
    try {
      await serve(abort.signal);
      stream.end();
    } catch (thrown) {
      if (!stream.cancelled) stream.emit("error", toStatus(toJobError(thrown, action)));
    } finally {
      this.#open.delete(abort);
    }
  }

  async #pass(method: StreamName, stream: Stream, signal: AbortSignal): Promise<void> {
    const context = {
      caller: callerOf(stream),
      peer: stream.getPeer(),
      signal,
      isJson: wantsJson(stream),
    };
    await this.#send(this.#options.calls.stream(method, stream.request, context), stream, signal);
  }

  async #send(
    messages: AsyncIterable<Uint8Array>,
    stream: Stream | ReflectionStream,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, tracker } = this.#options;
    for await (const bytes of messages) {
      const taken = tracker.sendMessage(stream.getPeer(), bytes.byteLength);
      await writeMessage(stream, bytes, { clock, signal }).finally(taken);
    }
  }

  #originOf(stream: Stream | ReflectionStream): Origin {
    return this.#options.tracker.originOf(stream.getPeer());
  }
}

/**
 * Write a message, and wait until the client has read it or the signal aborts.
 *
 * @throws JobError `resource_exhausted` when it is left unread for half a minute
 */
function writeMessage(
  stream: Pick<Stream, "write">,
  bytes: Uint8Array,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const finish = () => {
      timer.cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.timer(UNREAD_MS, () => {
      signal.removeEventListener("abort", finish);
      reject(
        new JobError(
          "resource_exhausted",
          `Cannot send any more: a message was left unread for ${UNREAD_MS / 1_000} s`,
          { hint: "Read faster; a follower can resume from its last cursor" },
        ),
      );
    }, { unref: true });
    signal.addEventListener("abort", finish);
    stream.write(bytes, finish);
  });
}
