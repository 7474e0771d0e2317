import type { Socket } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { methodPath, toBuffer } from "../../platform/network/grpc_bytes.ts";
import { Audit, requesterName } from "../auth/audit.ts";
import type { Authenticator, CallName } from "../auth/auth.ts";
import type {
  Backend,
  CallerInfo,
  CallSignal,
  MethodName,
  UnaryName,
} from "../handlers/backend.ts";
import type { CallTracker, Origin } from "../guard/call_tracker.ts";
import type { ConnectionGuard } from "../guard/connection_guard.ts";
import {
  callerOf,
  createInterceptor,
  jobsOf,
  requesterOf,
  scheduleRefusal,
  silenceRefusal,
  toStatus,
} from "./calls.ts";
import { Health } from "../gen/health_pb.ts";
import { JobService } from "../gen/job_pb.ts";
import { gathering } from "./gathering_socket.ts";
import { HealthService } from "./health.ts";
import { IDLE_MS, MESSAGE_BYTES_MAX, READS_WAITING, STREAMS_MAX, WAITS } from "../limits.ts";
import { Quota } from "../guard/quota.ts";
import { READ_METHODS } from "../handlers/read_handlers.ts";
import { ReadGate } from "./read_gate.ts";
import { Streams } from "./streams.ts";
import { restOfWait } from "../messages/wait_response.ts";

type UnaryCall = grpc.ServerUnaryCall<Uint8Array, Uint8Array>;

/** Methods that wait at the gate: reads, and responses that grow with the number of jobs. */
const READS: ReadonlySet<UnaryName> = new Set([
  ...READ_METHODS,
  ...["listRegisteredJobs", "getStatus", "listIncidents", "listSilences"] as const,
]);
/** Methods that depend on their caller: they keep its name, or allow an admin more. */
const PERSONAL: ReadonlySet<UnaryName> = new Set([
  "acknowledgeIncident",
  "setSilence",
  "cancelInstances",
]);

/** The two names of the reflection service; clients try one, then the other. */
const REFLECTION_PATHS = ["v1", "v1alpha"].map((version) =>
  `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`
);

const METHODS: ReadonlyMap<string, CallName> = new Map<string, CallName>([
  ...JobService.methods.map((method) =>
    [methodPath(method), method.localName as MethodName] as const
  ),
  ...REFLECTION_PATHS.map((path) => [path, "serverReflectionInfo"] as const),
]);

/** Completes unary calls: reads pass a gate, waits are limited in number, changes are logged. */
class UnaryCalls {
  readonly #backend: Backend;
  readonly #audit: Audit;
  readonly #reads: ReadGate;
  readonly #tracker: CallTracker;
  readonly #waitingReads = new Quota("waiting reads", READS_WAITING);
  readonly #waits = new Quota("waiting calls", WAITS);

  constructor(backend: Backend, tracker: CallTracker, audit: Audit) {
    this.#backend = backend;
    this.#audit = audit;
    this.#tracker = tracker;
    this.#reads = new ReadGate((peer) => tracker.hasRoom(peer));
    tracker.onRead(() => this.#reads.poke());
  }

  /** The grpc-js handler of a method. */
  handlerOf(method: UnaryName): grpc.handleUnaryCall<Uint8Array, Uint8Array> {
    const complete = READS.has(method)
      ? this.#read
      : method === "waitInstance"
      ? this.#wait
      : method === "scheduleJob"
      ? this.#schedule
      : method === "setSilence" || method === "removeSilence"
      ? this.#silence
      : Audit.has(method)
      ? this.#change
      : this.#complete;
    const isPersonal = PERSONAL.has(method);
    return (call, callback) => {
      const signal = {
        isCanceled: () => call.cancelled,
        onCancel: (listener: () => void) => void call.once("cancelled", listener),
        jobs: jobsOf(call),
        caller: isPersonal ? this.#callerInfo(call) : undefined,
      };
      complete.call(this, method, call, signal).then(
        (bytes) => callback(null, bytes),
        (error) => callback(toStatus(toJobError(error, `Cannot complete ${method}`))),
      );
    };
  }

  #callerInfo(call: UnaryCall): CallerInfo {
    const requester = requesterOf(call, this.#tracker);
    const { role, jobs } = requester.caller ?? {};
    return { name: requesterName(requester), isAdmin: role === "admin" && jobs === null };
  }

  #complete(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    return this.#backend.complete(method, call.request, signal);
  }

