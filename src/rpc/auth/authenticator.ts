import type { Socket } from "node:net";
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from "node:tls";
import { JobError } from "../../core/errors.ts";
import type { SessionHolder } from "../../manager/sessions/session.ts";
import { readCertificateNames } from "../../platform/network/certificate_names.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Logger } from "../../platform/logger.ts";
import type { AuthConfig } from "../../platform/network/server_config.ts";
import {
  allow,
  type Authenticator,
  type Caller,
  type CallName,
  connectionKey,
  OWNER,
  type Role,
} from "./auth.ts";
import {
  type ClientCertificate,
  Credentials,
  type CredentialsOptions,
  isExpired,
  readProof,
} from "./credentials.ts";
import { normalDigits } from "../../platform/files/revoked_file.ts";
import { TOKEN_LENGTH_MAX } from "../limits.ts";

/** Longest chain of authorities that is read; handshakes accept hardly longer ones. */
const ISSUERS_MAX = 100;
/** Shortest time between two log lines about failed authentication. */
const LOG_INTERVAL_MS = 1_000;
/** Check interval of files with open connections: a revoked token's stream lives no longer. */
const CHECK_MS = 2_000;
/**
 * Shortest time between two checks for an unknown token: it may be new in a file, but many unknown
 * ones must not cause a read each.
 */
const RECHECK_MS = 50;

/** Logs failures at most once a second, with their number. */
class FailureLog {
  readonly #logger: Logger;
  readonly #pause: LazyTimer;
  #count = 0;
  #reason = "";

  constructor(clock: Clock, logger: Logger) {
    this.#logger = logger;
    this.#pause = new LazyTimer(clock, () => this.#flush());
  }

  add(reason: string): void {
    this.#count += 1;
    this.#reason = reason;
    if (this.#pause.dueMs === null) this.#flush();
  }

  #flush(): void {
    if (this.#count === 0) return;
    this.#logger.warn("Refused calls without valid authentication", {
      count: this.#count,
      reason: this.#reason,
    });
    this.#count = 0;
    this.#pause.setIn(LOG_INTERVAL_MS);
  }

  stop(): void {
    this.#pause.cancel();
  }
}

/** An open connection over TCP. */
interface Connection {
  readonly socket: Socket;
  /** The client's certificate; null without TLS or a certificate. */
  readonly certificate: ClientCertificate | null;
  /** Callers who have used it. */
  readonly callers: Set<Caller>;
}

/**
 * The authenticator of the TCP listener: tokens, certificates or nothing, as configured. It checks
 * its files when a call arrives, and every other second while connections are open. It closes
 * connections whose callers' tokens or certificates are no longer valid.
 */
export class ConfiguredAuthenticator implements Authenticator {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #failures: FailureLog;
  readonly #connections = new Map<string, Connection>();
  readonly #checking: LazyTimer;
  #checkedMs: number;
  readonly #memberRole: Role | null;

  /** @throws JobError if a tokens file or the list of revoked certificates cannot be used */
  constructor(
    config: AuthConfig,
    options: CredentialsOptions & {
      readonly clock: Clock;
      /** The role of the members of the socket's group; null for no rights. */
      readonly memberRole?: Role | null;
    },
  ) {
    const { clock, logger } = options;
    this.#clock = clock;
    this.#memberRole = options.memberRole ?? null;
    this.#credentials = new Credentials(config, options);
    this.#failures = new FailureLog(clock, logger);
    this.#checking = new LazyTimer(clock, () => this.#checkRegularly());
    this.#checkedMs = clock.now().monotonicMs;
  }

