import type { SessionHolder } from "../../manager/sessions/session.ts";
import type { CallerInfo } from "../backend.ts";
import { type Requester, requesterName } from "./requester.ts";
import { type Caller, OWNER } from "./auth.ts";
import { type CertifiedCaller, type KnownToken, type Proof, rightsDigest } from "./credentials.ts";

/** A caller with a session. */
export interface SessionCaller extends Caller {
  readonly session: {
    /** The hash of its secret. */
    readonly id: string;
    /** Epoch ms. */
    readonly expiresAt: number;
    /** The only user of this machine, apart from root, who may use it; null for anyone. */
    readonly uid: number | null;
  };
  /** The proof that it was opened with. */
  readonly proof: string;
}

/** The holder of a caller's own sessions; null if unauthenticated. */
export function sessionHolderOf(requester: Requester): SessionHolder | null {
  const { caller } = requester;
  if (caller === null) return null;
  const { role, jobs } = caller;
  const name = requesterName(requester);
  const proof = isSessionCaller(caller) ? caller.proof : JSON.stringify(proofOf(caller, requester));
  return { name, role, jobs, proof };
}

/** Facts about the caller that the methods about sessions need. */
export function sessionsOf(requester: Requester): Pick<CallerInfo, "holder" | "session"> {
  const { caller } = requester;
  const session = caller && isSessionCaller(caller) ? caller.session : undefined;
  return { holder: sessionHolderOf(requester), session };
}

/** True for a caller with a session. */
export function isSessionCaller(caller: Caller): caller is SessionCaller {
  return "session" in caller;
}

function proofOf(caller: Caller, { peer, uid }: Requester): Proof {
  if ("digest" in caller) return { type: "token", digest: rightsDigest(caller as KnownToken) };
  if ("certificate" in caller) {
    return { type: "certificate", certificate: (caller as CertifiedCaller).certificate };
  }
  if (caller !== OWNER) return { type: "member", uid, role: caller.role };
  return uid !== null || peer.startsWith("unix:") ? { type: "owner", uid } : { type: "everyone" };
}
