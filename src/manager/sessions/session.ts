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
}

/** A new session and its secret, which is not stored. */
export interface OpenedSession {
  readonly session: Session;
  readonly secret: string;
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

/** The page of the site that takes codes and tokens. */
export const LOGIN_PATH = "login";

/** The sessions of a store, which all of its nodes share. */
export interface SessionApi {
  /** Create a code that opens one session within two minutes. */
  createCode(holder: SessionHolder): Promise<LoginCode>;
  /**
   * Use up a code. Returns whose it is; null for one that is unknown, used or expired.
   */
  redeemCode(code: string): Promise<SessionHolder | null>;
  /** @throws JobError `resource_exhausted` if there are too many */
  open(holder: SessionHolder, address: string): Promise<OpenedSession>;
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
  readonly redeemLoginCode: SessionApi["redeemCode"];
  readonly openSession: SessionApi["open"];
  readonly useSession: SessionApi["use"];
  readonly revokeSession: SessionApi["revoke"];
}
