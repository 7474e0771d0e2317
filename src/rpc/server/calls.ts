import * as grpc from "@grpc/grpc-js";
import { JobError } from "../../core/errors.ts";
import { admitCall } from "../auth/admission.ts";
import {
  type Authenticator,
  type Caller,
  type CallName,
  connectionKey,
  OWNER,
} from "../auth/auth.ts";
import type { CallTracker } from "../guard/call_tracker.ts";
import { JSON_VALUES, VALUES_HEADER } from "../call_headers.ts";
import { checkCompressedFlag } from "../guard/compressed_flag.ts";
import type { CancelSignal, RequestContext } from "./call_policy.ts";
import { toWireError } from "../errors.ts";
import { encodeBadRequest, STATUS_DETAILS } from "../messages/status_details.ts";

/** An error in grpc-js's form. */
export function toStatus(
  error: JobError,
): { code: number; details: string; metadata: grpc.Metadata } {
  const { code, details, trailers, violation } = toWireError(error);
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  if (violation !== undefined) {
    // The violation has the message. Sending it twice would count against the limit of headers.
    const bytes = encodeBadRequest(code, violation.description, violation);
    metadata.set(STATUS_DETAILS, Buffer.from(bytes));
  }
  return { code, details, metadata };
}

/** The caller of each call, by the headers that the interceptor passed on. */
const callers = new WeakMap<grpc.Metadata, Caller>();

interface GrpcCall extends NodeJS.EventEmitter {
  readonly metadata: grpc.Metadata;
  readonly cancelled: boolean;
  getPeer(): string;
}

/** A call of grpc-js for its policies: it doubles as its signal, as an AbortSignal costs more. */
export class GrpcContext implements RequestContext, CancelSignal {
  readonly #call: GrpcCall;

  constructor(call: GrpcCall) {
    this.#call = call;
  }

  get caller(): Caller | null {
    return callerOf(this.#call);
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get isJson(): boolean {
    return wantsJson(this.#call);
  }

  get signal(): CancelSignal {
    return this;
  }

  get aborted(): boolean {
    return this.#call.cancelled;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#call.once("cancelled", listener);
  }
}

/** True if a call asks for arguments and results as JSON text. */
export function wantsJson(call: { readonly metadata: grpc.Metadata }): boolean {
  return call.metadata.get(VALUES_HEADER)[0] === JSON_VALUES;
}

/** The caller of a stream; null if it was not authenticated. */
export function callerOf(call: { readonly metadata: grpc.Metadata }): Caller | null {
  return callers.get(call.metadata) ?? null;
}

/**
 * The interceptor of a listener. Tracks each call. With an authenticator, an unauthenticated call
 * is refused as soon as its headers arrive, and its body is never read.
 */
export function createInterceptor(
  options: {
    readonly tracker: CallTracker;
    readonly authenticator: Authenticator | null;
    /** Calls by path; other methods need no authentication. */
    readonly methods: ReadonlyMap<string, CallName>;
  },
): grpc.ServerInterceptor {
  const { tracker, authenticator, methods } = options;
  return (definition, inner) => {
    checkCompressedFlag(inner);
    const connection = inner.getConnectionInfo();
    const call = tracker.addCall(connection.remoteAddress, connection.remotePort);
    const callerOf = (metadata: grpc.Metadata): Caller | JobError => {
      if (!authenticator) return OWNER;
      const authorization = metadata.get("authorization")[0]?.toString();
      return admitCall(call, {
        tracker,
        method: methods.get(definition.path),
        check: (method) => authenticator.check(method, authorization, connectionKey(connection)),
      });
    };
    return new grpc.ServerInterceptingCall(inner, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, forward) {
            const caller = callerOf(metadata);
            if (!(caller instanceof JobError)) {
              callers.set(metadata, caller);
              return forward(metadata);
            }
            tracker.move(call, "answering");
            inner.sendStatus(toStatus(caller));
          },
          onReceiveMessage(message, forward) {
            // A stream that still receives requests has not stalled.
            if (definition.requestStream) tracker.move(call, "receiving");
            forward(message);
          },
          onReceiveHalfClose(forward) {
            tracker.move(call, "running");
            forward();
          },
          onCancel: () => tracker.end(call),
        }),
      sendMessage(message: Uint8Array, forward) {
        // A stream has one message in flight, and counts it itself.
        if (!definition.responseStream) tracker.countResponse(call, message.byteLength);
        forward(message);
      },
      sendStatus(status, forward) {
        tracker.move(call, "answering");
        forward(status);
      },
    });
  };
}
