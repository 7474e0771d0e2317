import * as grpc from "@grpc/grpc-js";
import type { JobError } from "../core/errors.ts";
import type { Authenticator } from "./auth.ts";
import type { CallTracker } from "./call_tracker.ts";
import { toWireError } from "./errors.ts";
import type { MethodName } from "./handlers.ts";
import { encodeBadRequest, STATUS_DETAILS } from "./status_details.ts";

/** An error as grpc-js sends it. */
export function toStatus(
  error: JobError,
): { code: number; details: string; metadata: grpc.Metadata } {
  const { code, details, trailers, violation } = toWireError(error);
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  if (violation !== undefined) {
    // The message stands in the violation; what is sent twice counts against the limit of headers.
    const bytes = encodeBadRequest(code, violation.description, violation);
    metadata.set(STATUS_DETAILS, Buffer.from(bytes));
  }
  return { code, details, metadata };
}

/**
 * The interceptor of a listener: tracks each call and, given an authenticator, answers an unauthenticated one when its
 * headers arrive. The body of such a call is never read.
 */
export function createInterceptor(
  options: {
    readonly tracker: CallTracker;
    readonly authenticator: Authenticator | null;
    /** Method by path; methods that are not in it need no authentication. */
    readonly methods: ReadonlyMap<string, MethodName>;
  },
): grpc.ServerInterceptor {
  const { tracker, authenticator, methods } = options;
  return (definition, inner) => {
    const { remoteAddress, remotePort } = inner.getConnectionInfo();
    const call = tracker.addCall(remoteAddress, remotePort);
    const refusalOf = (metadata: grpc.Metadata): JobError | null => {
      const method = methods.get(definition.path);
      if (!authenticator || method === undefined) return null;
      const refusal = authenticator.check(method, metadata.get("authorization")[0]?.toString());
      if (refusal?.code === "unauthenticated") tracker.refuse(call);
      else tracker.admit(call);
      return refusal;
    };
    return new grpc.ServerInterceptingCall(inner, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, forward) {
            const refusal = refusalOf(metadata);
            if (!refusal) return forward(metadata);
            tracker.move(call, "answering");
            inner.sendStatus(toStatus(refusal));
          },
          onReceiveMessage: (message, forward) => forward(message),
          onReceiveHalfClose(forward) {
            tracker.move(call, "running");
            forward();
          },
          onCancel: () => tracker.end(call),
        }),
      sendMessage(message: Uint8Array, forward) {
        tracker.answer(call, message.byteLength);
        forward(message);
      },
      sendStatus(status, forward) {
        tracker.move(call, "answering");
        forward(status);
      },
    });
  };
}
