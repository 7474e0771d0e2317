import { fromBinary } from "@bufbuild/protobuf";
import { toJobError } from "../../core/errors.ts";
import { type FollowResponse, FollowResponseSchema } from "../../rpc/gen/job_pb.ts";
import type { ApiEvent } from "./api_messages.ts";
import { problemText } from "./problem.ts";
import { writeMessage } from "./write_message.ts";

/** Ends the id of the last event of a stream that is over. */
const END = ";end";

/** True if a client has seen the end of its stream: nothing follows. */
export function isEnd(lastEventId: string): boolean {
  return lastEventId.endsWith(END);
}

/**
 * The events of a Follow call. The id of each is the cursor behind it, so a client that connects
 * again gets what follows, each line once.
 *
 * @param first the first message; null if there is none
 */
export async function* followEvents(
  first: Uint8Array | null,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<ApiEvent> {
  let cursor = "";
  try {
    for (let bytes = first; bytes !== null; bytes = await nextOf(rest)) {
      const message = fromBinary(FollowResponseSchema, bytes);
      cursor = message.cursor;
      yield {
        id: cursor,
        event: nameOf(message),
        data: writeMessage(FollowResponseSchema, message),
      };
    }
    // A browser connects again when a stream ends; the id of this event tells it not to.
    yield { id: `${cursor}${END}`, event: "end", data: "{}" };
  } catch (thrown) {
    yield { event: "problem", data: problemText(toJobError(thrown, "Cannot follow")) };
  } finally {
    await rest.return?.();
  }
}

/** An event without content only says that the connection works. */
function nameOf({ entries, instance, changed, changesMissed }: FollowResponse): string {
  const isEmpty = entries.length === 0 && !instance && changed.length === 0 && !changesMissed;
  return isEmpty ? "alive" : "news";
}

/** The next message of a stream; null at its end. */
export async function nextOf(stream: AsyncIterator<Uint8Array>): Promise<Uint8Array | null> {
  const { done, value } = await stream.next();
  return done === true ? null : value;
}
