import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { hostname } from "node:os";
import { type SiteConfig, type SiteSettings, siteUrlOf } from "../core/address.ts";
import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Late } from "../platform/late.ts";
import type { Logger } from "../platform/logger.ts";
import { afterStart } from "../platform/network/listening.ts";
import type { ServerConfig } from "../platform/network/server_config.ts";
import { loadTls } from "../platform/network/tls.ts";
import { STOP_GRACE_MS } from "../rpc/limits.ts";
import { type Listener, listenTcp } from "../rpc/server/listeners.ts";
import type { Access, SessionSource } from "./access.ts";
import { AppGate, isApiPath } from "./app_gate.ts";
import { Clients } from "./clients.ts";
import type { Responder } from "./exchange.ts";
import { type Exposure, exposureOf } from "./exposure.ts";
import { isKnownHost, type KnownHosts } from "./known_host.ts";
import { Monitoring, unknownHost } from "./monitoring.ts";
import { problemResponse } from "./api/problem.ts";
import type { StatusSource } from "./status_source.ts";
import { Visitors } from "./visitors.ts";
import { HttpConnection, type WireResponse } from "./wire/connection.ts";
import type { RequestProblem } from "./wire/request_head.ts";
import type { WireRequest } from "./wire/wire_request.ts";

/** What responds to requests that are not for the monitoring paths. */
export interface HttpApp {
  readonly api: Late<Responder>;
  /** The dashboard; null if there is none. */
  readonly site: Late<Responder> | null;
  /** Shared with the gRPC server; called once that has started. */
  readonly access: () => Access;
  /** Null if there are none. */
  readonly sessions: SessionSource | null;
  /** Origins of other sites whose pages may use the API. */
  readonly origins: readonly string[];
  /** Who may call, and the certificate. */
  readonly server: ServerConfig;
}

/** Where the server listens. */
export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** Options of the HTTP server. */
export interface HttpServerOptions {
  readonly source: StatusSource;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Host names that clients may use, in addition to its address and the machine's name. */
  readonly hosts: readonly string[];
  /** Where browsers find it: paths below its base path are read as if they had none. */
  readonly site: SiteConfig;
  /** Most concurrent connections. */
  readonly connectionsMax: number;
  /** Null for the monitoring paths alone. */
  readonly app: HttpApp | null;
  readonly logger: Logger;
  readonly clock: Clock;
}

const NO_PROXY: SiteSettings = { basePath: "/", publicUrl: null };

/** The HTTP server: health, readiness, metrics and the gRPC contract; the API and the dashboard. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #known: KnownHosts;
  readonly #monitoring: Monitoring;
  readonly #visitors: Visitors;
  #gate: AppGate | null = null;
  #hasTls = false;
  #listener: (Listener & { readonly port: number }) | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { clock, host, hosts, site, connectionsMax } = options;
    const { publicUrl } = site;
    const publicHosts = publicUrl === null ? [] : [new URL(publicUrl).hostname];
    this.#known = { bound: host, machine: hostname(), others: [...hosts, ...publicHosts] };
    this.#monitoring = new Monitoring(options);
    this.#visitors = new Visitors(clock, connectionsMax);
  }

  /** The address it listens on. @throws JobError `unavailable` before `start` */
  get address(): HttpAddress {
    const { port } = afterStart(this.#listener, "address", "the HTTP server");
    return { host: this.#options.host, port, isTls: this.#hasTls };
  }

  /** @throws JobError `invalid_config` if it would admit strangers; others name the address */
  async start(): Promise<void> {
    const { host, port, logger, clock, app } = this.#options;
    const exposure = app && exposureOf(host, app.server);
    const tls = exposure?.hasTls
      ? await loadTls(app!.server.tls!, { nowMs: clock.now().wallMs, logger })
      : null;
    this.#gate = app && this.#createGate(app, exposure!);
    this.#listener = await listenTcp({
      ...{ host, port, tls, clock },
      protocol: "http/1.1",
      keys: 'server.http ("" turns it off)',
      // One more makes room for itself.
      connectionsMax: null,
      onConnection: (socket) => this.#accept(socket),
    });
    this.#hasTls = tls !== null;
    logger.info("HTTP listens", { address: siteUrlOf(this.address, NO_PROXY) });
  }

  async stop(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    this.#gate?.beginStop();
    await this.#visitors.close(STOP_GRACE_MS);
  }

  #createGate(app: HttpApp, { hasTls, refusal }: Exposure): AppGate {
    const { clock, connectionsMax } = this.#options;
    const { api, site, sessions, origins, access } = app;
    return new AppGate({
      ...{ api, site, sessions, origins, refusal, clock, connectionsMax },
      access: access(),
      clients: new Clients(this.#options.site),
      isSecure: hasTls,
      visitors: this.#visitors,
    });
  }

  #accept(socket: Socket): void {
    if (!this.#visitors.makeRoom()) return void socket.destroy();
    const connection = new HttpConnection(socket, {
      clock: this.#options.clock,
      onRequest: (request) => this.#route(request, connection),
      onProblem: (problem) => problemPage(problem),
      onClose: () => this.#visitors.remove(connection),
    });
    this.#visitors.add(connection);
  }

  #route(request: WireRequest, connection: HttpConnection): void {
    this.#visitors.noteRequest(connection);
    if (!isKnownHost(request.headers.host, this.#known)) {
      return connection.respond(unknownHost(), { isLast: true });
    }
    const target = this.#withoutBase(request.target);
    const path = target.split("?", 1)[0]!;
    const isApp = isApiPath(path) || !!this.#options.app?.site && !this.#monitoring.has(path);
    if (this.#gate !== null && isApp) return this.#gate.handle(request, { target, connection });
    void this.#monitor(request, target, connection);
  }

  #withoutBase(target: string): string {
    const { basePath } = this.#options.site;
    return target.startsWith(basePath) ? target.slice(basePath.length - 1) : target;
  }

  async #monitor(
    request: WireRequest,
    target: string,
    connection: HttpConnection,
  ): Promise<void> {
    const address = connection.clientAddress;
    const response = await this.#monitoring.respond(request, { target, address });
    if (request.method !== "HEAD") {
      this.#visitors.countPage(connection, Buffer.byteLength(response.body));
    }
    connection.respond(response, { isLast: true });
  }
}

function problemPage({ status, problem }: RequestProblem): WireResponse {
  return problemResponse(
    new JobError("invalid_argument", `Cannot read the request: ${problem}`),
    status,
  );
}
