import { JobError } from "../../core/errors.ts";
import type { OpenedSession, SessionHolder } from "../../manager/sessions/session.ts";
import { BurstLog } from "../../platform/burst_log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Authenticator } from "../../rpc/auth/auth.ts";
import { type AddressLimits, AddressQuota } from "../../rpc/guard/address_quota.ts";
import type { SessionCallers } from "../../rpc/auth/session_callers.ts";
import { type SessionCaller, sessionHolderOf } from "../../rpc/auth/session_proof.ts";

/** What somebody shows to log in. Another way to do so is another member, and a case in `#open`. */
export type LoginProof =
  | { readonly type: "code"; readonly code: string }
  | { readonly type: "token"; readonly token: string };

/** Options of {@link Logins}. */
export interface LoginsOptions {
  readonly callers: SessionCallers;
  /** That of callers over TCP. */
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly logger: Logger;
}

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
   * Open a session for a client.
   *
   * @returns null if the proof is wrong; why is only in the log, so that a thief does not find out
   * @throws JobError `resource_exhausted` after too many wrong ones, or if there are too many
   * sessions
   */
  async logIn(proof: LoginProof, address: string): Promise<OpenedSession | null> {
    if (!this.#quota.takes(address)) {
      this.#noteFlood(address);
      throw new JobError("resource_exhausted", "Too many failed logins", {
        hint: "Try again in a minute",
      });
    }
    const opened = await this.#open(proof, address);
    if (opened === null) {
      this.#log.tell("warn", "Refused a login", { with: proof.type, from: address });
      return null;
    }
    this.#quota.giveBack(address);
    const { name, role, id } = opened.session;
    this.#log.tell("info", "Logged in", {
      ...{ by: name, role, with: proof.type, from: address, session: id.slice(0, ID_DIGITS) },
    });
    return opened;
  }

  /** End the session of a client. */
  async logOut(caller: SessionCaller, address: string): Promise<void> {
    await this.#options.callers.end(caller);
    const { name, session: { id } } = caller;
    this.#log.tell("info", "Logged out", {
      ...{ by: name, from: address, session: id.slice(0, ID_DIGITS) },
    });
  }

  /** Once a second, whatever the number. */
  #noteFlood(from: string): void {
    this.#floodCount += 1;
    const nowMs = this.#options.clock.now().monotonicMs;
    if (nowMs - this.#floodMs < FLOOD_LOG_MS) return;
    this.#log.tell("warn", "Refused logins after too many failed ones", {
      ...{ count: this.#floodCount, from },
    });
    this.#floodCount = 0;
    this.#floodMs = nowMs;
  }

  #open(proof: LoginProof, address: string): Promise<OpenedSession | null> {
    const { callers } = this.#options;
    switch (proof.type) {
      case "code":
        return callers.redeem(proof.code, address);
      case "token": {
        const holder = this.#holderOf(proof.token, address);
        return holder === null ? Promise.resolve(null) : callers.open(holder, address);
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
