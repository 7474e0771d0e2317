import type { Socket } from "node:net";
import { GRPC_PORT_DEFAULT, hostPort, isLoopback } from "../../core/address.ts";
import { JobError, messageOf, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { Lazy } from "../../platform/lazy.ts";
import type { Logger } from "../../platform/logger.ts";
import { afterStart } from "../../platform/network/listening.ts";
import { peerUserId } from "../../platform/network/peer_user.ts";
import type { AuthConfig, ServerConfig } from "../../platform/network/server_config.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import type { Random } from "../../platform/random.ts";
import { type Authenticator, createFixedAuthenticator } from "../auth/auth.ts";
import { ConfiguredAuthenticator } from "../auth/authenticator.ts";
import type { Backend } from "../backend.ts";
import { CallTracker } from "../guard/call_tracker.ts";
import { ConnectionGuard } from "../guard/connection_guard.ts";
import type { Calls } from "./call_policy.ts";
import type { Endpoint } from "./endpoint.ts";
import { FLUSH_MS, STOP_GRACE_MS } from "../limits.ts";
import { type Listener, listenTcp, listenUnix, type TcpListener } from "./listeners.ts";
import { FIRST_START, type ListenerStart, PatientListener } from "./patient_listener.ts";
import { socketPath, tokenPath } from "../socket_path.ts";
import { removeStaleFiles } from "./stale_files.ts";
import { loadTls, type TlsMaterial } from "../../platform/network/tls.ts";
import type { ThreadMemory } from "../guard/thread_memory.ts";
import {
  ensureTokenFile,
  newToken,
  removeTokenFile,
  replaceTokenFile,
} from "../auth/token_file.ts";

/** Options of the server. */
export interface RpcServerOptions {
  /** Called with the first connection. */
  readonly loadBackend: () => Promise<Backend>;
  /** True if the store responds and the manager is not draining. */
  readonly isServing: () => Promise<boolean>;
  readonly server: ServerConfig;
  /** Most concurrent connections over TCP and over the Unix socket. */
  readonly connectionsMax: { readonly tcp: number; readonly unix: number };
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** The memory of the thread that the server runs in. */
  readonly memory: ThreadMemory;
  /**
   * Called with each token that the server creates or reads in plain text, before anyone can use
   * it: it is a secret that must be masked.
   */
  readonly onToken: (token: string) => void;
  /** Called when it listens on TCP or stops listening, after its start. */
  readonly onListening?: () => void;
}

/** Addresses of a started server. */
export interface RpcAddresses {
  /** Null if it is off, or its address cannot be opened at the moment. */
  readonly tcp: { readonly host: string; readonly port: number } | null;
  /** Path of the Unix socket; null when off. */
  readonly socket: string | null;
}

/** Refuse a configuration that would admit strangers. */
function checkExposure(server: ServerConfig): void {
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
    `Cannot listen on "${server.host}": other machines can reach it, and there is no ${missing}`,
    {
      hint: "Set [server.tls] and server.auth.mode, listen on 127.0.0.1, or set " +
        "server.allow_insecure = true if the network is trusted",
      path: "server.host",
    },
  );
}

/**
 * The certificates of a configuration that admits no strangers; null without TLS.
 *
 * @throws JobError `invalid_config` if it would admit them, or has an unusable certificate
 */
export async function loadServerTls(
  server: ServerConfig,
  options: { readonly nowMs: number; readonly logger: Logger },
): Promise<TlsMaterial | null> {
  checkExposure(server);
  return server.tls === null ? null : await loadTls(server.tls, options);
}

/**
 * True if root or the daemon's own user is at the other end of a Unix socket. If the kernel does
 * not report the user, the socket's mode guarantees it, unless a group may open the socket.
 */
function isOwner(user: number | null, group: string | null): boolean {
  return user === null ? group === null : user === 0 || user === process.getuid?.();
}

/** Takes over a connection. */
type Accept = (socket: Socket, guard: ConnectionGuard) => void;

