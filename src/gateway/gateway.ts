import { Worker } from "node:worker_threads";
import { hostPort } from "../core/address.ts";
import { JobError, messageOf } from "../core/errors.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import { ManagerStatusSource } from "../http/monitoring/status_source.ts";
import type { LiveFacts, ManagerApi } from "../manager/api.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import { Lazy } from "../platform/lazy.ts";
import type { Logger } from "../platform/logger.ts";
import {
  HeldSockets,
  type ListenAddress,
  type ListenerName,
} from "../platform/network/held_sockets.ts";
import { afterStart } from "../platform/network/listening.ts";
import { threadUrl } from "../platform/system/runtime.ts";
import type { AuthConfig } from "../platform/network/server_config.ts";
import { fromPlainError } from "./batches.ts";
import { ManagerEndpoint } from "./manager_endpoint.ts";
import type {
  Descriptors,
  FromGateway,
  GatewayAddresses,
  GatewayConfig,
  ToGateway,
} from "./messages.ts";

/** Options of a gateway. */
export interface GatewayOptions {
  readonly manager: ManagerApi;
  /** For the database reads in the other thread. */
  readonly facts: LiveFacts;
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most kinds with a separate label in the metrics. */
  readonly metricsKinds?: number;
  /** Masks secrets in errors; the listeners add the tokens that they create or read. */
  readonly mask?: SecretMask;
  /** Keeps sockets open while listeners end and start. */
  readonly sockets?: HeldSockets;
  /** True if the daemon has worked before: then no address ends it. */
  readonly hasWorked?: boolean;
  /** Called when {@link Gateway.problems} have changed after the start. */
  readonly onProblems?: (problems: readonly string[]) => void;
}

/** Time for the thread to close its listeners before it is terminated. */
const STOP_MS = 10_000;
/** Delays before each further restart of a failing thread; the last one repeats. */
const RESTART_MS = [100, 1_000, 5_000, 30_000] as const;

/**
 * The gRPC and HTTP listeners, in a separate thread, so that clients cannot delay the schedules.
 * This side completes the accepted calls. A failed thread is replaced.
 */
export class Gateway {
  #options: GatewayOptions;
  readonly #sockets: HeldSockets;
  /** The addresses of the listeners on TCP, as they are configured; null for off. */
  readonly #wanted: Readonly<Record<ListenerName, ListenAddress | null>>;
  #hasWorked: boolean;
  #source: ManagerStatusSource | null = null;
  #thread: GatewayThread | null = null;
  #addresses: GatewayAddresses | null = null;
  #restart: Timer | null = null;
  #failureCount = 0;
  #isStopped = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#sockets = options.sockets ?? new HeldSockets();
    this.#hasWorked = options.hasWorked ?? false;
    const { rpc: { host, port }, http } = options.config;
    this.#wanted = { grpc: port === null ? null : { host, port }, http };
  }

  /** Why listeners cannot be opened at the moment. Jobs run, and the listeners are tried again. */
  get problems(): readonly string[] {
    return this.#addresses?.problems ?? [];
  }

  /** The addresses it listens on. @throws JobError `unavailable` before `start` */
  get addresses(): GatewayAddresses {
    return afterStart(this.#addresses, "addresses", "the daemon");
  }

  get urls(): readonly string[] {
    const { rpc: { tcp, socket }, http } = this.addresses;
    return [
      ...(tcp ? [`grpc://${hostPort(tcp.host, tcp.port)}`] : []),
      ...(socket ? [`unix:${socket}`] : []),
      ...(http ? [`http${http.isTls ? "s" : ""}://${hostPort(http.host, http.port)}`] : []),
    ];
  }

  /** @throws JobError like the listeners; an address that another process has is tried again */
  async start(): Promise<void> {
    this.#isStopped = false;
    const { manager, clock, metricsKinds: kindLabelsMax } = this.#options;
    this.#source = new ManagerStatusSource(manager, { clock, kindLabelsMax });
    if (this.#sockets.problem !== null) this.#options.logger.warn(this.#sockets.problem);
    await this.#open();
  }

  /** Close the database in the other thread; its owner must close it last. */
  async closeDatabase(): Promise<void> {
    await this.#thread?.closeDatabase();
  }

  /** Apply new TCP credentials; callers who lose access are disconnected. */
  adopt(auth: AuthConfig): void {
    const { config } = this.#options;
    this.#options = { ...this.#options, config: { ...config, rpc: { ...config.rpc, auth } } };
    this.#thread?.adopt(auth);
  }

  /** @param options.keepsSockets lets connections wait for the next daemon in this process */
  async stop({ keepsSockets = false }: { readonly keepsSockets?: boolean } = {}): Promise<void> {
    this.#isStopped = true;
    this.#restart?.cancel();
    if (!keepsSockets) this.#sockets.close();
    await this.#thread?.stop();
    this.#source?.stop();
  }

  async #open(): Promise<void> {
    const descriptors = { grpc: this.#lend("grpc"), http: this.#lend("http") };
    const thread = new GatewayThread(this.#options, this.#source!, (addresses) => {
      const before = this.#addresses?.problems.join();
      this.#listening(addresses);
      const now = addresses.problems.join();
      // Otherwise it has just started.
      if (before !== undefined && before !== now) this.#options.onProblems?.(addresses.problems);
    });
    this.#thread = thread;
    try {
      await thread.start({ descriptors, hasWorked: this.#hasWorked });
    } catch (error) {
      // A thread that cannot listen is useless.
      await thread.end();
      throw error;
    }
    this.#hasWorked = true;
    for (const address of this.#sockets.dropUnused()) {
      this.#options.logger.warn(`The socket of systemd at ${address} is not in the configuration`, {
        hint:
          "Let ListenStream= of the socket unit name server.host with server.port, or server.http",
      });
    }
    void thread.failed.then((error) => {
      if (this.#isStopped) return;
      this.#options.logger.error("The listeners failed and are being restarted", {
        error: messageOf(error),
      });
      this.#openLater();
    });
  }

  #lend(name: ListenerName): number | null {
    const wanted = this.#wanted[name];
    if (wanted !== null) return this.#sockets.lend(name, wanted);
    this.#sockets.drop(name);
    return null;
  }

  #listening(addresses: GatewayAddresses): void {
    this.#addresses = addresses;
    for (const name of ["grpc", "http"] as const) {
      const [wanted, descriptor] = [this.#wanted[name], addresses.descriptors[name]];
      if (wanted !== null && descriptor !== null) this.#sockets.keep(name, wanted, descriptor);
    }
    this.#keepPorts(addresses);
  }

  /** A restarted thread listens on the same ports, where clients look for it. */
  #keepPorts({ rpc: { tcp }, http: page }: GatewayAddresses): void {
    const { config } = this.#options;
    const { rpc, http } = config;
    this.#options = {
      ...this.#options,
      config: {
        ...config,
        rpc: tcp ? { ...rpc, port: tcp.port } : rpc,
        http: http && page ? { ...http, port: page.port } : http,
      },
    };
  }

  #openLater(): void {
    const delayMs = RESTART_MS[Math.min(this.#failureCount, RESTART_MS.length - 1)]!;
    this.#failureCount += 1;
    this.#restart = this.#options.clock.timer(delayMs, () => {
      this.#open().then(() => this.#failureCount = 0, (error) => {
        this.#options.logger.error("Cannot restart the listeners", { error: messageOf(error) });
        if (!this.#isStopped) this.#openLater();
      });
    });
  }
}

