import type { ServiceError } from "@grpc/grpc-js";
import { type ErrorCode, JobError } from "../../core/errors.ts";

/** The consequences of a failed call. */
export interface EtcdFailure {
  readonly error: JobError;
  /** True if another member, or the same one later, may respond. */
  readonly isPassing: boolean;
  /** True if the request may have been carried out. */
  readonly isUnsure: boolean;
  /** True if there was no response in time. */
  readonly isLate: boolean;
  /** True if a new token is needed. */
  readonly isTokenOld: boolean;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly isPassing?: true;
  /** Set if the request was certainly not carried out. */
  readonly isRefusal?: true;
  readonly isTokenOld?: true;
}

/** The remedy if a member's database is full. */
export const NOSPACE_HINT =
  "On etcd: compact (etcdctl compact REVISION), etcdctl defrag, then etcdctl alarm disarm; turn on " +
  "--auto-compaction-mode, or raise --quota-backend-bytes";

/** The remedy if no member responds. */
const GONE_HINT =
  "Is etcd running there, with TLS or without as store.tls says, and has its cluster a leader? etcdctl endpoint health";

/** A request that was certainly not carried out. */
function refused(code: ErrorCode, hint?: string): Meaning {
  return { code, isRefusal: true, hint };
}

const PASSING: Meaning = { code: "unavailable", isPassing: true };
const OLD_TOKEN: Meaning = { code: "unauthenticated", isRefusal: true, isTokenOld: true };
const NO_USER = refused(
  "unauthenticated",
  "Give user and password: store.username and store.password",
);
const FULL = refused("resource_exhausted", NOSPACE_HINT);

// gRPC's codes alone do not distinguish these. The texts are constants of etcd's API
// (api/v3rpc/rpctypes), which its own client compares too.
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "etcdserver: mvcc: database space exceeded": FULL,
  "etcdserver: no space": FULL,
  "etcdserver: too many requests": { ...PASSING, isRefusal: true },
  "etcdserver: no leader": { ...PASSING, isRefusal: true },
  "etcdserver: not capable": PASSING,
  "etcdserver: corrupt cluster": refused(
    "unavailable",
    "A member's data differs from that of the others: restore it before anything else writes",
  ),
  "etcdserver: invalid auth token": OLD_TOKEN,
  "etcdserver: revision of auth store is old": OLD_TOKEN,
  "etcdserver: user name is empty": NO_USER,
  "etcdserver: user name not found": NO_USER,
  "etcdserver: authentication failed, invalid user ID or password": refused(
    "unauthenticated",
    "Check store.username and store.password",
  ),
  "etcdserver: authentication is not enabled": refused(
    "unauthenticated",
    "The server knows no users: leave user and password out, or turn authentication on",
  ),
  "etcdserver: permission denied": refused(
    "permission_denied",
    "The user needs a role with readwrite on the store's whole prefix",
  ),
  "etcdserver: mvcc: required revision has been compacted": refused("not_found"),
  "etcdserver: request is too large": refused(
    "resource_exhausted",
    "The server's --max-request-bytes is below its default of 1.5 MiB: raise it",
  ),
  "etcdserver: too many operations in txn request": refused(
    "resource_exhausted",
    "The server's --max-txn-ops is below its default of 128: raise it",
  ),
};

/** Meanings of gRPC's own codes; others are `internal`. */
const CODES: Readonly<Record<number, Meaning>> = {
  1: { code: "canceled" },
  // Bun and Deno report broken connections with this code.
  2: PASSING,
  13: PASSING,
  4: { code: "timeout", isPassing: true },
  5: refused("not_found"),
  7: refused("permission_denied"),
  8: { code: "resource_exhausted" },
  9: refused("conflict"),
  11: refused("conflict"),
  14: PASSING,
  16: OLD_TOKEN,
};

/** The system's message about a connection, without gRPC's frame. */
function detailOf(details: string): string {
  return /Last error: (?:Error: )?(.+?)\.? Resolution note:/.exec(details)?.[1] ?? details;
}

/**
 * The meaning of a failed call to etcd. A call without a response in time is `unavailable`, like a
 * call that reached no member.
 */
export function explainFailure(
  thrown: ServiceError,
  call: { readonly action: string; readonly endpoint: string; readonly timeoutMs: number },
): EtcdFailure {
  const meaning: Meaning = MEANINGS[thrown.details] ?? CODES[thrown.code] ?? { code: "internal" };
  const isLate = meaning.code === "timeout";
  const detail = isLate ? `no response within ${call.timeoutMs} ms` : detailOf(thrown.details);
  const isGone = meaning.code === "unavailable" || isLate;
  const error = new JobError(
    isLate ? "unavailable" : meaning.code,
    `Cannot ${call.action} at etcd ${call.endpoint}: ${detail}`,
    {
      hint: meaning.hint ?? (isGone ? GONE_HINT : undefined),
      cause: thrown,
    },
  );
  return {
    error,
    isPassing: meaning.isPassing === true,
    isUnsure: meaning.isRefusal !== true,
    isLate,
    isTokenOld: meaning.isTokenOld === true,
  };
}
