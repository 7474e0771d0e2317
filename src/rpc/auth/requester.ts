import { userName } from "../../platform/system/accounts.ts";
import { type Caller, OWNER } from "./auth.ts";

// Apart from the log of changes: an idle daemon needs this, but not the messages of the contract.

/** The source of a call. */
export interface Requester {
  /** Null for an unauthenticated caller. */
  readonly caller: Caller | null;
  /** grpc-js's name of its connection. */
  readonly peer: string;
  /** Its origin, if different from the other end of the connection. */
  readonly from?: string | undefined;
  /** Its user on a Unix socket; null on other connections, or if unknown. */
  readonly uid: number | null;
}

/**
 * The name of a caller in the log and the store. On a Unix socket the kernel reports the user;
 * without authentication a TCP caller has no name.
 */
export function requesterName({ caller, peer, uid }: Requester): string {
  if (uid !== null) return userName(uid);
  const isUnnamed = caller === null || (caller === OWNER && !peer.startsWith("unix:"));
  return isUnnamed ? "unauthenticated" : caller.name;
}
