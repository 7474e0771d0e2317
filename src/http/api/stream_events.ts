import { toJobError } from "../../core/errors.ts";
import type { FollowResponse, WatchResponse } from "../../rpc/gen/job_pb.ts";
import { decodeMessage } from "../../rpc/model/message_codec.ts";
import { writeJson } from "../../rpc/model/write_json.ts";
import type { ApiEvent } from "../request/http_types.ts";
import { problemText } from "./problem.ts";

type StreamMessage = FollowResponse | WatchResponse;

/** Ends the id of the last event of a stream that is over. */
const END = ";end";
/** Fields that every message of a stream has. */
const ALWAYS: ReadonlySet<string> = new Set(["$typeName", "cursor", "at"]);

/** True if a client has seen the end of its stream: nothing follows. */
export function isEnd(lastEventId: string): boolean {
  return lastEventId.endsWith(END);
}

/** The messages of a stream, whose first message has come. */
export interface OpenStream {
  /** Type of its messages; each has a cursor. */
  readonly type: StreamMessage["$typeName"];
  /** Null for an empty stream. */
  readonly first: Uint8Array | null;
  readonly rest: AsyncIterator<Uint8Array>;
  /** True if nothing follows after its end; otherwise a client connects again. */
  readonly hasEnd: boolean;
}

/** Events by the message that they were made of, shared by all followers and watchers. */
const EVENTS = new WeakMap<Uint8Array, ApiEvent & { readonly id: string }>();

/**
 * The events of a stream. The id of each is the cursor behind it, so a client that connects again
 * gets the rest, each line once. Its `return` ends the stream, even before the first event.
 */
export function streamEvents(open: OpenStream): AsyncIterableIterator<ApiEvent> {
  const events = generateEvents(open);
  return {
    next: () => events.next(),
    async return() {
      await open.rest.return?.();
      return await events.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* generateEvents(
  { type, first, rest, hasEnd }: OpenStream,
): AsyncGenerator<ApiEvent> {
  let id = "";
  try {
    for (let bytes = first; bytes !== null; bytes = await nextOf(rest)) {
      const event = eventOf(type, bytes);
      id = event.id;
      yield event;
    }
    // A browser connects again when a stream ends; the id of this event prevents it.
    if (hasEnd) yield { id: `${id}${END}`, event: "end", data: "{}" };
  } catch (thrown) {
    yield { event: "problem", data: problemText(toJobError(thrown, "Cannot continue the stream")) };
  } finally {
    await rest.return?.();
  }
}

function eventOf(type: OpenStream["type"], bytes: Uint8Array): ApiEvent & { readonly id: string } {
  const known = EVENTS.get(bytes);
  if (known !== undefined) return known;
  const message = decodeMessage<StreamMessage>(type, bytes);
  // A message that only keeps the connection alive has nothing but these.
  const isAlive = Object.entries(message).every(([name, value]) =>
    ALWAYS.has(name) || !value || Array.isArray(value) && value.length === 0
  );
  const name = isAlive ? "alive" : "news";
  const event = { id: message.cursor, event: name, data: writeJson(type, message) };
  EVENTS.set(bytes, event);
  return event;
}

/** The next message of a stream; null at its end. */
export async function nextOf(stream: AsyncIterator<Uint8Array>): Promise<Uint8Array | null> {
  const { done, value } = await stream.next();
  return done === true ? null : value;
}
