import { fromBinary } from "@bufbuild/protobuf";
import { toJobError } from "../../core/errors.ts";
import { WatchResponseSchema } from "../../rpc/gen/job_pb.ts";
import type { ApiEvent } from "./api_messages.ts";
import { nextOf } from "./follow_events.ts";
import { problemText } from "./problem.ts";
import { writeMessage } from "./write_message.ts";

/** Events by the message that they were made of: all who watch the same share both. */
const EVENTS = new WeakMap<Uint8Array, ApiEvent>();

/**
 * The events of a Watch call. The id of each is its cursor, so a client that connects again gets
 * what has changed since.
 *
 * @param first the first message; null if there is none
 */
export async function* watchEvents(
  first: Uint8Array | null,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<ApiEvent> {
  try {
    for (let bytes = first; bytes !== null; bytes = await nextOf(rest)) yield eventOf(bytes);
  } catch (thrown) {
    yield { event: "problem", data: problemText(toJobError(thrown, "Cannot watch")) };
  } finally {
    await rest.return?.();
  }
}

function eventOf(bytes: Uint8Array): ApiEvent {
  const known = EVENTS.get(bytes);
  if (known !== undefined) return known;
  const message = fromBinary(WatchResponseSchema, bytes);
  const { cursor, isWhole, changed, changesMissed, kinds, problem } = message;
  const parts = ["status", "totals", "running", "upcoming", "failures", "incidents"] as const;
  const isEmpty = !isWhole && !changesMissed && changed.length === 0 && kinds.length === 0 &&
    problem === undefined && !message.pauses && !message.nodes &&
    parts.every((part) => message[part] === undefined);
  const data = writeMessage(WatchResponseSchema, message);
  const event = { id: cursor, event: isEmpty ? "alive" : "news", data };
  EVENTS.set(bytes, event);
  return event;
}