  #schedule(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    const refusal = scheduleRefusal(callerOf(call), call.request);
    if (refusal) return Promise.reject(refusal);
    return this.#complete(method, call, signal).then((response) => {
      if (Audit.hasSchedule(response)) {
        this.#log(method, call, { since: this.#audit.now(), response });
      }
      return response;
    });
  }

  #silence(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    const refusal = silenceRefusal(callerOf(call), call.request);
    return refusal ? Promise.reject(refusal) : this.#change(method, call, signal);
  }

  async #change(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    const since = this.#audit.now();
    this.#audit.noteStart(method, { ...requesterOf(call, this.#tracker), request: call.request });
    const response = await this.#complete(method, call, signal);
    this.#log(method, call, { since, response });
    return response;
  }

  #log(
    method: UnaryName,
    call: UnaryCall,
    outcome: { readonly since: number; readonly response: Uint8Array },
  ): void {
    const { request } = call;
    this.#audit.log(method, { ...requesterOf(call, this.#tracker), request, ...outcome });
  }

  async #read(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    const origin = this.#tracker.originOf(call.getPeer());
    const release = this.#waitingReads.take(origin);
    if (!await this.#reads.enter(origin, signal).finally(release)) throw canceled();
    try {
      return await this.#complete(method, call, signal);
    } finally {
      this.#reads.leave();
    }
  }

  async #wait(method: UnaryName, call: UnaryCall, signal: CallSignal): Promise<Uint8Array> {
    const origin = this.#tracker.originOf(call.getPeer());
    const release = this.#waits.take(origin);
    try {
      const response = await this.#complete(method, call, signal);
      const rest = restOfWait(response);
      return rest === null ? response : await this.#readRest(rest, origin, signal);
    } finally {
      release();
    }
  }

  async #readRest(request: Uint8Array, origin: Origin, signal: CallSignal): Promise<Uint8Array> {
    if (!await this.#reads.enter(origin, signal)) throw canceled();
    try {
      const page = await this.#backend.complete("lookupInstances", request, signal);
      // Both responses have the instance as their first field.
      if (page.byteLength > 0) return page;
    } finally {
      this.#reads.leave();
    }
    throw new JobError("not_found", "Cannot wait for an instance that was deleted meanwhile", {
      path: "uuid",
    });
  }
}

function canceled(): JobError {
  return new JobError("canceled", "Canceled: the client disconnected before the read started");
}

/**
 * A service for grpc-js. Messages are passed as bytes and decoded by the handlers: an invalid one
 * then gets the right status, and only after the call was authenticated.
 */
function serviceDefinition(service: DescService): grpc.ServiceDefinition {
  const definition: Record<string, grpc.MethodDefinition<Uint8Array, Uint8Array>> = {};
  for (const method of service.methods) {
    definition[method.localName] = methodDefinition(methodPath(method), {
      requestStream: false,
      responseStream: method.methodKind === "server_streaming",
    });
  }
  return definition;
}

function methodDefinition(
  path: string,
  streams: { readonly requestStream: boolean; readonly responseStream: boolean },
): grpc.MethodDefinition<Uint8Array, Uint8Array> {
  return {
    path,
    ...streams,
    requestSerialize: toBuffer,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: toBuffer,
    responseDeserialize: (bytes) => bytes,
  };
}

function jobServiceImplementation(
  calls: UnaryCalls,
  { follow, workOnStore }: Streams,
): grpc.UntypedServiceImplementation {
  const implementation: grpc.UntypedServiceImplementation = { follow, workOnStore };
  for (const { methodKind, localName } of JobService.methods) {
    if (methodKind === "unary") implementation[localName] = calls.handlerOf(localName as UnaryName);
  }
  return implementation;
}

/** The gRPC services, for connections that a listener has accepted. */
export class Endpoint {
  readonly #tracker: CallTracker;
  readonly #health: HealthService;
  readonly #calls: UnaryCalls;
  readonly #streams: Streams;
  readonly #servers: grpc.Server[] = [];

  constructor(
    options: {
      readonly backend: Backend;
      readonly isServing: () => Promise<boolean>;
      readonly clock: Clock;
      readonly tracker: CallTracker;
      readonly logger: Logger;
    },
  ) {
    const { backend, isServing, clock, tracker, logger } = options;
    const audit = new Audit(logger, clock);
    this.#tracker = tracker;
    this.#calls = new UnaryCalls(backend, tracker, audit);
    this.#health = new HealthService(isServing, clock);
    this.#streams = new Streams({ backend, clock, tracker, audit });
  }

  /**
   * Create a grpc-js server that does not listen. Returns the function that passes it connections.
   */
  injector(
    authenticator: Authenticator | null,
  ): (socket: Socket, guard: ConnectionGuard) => void {
    const server = new grpc.Server({
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_concurrent_streams": STREAMS_MAX,
      "grpc.max_connection_idle_ms": IDLE_MS,
      "grpc.enable_channelz": 0,
      interceptors: [
        createInterceptor({ tracker: this.#tracker, authenticator, methods: METHODS }),
      ],
    });
    server.addService(
      serviceDefinition(JobService),
      jobServiceImplementation(this.#calls, this.#streams),
    );
    server.addService(serviceDefinition(Health), this.#health.handlers);
    for (const path of REFLECTION_PATHS) {
      const definition = methodDefinition(path, { requestStream: true, responseStream: true });
      server.addService({ serverReflectionInfo: definition }, {
        serverReflectionInfo: this.#streams.reflect,
      });
    }
    this.#servers.push(server);
    // The listener does TLS.
    const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    return (socket, guard) => injector.injectConnection(gathering(socket, guard));
  }

  /**
   * End streams, and ask clients to disconnect. Under Bun and Deno this does not wait for their
   * calls.
   */
  beginStop(): void {
    this.#health.stop();
    this.#streams.stop();
    for (const server of this.#servers) server.tryShutdown(() => {});
  }

  /** Close what is still open. */
  stop(): void {
    for (const server of this.#servers) server.forceShutdown();
  }
}
