import type { ServiceError } from "@grpc/grpc-js";
import { type ErrorCode, JobError } from "../../core/errors.ts";

/** What a failed call says beyond its error. */
export interface EtcdFailure {
  readonly error: JobError;
  /** Whether another member, or the same a moment later, may answer. */
  readonly isPassing: boolean;
  /** Whether the request may have been carried out all the same. */
  readonly isUnsure: boolean;
  /** Whether there was no answer in time. */
  readonly isLate: boolean;
  /** Whether the token is to be asked for again. */
  readonly isTokenOld: boolean;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly isPassing?: true;
  /** Set when nothing was carried out for certain. */
  readonly isRefusal?: true;
  readonly isTokenOld?: true;
}

/** The remedy when a member's database is full. */
export const NOSPACE_HINT =
  "On etcd: compact (etcdctl compact REVISION), etcdctl defrag, then etcdctl alarm disarm; turn on " +
  "--auto-compaction-mode, or raise --quota-backend-bytes";

/** What to look at when nobody answers. */
const GONE_HINT =
  "Is etcd running there, with TLS or without as store.tls says, and has its cluster a leader? etcdctl endpoint health";

const PASSING: Meaning = { code: "unavailable", isPassing: true };
const OLD_TOKEN: Meaning = { code: "unauthenticated", isRefusal: true, isTokenOld: true };
const NO_USER: Meaning = {
  code: "unauthenticated",
  isRefusal: true,
  hint: "Give user and password: store.username and store.password",
};

// gRPC's codes alone do not tell these apart; the texts are constants of etcd's API (api/v3rpc/rpctypes), which
// its own client compares too.
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "etcdserver: mvcc: database space exceeded": {
    code: "resource_exhausted",
    isRefusal: true,
    hint: NOSPACE_HINT,
  },
  "etcdserver: no space": { code: "resource_exhausted", isRefusal: true, hint: NOSPACE_HINT },
  "etcdserver: too many requests": { ...PASSING, isRefusal: true },
  "etcdserver: no leader": { ...PASSING, isRefusal: true },
  "etcdserver: not capable": PASSING,
  "etcdserver: corrupt cluster": {
    code: "unavailable",
    isRefusal: true,
    hint:
      "A member found its data to differ from the others': restore it before anything else writes",
  },
  "etcdserver: invalid auth token": OLD_TOKEN,
  "etcdserver: revision of auth store is old": OLD_TOKEN,
  "etcdserver: user name is empty": NO_USER,
  "etcdserver: user name not found": NO_USER,
  "etcdserver: authentication failed, invalid user ID or password": {
    code: "unauthenticated",
    isRefusal: true,
    hint: "Check store.username and store.password",
  },
  "etcdserver: authentication is not enabled": {
    code: "unauthenticated",
    isRefusal: true,
    hint: "The server knows no users: leave user and password out, or turn authentication on",
  },
  "etcdserver: permission denied": {
    code: "permission_denied",
    isRefusal: true,
    hint: "The user needs a role with readwrite on the store's whole prefix",
  },
  "etcdserver: mvcc: required revision has been compacted": { code: "not_found", isRefusal: true },
  "etcdserver: request is too large": {
    code: "resource_exhausted",
    isRefusal: true,
    hint: "The server's --max-request-bytes is below its default of 1.5 MiB: raise it",
  },
  "etcdserver: too many operations in txn request": {
    code: "resource_exhausted",
    isRefusal: true,
    hint: "The server's --max-txn-ops is below its default of 128: raise it",
  },
};

/** What gRPC's own codes come to, by number; others are `internal`. */
const CODES: Readonly<Record<number, Meaning>> = {
  1: { code: "canceled" },
  // Bun and Deno tell so of connections that broke.
  2: PASSING,
  13: PASSING,
  4: { code: "timeout", isPassing: true },
  5: { code: "not_found", isRefusal: true },
  7: { code: "permission_denied", isRefusal: true },
  8: { code: "resource_exhausted" },
  9: { code: "conflict", isRefusal: true },
  11: { code: "conflict", isRefusal: true },
  14: PASSING,
  16: OLD_TOKEN,
};

/** What the system said of a connection, out of what gRPC says around it. */
function detailOf(details: string): string {
  return /Last error: (?:Error: )?(.+?)\.? Resolution note:/.exec(details)?.[1] ?? details;
}

/** What a failed call to etcd means. A call that had no answer in time is `unavailable`, like one that reached nobody. */
export function explainFailure(
  thrown: ServiceError,
  call: { readonly action: string; readonly endpoint: string; readonly timeoutMs: number },
): EtcdFailure {
  const meaning: Meaning = MEANINGS[thrown.details] ?? CODES[thrown.code] ?? { code: "internal" };
  const isLate = meaning.code === "timeout";
  const detail = isLate ? `no answer within ${call.timeoutMs} ms` : detailOf(thrown.details);
  const isGone = meaning.code === "unavailable" || isLate;
  const error = new JobError(
    isLate ? "unavailable" : meaning.code,
    `Cannot ${call.action} at etcd ${call.endpoint}: ${detail}`,
    {
      ...meaning.hint !== undefined ? { hint: meaning.hint } : isGone ? { hint: GONE_HINT } : {},
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