/** The gRPC server: JobService, health and reflection over a Unix socket and TCP. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #tracker: CallTracker;
  /** The calls of every transport, loaded with the first one. */
  readonly calls: Lazy<Calls>;
  readonly #endpoint: Lazy<Endpoint>;
  #authenticator: ConfiguredAuthenticator | null = null;
  #tcp: PatientListener | null = null;
  #unix: Listener | null = null;
  #socket: string | null = null;
  #accept: Accept | null = null;
  #isStarted = false;
  #defaultToken: { readonly path: string; readonly token: string } | null = null;
  #isStopped = false;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    const tracker = this.#tracker = new CallTracker(options.clock, options.memory);
    const { loadBackend, isServing, clock, logger } = options;
    this.calls = new Lazy(async () => {
      const { Calls } = await import("./call_policy.ts");
      return new Calls({ backend: await loadBackend(), clock, tracker, logger });
    });
    // Loaded with the first connection: it is a fifth of an idle daemon's memory and start time.
    this.#endpoint = new Lazy(async () => {
      const { Endpoint } = await import("./endpoint.ts");
      const calls = await this.calls.get();
      return new Endpoint({ calls, isServing, clock, tracker });
    });
  }

  /** Its current addresses. @throws JobError `unavailable` before `start` */
  get addresses(): RpcAddresses {
    afterStart(this.#isStarted || null, "addresses", "the gRPC server");
    const listener = this.#tcp?.listener;
    const { host } = this.#options.server;
    return { tcp: listener ? { host, port: listener.port } : null, socket: this.#socket };
  }

  /** The listener on TCP; null if it is off. */
  get tcp(): Pick<PatientListener, "listener" | "problem"> | null {
    return this.#tcp;
  }

  /**
   * The open calls, and the authenticator of callers over TCP: another listener can share both.
   *
   * @throws JobError `unavailable` before `start`
   */
  get access(): {
    readonly tracker: CallTracker;
    readonly authenticator: ConfiguredAuthenticator;
  } {
    const authenticator = afterStart(this.#authenticator, "authenticator", "the gRPC server");
    return { tracker: this.#tracker, authenticator };
  }

  /**
   * Listen. If another process has the TCP address, start without it and try it again.
   *
   * @throws JobError for an unusable configuration, or a socket of another daemon
   */
  async start(start: ListenerStart = FIRST_START): Promise<void> {
    const { server, logger, clock, onToken } = this.#options;
    this.#isStopped = false;
    const tls = await loadServerTls(server, { nowMs: clock.now().wallMs, logger });
    const token = await this.#loadToken();
    if (token !== null) onToken(token);
    const ownToken = server.auth.tokenFile === null ? token : null;
    this.#authenticator = new ConfiguredAuthenticator(server.auth, {
      ownToken,
      clock,
      logger,
      onToken,
      memberRole: server.socketGroup === null ? null : server.socketRole,
    });
    // Connections may wait at an inherited socket.
    this.#accept = this.#acceptor(this.#authenticator);
    if (server.port !== null) this.#tcp = this.#patient(server.port, { tls, token });
    await this.#tcp?.start(start);
    // The port names the daemon, even while it is not ours.
    const name = this.#tcp?.listener?.port ?? server.port ?? GRPC_PORT_DEFAULT;
    this.#socket = await this.#listenUnix(name);
    await this.#placeToken(token, name);
    this.#isStarted = true;
    void removeStaleFiles(clock.now().wallMs);
    this.#logListening(tls !== null);
  }

  #patient(
    port: number,
    { tls, token }: { readonly tls: TlsMaterial | null; readonly token: string | null },
  ): PatientListener {
    const { clock, logger, onListening } = this.#options;
    return new PatientListener({
      listen: (descriptor) => this.#listenTcp(port, descriptor, tls),
      changed: () => {
        if (!this.#isStarted) return;
        if (this.#tcp!.listener !== null) {
          this.#placeToken(token, port).catch((error: unknown) => logger.error(messageOf(error)));
          this.#logListening(tls !== null);
        }
        onListening?.();
      },
      isAnyPort: port === 0,
      clock,
      logger,
    });
  }

  #listenTcp(
    port: number,
    descriptor: number | null,
    tls: TlsMaterial | null,
  ): Promise<TcpListener> {
    const { server, clock, connectionsMax } = this.#options;
    return listenTcp({
      host: server.host,
      port,
      descriptor,
      tls,
      clock,
      protocol: "h2",
      keys: "server.host and server.port",
      connectionsMax: connectionsMax.tcp,
      onConnection: (socket) => {
        if (!this.#accept || this.#isStopped) return void socket.destroy();
        // Without tokens everyone is accepted; with certificates the handshake has checked them.
        const guard = new ConnectionGuard(clock, server.auth.mode !== "token");
        this.#tracker.addConnection(socket, {
          guard,
          isStranger: true,
          principal: null,
          connectionsMax: connectionsMax.tcp,
        });
        this.#authenticator!.admit(socket);
        this.#accept(socket, guard);
      },
    });
  }

  #logListening(hasTls: boolean): void {
    const { logger, server } = this.#options;
    const { tcp, socket } = this.addresses;
    logger.info(tcp ? "gRPC listens" : "gRPC listens on its socket only", {
      tcp: tcp ? hostPort(tcp.host, tcp.port) : undefined,
      socket,
      tls: hasTls,
      auth: server.auth.mode,
    });
  }

  /** Apply new TCP credentials; callers who lose access are disconnected. */
  adopt(auth: AuthConfig): void {
    this.#authenticator?.adopt(auth);
  }

  /** From now on, followers whose streams end learn that the daemon is stopping. */
  beginStop(): void {
    this.calls.value?.beginStop();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.beginStop();
    this.#tcp?.stop();
    this.#unix?.close();
    // If it failed to load, there is nothing to stop.
    const endpoint = await this.#endpoint.loading?.catch(() => null);
    endpoint?.beginStop();
    await this.#tracker.whenIdle(STOP_GRACE_MS);
    // Sockets may still be sending the last responses.
    await this.#tracker.whenClosed(FLUSH_MS);
    endpoint?.stop();
    this.#tracker.destroy();
    this.#authenticator?.stop();
    if (this.#defaultToken) {
      await removeTokenFile(this.#defaultToken.path, this.#defaultToken.token);
      this.#defaultToken = null;
    }
  }

  #acceptor(authenticator: Authenticator | null): Accept {
    let inject: Accept | null = null;
    return (socket, guard) => {
      if (inject) return inject(socket, guard);
      this.#endpoint.get().then((endpoint) => {
        inject ??= endpoint.injector(authenticator);
        if (!socket.destroyed) inject(socket, guard);
      }, () => socket.destroy());
    };
  }

  /** The token in the configured file, or a new one; null if no token is required. */
  async #loadToken(): Promise<string | null> {
    const { mode, tokenFile } = this.#options.server.auth;
    if (mode !== "token") return null;
    return tokenFile === null
      ? newToken(this.#options.random)
      : await ensureTokenFile(tokenFile, this.#options);
  }

  /**
   * Write a new token where clients look for it, if the port or its socket is ours by now: then the
   * file cannot be another daemon's.
   */
  async #placeToken(token: string | null, port: number): Promise<void> {
    const { auth: { tokenFile }, socket } = this.#options.server;
    if (token === null || tokenFile !== null || this.#defaultToken !== null) return;
    const hasName = this.#tcp?.listener || socket === "auto" && this.#socket !== null;
    if (!hasName) return;
    const path = tokenPath(port);
    await replaceTokenFile(path, token, this.#options);
    this.#defaultToken = { path, token };
  }

  async #listenUnix(port: number): Promise<string | null> {
    const { server, logger } = this.#options;
    const isAuto = server.socket === "auto";
    if (server.socket === null || (isAuto && isWindows())) return null;
    const path = isAuto ? socketPath(port) : server.socket;
    const acceptOwner = this.#acceptor(null);
    const acceptMember = this.#acceptor(
      createFixedAuthenticator({
        name: "a member of server.socket_group",
        role: server.socketRole,
        jobs: null,
      }),
    );
    try {
      const listener = await listenUnix({
        path,
        group: server.socketGroup,
        isRuntimeFolder: isAuto,
        connectionsMax: this.#options.connectionsMax.unix,
        onConnection: (socket) => {
          const guard = new ConnectionGuard(this.#options.clock, true);
          const user = peerUserId(socket);
          const isOurs = isOwner(user, server.socketGroup);
          this.#tracker.addConnection(socket, {
            guard,
            isStranger: false,
            uid: user,
            principal: isOurs ? null : `user ${user}`,
            connectionsMax: this.#options.connectionsMax.unix,
          });
          if (isOurs) acceptOwner(socket, guard);
          else acceptMember(socket, guard);
        },
      });
      this.#unix = listener;
      return path;
    } catch (error) {
      const problem = toJobError(error, `Cannot listen on ${path}`);
      // Unless a socket was requested by path, the daemon also starts without one.
      if (!isAuto || problem.code === "conflict") throw problem;
      logger.warn(`${problem.message}; clients use TCP`, { hint: problem.hint });
      return null;
    }
  }
}
