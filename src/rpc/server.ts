import { unlink } from "node:fs/promises";
import * as grpc from "@grpc/grpc-js";
import { hostPort, isLoopback } from "../core/address.ts";
import { JobError, toJobError } from "../core/errors.ts";
import type { ManagerApi } from "../manager/api.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import type { Service } from "../platform/service.ts";
import { answerCall, methodPath, serviceDefinition } from "./adapter.ts";
import { createTokenAuthenticator } from "./auth.ts";
import type { Authenticator, Token } from "./auth.ts";
import { CallTracker, createInterceptor, toStatus } from "./calls.ts";
import { Health } from "./gen/health_pb.ts";
import { JobService } from "./gen/job_pb.ts";
import { FollowService } from "./follow.ts";
import { createHandlers } from "./handlers.ts";
import type { Handlers, MethodName } from "./handlers.ts";
import { HealthService } from "./health.ts";
import { FLUSH_MS, IDLE_MS, MESSAGE_BYTES_MAX, STOP_GRACE_MS, STREAMS_MAX } from "./limits.ts";
import { listenTcp, listenUnix } from "./listeners.ts";
import type { Listener } from "./listeners.ts";
import { socketPath, tokenPath } from "./socket_path.ts";
import { loadTls } from "../platform/tls.ts";
import { StoreWorkService } from "./store_work.ts";
import { ensureTokenFile } from "./token_file.ts";

/** Where and for whom to listen; the `[server]` table of the configuration. */
export interface RpcServerConfig {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Path of the Unix socket; "auto" puts it into the runtime folder, null turns it off. */
  readonly socket: string | null;
  /** Group, by name or number, that may open the socket. */
  readonly socketGroup: string | null;
  readonly allowInsecure: boolean;
  /** Paths of PEM files. */
  readonly tls:
    | { readonly cert: string; readonly key: string; readonly clientCa: string | null }
    | null;
  readonly auth: {
    readonly mode: "token" | "mtls" | "none";
    /** Besides the one of the token file. */
    readonly tokens: readonly Token[];
    /** Null for the runtime folder. */
    readonly tokenFile: string | null;
  };
}

/** What the server is made of. */
export interface RpcServerOptions {
  readonly manager: ManagerApi;
  readonly server: RpcServerConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** Where a started server listens. */
export interface RpcAddresses {
  readonly tcp: { readonly host: string; readonly port: number };
  /** Path of the Unix socket; null when off. */
  readonly socket: string | null;
  /** The file of the token made at first start; null when no token is asked for. */
  readonly tokenFile: string | null;
}

/** The gRPC server as the daemon holds it. */
export interface RpcServer extends Service {
  /** Where it listens. @throws JobError `unavailable` before `start` */
  readonly addresses: RpcAddresses;
}

const METHODS: ReadonlyMap<string, MethodName> = new Map(
  JobService.methods.map((method) => [methodPath(method), method.localName as MethodName]),
);

/** Refuse a configuration that would let strangers in. */
function checkExposure(server: RpcServerConfig): void {
  if (server.auth.mode === "mtls" && !server.tls?.clientCa) {
    throw new JobError(
      "invalid_config",
      'Cannot use server.auth.mode = "mtls": server.tls.client_ca is not set',
      { hint: "Set cert, key and client_ca in [server.tls]", path: "server.auth.mode" },
    );
  }
  const isGuarded = server.tls !== null && server.auth.mode !== "none";
  if (isLoopback(server.host) || isGuarded || server.allowInsecure) return;
  const missing = [
    ...(server.tls === null ? ["TLS"] : []),
    ...(server.auth.mode === "none" ? ["authentication"] : []),
  ].join(" and ");
  throw new JobError(
    "invalid_config",
    `Cannot listen on "${server.host}": it is more than this machine, and there is no ${missing}`,
    {
      hint: "Set [server.tls] and server.auth.mode, listen on 127.0.0.1, or say " +
        "server.allow_insecure = true if the network is trusted",
      path: "server.host",
    },
  );
}

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

class GrpcServer implements RpcServer {
  readonly name = "gRPC server";
  readonly #options: RpcServerOptions;
  readonly #tracker: CallTracker;
  readonly #health: HealthService;
  readonly #follows: FollowService;
  readonly #works: StoreWorkService;
  readonly #handlers: Handlers;
  #authenticator: Authenticator | null = null;
  #servers: grpc.Server[] = [];
  #listeners: Listener[] = [];
  #addresses: RpcAddresses | null = null;
  #passingToken: string | null = null;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#tracker = new CallTracker(options.clock);
    this.#health = new HealthService(options.manager, options.clock);
    this.#follows = new FollowService(options.manager, options.clock);
    this.#works = new StoreWorkService(options.manager, options.clock);
    this.#handlers = createHandlers(options.manager);
  }

