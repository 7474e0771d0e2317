import type { Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { toBuffer } from "../../platform/network/grpc_bytes.ts";
import type { Authenticator, CallName } from "../auth/auth.ts";
import type { UnaryName } from "../backend.ts";
import type { CallTracker } from "../guard/call_tracker.ts";
import type { ConnectionGuard } from "../guard/connection_guard.ts";
import type { Calls } from "./call_policy.ts";
import { createInterceptor, GrpcContext, toStatus } from "./calls.ts";
import { METHOD_OF } from "../model/methods.ts";
import { gathering } from "./gathering_socket.ts";
import { HealthService } from "./health.ts";
import { IDLE_MS, MESSAGE_BYTES_MAX, STREAMS_MAX } from "../limits.ts";
import { Streams } from "./streams.ts";

/** The two names of the reflection service; clients try one, then the other. */
const REFLECTION_PATHS = ["v1", "v1alpha"].map((version) =>
  `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`
);

const HEALTH = [
  { name: "check", path: "/grpc.health.v1.Health/Check", isStream: false },
  { name: "watch", path: "/grpc.health.v1.Health/Watch", isStream: true },
];

const METHODS: ReadonlyMap<string, CallName> = new Map<string, CallName>([
  ...Object.values(METHOD_OF).map(({ path, name }) => [path, name] as const),
  ...REFLECTION_PATHS.map((path) => [path, "serverReflectionInfo"] as const),
]);

/** The grpc-js handler of a method. */
function handlerOf(
  calls: Calls,
  method: UnaryName,
): grpc.handleUnaryCall<Uint8Array, Uint8Array> {
  const complete = calls.policyOf(method);
  return (call, callback) => {
    complete(method, call.request, new GrpcContext(call)).then(
      (bytes) => callback(null, bytes),
      (error) => callback(toStatus(toJobError(error, `Cannot complete ${method}`))),
    );
  };
}

/**
 * A service for grpc-js. Messages are passed as bytes and decoded by the handlers: an invalid one
 * then gets the right status, and only after the call was authenticated.
 */
function serviceDefinition(
  methods: Iterable<{ readonly name: string; readonly path: string; readonly isStream: boolean }>,
): grpc.ServiceDefinition {
  const definition: Record<string, grpc.MethodDefinition<Uint8Array, Uint8Array>> = {};
  for (const { name, path, isStream: responseStream } of methods) {
    definition[name] = methodDefinition(path, { requestStream: false, responseStream });
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
  calls: Calls,
  { follow, watch, workOnStore }: Streams,
): grpc.UntypedServiceImplementation {
  const implementation: grpc.UntypedServiceImplementation = { follow, watch, workOnStore };
  for (const { isStream, name } of Object.values(METHOD_OF)) {
    if (!isStream) implementation[name] = handlerOf(calls, name as UnaryName);
  }
  return implementation;
}

/** The gRPC services, for connections that a listener has accepted. */
export class Endpoint {
  readonly #tracker: CallTracker;
  readonly #health: HealthService;
  readonly #calls: Calls;
  readonly #streams: Streams;
  readonly #servers: grpc.Server[] = [];

  constructor(
    options: {
      readonly calls: Calls;
      readonly isServing: () => Promise<boolean>;
      readonly clock: Clock;
      readonly tracker: CallTracker;
    },
  ) {
    const { calls, isServing, clock, tracker } = options;
    this.#tracker = tracker;
    this.#calls = calls;
    this.#health = new HealthService(isServing, clock);
    this.#streams = new Streams({ calls, clock, tracker });
  }

  /** Create a grpc-js server that does not listen. Returns its connection handler. */
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
      serviceDefinition(Object.values(METHOD_OF)),
      jobServiceImplementation(this.#calls, this.#streams),
    );
    server.addService(serviceDefinition(HEALTH), this.#health.handlers);
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

  /** End streams, and ask clients to disconnect. Bun and Deno do not wait for their calls. */
  beginStop(): void {
    this.#health.stop();
    this.#streams.stop();
    for (const server of this.#servers) server.tryShutdown(() => {});
  }

  /** Close the rest. */
  stop(): void {
    for (const server of this.#servers) server.forceShutdown();
  }
}
