import type { Clock } from "../../platform/clock.ts";
import type { Role } from "../../platform/files/tokens_file.ts";
import type { Random } from "../../platform/random.ts";
import type { Store } from "../../store/store.ts";

/** Who a session belongs to: a caller with its rights, and what they rest on. */
export interface SessionHolder {
  /** Identifies it in messages and in the log. */
  readonly name: string;
  readonly role: Role;
  /** Kinds, or patterns of kinds, that it is limited to; null for all. */
  readonly jobs: readonly string[] | null;
  /**
   * What gives the caller its rights, such as a token, as text that only the listeners read. It
   * contains no secret. Sessions with the same text belong to the same caller.
   */
  readonly proof: string;
}

/** A session of a browser, without its secret. */
export interface Session extends SessionHolder {
  /** The hash of its secret: 64 hexadecimal digits. */
  readonly id: string;
  /** Epoch ms; so are the others. */
  readonly createdAt: number;
  /** The last use, within a minute. */
  readonly usedAt: number;
  /** Address of the client that used it last. */
  readonly address: string;
  readonly expiresAt: number;
  /** The user of this machine who alone, apart from root, may use it; null or absent for anyone. */
  readonly uid?: number | null;
}

/** A new session and its secret, which is not stored. */
export interface OpenedSession {
  readonly session: Session;
  readonly secret: string;
}

/** A code that waits for its use. */
export interface WaitingCode {
  /** Its hash: 64 hexadecimal digits. */
  readonly id: string;
  /** The user of this machine who alone, apart from root, may use it here; null for anyone. */
  readonly uid: number | null;
}

/** A code that opens one session. */
export interface LoginCode {
  readonly code: string;
  /** Epoch ms. */
  readonly expiresAt: number;
  /** Where a browser uses it; null if this node has no site. */
  readonly url: string | null;
}

/** What sessions are made of. */
export interface SessionParts {
  readonly store: Pick<Store, "listMemos" | "putMemo">;
  readonly clock: Clock;
  readonly random: Random;
  /** The URL of this node's site, which ends with a slash; null if it has none. */
  readonly siteUrl?: (() => string | null) | undefined;
}

/** The sessions of a store, which all of its nodes share. */
export interface SessionApi {
  /**
   * Create a code that opens one session within two minutes.
   *
   * @param uid the only user of this machine, apart from root, who may use it here; null for anyone
   */
  createCode(holder: SessionHolder, uid?: number | null): Promise<LoginCode>;
  /** The codes that can still be used. */
  waitingCodes(): Promise<readonly WaitingCode[]>;
  /**
   * Use up a code. Returns whose it is; null for one that is unknown, used or expired.
   */
  redeemCode(code: string): Promise<SessionHolder | null>;
  /**
   * Open a session.
   *
   * @param address of the client
   * @param uid the only user of this machine, apart from root, who may use it; null for anyone
   * @throws JobError `resource_exhausted` if there are too many
   */
  open(holder: SessionHolder, address: string, uid?: number | null): Promise<OpenedSession>;
  /** The session with an id, whose use by a client is recorded; null if there is none. */
  use(id: string, address: string): Promise<Session | null>;
  /** Unexpired sessions, the newest first; only those with a proof, unless it is null. */
  list(proof: string | null): Promise<readonly Session[]>;
  /**
   * End sessions: the one whose id begins with a prefix, or all for null. Returns those that ended.
   *
   * @param proof only sessions with this proof; null for any
   * @throws JobError `not_found`; `invalid_argument` if several match a prefix
   */
  revoke(prefix: string | null, proof: string | null): Promise<readonly Session[]>;
}

/** What the listeners' thread requests about sessions. */
export interface SessionFacts {
  readonly waitingCodes: SessionApi["waitingCodes"];
  readonly redeemLoginCode: SessionApi["redeemCode"];
  readonly openSession: SessionApi["open"];
  readonly useSession: SessionApi["use"];
  readonly revokeSession: SessionApi["revoke"];
}

/** The same for the sessions of a store. */
export function sessionFactsOf(sessions: SessionApi): SessionFacts {
  return {
    waitingCodes: sessions.waitingCodes,
    redeemLoginCode: sessions.redeemCode,
    openSession: sessions.open,
    useSession: sessions.use,
    revokeSession: sessions.revoke,
  };
}