  get addresses(): RpcAddresses {
    if (this.#addresses) return this.#addresses;
    throw new JobError("unavailable", "Cannot tell the addresses of the gRPC server: not started");
  }

  async start(): Promise<void> {
    const { server, logger, clock } = this.#options;
    checkExposure(server);
    const tls = server.tls === null
      ? null
      : await loadTls(server.tls, { nowMs: clock.now().wallMs, logger });
    // Tokens are known before the first connection can come; the default file's name needs the port, though.
    const early = server.port === 0 ? null : await this.#loadTokens(server.port);
    let accept:
      | ((socket: Parameters<grpc.ConnectionInjector["injectConnection"]>[0]) => void)
      | null = null;
    const listener = await listenTcp({
      host: server.host,
      port: server.port,
      tls,
      connectionCount: () => this.#tracker.connectionCount,
      onConnection: (socket) => {
        if (!accept) return void socket.destroy();
        this.#tracker.addConnection(socket);
        accept(socket);
      },
    });
    this.#listeners.push(listener);
    const tokens = early ?? await this.#loadTokens(listener.port);
    this.#authenticator = tokens.list === null
      ? null
      : createTokenAuthenticator({ tokens: tokens.list, clock, logger });
    accept = this.#createInjector(this.#authenticator);
    const socket = await this.#listenUnix(listener.port);
    this.#addresses = {
      tcp: { host: server.host, port: listener.port },
      socket,
      tokenFile: tokens.file,
    };
    logger.info("gRPC listens", {
      tcp: hostPort(server.host, listener.port),
      socket,
      tls: tls !== null,
      auth: server.auth.mode,
    });
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
    this.#health.stop();
    this.#follows.stop();
    this.#works.stop();
    // Tells the clients to go; under Bun and Deno it does not wait for their calls.
    for (const server of this.#servers) server.tryShutdown(() => {});
    await this.#tracker.whenIdle(STOP_GRACE_MS);
    // The last answers may still be on their way out of the sockets.
    await this.#tracker.whenClosed(FLUSH_MS);
    for (const server of this.#servers) server.forceShutdown();
    this.#servers = [];
    this.#tracker.destroy();
    this.#authenticator?.stop();
    // A port that was picked will not come again, so nobody will look for its token.
    if (this.#passingToken !== null) await unlink(this.#passingToken).catch(() => {});
  }

  async #loadTokens(
    port: number,
  ): Promise<{ readonly list: readonly Token[] | null; readonly file: string | null }> {
    const { auth } = this.#options.server;
    if (auth.mode !== "token") return { list: null, file: null };
    const file = auth.tokenFile ?? tokenPath(port);
    const token = await ensureTokenFile(file, this.#options);
    if (auth.tokenFile === null && this.#options.server.port === 0) this.#passingToken = file;
    return { list: [{ name: "token file", role: "admin", token }, ...auth.tokens], file };
  }

  /** A grpc-js server that listens nowhere itself; answers what to give its connections to. */
  #createInjector(authenticator: Authenticator | null) {
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
    return injector.injectConnection.bind(injector);
  }

  async #listenUnix(port: number): Promise<string | null> {
    const { server, logger } = this.#options;
    if (server.socket === null) return null;
    const isAuto = server.socket === "auto";
    const path = isAuto ? socketPath(port) : server.socket;
    const inject = this.#createInjector(null);
    try {
      const listener = await listenUnix({
        path,
        group: server.socketGroup,
        isRuntimeFolder: isAuto,
        onConnection: (socket) => {
          this.#tracker.addConnection(socket);
          inject(socket);
        },
      });
      this.#listeners.push(listener);
      return path;
    } catch (error) {
      const problem = toJobError(error, `Cannot listen on ${path}`);
      // Where nobody asked for a socket by name, a machine without a place for one still gets its daemon.
      if (!isAuto || problem.code === "conflict") throw problem;
      logger.warn(`${problem.message}; clients use TCP`, { hint: problem.hint });
      return null;
    }
  }
}

/** The gRPC server: JobService and the standard health service over a Unix socket and TCP. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  return new GrpcServer(options);
}
