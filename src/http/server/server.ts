import type { Socket } from "node:net";
import { type SiteSettings, siteUrlOf } from "../../core/address.ts";
import { Lazy } from "../../platform/lazy.ts";
import { loadTls } from "../../platform/network/tls.ts";
import { listenTcp } from "../../rpc/server/listeners.ts";
import {
  FIRST_START,
  type ListenerStart,
  PatientListener,
} from "../../rpc/server/patient_listener.ts";
import { type ListenerPolicy, policyOf } from "./listener_policy.ts";
import type { HttpRouter, HttpServerOptions } from "./http_router.ts";

/** Address of the server. */
export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

const NO_PROXY: SiteSettings = { basePath: "/", publicUrl: null };

/** The HTTP server: health, readiness, metrics and the gRPC contract; the API and the dashboard. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  /** Loaded with the first connection: many daemons never get one. */
  readonly #router: Lazy<HttpRouter>;
  /** Connections that wait for it. */
  readonly #waiting = new Set<Socket>();
  #policy: ListenerPolicy | null = null;
  #tcp: PatientListener | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#router = new Lazy(async () => {
      const { HttpRouter } = await import("./http_router.ts");
      return new HttpRouter(options, this.#policy);
    });
  }

  /** Its current or intended address. */
  get address(): HttpAddress {
    const { host, port } = this.#options;
    const isTls = this.#policy?.hasTls ?? false;
    return { host, port: this.#tcp?.listener?.port ?? port, isTls };
  }

  /** Its listener; null before the start. */
  get tcp(): Pick<PatientListener, "listener" | "problem"> | null {
    return this.#tcp;
  }

  /**
   * Listen; if another process has the address, as soon as it is free.
   *
   * @throws JobError `invalid_config` if it would admit strangers; other errors name the address
   */
  async start(start: ListenerStart = FIRST_START): Promise<void> {
    const { host, port, logger, clock, app, onListening } = this.#options;
    this.#policy = app && policyOf(host, app.server);
    const tls = this.#policy?.hasTls
      ? await loadTls(app!.server.tls!, { nowMs: clock.now().wallMs, logger })
      : null;
    const tcp = this.#tcp = new PatientListener({
      listen: (descriptor) =>
        listenTcp({
          host,
          port,
          descriptor,
          tls,
          clock,
          protocol: "http/1.1",
          keys: 'server.http ("" turns it off)',
          // One more makes room for itself.
          connectionsMax: null,
          onConnection: (socket) => this.#accept(socket),
        }),
      changed: () => {
        if (tcp.listener !== null) this.#logListening();
        onListening?.();
      },
      isAnyPort: port === 0,
      clock,
      logger,
    });
    await tcp.start(start);
    if (tcp.listener !== null) this.#logListening();
  }

  async stop(): Promise<void> {
    this.#tcp?.stop();
    for (const socket of this.#waiting) socket.destroy();
    // If it failed to load, there is nothing to stop.
    const router = await this.#router.loading?.catch(() => null);
    await router?.stop();
  }

  #logListening(): void {
    this.#options.logger.info("HTTP listens", { address: siteUrlOf(this.address, NO_PROXY) });
  }

  #accept(socket: Socket): void {
    const { value } = this.#router;
    if (value !== null) return value.accept(socket);
    if (this.#waiting.size >= this.#options.connectionsMax) return void socket.destroy();
    this.#waiting.add(socket);
    this.#router.get().finally(() => this.#waiting.delete(socket)).then((router) => {
      if (!socket.destroyed) router.accept(socket);
    }, () => socket.destroy());
  }
}
