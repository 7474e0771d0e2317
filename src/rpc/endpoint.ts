import type { Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { toJobError } from "../core/errors.ts";
import type { ManagerApi } from "../manager/api.ts";
import type { Clock } from "../platform/clock.ts";
import { answerCall, methodPath, serviceDefinition } from "./adapter.ts";
import type { Authenticator } from "./auth.ts";
import type { CallTracker } from "./call_tracker.ts";
import { createInterceptor, toStatus } from "./calls.ts";
import { FollowService } from "./follow.ts";
import { Health } from "./gen/health_pb.ts";
import { JobService } from "./gen/job_pb.ts";
import { gathering } from "./gathering_socket.ts";
import { createHandlers } from "./handlers.ts";
import type { Handlers, MethodName } from "./handlers.ts";
import { HealthService } from "./health.ts";
import { IDLE_MS, MESSAGE_BYTES_MAX, STREAMS_MAX } from "./limits.ts";
import { StoreWorkService } from "./store_work.ts";

const METHODS: ReadonlyMap<string, MethodName> = new Map(
  JobService.methods.map((method) => [methodPath(method), method.localName as MethodName]),
);

function jobServiceImplementation(
  handlers: Handlers,
  streams: { readonly follows: FollowService; readonly works: StoreWorkService },
): grpc.UntypedServiceImplementation {
  const implementation: grpc.UntypedServiceImplementation = {
    follow: streams.follows.handle,
    workOnStore: streams.works.handle,
  };
  for (const method of JobService.methods) {
    if (method.methodKind !== "unary") continue;
    const unary: grpc.handleUnaryCall<Uint8Array, Uint8Array> = (call, callback) => {
      answerCall(method, handlers, call.request, () => call.cancelled).then(
        (bytes) => callback(null, bytes),
        (error) => callback(toStatus(toJobError(error, `Cannot answer ${method.name}`))),
      );
    };
    implementation[method.localName] = unary;
  }
  return implementation;
}

/** The services, for connections that somebody else accepted. */
export class Endpoint {
  readonly #tracker: CallTracker;
  readonly #health: HealthService;
  readonly #follows: FollowService;
  readonly #works: StoreWorkService;
  readonly #handlers: Handlers;
  readonly #servers: grpc.Server[] = [];

  constructor(
    options: {
      readonly manager: ManagerApi;
      readonly clock: Clock;
      readonly tracker: CallTracker;
    },
  ) {
    const { manager, clock } = options;
    this.#tracker = options.tracker;
    this.#health = new HealthService(manager, clock);
    this.#follows = new FollowService(manager, clock);
    this.#works = new StoreWorkService(manager, clock);
    this.#handlers = createHandlers(manager);
  }

  /** A grpc-js server that listens nowhere itself; answers what to give its connections to. */
  injector(authenticator: Authenticator | null): (socket: Socket) => void {
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
      jobServiceImplementation(this.#handlers, { follows: this.#follows, works: this.#works }),
    );
    server.addService(serviceDefinition(Health), this.#health.handlers);
    this.#servers.push(server);
    // TLS, where there is any, is done by the listener.
    const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    return (socket) => injector.injectConnection(gathering(socket));
  }

  /** End what lasts, and tell the clients to go; under Bun and Deno it does not wait for their calls. */
  beginStop(): void {
    this.#health.stop();
    this.#follows.stop();
    this.#works.stop();
    for (const server of this.#servers) server.tryShutdown(() => {});
  }

  /** Close what is still open. */
  stop(): void {
    for (const server of this.#servers) server.forceShutdown();
  }
}
