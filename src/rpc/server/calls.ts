import * as grpc from "@grpc/grpc-js";
import { JobError } from "../../core/errors.ts";
import type { Requester } from "../auth/audit.ts";
import {
  type Authenticator,
  type Caller,
  type CallName,
  connectionKey,
  FIELD_ROLE,
  OWNER,
} from "../auth/auth.ts";
import type { CallTracker } from "../guard/call_tracker.ts";
import { checkCompressedFlag } from "../guard/compressed_flag.ts";
import { toWireError } from "../errors.ts";
import { RemoveSilenceRequestSchema, ScheduleJobRequestSchema } from "../gen/job_pb.ts";
import { CALLS_OF_PRINCIPAL_MAX } from "../limits.ts";
import { decodeRequest } from "../messages/message_codec.ts";
import { encodeBadRequest, STATUS_DETAILS } from "../messages/status_details.ts";

/** An error as grpc-js sends it. */
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

/** The caller of a call; null if it was not authenticated. */
export function callerOf(call: { readonly metadata: grpc.Metadata }): Caller | null {
  return callers.get(call.metadata) ?? null;
}

/** The source of a call, for the log. */
export function requesterOf(
  call: { readonly metadata: grpc.Metadata; getPeer(): string },
  tracker: CallTracker,
): Requester {
  const peer = call.getPeer();
  return { caller: callerOf(call), peer, uid: tracker.userOf(peer) };
}

/** The jobs that a call is limited to: null for all, none for an unauthenticated call. */
export function jobsOf(call: { readonly metadata: grpc.Metadata }): Caller["jobs"] {
  const caller = callers.get(call.metadata);
  return caller === undefined ? [] : caller.jobs;
}

/** The principal of a caller; null for callers that are not distinguished. */
function principalOf(caller: Caller | JobError): string | null {
  return caller instanceof JobError || caller === OWNER ? null : `caller ${caller.name}`;
}

function tooManyCalls(): JobError {
  return new JobError(
    "resource_exhausted",
    `Cannot accept the call: this caller has ${CALLS_OF_PRINCIPAL_MAX} calls open`,
    { hint: "Wait for some of them to end, or try again later" },
  );
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
      const method = methods.get(definition.path);
      if (!authenticator || method === undefined) return OWNER;
      const authorization = metadata.get("authorization")[0]?.toString();
      const ask = (what: CallName) =>
        authenticator.check(what, authorization, connectionKey(connection));
      const caller = ask(method);
      if (caller instanceof JobError && caller.code === "unauthenticated") tracker.refuse(call);
      else {
        // Every authenticated caller may call GetVersion: this finds one who may not call more.
        const known = caller instanceof JobError ? ask("getVersion") : caller;
        tracker.admit(call, principalOf(known));
      }
      return tracker.isTooMany(call) ? tooManyCalls() : caller;
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
            // A stream on which requests still arrive has not stalled.
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

/**
 * The refusal of a ScheduleJob request by its content, to a caller who may call the method; null if
 * allowed. A dry run changes nothing and requires only the method's role. Bytes that cannot be
 * decoded are left to the handler.
 *
 * @param caller null for a caller that was not authenticated
 */
export function scheduleRefusal(
  caller: Pick<Caller, "name" | "role"> | null,
  request: Uint8Array,
): JobError | null {
  if (caller?.role === FIELD_ROLE.scheduleJob.cron) return null;
  if (!makesSchedule(request)) return null;
  const { name = "nobody", role = "none" } = caller ?? {};
  return new JobError(
    "permission_denied",
    `Cannot make a recurring schedule as "${name}": its role is ${role}, ` +
      `${FIELD_ROLE.scheduleJob.cron} is needed`,
    { path: "cron", hint: "Put the schedule in the configuration, or use an admin token" },
  );
}

/**
 * The refusal of a SetSilence or RemoveSilence request about everything, to a caller who may call
 * the method; null if allowed. Bytes that cannot be decoded are left to the handler.
 *
 * @param caller null for a caller that was not authenticated
 */
export function silenceRefusal(
  caller: Pick<Caller, "name" | "role"> | null,
  request: Uint8Array,
): JobError | null {
  if (caller?.role === FIELD_ROLE.setSilence.all) return null;
  if (!isOfEverything(request)) return null;
  const { name = "nobody", role = "none" } = caller ?? {};
  return new JobError(
    "permission_denied",
    `Cannot silence everything, or end that, as "${name}": its role is ${role}, ` +
      `${FIELD_ROLE.setSilence.all} is needed`,
    { path: "all", hint: "Name a job, or use an admin token" },
  );
}

/** Both requests have these fields, with the same numbers. */
function isOfEverything(request: Uint8Array): boolean {
  try {
    return decodeRequest(RemoveSilenceRequestSchema, request).all;
  } catch {
    return false;
  }
}

function makesSchedule(request: Uint8Array): boolean {
  try {
    const { cron = "", dryRun = false } = decodeRequest(ScheduleJobRequestSchema, request);
    return cron !== "" && !dryRun;
  } catch {
    return false;
  }
}
