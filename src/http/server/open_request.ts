import type { JobError } from "../../core/errors.ts";
import { admitCall } from "../../rpc/auth/admission.ts";
import { allow, type Caller, type CallName } from "../../rpc/auth/auth.ts";
import type { TrackedCall } from "../../rpc/guard/call_tracker.ts";
import { MESSAGE_BYTES_MAX } from "../../rpc/limits.ts";
import type { ProxyClient } from "../request/proxy_client.ts";
import type { CancelSignal } from "../../rpc/server/call_policy.ts";
import type { Access, SessionSource } from "./access.ts";
import type { PlainResponse } from "../request/http_types.ts";
import type { HttpRequest } from "../request/http_types.ts";
import type { HttpGuard } from "./http_guard.ts";
import type { HttpConnection } from "../wire/connection.ts";
import type { RequestProblem } from "../wire/request_head.ts";
import type { WireRequest } from "../wire/wire_request.ts";

/** Origin of a request, and the parts that decide about it. */
interface Parts {
  readonly access: Access;
  readonly sessions: SessionSource | null;
  readonly client: ProxyClient;
  readonly guard: HttpGuard;
  readonly connection: HttpConnection;
  /** Path and query, without the base path. */
  readonly target: string;
  /** True if a page of another origin sends it: its cookies are ignored. */
  readonly isOfNamedOrigin: boolean;
}

/** A request being answered, as a call of the tracker. */
export class OpenRequest implements HttpRequest {
  readonly request: WireRequest;
  readonly path: string;
  /** Without ignored ones. */
  readonly headers: WireRequest["headers"];
  readonly #parts: Parts;
  readonly #call: TrackedCall;
  #query: URLSearchParams | null = null;
  #bodyBytes = 0;
  #caller: Caller | null = null;
  #hasSession = false;

  constructor(request: WireRequest, parts: Parts) {
    this.request = request;
    this.#parts = parts;
    const { target, isOfNamedOrigin } = parts;
    const { headers } = request;
    this.headers = isOfNamedOrigin ? { ...headers, cookie: undefined } : headers;
    this.path = pathOf(target);
    const { tracker } = parts.access;
    this.#call = tracker.addCallOf(parts.guard.peer);
    if (!request.hasUnreadBody) tracker.move(this.#call, "running");
  }

  get method(): string {
    return this.isHead ? "GET" : this.request.method;
  }

  get isHead(): boolean {
    return this.request.method === "HEAD";
  }

  get query(): URLSearchParams {
    return this.#query ??= new URLSearchParams(this.#parts.target.slice(this.path.length));
  }

  get peer(): string {
    return this.#parts.guard.peer;
  }

  get address(): string {
    return this.#parts.client.address;
  }

  get from(): string | undefined {
    const { client: { address }, connection: { clientAddress } } = this.#parts;
    return address === clientAddress ? undefined : `http:${address}`;
  }

  get isSecure(): boolean {
    return this.#parts.client.isSecure;
  }

  user(): Promise<number | null> {
    const { client: { isProxied }, connection: { clientUser } } = this.#parts;
    return isProxied ? Promise.resolve(null) : clientUser;
  }

  get signal(): AbortSignal {
    return this.request.signal;
  }

  get cancelSignal(): CancelSignal {
    return this.request;
  }

  get connection(): HttpConnection {
    return this.#parts.connection;
  }

  /** The caller that was authorized last; null before. */
  get caller(): Caller | null {
    return this.#caller;
  }

  /** True if the caller was found by a session. */
  get hasSession(): boolean {
    return this.#hasSession;
  }

  /** Why the body could not be read; null otherwise. */
  get bodyProblem(): RequestProblem | null {
    return this.request.problem;
  }

  body(bytesMax: number = MESSAGE_BYTES_MAX): Promise<Uint8Array> {
    const { guard, access: { tracker } } = this.#parts;
    const limits = { bytesMax, isCut: false };
    const body = this.request.body(limits, (count) => {
      this.#bodyBytes += count;
      guard.changeRequestBytes(count);
    });
    return body.then((bytes) => {
      tracker.move(this.#call, "running");
      return bytes;
    });
  }

  authorize(method: CallName): Caller | JobError | Promise<Caller | JobError> {
    const { access: { authenticator }, sessions, guard: { key } } = this.#parts;
    const { authorization, cookie } = this.headers;
    if (authorization === undefined && cookie !== undefined && sessions !== null) {
      return this.#authorizeSession(method, sessions);
    }
    return this.#admit(method, (call) => authenticator.check(call, authorization, key));
  }

  async #authorizeSession(
    method: CallName,
    sessions: SessionSource,
  ): Promise<Caller | JobError> {
    const { access: { authenticator }, guard: { key } } = this.#parts;
    const caller = await sessions.find(this);
    this.#hasSession = caller !== null;
    return this.#admit(
      method,
      (call) => caller ? allow(caller, call) : authenticator.check(call, undefined, key),
    );
  }

  admit(): void {
    this.#parts.access.tracker.admit(this.#call, null);
  }

  #admit(
    method: CallName,
    check: (method: CallName) => Caller | JobError,
  ): Caller | JobError {
    const { tracker } = this.#parts.access;
    const caller = admitCall(this.#call, { tracker, method, check });
    if ("role" in caller) this.#caller = caller;
    return caller;
  }

  respond(response: PlainResponse): void {
    const { connection, access: { tracker } } = this.#parts;
    const { body } = response;
    tracker.move(this.#call, "answering");
    // Characters: non-ASCII text has a few more bytes.
    tracker.countResponse(this.#call, typeof body === "string" ? body.length : body.byteLength);
    connection.respond(response, {
      isLast: this.bodyProblem !== null,
      onSent: () => this.#end(),
    });
  }

  /** End a response that is a stream. */
  endStream(): void {
    const { connection, access: { tracker } } = this.#parts;
    tracker.move(this.#call, "answering");
    connection.endStream(() => this.#end());
  }

  #end(): void {
    const { guard, access: { tracker } } = this.#parts;
    if (this.#bodyBytes > 0) guard.changeRequestBytes(-this.#bodyBytes);
    tracker.leaveBody(this.#bodyBytes);
    this.#bodyBytes = 0;
    tracker.end(this.#call);
  }
}

/** A target without its query. */
export function pathOf(target: string): string {
  const mark = target.indexOf("?");
  return mark === -1 ? target : target.slice(0, mark);
}
