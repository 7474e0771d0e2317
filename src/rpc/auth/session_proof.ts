import { isObject } from "../../core/object_keys.ts";
import type { SessionHolder } from "../../manager/sessions/session.ts";
import type { Role } from "../../platform/files/tokens_file.ts";
import { type Requester, requesterName } from "./audit.ts";
import { type Caller, OWNER } from "./auth.ts";
import {
  type CertifiedCaller,
  type ClientCertificate,
  type KnownToken,
  rightsDigest,
} from "./credentials.ts";

/** A caller with a session. */
export interface SessionCaller extends Caller {
  /** The hash of the session's secret. */
  readonly sessionId: string;
}

/** What gives the holder of a session its rights. */
export type Proof =
  /** A token with these rights. */
  | { readonly type: "token"; readonly digest: string }
  | { readonly type: "certificate"; readonly certificate: ClientCertificate }
  /** Root or the daemon's user on the Unix socket: the session has a life of its own. */
  | { readonly type: "owner"; readonly uid: number | null }
  /** A member of the group of the Unix socket. */
  | { readonly type: "member"; readonly uid: number | null; readonly role: Role }
  /** Everyone, without authentication. */
  | { readonly type: "everyone" };

/**
 * The holder of a session that a caller may open. Null for a caller without rights of its own: one
 * that has a session already, which could then be prolonged without end, or none at all.
 */
export function sessionHolderOf(requester: Requester): SessionHolder | null {
  const { caller } = requester;
  if (caller === null || isSessionCaller(caller)) return null;
  const { role, jobs } = caller;
  const name = requesterName(requester);
  return { name, role, jobs, proof: JSON.stringify(proofOf(caller, requester)) };
}

/** True for a caller with a session. */
function isSessionCaller(caller: Caller): caller is SessionCaller {
  return "sessionId" in caller;
}

function proofOf(caller: Caller, { peer, uid }: Requester): Proof {
  if ("digest" in caller) return { type: "token", digest: rightsDigest(caller as KnownToken) };
  if ("certificate" in caller) {
    return { type: "certificate", certificate: (caller as CertifiedCaller).certificate };
  }
  if (caller !== OWNER) return { type: "member", uid, role: caller.role };
  return uid !== null || peer.startsWith("unix:") ? { type: "owner", uid } : { type: "everyone" };
}

/** The proof in a session; null for text that is none. */
export function readProof(text: string): Proof | null {
  try {
    const proof: unknown = JSON.parse(text);
    return isObject(proof) && typeof Reflect.get(proof, "type") === "string"
      ? proof as unknown as Proof
      : null;
  } catch {
    return null;
  }
}
