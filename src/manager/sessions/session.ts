import type { Clock } from "../../platform/clock.ts";
import type { Role } from "../../platform/files/tokens_file.ts";
import type { Random } from "../../platform/random.ts";
import type { Store } from "../../store/store.ts";

/** The owner of a session: a caller with its rights, and their basis. */
export interface SessionHolder {
  /** Identifies it in messages and in the log. */
  readonly name: string;
  readonly role: Role;
  /** Kinds, or patterns of kinds, that it is limited to; null for all. */
  readonly jobs: readonly string[] | null;
  /**
   * The basis of the caller's rights, such as a token, as text that only the listeners read. It
   * contains no secret. Sessions with the same text belong to the same caller.
   */
  readonly proof: string;
}

/** A session of a browser, without its secret. */
export interface Session extends SessionHolder {
  /** The hash of its secret: 64 hexadecimal digits. */
  readonly id: string;
  /** Epoch ms, like the others. */
  readonly createdAt: number;
  /** The last use, within a minute. */
  readonly usedAt: number;
  /** Address of the client that used it last. */
  readonly address: string;
  readonly expiresAt: number;
  /** The only user of this machine, apart from root, who may use it; null or absent for anyone. */
  readonly uid?: number | null;
}

/** A new session and its secret, which is not stored. */
export interface OpenedSession {
  readonly session: Session;
  readonly secret: string;
}

/** An unused code. */
export interface WaitingCode {
  /** Its hash: 64 hexadecimal digits. */
  readonly id: string;
  /** The only user of this machine, apart from root, who may use it here; null for anyone. */
  readonly uid: number | null;
}

/** A code that opens one session. */
export interface LoginCode {
  readonly code: string;
  /** Epoch ms. */
  readonly expiresAt: number;
  /** Its URL for browsers; null if this node has no site. */
  readonly url: string | null;
}

/** Dependencies of sessions. */
export interface SessionParts {
  readonly store: Pick<Store, "listMemos" | "putMemo">;
  readonly clock: Clock;
  readonly random: Random;
  /** The URL of this node's site, which ends with a slash; null without a site. */
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
  /** Use up a code. Returns its holder; null if it is unknown, used or expired. */
  redeemCode(code: string): Promise<SessionHolder | null>;
  /**
   * Open a session.
   *
   * @param uid the only user of this machine, apart from root, who may use it; null for anyone
   * @throws JobError `resource_exhausted` if there are too many
   */
  open(holder: SessionHolder, address: string, uid?: number | null): Promise<OpenedSession>;
  /** The session with an id, recording its use by a client; null if there is none. */
  use(id: string, address: string): Promise<Session | null>;
  /** Unexpired sessions, newest first; unless `proof` is null, only sessions with that proof. */
  list(proof: string | null): Promise<readonly Session[]>;
  /**
   * End the session with this prefix of its id, or all for null. Returns the ended sessions.
   *
   * @param proof only sessions with this proof; null for any
   * @throws JobError `not_found`; `invalid_argument` if several match a prefix
   */
  revoke(prefix: string | null, proof: string | null): Promise<readonly Session[]>;
}

/** Requests of the listeners' thread about sessions. */
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
