import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Authenticator, Caller } from "../../rpc/auth/auth.ts";
import type { CallTracker } from "../../rpc/guard/call_tracker.ts";

/** Callers without a token or a certificate, such as sessions of browsers. */
export interface SessionSource {
  /**
   * The caller of a request with a cookie; null if it has no session.
   *
   * @param request its headers, the address of the client, whether it is connected by TLS, and its
   * user on this machine
   * @throws JobError if that cannot be determined
   */
  find(
    request: {
      readonly headers: IncomingHttpHeaders;
      readonly address: string;
      readonly isSecure: boolean;
      user(): Promise<number | null>;
    },
  ): Promise<Caller | null>;
  /** Calls `ended` when the session of a caller ends. Returns a function that stops that. */
  watch(caller: Caller, ended: () => void): () => void;
}

/** Shared with the gRPC server: callers count as the same on both. */
export interface Access {
  readonly tracker: CallTracker;
  readonly authenticator: Authenticator & {
    /** Watch a new connection, before its first call. */
    admit(socket: Socket): void;
  };
}
