import { Worker } from "node:worker_threads";
import { hostPort } from "../core/address.ts";
import { JobError, messageOf } from "../core/errors.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import { ManagerStatusSource } from "../http/status_source.ts";
import type { LiveFacts, ManagerApi } from "../manager/api.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import { Late } from "../platform/late.ts";
import type { Logger } from "../platform/logger.ts";
import { afterStart } from "../platform/network/listening.ts";
import { threadUrl } from "../platform/process/process.ts";
import type { AuthConfig } from "../platform/network/server_config.ts";
import { fromPlainError } from "./batches.ts";
import { Desk } from "./desk.ts";
import type { FromGateway, GatewayAddresses, GatewayConfig, ToGateway } from "./messages.ts";

/** Options of a gateway. */
export interface GatewayOptions {
  readonly manager: ManagerApi;
  /** For the database reads in the other thread. */
  readonly facts: LiveFacts;
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most kinds with a label of their own in the metrics. */
  readonly metricsKinds?: number;
  /** Masks secrets in errors; the listeners add the tokens that they create or read. */
  readonly mask?: SecretMask;
}

/** How long the thread may take to close its listeners before it is terminated. */
const STOP_MS = 10_000;
/** Delays before each further restart of a failing thread; the last one repeats. */
const RESTART_MS = [100, 1_000, 5_000, 30_000] as const;

/**
 * The gRPC and HTTP listeners, in a thread of their own: nothing that a client sends or leaves
 * unread takes time from the thread of the schedules. This side completes the accepted calls. A
 * failed thread is replaced.
 */
export class Gateway {
  #options: GatewayOptions;
  #source: ManagerStatusSource | null = null;
  #thread: GatewayThread | null = null;
  #addresses: GatewayAddresses | null = null;
  #restart: Timer | null = null;
  #failureCount = 0;
  #isStopped = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** The addresses it listens on. @throws JobError `unavailable` before `start` */
  get addresses(): GatewayAddresses {
    return afterStart(this.#addresses, "addresses", "the daemon");
  }

  /** The same as URLs. */
  get urls(): readonly string[] {
    const { rpc: { tcp, socket }, http } = this.addresses;
    return [
      `grpc://${hostPort(tcp.host, tcp.port)}`,
      ...(socket ? [`unix:${socket}`] : []),
      ...(http ? [`http${http.isTls ? "s" : ""}://${hostPort(http.host, http.port)}`] : []),
    ];
  }

  /** @throws JobError like the listeners, such as `conflict` for an address in use */
  async start(): Promise<void> {
    this.#isStopped = false;
    const { manager, clock, metricsKinds: kindLabelsMax } = this.#options;
    this.#source = new ManagerStatusSource(manager, { clock, kindLabelsMax });
    await this.#open();
  }

  /**
   * Close the database in the other thread; its owner closes it afterwards, and must be the last.
   */
  async closeDatabase(): Promise<void> {
    await this.#thread?.closeDatabase();
  }

  /** Apply new TCP credentials; callers who lose access are disconnected. */
  adopt(auth: AuthConfig): void {
    const { config } = this.#options;
    this.#options = { ...this.#options, config: { ...config, rpc: { ...config.rpc, auth } } };
    this.#thread?.adopt(auth);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#restart?.cancel();
    await this.#thread?.stop();
    this.#source?.stop();
  }

  async #open(): Promise<void> {
    const thread = new GatewayThread(this.#options, this.#source!);
    this.#thread = thread;
    try {
      this.#addresses = await thread.start();
    } catch (error) {
      // A thread that cannot listen is useless.
      await thread.end();
      throw error;
    }
    this.#keepPorts(this.#addresses);
    void thread.failed.then((error) => {
      if (this.#isStopped) return;
      this.#options.logger.error("The listeners failed and are being restarted", {
        error: messageOf(error),
      });
      this.#openLater();
    });
  }

  /** A restarted thread listens on the same ports, where clients look for it. */
  #keepPorts({ rpc: { tcp }, http: page }: GatewayAddresses): void {
    const { config } = this.#options;
    const { rpc, http } = config;
    this.#options = {
      ...this.#options,
      config: {
        ...config,
        rpc: { ...rpc, port: tcp.port },
        http: http && page && { ...http, port: page.port },
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
  readonly #worker: Worker;
  readonly #desk: Desk;
  readonly #started = Promise.withResolvers<GatewayAddresses>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #databaseClosed = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<unknown>();
  /** Resolves if the thread ends unexpectedly. */
  readonly failed = this.#failed.promise;

  constructor(options: GatewayOptions, source: ManagerStatusSource) {
    this.#options = options;
    const { manager, facts, clock, mask } = options;
    this.#worker = new Worker(threadUrl(import.meta.url, "gateway_thread"));
    this.#desk = new Desk({
      backend: new Late(async () => {
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

  start(): Promise<GatewayAddresses> {
    this.#worker.on("message", (message: FromGateway) => this.#take(message));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("their thread exited")));
    this.#post({ type: "start", config: this.#options.config });
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
    this.#desk.stop();
    await this.#worker.terminate();
  }

  #post(message: ToGateway, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  #fail(error: unknown): void {
    this.#desk.stop();
    this.#started.reject(
      new JobError("internal", `Cannot listen: ${messageOf(error)}`, { cause: error }),
    );
    this.#stopped.resolve();
    this.#failed.resolve(error);
  }

  #take(message: FromGateway): void {
    if (message instanceof ArrayBuffer) return this.#desk.receive(message);
    switch (message.type) {
      case "started":
        return this.#started.resolve(message.addresses);
      case "refused":
        return this.#started.reject(fromPlainError(message.error));
      case "databaseClosed":
        return this.#databaseClosed.resolve();
      case "stopped":
        return this.#stopped.resolve();
      case "batch":
        return this.#desk.receive(message);
      case "token":
        return this.#options.mask?.add([message.token]);
      case "log":
        return this.#options.logger[message.level](message.message, message.fields);
    }
  }
}
