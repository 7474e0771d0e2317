import type { ApiRequest, ApiResponse } from "../api/api_messages.ts";

/** A request, as a {@link Responder} gets it. */
export interface HttpRequest extends ApiRequest {
  /** "GET" for HEAD as well: only the body of the response is left out. */
  readonly method: string;
  /** The address of the client, behind trusted proxies. */
  readonly address: string;
  /** True if the client is connected by TLS, as far as trusted proxies say so. */
  readonly isSecure: boolean;
  /** The user of the client on this machine; null if it is elsewhere or behind a proxy. */
  user(): Promise<number | null>;
  /** True for HEAD. */
  readonly isHead: boolean;
  /**
   * The whole body.
   *
   * @param bytesMax most bytes that it may have
   * @throws JobError if it has more
   */
  body(bytesMax?: number): Promise<Uint8Array>;
  /** Keep its connection although others need room: its sender has proved who it is. */
  admit(): void;
}

/** A part of the server that answers requests. */
export interface Responder {
  /** @throws JobError, which becomes the response */
  respond(request: HttpRequest): Promise<ApiResponse>;
}
