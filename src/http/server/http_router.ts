import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { hostname } from "node:os";
import type { SiteConfig } from "../../core/address.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { STOP_GRACE_MS } from "../../rpc/limits.ts";
import { isHookPath } from "../../core/hooks/hook.ts";
import { problemResponse } from "../api/problem.ts";
import { AppHandler, type HttpApp, isApiPath } from "./app_handler.ts";
import type { PlainResponse } from "../request/http_types.ts";
import type { ListenerPolicy } from "./listener_policy.ts";
import { isKnownHost, type KnownHosts } from "./known_host.ts";
import { Monitoring, unknownHost } from "../monitoring/monitoring.ts";
import { pathOf } from "./open_request.ts";
import type { StatusSource } from "../monitoring/status_source.ts";
import { ConnectionLimit } from "./connection_limit.ts";
import { HttpConnection } from "../wire/connection.ts";
import { requestError, type RequestProblem } from "../wire/request_head.ts";
import type { WireRequest } from "../wire/wire_request.ts";

/** Options of the HTTP server. */
export interface HttpServerOptions {
  readonly source: StatusSource;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Host names that clients may use, in addition to its address and the machine's name. */
  readonly hosts: readonly string[];
  /** Its location for browsers: paths below its base path are read without it. */
  readonly site: SiteConfig;
  readonly connectionsMax: number;
  /** Null for the monitoring paths alone. */
  readonly app: HttpApp | null;
  /** Called when it starts or stops listening, after its start. */
  readonly onListening?: () => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Takes connections and requests, and finds who responds; loaded with the first connection. */
export class HttpRouter {
  readonly #options: HttpServerOptions;
  readonly #known: KnownHosts;
  readonly #monitoring: Monitoring;
  readonly #connections: ConnectionLimit;
  readonly #app: AppHandler | null;
  /** The last Host header that names this daemon: most are the same. */
  #knownHost: string | undefined;

  /** @param policy null for the monitoring paths alone */
  constructor(options: HttpServerOptions, policy: ListenerPolicy | null) {
    this.#options = options;
    const { clock, host, hosts, site, connectionsMax } = options;
    const { publicUrl } = site;
    const publicHosts = publicUrl === null ? [] : [new URL(publicUrl).hostname];
    this.#known = { bound: host, machine: hostname(), others: [...hosts, ...publicHosts] };
    this.#monitoring = new Monitoring(options);
    this.#connections = new ConnectionLimit(clock, connectionsMax);
    const { app } = options;
    this.#app = app && policy &&
      new AppHandler(app, { ...options, policy, connections: this.#connections });
  }

  accept(socket: Socket): void {
    if (!this.#connections.makeRoom()) return void socket.destroy();
    const connection = new HttpConnection(socket, {
      clock: this.#options.clock,
      onRequest: (request) => this.#route(request, connection),
      onProblem: (problem) => problemPage(problem),
      onClose: () => this.#connections.remove(connection),
    });
    this.#connections.add(connection);
  }

  /** End streams and close connections, after the responses that are being made. */
  async stop(): Promise<void> {
    this.#app?.beginStop();
    await this.#connections.close(STOP_GRACE_MS);
  }

  #route(request: WireRequest, connection: HttpConnection): void {
    this.#connections.noteRequest(connection);
    if (!this.#isKnownHost(request.headers.host)) {
      return connection.respond(unknownHost(), { isLast: true });
    }
    const target = this.#withoutBase(request.target);
    const path = pathOf(target);
    const isApp = isApiPath(path) || isHookPath(path) ||
      !!this.#options.app?.site && !this.#monitoring.has(path);
    if (this.#app !== null && isApp) return this.#app.handle(request, { target, connection });
    void this.#monitor(request, target, connection);
  }

  #isKnownHost(host: string | undefined): boolean {
    if (host !== undefined && host === this.#knownHost) return true;
    if (!isKnownHost(host, this.#known)) return false;
    this.#knownHost = host;
    return true;
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
      this.#connections.countPage(connection, Buffer.byteLength(response.body));
    }
    connection.respond(response, { isLast: true });
  }
}

function problemPage(problem: RequestProblem): PlainResponse {
  return problemResponse(requestError(problem), problem.status);
}
