import { statSync } from "node:fs";
import { createHash, timingSafeEqual } from "node:crypto";
import { toJobError } from "../core/errors.ts";
import { matchesPattern } from "../core/job_scope.ts";
import type { CertificateNames } from "../platform/certificate_names.ts";
import type { Logger } from "../platform/logger.ts";
import { readRevoked } from "../platform/revoked_file.ts";
import { hashToken, readTokensFile, type Role, type TokenEntry } from "../platform/tokens_file.ts";
import type { Caller } from "./auth.ts";
import { readOwnTokenFile } from "./token_file.ts";

/** What the certificates with a name may do. */
export interface ClientRule {
  /** The subject's common name, or a pattern of it; null when the rule is about {@link san}. */
  readonly cn: string | null;
  /** An alternative name such as `DNS:ci.example.org`, or a pattern of one. */
  readonly san: string | null;
  readonly role: Role;
  readonly jobs: readonly string[] | null;
}

/** Who may call over TCP, as plain data. */
export interface AuthConfig {
  readonly mode: "token" | "mtls" | "none";
  /** Besides those of the files. */
  readonly tokens: readonly TokenEntry[];
  /** File of one lasting token, an admin's; null for a new one at each start, in the runtime folder. */
  readonly tokenFile: string | null;
  /** File that `jobctl token` writes; null for none. */
  readonly tokensFile: string | null;
  /** Which certificates of clients count, with "mtls"; without any each is an admin's. */
  readonly clients: readonly ClientRule[];
  /** File of certificates that count no more; null for none. */
  readonly revokedFile: string | null;
}

/** A certificate that a client showed. */
export interface ClientCertificate extends CertificateNames {
  /** Hexadecimal digits in lower case, without leading zeros. */
  readonly serial: string;
  /** SHA-256 of the certificate in lower case. */
  readonly fingerprint: string;
  /** The same two of the authorities between it and the one that is trusted, and of that one. */
  readonly issuers: readonly string[];
}

/** A token as it is looked up; the same object as long as nothing about it changes. */
export interface KnownToken extends Caller {
  readonly digest: Uint8Array;
  readonly expiresAt: number | null;
}

/** What was read from a file, and how the file looked then. */
interface Source<T> {
  readonly path: string | null;
  stamp: string;
  value: T;
}

/**
 * The tokens and certificates that count now: those of the configuration, and those of files, which are read again when they
 * change. A file that cannot be read then leaves what was known, and is told of.
 */
export class Credentials {
  readonly #logger: Logger;
  #config: AuthConfig;
  /** The token made at this start, as a digest; null where another one is used. */
  readonly #ownToken: TokenEntry | null;
  #tokenFile: Source<readonly TokenEntry[]>;
  #tokensFile: Source<readonly TokenEntry[]>;
  #revoked: Source<ReadonlySet<string>>;
  #known: readonly KnownToken[] = [];
  #held = new Set<KnownToken>();
  #callers = new WeakMap<ClientCertificate, Caller | null>();

