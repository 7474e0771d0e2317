import type { MessageInitShape } from "@bufbuild/protobuf";
import { JobError, toJobError } from "../core/errors.ts";
import type { FollowStep, ManagerApi } from "../manager/api.ts";
import type { Clock } from "../platform/clock.ts";
import { decodeRequest, encodeAnswer } from "./adapter.ts";
import { toStatus } from "./calls.ts";
import { instanceToWire, logToWire } from "./convert.ts";
import { FollowRequestSchema, FollowResponseSchema } from "./gen/job_pb.ts";
import { FOLLOWS_MAX } from "./limits.ts";
import { readLogQuery } from "./requests.ts";
import { type Stream, writeMessage } from "./write_message.ts";

/**
 * The streams of Follow. Each asks the manager for its next step when the client has taken the one before, so that a client
 * holds one message at most; one that leaves a message unread for half a minute is told so and dropped.
 */
export class FollowService {
  readonly #manager: ManagerApi;
  readonly #clock: Clock;
  readonly #streams = new Map<Stream, AbortController>();
  #isStopping = false;

  constructor(manager: ManagerApi, clock: Clock) {
    this.#manager = manager;
    this.#clock = clock;
  }

  /** Streams that are open. */
  get count(): number {
    return this.#streams.size;
  }

  /** Answer one call. */
  readonly handle = (stream: Stream): void => {
    const abort = new AbortController();
    // A client that went away, with or without a word.
    for (const event of ["cancelled", "close", "error"]) stream.on(event, () => abort.abort());
    void this.#run(stream, abort).then(() => stream.end(), (thrown: unknown) => {
      if (!stream.cancelled) stream.emit("error", toStatus(toJobError(thrown, "Cannot follow")));
    }).finally(() => this.#streams.delete(stream));
  };

  /** End every stream: their clients go on when a daemon is there again. */
  stop(): void {
    this.#isStopping = true;
    for (const abort of this.#streams.values()) abort.abort();
  }

  async #run(stream: Stream, abort: AbortController): Promise<void> {
    if (this.#streams.size >= FOLLOWS_MAX) {
      throw new JobError("resource_exhausted", `Cannot follow: ${FOLLOWS_MAX} followers are there`);
    }
    this.#streams.set(stream, abort);
    const request = decodeRequest(FollowRequestSchema, stream.request);
    const { after, before, ...query } = readLogQuery(request);
    if (after !== undefined || before !== undefined) {
      throw new JobError("invalid_argument", "Cannot follow the logs of a time: it has an end", {
        path: "query",
        hint: "Begin with the oldest line, at a cursor, or from now",
      });
    }
    const steps = this.#manager.follow(query, {
      cursor: request.cursor ?? null,
      fromNow: request.fromNow === true,
      signal: abort.signal,
    });
    for await (const step of steps) {
      const bytes = encodeAnswer(FollowResponseSchema, stepToWire(step));
      await writeMessage(stream, bytes, { clock: this.#clock, signal: abort.signal });
    }
    if (this.#isStopping) {
      throw new JobError("unavailable", "Cannot follow any longer: the daemon is stopping", {
        hint: "Go on after the last cursor when it has started again",
      });
    }
  }
}

/** A step on the wire. */
export function stepToWire(
  { entries, cursor, instance }: FollowStep,
): MessageInitShape<typeof FollowResponseSchema> {
  return {
    entries: entries.map(logToWire),
    cursor,
    instance: instance ? instanceToWire(instance) : undefined,
  };
}