/** One thread of listeners, from start to end. */
class GatewayThread {
  readonly #options: GatewayOptions;
  readonly #listening: (addresses: GatewayAddresses) => void;
  readonly #worker: Worker;
  readonly #endpoint: ManagerEndpoint;
  readonly #started = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #databaseClosed = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<unknown>();
  /** Resolves if the thread ends unexpectedly. */
  readonly failed = this.#failed.promise;

  /** @param listening called when it has started, and when its addresses change */
  constructor(
    options: GatewayOptions,
    source: ManagerStatusSource,
    listening: (addresses: GatewayAddresses) => void,
  ) {
    this.#options = options;
    this.#listening = listening;
    const { manager, facts, clock, mask } = options;
    this.#worker = new Worker(threadUrl(import.meta.url, "gateway_thread"));
    this.#endpoint = new ManagerEndpoint({
      backend: new Lazy(async () => {
        const { LocalBackend } = await import("../rpc/handlers/local_backend.ts");
        return new LocalBackend(manager);
      }),
      source,
      facts,
      sessions: manager.sessions,
      subscribe: (listener) => manager.subscribe(listener),
      clock,
      mask,
      post: (message, transfer) => this.#post(message, transfer),
    });
  }

  start(
    how: { readonly descriptors: Descriptors; readonly hasWorked: boolean },
  ): Promise<void> {
    this.#worker.on("message", (message: FromGateway) => this.#take(message));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("their thread exited")));
    this.#post({ type: "start", config: this.#options.config, ...how });
    return this.#started.promise;
  }

  async closeDatabase(): Promise<void> {
    this.#post({ type: "closeDatabase" });
    await Promise.race([this.#databaseClosed.promise, this.failed]);
  }

  adopt(auth: AuthConfig): void {
    this.#post({ type: "adopt", auth });
  }

  async stop(): Promise<void> {
    const timer = this.#options.clock.timer(STOP_MS, () => this.#stopped.resolve());
    this.#post({ type: "stop" });
    await this.#stopped.promise;
    timer.cancel();
    await this.end();
  }

  /** End the thread at once. */
  async end(): Promise<void> {
    this.#endpoint.stop();
    await this.#worker.terminate();
  }

  #post(message: ToGateway, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  #fail(error: unknown): void {
    this.#endpoint.stop();
    this.#started.reject(
      new JobError("internal", `Cannot listen: ${messageOf(error)}`, { cause: error }),
    );
    this.#stopped.resolve();
    this.#failed.resolve(error);
  }

  #take(message: FromGateway): void {
    if (message instanceof ArrayBuffer) return this.#endpoint.receive(message);
    switch (message.type) {
      case "started":
        this.#listening(message.addresses);
        return this.#started.resolve();
      case "listening":
        return this.#listening(message.addresses);
      case "refused":
        return this.#started.reject(fromPlainError(message.error));
      case "databaseClosed":
        return this.#databaseClosed.resolve();
      case "stopped":
        return this.#stopped.resolve();
      case "batch":
        return this.#endpoint.receive(message);
      case "token":
        return this.#options.mask?.add([message.token]);
      case "log":
        return this.#options.logger[message.level](message.message, message.fields);
    }
  }
}
