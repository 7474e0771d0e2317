import { isLoopback } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import type { ServerConfig } from "../../platform/network/server_config.ts";

/** Clients that can reach the HTTP server, and their protection. */
export interface ListenerPolicy {
  readonly hasTls: boolean;
  /** Why only the monitoring paths are answered; null without a restriction. */
  readonly refusal: JobError | null;
}

/**
 * Decide how HTTP may be served at an address. On loopback it has no TLS. Elsewhere it needs TLS
 * and authentication. With `allow_insecure` it has no TLS, and without authentication it serves
 * only the monitoring paths.
 *
 * @throws JobError `invalid_config`
 */
export function policyOf(host: string, server: ServerConfig): ListenerPolicy {
  if (isLoopback(host)) return { hasTls: false, refusal: null };
  const hasAuth = server.auth.mode !== "none";
  if (server.allowInsecure) return { hasTls: false, refusal: hasAuth ? null : noAuth(host) };
  if (server.tls !== null && hasAuth) return { hasTls: true, refusal: null };
  throw new JobError(
    "invalid_config",
    `Cannot serve HTTP on "${host}": other machines can reach it, and there is no ` +
      (server.tls === null ? "TLS" : "authentication"),
    {
      hint: "Set [server.tls] and server.auth.mode, listen on 127.0.0.1, or set " +
        "server.allow_insecure = true if the network is trusted",
      path: "server.http",
    },
  );
}

function noAuth(host: string): JobError {
  return new JobError(
    "permission_denied",
    `Cannot use the API on "${host}": other machines can reach it, and callers are not authenticated`,
    { hint: 'Set server.auth.mode = "token", or listen on 127.0.0.1', path: "server.http" },
  );
}
