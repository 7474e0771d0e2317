import { LOGIN_PATH, type SiteConfig } from "../../core/address.ts";
import { type JobError, toJobError } from "../../core/errors.ts";
import { isHookPath } from "../../core/hooks/hook.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Lazy } from "../../platform/lazy.ts";
import { Quota } from "../../rpc/guard/quota.ts";
import { TrustedProxies } from "../request/proxy_client.ts";
import type { Access, SessionSource } from "./access.ts";
import {
  isOfNamedOrigin,
  isPreflight,
  originHeaders,
  PREFLIGHT_HEADERS,
  siteRefusal,
} from "./cross_site.ts";
import { sendEvents } from "./event_stream.ts";
import type {
  EventsResponse,
  HttpResponse,
  PlainResponse,
  Responder,
} from "../request/http_types.ts";
import { HttpGuard } from "./http_guard.ts";
import { OpenRequest } from "./open_request.ts";
import { problemResponse } from "../api/problem.ts";
import type { ServerConfig } from "../../platform/network/server_config.ts";
import type { ListenerPolicy } from "./listener_policy.ts";
import type { ConnectionLimit } from "./connection_limit.ts";
import type { HttpConnection } from "../wire/connection.ts";
import { requestError } from "../wire/request_head.ts";
import type { WireRequest } from "../wire/wire_request.ts";

/** Responder to requests outside of the monitoring paths. */
export interface HttpApp {
  readonly api: Lazy<Responder>;
  /** Takes deliveries to the hooks of jobs. */
  readonly hooks: Lazy<Responder>;
  /** The dashboard; null without one. */
  readonly site: Lazy<Responder> | null;
  /** Shared with the gRPC server; called once that has started. */
  readonly access: () => Access;
  /** Null without sessions. */
  readonly sessions: SessionSource | null;
  /** Origins of other sites whose pages may use the API. */
  readonly origins: readonly string[];
  /** The allowed callers, and the certificate. */
  readonly server: ServerConfig;
}

interface AppHandlerOptions {
  readonly policy: ListenerPolicy;
  readonly connections: ConnectionLimit;
  readonly connectionsMax: number;
  readonly site: SiteConfig;
  readonly clock: Clock;
}

/** Start of the paths of the API. */
const API_PATH = "/api/v1";

/** Headers of every response, unless it has another value. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * Takes requests for the API, the dashboard and the hooks of jobs: refuses requests of other sites,
 * finds their callers, watches their calls together with gRPC's, and sends the responses.
 */
export class AppHandler {
  readonly #app: HttpApp;
  readonly #options: AppHandlerOptions;
  readonly #access: Access;
  readonly #proxies: TrustedProxies;
  readonly #guards = new WeakMap<HttpConnection, HttpGuard>();
  readonly #streams: Quota;
  /** Requests whose responses are streams. */
  readonly #following = new Set<WireRequest>();

