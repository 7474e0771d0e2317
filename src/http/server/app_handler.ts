import { LOGIN_PATH } from "../../core/address.ts";
import { type JobError, toJobError } from "../../core/errors.ts";
import { isHookPath } from "../../core/hooks/hook.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Late } from "../../platform/late.ts";
import { Quota } from "../../rpc/guard/quota.ts";
import type { Clients } from "../request/proxy_client.ts";
import type { Access, SessionSource } from "./access.ts";
import {
  isOfNamedOrigin,
  isPreflight,
  originHeaders,
  PREFLIGHT_HEADERS,
  siteRefusal,
} from "./cross_site.ts";
import { sendEvents } from "./event_stream.ts";
import type { ApiResponse, EventsResponse, PlainResponse } from "../api/api_messages.ts";
import type { Responder } from "../request/http_types.ts";
import { HttpGuard } from "./http_guard.ts";
import { OpenRequest } from "./open_request.ts";
import { problemResponse } from "../api/problem.ts";
import type { Visitors } from "./connection_limit.ts";
import type { HttpConnection } from "../wire/connection.ts";
import { requestError } from "../wire/request_head.ts";
import type { WireRequest } from "../wire/wire_request.ts";

/** Options of {@link AppGate}. */
export interface AppGateOptions {
  readonly access: Access;
  /** Null if there are none. */
  readonly sessions: SessionSource | null;
  /** Answers the paths of the API; loaded with the first request. */
  readonly api: Late<Responder>;
  /** Takes deliveries to hooks, which are signed: neither callers nor cookies are looked at. */
  readonly hooks: Late<Responder>;
  /** Answers the other paths; null if there are none. */
  readonly site: Late<Responder> | null;
  /** Origins of other sites whose pages may use the API. */
  readonly origins: readonly string[];
  /** Why nothing is answered here; null if it is. */
  readonly refusal: JobError | null;
  /** True if connections have TLS. */
  readonly isSecure: boolean;
  readonly clients: Clients;
  readonly visitors: Visitors;
  readonly connectionsMax: number;
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
 * Takes requests for the API, the dashboard and the hooks of jobs: refuses those of other sites,
 * finds their callers, watches their calls together with those of gRPC, and sends the responses.
 */
export class AppGate {
  readonly #options: AppGateOptions;
  readonly #guards = new WeakMap<HttpConnection, HttpGuard>();
  readonly #streams: Quota;
  /** Requests whose responses are streams. */
  readonly #following = new Set<WireRequest>();

  constructor(options: AppGateOptions) {
    this.#options = options;
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
    const { access, sessions, clients, isSecure, origins } = this.#options;
    const { clientAddress: address } = connection;
    const { method, headers } = request;
    const client = clients.clientOf(headers, { address, isSecure });
    const open = new OpenRequest(request, {
      access,
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

  /** Watch a connection together with those of gRPC; null if it has closed already. */
  #join(connection: HttpConnection): HttpGuard | null {
    const { access: { tracker, authenticator }, visitors, connectionsMax } = this.#options;
    const { socket } = connection;
    if (socket.remotePort === undefined) return null;
    const guard = new HttpGuard(connection, visitors);
    this.#guards.set(connection, guard);
    tracker.addConnection(socket, {
      ...{ guard, peer: guard.peer, isStranger: true, principal: null, connectionsMax },
    });
    authenticator.admit(socket);
    visitors.release(connection);
    return guard;
  }

  async #answer(open: OpenRequest, request: WireRequest): Promise<ApiResponse> {
    const { api, site, hooks } = this.#options;
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

  /** @throws JobError if nothing is answered here, or not to the page that sends the request */
  #assertOwn({ isSecure, path }: OpenRequest, { method, headers }: WireRequest): void {
    const { refusal, origins, site } = this.#options;
    if (refusal) throw refusal;
    // The page of jobctl open sends one from a file: the site decides about it.
    if (site !== null && method === "POST" && path === `/${LOGIN_PATH}`) return;
    const foreign = siteRefusal({ method, headers, origins, isSecure });
    if (foreign) throw foreign;
  }

  #send(response: ApiResponse, open: OpenRequest): void {
    if (!("events" in response)) return this.#sendBody(response, open);
    if (!open.isHead) return void this.#follow(response, open);
    // Nobody reads them: what they come from must end too.
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
    if (this.#options.origins.length === 0) return { ...HEADERS, ...headers };
    const cors = originHeaders(open.headers, this.#options.origins);
    const { vary } = headers;
    const all = { ...HEADERS, ...headers, ...cors };
    return vary === undefined || cors.vary === undefined
      ? all
      : { ...all, vary: `${vary}, ${cors.vary}` };
  }

  async #follow(response: EventsResponse, open: OpenRequest): Promise<void> {
    const { access: { tracker }, clock, sessions } = this.#options;
    const { peer, connection, request, caller } = open;
    let release: () => void;
    try {
      release = this.#streams.take(tracker.originOf(peer));
    } catch (error) {
      // Nobody reads them: what they come from must end too.
      await response.events[Symbol.asyncIterator]().return?.();
      return this.#refuse(toJobError(error, "Cannot send events"), open);
    }
    const end = () => request.abort();
    const unwatch = open.hasSession && caller ? sessions?.watch(caller, end) : undefined;
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
