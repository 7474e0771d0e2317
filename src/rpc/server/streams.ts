import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { encodeAnswer } from "./adapter.ts";
import type { Audit } from "../auth/audit.ts";
import type { Backend } from "../handlers/backend.ts";
import type { CallTracker } from "../guard/call_tracker.ts";
import { askerOf, jobsOf, toStatus } from "./calls.ts";
import { WorkOnStoreResponseSchema } from "../gen/job_pb.ts";
import type { StreamName } from "../handlers/handlers.ts";
import { FOLLOWS } from "../limits.ts";
import { Quota } from "../guard/quota.ts";
import { workStepToWire } from "../handlers/store_work.ts";
import { type Stream, writeMessage } from "./write_message.ts";

/** Longest silence on a stream of work on the store. */
const HEARTBEAT_MS = 10_000;

/**
 * The streaming calls. Each asks the backend for the next message only when the client has consumed
 * the previous one, so a client holds one message at most. A client that leaves a message unread
 * for half a minute is dropped with an error.
 */
export class Streams {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #open = new Map<Stream, AbortController>();
  readonly #tracker: CallTracker;
  readonly #audit: Audit;
  readonly #follows = new Quota("followers", FOLLOWS);
  #isStopping = false;

  constructor(
    { backend, clock, tracker, audit }: {
      readonly backend: Backend;
      readonly clock: Clock;
      readonly tracker: CallTracker;
      readonly audit: Audit;
    },
  ) {
    this.#audit = audit;
    this.#backend = backend;
    this.#clock = clock;
    this.#tracker = tracker;
  }

  /** Answer one call of Follow. */
  readonly follow = (stream: Stream): void => {
    try {
      this.#answer("follow", stream, this.#follows.take(this.#tracker.originOf(stream.getPeer())));
    } catch (thrown) {
      stream.emit("error", toStatus(toJobError(thrown, "Cannot follow")));
    }
  };

  /** Answer one call of WorkOnStore; the work ends if the client disconnects. */
  readonly workOnStore = (stream: Stream): void => {
    const beat = () =>
      this.#clock.timer(HEARTBEAT_MS, () => {
        timer = beat();
        const step = workStepToWire({ type: "progress", text: "…" });
        const signal = this.#open.get(stream)?.signal;
        if (!signal) return;
        const bytes = encodeAnswer(WorkOnStoreResponseSchema, step);
        void writeMessage(stream, bytes, { clock: this.#clock, signal }).catch(() => {});
      }, { unref: true });
    let timer = beat();
    const { request } = stream;
    this.#audit.tellFirst("workOnStore", { ...askerOf(stream, this.#tracker), request });
    this.#answer("workOnStore", stream, () => timer.cancel());
  };

  /** End every stream; clients resume when a daemon is back. */
  stop(): void {
    this.#isStopping = true;
    for (const abort of this.#open.values()) abort.abort();
  }

  #answer(method: StreamName, stream: Stream, ended: () => void): void {
    const abort = new AbortController();
    this.#open.set(stream, abort);
    // The client has disconnected, with or without an error.
    for (const event of ["cancelled", "close", "error"]) stream.on(event, () => abort.abort());
    void this.#pass(method, stream, abort.signal).then(() => stream.end(), (thrown: unknown) => {
      const action = method === "follow" ? "Cannot follow" : "Cannot work on the store";
      if (!stream.cancelled) stream.emit("error", toStatus(toJobError(thrown, action)));
    }).finally(() => {
      this.#open.delete(stream);
      ended();
    });
  }

  async #pass(method: StreamName, stream: Stream, signal: AbortSignal): Promise<void> {
    const call = { signal, jobs: jobsOf(stream) };
    for await (const bytes of this.#backend.stream(method, stream.request, call)) {
      const taken = this.#tracker.sendMessage(stream.getPeer(), bytes.byteLength);
      await writeMessage(stream, bytes, { clock: this.#clock, signal }).finally(taken);
    }
    if (this.#isStopping && method === "follow") {
      throw new JobError("unavailable", "Cannot follow any longer: the daemon is stopping", {
        hint: "Resume from the last cursor once it has restarted",
      });
    }
  }
}
