import { JobError } from "../../../core/errors.ts";
import { type ConnectionLost } from "./connection.ts";
import type { ReplyError } from "./resp.ts";

/** What to do when the server answers an error: find the server anew, load the script, or refuse the call. */
export type Remedy = "reconnect" | "load" | "refuse";

/** Kinds of errors after which the server, or another one, answers later: the call was not executed. */
const PASSING: ReadonlySet<string> = new Set([
  "ASK",
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MOVED",
  "NOAUTH",
  "READONLY",
  "TRYAGAIN",
]);

/** What follows from an error that the server answered. */
export function remedyOf(error: ReplyError): Remedy {
  if (error.kind === "NOSCRIPT") return "load";
  return PASSING.has(error.kind) ? "reconnect" : "refuse";
}

/** The server's error as ours, for a call that was refused. */
export function refusal(error: ReplyError, location: string): JobError {
  const action = `Cannot use the store ${location}`;
  switch (error.kind) {
    case "OOM":
      return new JobError("resource_exhausted", `${action}: the server's memory is full`, {
        hint: "Raise maxmemory, or keep less: defaults.keep",
        cause: error,
      });
    case "MISCONF":
      return new JobError("unavailable", `${action}: the server cannot write its disk`, {
        hint: "See the server's log; it takes writes again when it can save",
        cause: error,
      });
    case "NOREPLICAS":
      return new JobError("unavailable", `${action}: too few replicas follow the server`, {
        hint: "The server's min-replicas-to-write asks for them",
        cause: error,
      });
    case "NOPERM":
      return new JobError("permission_denied", `${action}: ${error.message}`, {
        hint: "docs/stores.md has the rule of the user",
        cause: error,
      });
    default:
      return new JobError("internal", `${action}: ${error.message}`, { cause: error });
  }
}

/** Why no connection was made or kept, for the daemon's log and its callers. */
export function unreachable(location: string, cause: ConnectionLost | ReplyError): JobError {
  const isAboutTls = /certificate|\bTLS\b|\bSSL\b|altname/i.test(cause.message);
  return new JobError("unavailable", `Cannot reach the store ${location}: ${cause.message}`, {
    hint: isAboutTls
      ? "Check store.tls: the authority, the server's name, and whether the server wants a certificate"
      : "Is the server running, and is store.url right? One that speaks TLS wants valkeys://",
    cause,
  });
}

/** The error of a request that is refused because too many wait for the server. */
export function tooManyError(): JobError {
  return new JobError("resource_exhausted", "Cannot use the store: too many requests wait", {
    hint: "The server is slow or does not respond; try again later",
  });
}
