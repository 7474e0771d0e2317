import { isLoopback } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import type { OpenedSession, SessionHolder } from "../../manager/sessions/session.ts";
import { BurstLog } from "../../platform/burst_log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { userName } from "../../platform/system/accounts.ts";
import type { Authenticator } from "../../rpc/auth/auth.ts";
import { type AddressLimits, AddressQuota } from "../../rpc/guard/address_quota.ts";
import type { SessionCallers } from "../../rpc/auth/session_callers.ts";
import { type SessionCaller, sessionHolderOf } from "../../rpc/auth/session_proof.ts";

/** Proof for a login. Another way to log in needs a member here, and a case in `#open`. */
export type LoginProof =
  | { readonly type: "code"; readonly code: string }
  | { readonly type: "token"; readonly token: string };

/** Options of {@link Logins}. */
export interface LoginsOptions {
  readonly callers: SessionCallers;
  /** For callers over TCP. */
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The client of a login or of a session. */
export interface LoginClient {
  readonly address: string;
  readonly isSecure: boolean;
  /** Its user on this machine; null if it is elsewhere or unknown. */
  user(): Promise<number | null>;
}

const ROOT = 0;
const REFUSED = "Refused a login";
const NO_CODE = `${REFUSED}: the code is unknown, used or too old`;
/** Failed logins. */
const FAILED: AddressLimits = {
  ofOne: { burst: 10, everyMs: 6_000 },
  ofAll: { burst: 100, everyMs: 500 },
};
/** Shortest time between two log lines about a flood of logins. */
const FLOOD_LOG_MS = 1_000;
/** Digits of a session's id in the log, as `jobctl sessions` shows them. */
const ID_DIGITS = 12;

/** Lets people log in with a browser, and out again. */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #quota: AddressQuota;
  readonly #log: BurstLog;
  #floodCount = 0;
  #floodMs = -Infinity;

  constructor(options: LoginsOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#quota = new AddressQuota(clock, FAILED);
    this.#log = new BurstLog(logger, clock, "logins", "jobctl sessions");
  }

  /**
   * Open a session for a client. A right proof is never refused because of others' wrong ones: a
   * check costs a hash, and codes are read from the store at a limited rate.
   *
   * @returns null if the proof is wrong; the reason is only in the log, hidden from attackers
   * @throws JobError `resource_exhausted` for a wrong proof after too many others, or if there are
   * too many sessions
   */
  async logIn(proof: LoginProof, client: LoginClient): Promise<OpenedSession | null> {
    const { address } = client;
    const opened = await this.#open(proof, client);
    if (typeof opened === "string") {
      if (!this.#quota.takes(address)) {
        this.#noteFlood(address);
        throw new JobError("resource_exhausted", "Too many failed logins", {
          hint: "Try again in a minute",
        });
      }
      this.#log.tell("warn", opened, { with: proof.type, from: address });
      return null;
    }
    const { name, role, id } = opened.session;
    this.#log.tell("info", "Logged in", {
      by: name,
      role,
      with: proof.type,
      from: address,
      session: id.slice(0, ID_DIGITS),
    });
    return opened;
  }

  /** True for a code that only the known user of a client may use. */
  async isOfUser(code: string, client: LoginClient): Promise<boolean> {
    const { uid = null } = await this.#options.callers.findCode(code) ?? {};
    return uid !== null && uid === await client.user();
  }

  /** True if a client is the user for whom a session is; others are logged. */
  async isUserOf({ name, session: { id, uid } }: SessionCaller, client: LoginClient) {
    if (uid === null) return true;
    const user = await client.user();
    if (user === uid || user === ROOT) return true;
    this.#log.tell("warn", "Refused a session to another user of this machine", {
      by: name,
      session: id.slice(0, ID_DIGITS),
      from: client.address,
      user: user === null ? undefined : userName(user),
    });
    return false;
  }

  async logOut(caller: SessionCaller, address: string): Promise<void> {
    await this.#options.callers.end(caller);
    const { name, session: { id } } = caller;
    this.#log.tell("info", "Logged out", {
      by: name,
      from: address,
      session: id.slice(0, ID_DIGITS),
    });
  }

  /** At most once a second. */
  #noteFlood(from: string): void {
    this.#floodCount += 1;
    const nowMs = this.#options.clock.now().monotonicMs;
    if (nowMs - this.#floodMs < FLOOD_LOG_MS) return;
    this.#log.tell("warn", "Refused logins after too many failed ones", {
      count: this.#floodCount,
      from,
    });
    this.#floodCount = 0;
    this.#floodMs = nowMs;
  }

  /** @returns the message for the log if the proof is wrong */
  async #open(proof: LoginProof, client: LoginClient): Promise<OpenedSession | string> {
    const { callers } = this.#options;
    const { address } = client;
    switch (proof.type) {
      case "code": {
        const code = await callers.findCode(proof.code);
        if (code === null) return NO_CODE;
        const user = await client.user();
        const isTheirs = code.uid === null || user === null || user === code.uid || user === ROOT;
        if (!isTheirs) return `${REFUSED}: the code is for another user of this machine`;
        return await callers.redeem(proof.code, address, sessionUser(client, user)) ?? NO_CODE;
      }
      case "token": {
        const holder = this.#holderOf(proof.token, address);
        if (holder === null) return `${REFUSED}: the token is not valid`;
        return await callers.open(holder, address, sessionUser(client, await client.user()));
      }
    }
  }

  #holderOf(token: string, address: string): SessionHolder | null {
    // Every caller may call GetVersion.
    const caller = this.#options.authenticator.check("getVersion", `Bearer ${token}`, address);
    if (caller instanceof JobError) return null;
    return sessionHolderOf({ caller, peer: address, uid: null });
  }
}

/**
 * The user for whom alone a session is; null for anyone. Without TLS a browser sends its cookie to
 * any listener on the port, which any user of this machine can be while the daemon is down.
 */
function sessionUser({ address, isSecure }: LoginClient, user: number | null): number | null {
  return isLoopback(address) && !isSecure ? user : null;
}
