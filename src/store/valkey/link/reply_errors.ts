import { JobError } from "../../../core/errors.ts";
import { type ConnectionLost } from "./connection.ts";
import type { ReplyError } from "./resp.ts";

/** Remedy after an error reply: find the server again, load the script, or refuse the call. */
export type Remedy = "reconnect" | "load" | "refuse";

/** Error replies of unexecuted calls, after which this or another server works later. */
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

/** The remedy for an error reply. */
export function remedyOf(error: ReplyError): Remedy {
  if (error.kind === "NOSCRIPT") return "load";
  return PASSING.has(error.kind) ? "reconnect" : "refuse";
}

/** The JobError of a call that the server refused. */
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
        hint: "See the server's log; it accepts writes again when it can save",
        cause: error,
      });
    case "NOREPLICAS":
      return new JobError("unavailable", `${action}: too few replicas follow the server`, {
        hint: "The server's min-replicas-to-write requires them",
        cause: error,
      });
    case "NOPERM":
      return new JobError("permission_denied", `${action}: ${error.message}`, {
        hint: '"jobctl docs stores" has the rule for the user',
        cause: error,
      });
    default:
      return new JobError("internal", `${action}: ${error.message}`, { cause: error });
  }
}

/** The JobError of a connection that failed or was lost, for the log and for callers. */
export function unreachable(location: string, cause: ConnectionLost | ReplyError): JobError {
  const isAboutTls = /certificate|\bTLS\b|\bSSL\b|altname/i.test(cause.message);
  return new JobError("unavailable", `Cannot reach the store ${location}: ${cause.message}`, {
    hint: isAboutTls
      ? "Check store.tls: the authority, the server's name, and whether the server requires a certificate"
      : "Is the server running, and is store.url right? For a server with TLS use valkeys://",
    cause,
  });
}

/** The error of a request that is refused because too many wait for the server. */
export function tooManyError(): JobError {
  return new JobError("resource_exhausted", "Cannot use the store: too many requests wait", {
    hint: "The server is slow or does not respond; try again later",
  });
}