  /** Watch a new connection, before its first call. */
  admit(socket: Socket): void {
    // It has closed already and its address is unknown: no call may be attributed to it.
    if (socket.remotePort === undefined) return;
    const key = connectionKey(socket);
    const connection = { socket, certificate: certificateOf(socket), callers: new Set<Caller>() };
    this.#connections.set(key, connection);
    socket.once("close", () => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
    this.#checking.setWithin(CHECK_MS);
  }

  check(
    method: CallName,
    authorization: string | undefined,
    connection: string,
  ): Caller | JobError {
    this.#checkFiles(CHECK_MS);
    const open = this.#connections.get(connection);
    const caller = this.#callerOf(authorization, open?.certificate ?? null);
    if (caller instanceof JobError) return caller;
    open?.callers.add(caller);
    return allow(caller, method);
  }

  /** True if the holder of a session still has the rights that it was opened with. */
  isCurrent(holder: SessionHolder): boolean {
    this.#checkFiles(CHECK_MS);
    const proof = readProof(holder.proof);
    const nowMs = this.#clock.now().wallMs;
    const { mode } = this.#credentials;
    switch (proof?.type) {
      case "token": {
        const token = mode === "token" ? this.#credentials.withRights(proof.digest) : null;
        return token !== null && !isExpired(token, nowMs);
      }
      case "certificate": {
        const { certificate } = proof;
        if (mode !== "mtls" || this.#problemOf(certificate, nowMs) !== null) return false;
        const caller = this.#credentials.callerOf(certificate);
        return caller !== null && hasSameRights(caller, holder);
      }
      case "owner":
        return true;
      case "member":
        return proof.role === this.#memberRole;
      case "everyone":
        return mode === "none";
      default:
        return false;
    }
  }

  /** Apply another configuration; connections of callers who lose access are closed. */
  adopt(config: AuthConfig): void {
    this.#credentials.adopt(config);
    this.#closeOutdated();
  }

  stop(): void {
    this.#failures.stop();
    this.#checking.cancel();
  }

  #callerOf(
    authorization: string | undefined,
    certificate: ClientCertificate | null,
  ): Caller | JobError {
    const problem = certificate && this.#problemOf(certificate, this.#clock.now().wallMs);
    if (problem !== null) return this.#refuse(problem, CERTIFICATE_HINT);
    switch (this.#credentials.mode) {
      case "none":
        return OWNER;
      case "mtls":
        return this.#byCertificate(certificate);
      case "token":
        return this.#byToken(authorization);
    }
  }

  /** Why a certificate is no longer valid; null if it is. */
  #problemOf(certificate: ClientCertificate, nowMs: number): string | null {
    const name = `the certificate ${certificate.serial}`;
    if (this.#credentials.isRevoked(certificate)) return `${name} is revoked`;
    // The handshake has checked this, but a connection and a resumable TLS session outlive it.
    return isExpired(certificate, nowMs) ? `${name} has expired` : null;
  }

  #byCertificate(certificate: ClientCertificate | null): Caller | JobError {
    if (certificate === null) {
      return this.#refuse("the client sent no certificate", CERTIFICATE_HINT);
    }
    const caller = this.#credentials.callerOf(certificate);
    if (caller) return caller;
    return this.#refuse(
      `no rule in server.auth.clients matches the certificate ${certificate.serial}`,
      CERTIFICATE_HINT,
    );
  }

  #byToken(authorization: string | undefined): Caller | JobError {
    if (authorization === undefined || authorization === "") {
      return this.#refuse("no token was sent", TOKEN_HINT);
    }
    if (authorization.length > TOKEN_LENGTH_MAX) {
      return this.#refuse("the token is too long", TOKEN_HINT);
    }
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined) {
      return this.#refuse('the header "authorization" has no Bearer token', TOKEN_HINT);
    }
    let known = this.#credentials.find(token);
    if (known === null && this.#checkFiles(RECHECK_MS)) known = this.#credentials.find(token);
    if (known === null) return this.#refuseUnknown(token);
    if (!isExpired(known, this.#clock.now().wallMs)) return known;
    const at = new Date(known.expiresAt!).toISOString();
    return this.#refuse(`the token "${known.name}" expired at ${at}`, TOKEN_HINT);
  }

  /** Only the log shows which token was revoked: a thief does not find out. */
  #refuseUnknown(token: string): JobError {
    const problem = "the token is unknown";
    const name = this.#credentials.revokedName(token);
    const logged = name === null ? problem : `the token "${name}" was revoked`;
    return this.#refuse(problem, TOKEN_HINT, logged);
  }

  #refuse(problem: string, hint: string, logged = problem): JobError {
    this.#failures.add(logged);
    return new JobError("unauthenticated", `Cannot authenticate: ${problem}`, { hint });
  }

  #checkRegularly(): void {
    this.#checkFiles(0);
    this.#closeOutdated();
    if (this.#connections.size > 0) this.#checking.setIn(CHECK_MS);
  }

  /** Read changed files, unless checked less than `afterMs` ago. Returns true if any changed. */
  #checkFiles(afterMs: number): boolean {
    const { monotonicMs } = this.#clock.now();
    if (monotonicMs - this.#checkedMs < afterMs) return false;
    this.#checkedMs = monotonicMs;
    const isChanged = this.#credentials.refresh();
    if (isChanged) this.#closeOutdated();
    return isChanged;
  }

  #closeOutdated(): void {
    const { wallMs } = this.#clock.now();
    for (const { socket, certificate, callers } of this.#connections.values()) {
      if (!this.#isCurrent(certificate, callers, wallMs)) socket.destroy();
    }
  }

  #isCurrent(
    certificate: ClientCertificate | null,
    callers: ReadonlySet<Caller>,
    nowMs: number,
  ): boolean {
    if (certificate && this.#problemOf(certificate, nowMs) !== null) return false;
    for (const caller of callers) {
      if (!this.#credentials.isCurrent(caller, nowMs)) return false;
      if (this.#credentials.mode !== "mtls" || certificate === null) continue;
      if (JSON.stringify(this.#credentials.callerOf(certificate)) !== JSON.stringify(caller)) {
        return false;
      }
    }
    return true;
  }
}

const TOKEN_HINT =
  "Send the token in the daemon's token file, one of server.auth.tokens, or one made " +
  'with jobctl token new, as the header "authorization: Bearer TOKEN"; jobctl: --token-file FILE or JOBCTL_TOKEN';
const CERTIFICATE_HINT =
  "Use a certificate that the daemon's configuration accepts: --tls-cert and --tls-key";

function hasSameRights(caller: Caller, holder: SessionHolder): boolean {
  const rightsOf = ({ name, role, jobs }: Caller) => JSON.stringify([name, role, jobs]);
  return rightsOf(caller) === rightsOf(holder);
}

/** The certificate from a client's handshake, verified by the listener; null without one. */
function certificateOf(socket: Socket): ClientCertificate | null {
  const { getPeerCertificate } = socket as Partial<TLSSocket>;
  const shown = getPeerCertificate?.call(socket, true);
  // Without a certificate this is an empty object.
  if (!shown?.raw) return null;
  const issuers = issuersOf(shown);
  return {
    ...readCertificateNames(shown.raw),
    ...digitsOf(shown),
    issuers: issuers.flatMap((issuer) => Object.values(digitsOf(issuer))),
    expiresAt: firstExpiry([shown, ...issuers]),
  };
}

function firstExpiry(certificates: readonly PeerCertificate[]): number | null {
  const times = certificates.map((each) => Date.parse(each.valid_to));
  const first = Math.min(...times.filter((at) => !Number.isNaN(at)));
  return first === Infinity ? null : first;
}

function digitsOf({ serialNumber, fingerprint256 }: PeerCertificate) {
  return { serial: normalDigits(serialNumber), fingerprint: normalDigits(fingerprint256) };
}

/** The authorities behind a certificate; the last one is self-signed. */
function issuersOf(certificate: PeerCertificate): readonly PeerCertificate[] {
  const issuers: PeerCertificate[] = [];
  for (let at = certificate; issuers.length < ISSUERS_MAX;) {
    const { issuerCertificate: next } = at as Partial<DetailedPeerCertificate> & PeerCertificate;
    if (!next?.raw || next.fingerprint256 === at.fingerprint256) break;
    issuers.push(next);
    at = next;
  }
  return issuers;
}
