import type * as grpc from "@grpc/grpc-js";
import { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { UNREAD_MS } from "../limits.ts";

/** The server's side of a streaming call. */
export type Stream = grpc.ServerWritableStream<Uint8Array, Uint8Array>;

/**
 * Write a message, and wait until the client has read it or the signal aborts.
 *
 * @throws JobError `resource_exhausted` when it is left unread for half a minute
 */
export function writeMessage(
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