  constructor(app: HttpApp, options: AppHandlerOptions) {
    this.#app = app;
    this.#options = options;
    this.#access = app.access();
    this.#proxies = new TrustedProxies(options.site);
    const { connectionsMax: max } = options;
    this.#streams = new Quota("event streams", {
      max: Math.ceil(max / 2),
      ofPrincipalMax: Math.ceil(max / 4),
      ofPeerMax: 1,
    });
  }

  /** Answer a request. @param target its path and query, without the base path */
  handle(
    request: WireRequest,
    { target, connection }: { readonly target: string; readonly connection: HttpConnection },
  ): void {
    const guard = this.#guards.get(connection) ?? this.#join(connection);
    if (guard === null) return connection.destroy();
    const { sessions, origins } = this.#app;
    const { clientAddress: address } = connection;
    const { method, headers } = request;
    const isSecure = this.#options.policy.hasTls;
    const client = this.#proxies.clientOf(headers, { address, isSecure });
    const open = new OpenRequest(request, {
      access: this.#access,
      sessions,
      guard,
      connection,
      client,
      target,
      isOfNamedOrigin: isOfNamedOrigin({ method, headers, origins, isSecure: client.isSecure }),
    });
    this.#answer(open, request).then(
      (response) => this.#send(response, open),
      (error) => this.#refuse(toJobError(error, "Cannot answer the request"), open),
    );
  }

  /** End the streams; clients connect again when a daemon is back. */
  beginStop(): void {
    for (const request of this.#following) request.abort();
  }

  /** Watch a connection together with gRPC's; null if it has closed already. */
  #join(connection: HttpConnection): HttpGuard | null {
    const { tracker, authenticator } = this.#access;
    const { connections, connectionsMax } = this.#options;
    const { socket } = connection;
    if (socket.remotePort === undefined) return null;
    const guard = new HttpGuard(connection, connections);
    this.#guards.set(connection, guard);
    tracker.addConnection(socket, {
      guard,
      peer: guard.peer,
      isStranger: true,
      principal: null,
      connectionsMax,
    });
    authenticator.admit(socket);
    connections.release(connection);
    return guard;
  }

  async #answer(open: OpenRequest, request: WireRequest): Promise<HttpResponse> {
    const { api, site, hooks } = this.#app;
    const { path } = open;
    const isHook = isHookPath(path);
    if (!isHook) {
      this.#assertOwn(open, request);
      if (isPreflight(request.method, request.headers)) {
        return { status: 204, headers: PREFLIGHT_HEADERS, body: "" };
      }
    }
    const responder = isHook ? hooks : site === null || isApiPath(path) ? api : site;
    const response = await (responder.value ?? await responder.get()).respond(open);
    const { bodyProblem } = open;
    if (bodyProblem === null) return response;
    throw requestError(bodyProblem);
  }

  /** @throws JobError if this path, or this sender's page, gets no answer */
  #assertOwn({ isSecure, path }: OpenRequest, { method, headers }: WireRequest): void {
    const { policy: { refusal } } = this.#options;
    const { origins, site } = this.#app;
    if (refusal) throw refusal;
    // The page of jobctl open sends one from a file: the site decides about it.
    if (site !== null && method === "POST" && path === `/${LOGIN_PATH}`) return;
    const foreign = siteRefusal({ method, headers, origins, isSecure });
    if (foreign) throw foreign;
  }

  #send(response: HttpResponse, open: OpenRequest): void {
    if (!("events" in response)) return this.#sendBody(response, open);
    if (!open.isHead) return void this.#follow(response, open);
    // Nobody reads them: their source must end too.
    void response.events[Symbol.asyncIterator]().return?.();
    this.#sendBody({ ...response, body: "" }, open);
  }

  #sendBody({ status, headers, body }: PlainResponse, open: OpenRequest): void {
    open.respond({ status, headers: this.#headersOf(headers, open), body });
  }

  #refuse(error: JobError, open: OpenRequest): void {
    this.#sendBody(problemResponse(error, open.bodyProblem?.status), open);
  }

  #headersOf(
    headers: Readonly<Record<string, string>>,
    open: OpenRequest,
  ): Readonly<Record<string, string>> {
    const { origins } = this.#app;
    if (origins.length === 0) return { ...HEADERS, ...headers };
    const cors = originHeaders(open.headers, origins);
    const { vary } = headers;
    const all = { ...HEADERS, ...headers, ...cors };
    return vary === undefined || cors.vary === undefined
      ? all
      : { ...all, vary: `${vary}, ${cors.vary}` };
  }

  async #follow(response: EventsResponse, open: OpenRequest): Promise<void> {
    const { tracker } = this.#access;
    const { clock } = this.#options;
    const { peer, connection, request, caller } = open;
    let release: () => void;
    try {
      release = this.#streams.take(tracker.originOf(peer));
    } catch (error) {
      // Nobody reads them: their source must end too.
      await response.events[Symbol.asyncIterator]().return?.();
      return this.#refuse(toJobError(error, "Cannot send events"), open);
    }
    const end = () => request.abort();
    const unwatch = open.hasSession && caller ? this.#app.sessions?.watch(caller, end) : undefined;
    this.#following.add(request);
    const headers = this.#headersOf(response.headers, open);
    const { signal } = request;
    try {
      await sendEvents({ ...response, headers }, { connection, signal, peer, tracker, clock });
    } finally {
      this.#following.delete(request);
      unwatch?.();
      release();
      open.endStream();
    }
  }
}

/** True for a path of the API. */
export function isApiPath(path: string): boolean {
  return path === API_PATH || path.startsWith(`${API_PATH}/`);
}
