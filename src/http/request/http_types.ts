import type { IncomingHttpHeaders } from "node:http";
import type { JobError } from "../../core/errors.ts";
import type { Caller, CallName } from "../../rpc/auth/auth.ts";
import type { CancelSignal } from "../../rpc/server/call_policy.ts";

/** A request, as a {@link Responder} gets it. */
export interface HttpRequest {
  /** "GET" for HEAD as well: only the body of the response is omitted. */
  readonly method: string;
  readonly isHead: boolean;
  /** As in the request line: with its percent signs, without the query and the base path. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /**
   * The whole body.
   *
   * @param bytesMax by default the largest of a message
   * @throws JobError `resource_exhausted` beyond the limit
   */
  body(bytesMax?: number): Promise<Uint8Array>;
  /** The caller if it may make a call, or the refusal. */
  authorize(call: CallName): Caller | JobError | Promise<Caller | JobError>;
  /** Keep its connection even if others need room: its sender is proven. */
  admit(): void;
  /** The address of the client, behind trusted proxies. */
  readonly address: string;
  /** True if the client is connected by TLS, according to trusted proxies. */
  readonly isSecure: boolean;
  /** The user of the client on this machine; null if it is elsewhere or behind a proxy. */
  user(): Promise<number | null>;
  /** The tracker's name of its connection. */
  readonly peer: string;
  /** The client behind trusted proxies, for the log; absent without any. */
  readonly from?: string | undefined;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
  /** A cheaper signal, where no stream needs the other. */
  readonly cancelSignal?: CancelSignal;
}

/** A response with a body, which a server does not send to HEAD. */
export interface PlainResponse {
  readonly status: number;
  /** Visible ASCII; without the length of the body and fields about the connection. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** One of the server-sent events of a stream. */
export interface ApiEvent {
  readonly id?: string;
  readonly event?: string;
  /** JSON text on one line. */
  readonly data: string;
}

/** A response that is a stream of server-sent events. */
export interface EventsResponse {
  readonly status: 200;
  readonly headers: Readonly<Record<string, string>>;
  readonly events: AsyncIterable<ApiEvent>;
}

/** A response of the server. */
export type HttpResponse = PlainResponse | EventsResponse;

/** A part of the server that answers requests. */
export interface Responder {
  /** @throws JobError, which becomes the response */
  respond(request: HttpRequest): Promise<HttpResponse>;
}
