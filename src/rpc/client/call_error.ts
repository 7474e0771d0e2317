import { type ErrorCode, JobError } from "../../core/errors.ts";
import { fromWireError, GRPC_STATUS, TRAILERS, type WireError } from "../errors.ts";
import { connectDetail, connectHint } from "./connect_problem.ts";

/** A call that failed, in gRPC's terms. */
export type CallFailure = Pick<WireError, "code" | "details" | "trailers"> & {
  readonly cause?: unknown;
};

/** The call's description in messages. */
export interface FailedCall {
  /** For example `Cannot call GetStatus at /run/jobctl/jobctl-59051.sock`. */
  readonly action: string;
  readonly timeoutMs: number;
}

/** The connection of a call. */
export interface CalledPeer {
  /** The daemon's address for messages: `host:port` or the path of its socket. */
  readonly address: string;
  readonly isTls: boolean;
  /** True if a connection is open. */
  readonly isReady: () => boolean;
  /**
   * The reason why nothing was sent over the last connection: another user's process was, or could
   * have been, at its other end; null if it was used.
   */
  readonly refusal: () => JobError | null;
}

/** The error of a call whose response has no message. */
export function emptyResponse({ action }: FailedCall): JobError {
  return new JobError("internal", `${action}: the response is empty`);
}

/** The error of a failed call: the server's, or the reason why the call did not reach it. */
export function toClientError(
  { code, details, trailers, cause }: CallFailure,
  peer: CalledPeer,
  { action, timeoutMs }: FailedCall,
): JobError {
  if (trailers[TRAILERS.code] !== undefined) {
    return fromWireError({ code, details, trailers }, cause);
  }
  const fail = (name: ErrorCode, problem: string, hint: string | undefined) =>
    new JobError(name, `${action}: ${problem}`, { hint, cause });
  const isTimeout = code === GRPC_STATUS.timeout;
  const refusal = peer.refusal();
  if (refusal && !peer.isReady()) {
    const { message, hint } = refusal;
    return new JobError("unavailable", `${action}: ${message}`, { hint, cause: refusal });
  }
  if (code === GRPC_STATUS.unavailable || (isTimeout && !peer.isReady())) {
    const detail = isTimeout ? `no connection within ${timeoutMs} ms` : connectDetail(details);
    return unreachable(peer, detail, cause);
  }
  if (isTimeout) {
    const problem = `no response within ${timeoutMs} ms`;
    return fail("timeout", problem, "The daemon may be busy; try again, or allow more time");
  }
  if (code === GRPC_STATUS.unimplemented) {
    return fail(
      "unimplemented",
      "the daemon does not know this method",
      "It is older than this program, or not jobctl; compare jobctl get version",
    );
  }
  // From a proxy, another server, or the library.
  const { code: name, message } = fromWireError({ code, details, trailers }, cause);
  const problem = message === "" ? `gRPC status ${code}, without a message` : message;
  return fail(
    name,
    problem,
    "This may not be a jobctl daemon: check --host and --port, or see its log",
  );
}

/** The error of a call that did not reach the daemon. */
export function unreachable(peer: CalledPeer, detail: string, cause?: unknown): JobError {
  return new JobError("unavailable", `Cannot reach the daemon at ${peer.address}: ${detail}`, {
    hint: connectHint(detail, peer),
    cause,
  });
}
