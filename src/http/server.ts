import type { Socket } from "node:net";
import { type SiteSettings, siteUrlOf } from "../core/address.ts";
import { Late } from "../platform/late.ts";
import { afterStart } from "../platform/network/listening.ts";
import { loadTls } from "../platform/network/tls.ts";
import { type Listener, listenTcp } from "../rpc/server/listeners.ts";
import { type Exposure, exposureOf } from "./exposure.ts";
import type { Front, HttpServerOptions } from "./front.ts";

/** Where the server listens. */
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
  readonly #front: Late<Front>;
  /** Connections that wait for it. */
  readonly #waiting = new Set<Socket>();
  #exposure: Exposure | null = null;
  #listener: (Listener & { readonly port: number }) | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#front = new Late(async () => {
      const { Front } = await import("./front.ts");
      return new Front(options, this.#exposure);
    });
  }

  /** The address it listens on. @throws JobError `unavailable` before `start` */
  get address(): HttpAddress {
    const { port } = afterStart(this.#listener, "address", "the HTTP server");
    return { host: this.#options.host, port, isTls: this.#exposure?.hasTls ?? false };
  }

  /** @throws JobError `invalid_config` if it would admit strangers; others name the address */
  async start(): Promise<void> {
    const { host, port, logger, clock, app } = this.#options;
    this.#exposure = app && exposureOf(host, app.server);
    const tls = this.#exposure?.hasTls
      ? await loadTls(app!.server.tls!, { nowMs: clock.now().wallMs, logger })
      : null;
    this.#listener = await listenTcp({
      ...{ host, port, tls, clock },
      protocol: "http/1.1",
      keys: 'server.http ("" turns it off)',
      // One more makes room for itself.
      connectionsMax: null,
      onConnection: (socket) => this.#accept(socket),
    });
    logger.info("HTTP listens", { address: siteUrlOf(this.address, NO_PROXY) });
  }

  async stop(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    for (const socket of this.#waiting) socket.destroy();
    // If it failed to load, there is nothing to stop.
    const front = await this.#front.loading?.catch(() => null);
    await front?.stop();
  }

  #accept(socket: Socket): void {
    const { value } = this.#front;
    if (value !== null) return value.accept(socket);
    if (this.#waiting.size >= this.#options.connectionsMax) return void socket.destroy();
    this.#waiting.add(socket);
    this.#front.get().finally(() => this.#waiting.delete(socket)).then((front) => {
      if (!socket.destroyed) front.accept(socket);
    }, () => socket.destroy());
  }
}