  /** @throws JobError when a file cannot be used */
  constructor(
    config: AuthConfig,
    options: { readonly ownToken: string | null; readonly logger: Logger },
  ) {
    this.#logger = options.logger;
    this.#config = config;
    const { ownToken } = options;
    this.#ownToken = ownToken === null ? null : adminToken(ownToken);
    // Made at the start, and only where tokens count.
    this.#tokenFile = sourceOf(config.mode === "token" ? config.tokenFile : null, []);
    this.#tokensFile = sourceOf(config.tokensFile, []);
    this.#revoked = sourceOf(config.revokedFile, new Set());
    this.#read((error) => {
      throw error;
    });
  }

  get mode(): AuthConfig["mode"] {
    return this.#config.mode;
  }

  /** Whether somebody who was let in by a token would still be. */
  isCurrent(caller: Caller, nowMs: number): boolean {
    if (!("digest" in caller)) return true;
    const token = caller as KnownToken;
    return this.#held.has(token) && !isExpired(token, nowMs);
  }

  /** The token of a bearer. All are compared, by their digests, so that the time says nothing about them. */
  find(token: string): KnownToken | null {
    const digest = createHash("sha256").update(token).digest();
    let found: KnownToken | null = null;
    for (const candidate of this.#known) {
      if (timingSafeEqual(candidate.digest, digest)) found = candidate;
    }
    return found;
  }

  /** Whether a certificate, or one of those by which it is trusted, is on the list. */
  isRevoked({ serial, fingerprint, issuers }: ClientCertificate): boolean {
    return [serial, fingerprint, ...issuers].some((digits) => this.#revoked.value.has(digits));
  }

  /** Who shows a certificate; null for nobody whom the configuration knows. The same object until the rules change. */
  callerOf(certificate: ClientCertificate): Caller | null {
    let caller = this.#callers.get(certificate);
    if (caller === undefined) this.#callers.set(certificate, caller = this.#byRules(certificate));
    return caller;
  }

  #byRules(certificate: ClientCertificate): Caller | null {
    const { commonName, alternativeNames, serial } = certificate;
    const name = `certificate of ${commonName ?? alternativeNames[0] ?? serial}`;
    const { clients } = this.#config;
    if (clients.length === 0) return { name, role: "admin", jobs: null };
    const rule = clients.find(({ cn, san }) =>
      cn === null
        ? alternativeNames.some((each) => matchesPattern(foldName(san!), foldName(each)))
        : commonName !== null && matchesPattern(cn, commonName)
    );
    return rule ? { name, role: rule.role, jobs: rule.jobs } : null;
  }

  /** Take over the tokens, the rules for certificates and the files of another configuration. */
  adopt({ tokens, clients, tokensFile, revokedFile }: AuthConfig): void {
    this.#config = { ...this.#config, tokens, clients };
    this.#callers = new WeakMap();
    if (tokensFile !== this.#tokensFile.path) this.#tokensFile = sourceOf(tokensFile, []);
    if (revokedFile !== this.#revoked.path) {
      // Until it is read, what was revoked stays so.
      const before = revokedFile === null ? new Set<string>() : this.#revoked.value;
      this.#revoked = sourceOf(revokedFile, before);
    }
    this.#read((error) => this.#complain(error));
  }

  /** Read the files that changed; answers whether any did. What cannot be read stays as it was. */
  refresh(): boolean {
    return this.#read((error) => this.#complain(error));
  }

  #complain(thrown: unknown): void {
    const { message, hint } = toJobError(thrown, "Cannot read the credentials of callers");
    this.#logger.error(`${message}; the previous contents stay in effect`, { hint });
  }

  #read(fail: (error: unknown) => void): boolean {
    const changed = [
      readAgain(this.#tokenFile, (path) => [adminToken(readOwnTokenFile(path))], fail),
      readAgain(this.#tokensFile, readTokensFile, fail),
      readAgain(this.#revoked, readRevoked, fail),
    ];
    this.#merge();
    return changed.includes(true);
  }

  /** A token that is as it was stays the same object: so who was let in by it is still known. */
  #merge(): void {
    const before = new Map(this.#known.map((token) => [keyOf(token), token]));
    const entries = [
      ...this.#ownToken ? [this.#ownToken] : [],
      ...this.#tokenFile.value,
      ...this.#config.tokens,
      ...this.#tokensFile.value,
    ];
    this.#known = entries.map(({ name, role, hash, jobs, expiresAt }) => {
      const token = { name, role, jobs, expiresAt, digest: digestOf(hash) };
      return before.get(keyOf(token)) ?? token;
    });
    this.#held = new Set(this.#known);
  }
}

/** Whether a token's time is over. */
export function isExpired({ expiresAt }: KnownToken, nowMs: number): boolean {
  return expiresAt !== null && expiresAt <= nowMs;
}

function adminToken(token: string): TokenEntry {
  const hash = hashToken(token);
  return { name: "token file", role: "admin", hash, jobs: null, expiresAt: null };
}

function digestOf(hash: string): Uint8Array {
  return Buffer.from(hash.slice("sha256:".length), "hex");
}

function keyOf({ name, role, jobs, expiresAt, digest }: KnownToken): string {
  return JSON.stringify([name, role, jobs, expiresAt, Buffer.from(digest).toString("hex")]);
}

/** Names of hosts and addresses are the same in capitals; what stands before the colon is ours. */
function foldName(name: string): string {
  return /^(DNS|EMAIL|IP):/.test(name) ? name.toLowerCase() : name;
}

function sourceOf<T>(path: string | null, value: T): Source<T> {
  return { path, stamp: "", value };
}

/** Read a file if it is another than it was; answers whether it was read. */
function readAgain<T>(
  source: Source<T>,
  read: (path: string) => T,
  fail: (error: unknown) => void,
): boolean {
  if (source.path === null) return false;
  const stamp = stampOf(source.path);
  if (stamp === source.stamp) return false;
  source.stamp = stamp;
  try {
    source.value = read(source.path);
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return "missing";
  }
}
