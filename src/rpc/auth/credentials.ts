import { statSync } from "node:fs";
import { createHash, timingSafeEqual } from "node:crypto";
import { toJobError } from "../../core/errors.ts";
import { matchesPattern } from "../../core/job/job_scope.ts";
import type { CertificateNames } from "../../platform/network/certificate_names.ts";
import type { Logger } from "../../platform/logger.ts";
import { readRevoked } from "../../platform/files/revoked_file.ts";
import {
  hashToken,
  readTokensFile,
  type Role,
  type TokenEntry,
} from "../../platform/files/tokens_file.ts";
import type { AuthConfig } from "../../platform/network/server_config.ts";
import type { Caller } from "./auth.ts";
import { readOwnTokenFile } from "./token_file.ts";

/** A client's certificate. */
export interface ClientCertificate extends CertificateNames {
  /** Hexadecimal digits in lower case, without leading zeros. */
  readonly serial: string;
  /** SHA-256 of the certificate in lower case. */
  readonly fingerprint: string;
  /** Serials and fingerprints of its authorities, up to and including the trusted one. */
  readonly issuers: readonly string[];
  /** The first expiry of it and its authorities: epoch ms; null if unknown. */
  readonly expiresAt: number | null;
}

/** A caller with a client certificate. */
export interface CertifiedCaller extends Caller {
  readonly certificate: ClientCertificate;
}

/** The basis of a session holder's rights. */
export type Proof =
  /** A token with these rights. */
  | { readonly type: "token"; readonly digest: string }
  | { readonly type: "certificate"; readonly certificate: ClientCertificate }
  /** Root or the daemon's user on the Unix socket: the session depends on nothing else. */
  | { readonly type: "owner"; readonly uid: number | null }
  /** A member of the group of the Unix socket. */
  | { readonly type: "member"; readonly uid: number | null; readonly role: Role }
  /** Everyone, without authentication. */
  | { readonly type: "everyone" };

/** A token prepared for look-up; the same object until the token changes. */
export interface KnownToken extends TokenEntry {
  readonly digest: Uint8Array;
}

/** Most revoked tokens remembered by name, for the log. */
const REVOKED_TOKENS_MAX = 1_000;

/** Most tokens that one line of the log names. */
const NAMES_LOGGED_MAX = 20;

/** Options of {@link Credentials}. */
export interface CredentialsOptions {
  /** The token created at this start; null if a configured one is used. */
  readonly ownToken: string | null;
  readonly logger: Logger;
  /** Called with each token that is read in plain text, before it is valid. */
  readonly onToken: (token: string) => void;
}

/** The last contents read from a file, and the file's stamp at that time. */
interface Source<T> {
  readonly path: string | null;
  stamp: string;
  value: T;
}

/**
 * The currently valid tokens and certificates, from the configuration and from files. Changed files
 * are read again; if that fails, their old contents stay in effect and the failure is logged.
 */
export class Credentials {
  readonly #logger: Logger;
  readonly #onToken: (token: string) => void;
  #config: AuthConfig;
  /** The token created at this start, if no configured one is used. */
  readonly #ownToken: readonly TokenEntry[];
  #tokenFile: Source<readonly TokenEntry[]>;
  #tokensFile: Source<readonly TokenEntry[]>;
  #revoked: Source<ReadonlySet<string>>;
  /** The tokens of the tokens file as last logged. */
  #loggedTokens: readonly TokenEntry[];
  #known: readonly KnownToken[] = [];
  #valid = new Set<KnownToken>();
  /** The digests of the rights of the known tokens; null until a session needs them. */
  #byRights: ReadonlyMap<string, KnownToken> | null = null;
  /** Names of tokens that were valid since the start, by their hash; the oldest is first. */
  readonly #revokedTokens = new Map<string, string>();
  #callers = new WeakMap<ClientCertificate, Caller | null>();

  /** @throws JobError if a file cannot be used */
  constructor(config: AuthConfig, options: CredentialsOptions) {
    this.#logger = options.logger;
    this.#onToken = options.onToken;
    this.#config = config;
    const { ownToken } = options;
    this.#ownToken = ownToken === null ? [] : [adminToken(ownToken)];
    // The file is created at start, and only if tokens are used.
    this.#tokenFile = sourceOf(config.mode === "token" ? config.tokenFile : null, []);
    this.#tokensFile = sourceOf(config.tokensFile, []);
    this.#revoked = sourceOf(config.revokedFile, new Set());
    this.#read((error) => {
      throw error;
    });
    this.#loggedTokens = this.#tokensFile.value;
  }

  get mode(): AuthConfig["mode"] {
    return this.#config.mode;
  }

  /** True if a caller accepted earlier would still be accepted. */
  isCurrent(caller: Caller, nowMs: number): boolean {
    if (!("digest" in caller)) return true;
    const token = caller as KnownToken;
    return this.#valid.has(token) && !isExpired(token, nowMs);
  }

  /** Find a bearer's token. All digests are compared in constant time: timing reveals nothing. */
  find(token: string): KnownToken | null {
    const digest = createHash("sha256").update(token).digest();
    let found: KnownToken | null = null;
    for (const candidate of this.#known) {
      if (timingSafeEqual(candidate.digest, digest)) found = candidate;
    }
    return found;
  }

  /** The known token with these rights, by their digest. */
  withRights(digest: string): KnownToken | null {
    this.#byRights ??= new Map(this.#known.map((token) => [rightsDigest(token), token]));
    return this.#byRights.get(digest) ?? null;
  }

  /** The name of a token that was valid earlier in the life of this daemon; otherwise null. */
  revokedName(token: string): string | null {
    return this.#revokedTokens.get(hashToken(token)) ?? null;
  }

  /** True if a certificate or one of its authorities is on the list of revoked ones. */
  isRevoked({ serial, fingerprint, issuers }: ClientCertificate): boolean {
    return [serial, fingerprint, ...issuers].some((digits) => this.#revoked.value.has(digits));
  }

  /** The caller with a certificate, the same object until rules change; null without a match. */
  callerOf(certificate: ClientCertificate): Caller | null {
    let caller = this.#callers.get(certificate);
    if (caller === undefined) this.#callers.set(certificate, caller = this.#byRules(certificate));
    return caller;
  }

  #byRules(certificate: ClientCertificate): CertifiedCaller | null {
    const { commonName, alternativeNames, serial } = certificate;
    const name = `certificate of ${commonName ?? alternativeNames[0] ?? serial}`;
    const { clients } = this.#config;
    if (clients.length === 0) return { name, role: "admin", jobs: null, certificate };
    const rule = clients.find(({ cn, san }) =>
      cn === null
        ? alternativeNames.some((each) => matchesPattern(foldName(san!), foldName(each)))
        : commonName !== null && matchesPattern(cn, commonName)
    );
    return rule ? { name, role: rule.role, jobs: rule.jobs, certificate } : null;
  }

  adopt({ tokens, clients, tokensFile, revokedFile }: AuthConfig): void {
    this.#config = { ...this.#config, tokens, clients };
    this.#callers = new WeakMap();
    if (tokensFile !== this.#tokensFile.path) this.#tokensFile = sourceOf(tokensFile, []);
    if (revokedFile !== this.#revoked.path) {
      // Until the new file is read, revoked certificates stay revoked.
      const before = revokedFile === null ? new Set<string>() : this.#revoked.value;
      this.#revoked = sourceOf(revokedFile, before);
    }
    this.#read((error) => this.#complain(error));
    this.#logTokens();
  }

  /** Read changed files. Returns true if any was read. An unreadable one keeps its old content. */
  refresh(): boolean {
    const hasChanged = this.#read((error) => this.#complain(error));
    this.#logTokens();
    return hasChanged;
  }

  /** Log the names of tokens that were added to the tokens file or removed from it. */
  #logTokens(): void {
    const [before, after] = [this.#loggedTokens, this.#tokensFile.value];
    this.#loggedTokens = after;
    const [old, current] = [before, after].map((tokens) => new Set(tokens.map(({ hash }) => hash)));
    const added = after.filter(({ hash }) => !old!.has(hash));
    const revoked = before.filter(({ hash }) => !current!.has(hash));
    if (added.length + revoked.length === 0) return;
    this.#logger.info("Tokens were added or revoked", {
      added: namesOf(added),
      revoked: namesOf(revoked),
    });
  }

  #complain(thrown: unknown): void {
    const { message, hint } = toJobError(thrown, "Cannot read the credentials of callers");
    this.#logger.error(`${message}; the previous contents stay in effect`, { hint });
  }

  #read(fail: (error: unknown) => void): boolean {
    const changed = [
      readAgain(this.#tokenFile, (path) => this.#readTokenFile(path), fail),
      readAgain(this.#tokensFile, readTokensFile, fail),
      readAgain(this.#revoked, readRevoked, fail),
    ];
    this.#merge();
    return changed.includes(true);
  }

  #readTokenFile(path: string): readonly TokenEntry[] {
    const token = readOwnTokenFile(path);
    this.#onToken(token);
    return [adminToken(token)];
  }

  /** An unchanged token stays the same object, so that its callers are still recognized. */
  #merge(): void {
    const before = new Map(this.#known.map((token) => [keyOf(token), token]));
    const entries = [
      ...this.#ownToken,
      ...this.#tokenFile.value,
      ...this.#config.tokens,
      ...this.#tokensFile.value,
    ];
    this.#known = entries.map((entry) =>
      before.get(keyOf(entry)) ?? { ...entry, digest: digestOf(entry.hash) }
    );
    this.#valid = new Set(this.#known);
    this.#byRights = null;
    this.#rememberRevoked([...before.values()], new Set(entries.map(({ hash }) => hash)));
  }

  #rememberRevoked(before: readonly KnownToken[], valid: ReadonlySet<string>): void {
    for (const hash of valid) this.#revokedTokens.delete(hash);
    for (const { name, hash } of before) {
      if (!valid.has(hash)) this.#revokedTokens.set(hash, name);
    }
    for (const hash of this.#revokedTokens.keys()) {
      if (this.#revokedTokens.size <= REVOKED_TOKENS_MAX) break;
      this.#revokedTokens.delete(hash);
    }
  }
}

/** True if a token or certificate has expired. */
export function isExpired(
  { expiresAt }: { readonly expiresAt: number | null },
  nowMs: number,
): boolean {
  return expiresAt !== null && expiresAt <= nowMs;
}

/** The names for one line of the log; undefined for none. */
function namesOf(tokens: readonly TokenEntry[]): string | undefined {
  if (tokens.length === 0) return undefined;
  const names = tokens.slice(0, NAMES_LOGGED_MAX).map(({ name }) => name).join(",");
  const more = tokens.length - NAMES_LOGGED_MAX;
  return more > 0 ? `${names} and ${more} more` : names;
}

function adminToken(token: string): TokenEntry {
  const hash = hashToken(token);
  return { name: "token file", role: "admin", hash, jobs: null, expiresAt: null };
}

/** The proof in a session; null for invalid text. */
export function readProof(text: string): Proof | null {
  try {
    const proof: unknown = JSON.parse(text);
    const isProof = typeof proof === "object" && proof !== null &&
      typeof Reflect.get(proof, "type") === "string";
    return isProof ? proof as unknown as Proof : null;
  } catch {
    return null;
  }
}

/**
 * The hash of a token together with its rights, which changes with each of them. It contains no
 * readable hash of the token, so it does not help to guess it.
 */
export function rightsDigest({ name, role, jobs, expiresAt, hash }: TokenEntry): string {
  const rights = JSON.stringify(["session", name, role, jobs, expiresAt, hash]);
  return createHash("sha256").update(rights).digest("hex");
}

function digestOf(hash: string): Uint8Array {
  return Buffer.from(hash.slice("sha256:".length), "hex");
}

function keyOf({ name, role, jobs, expiresAt, hash }: TokenEntry): string {
  return JSON.stringify([name, role, jobs, expiresAt, hash]);
}

/** Host and mail names are case-insensitive; the prefix before the colon is ours. */
function foldName(name: string): string {
  return /^(DNS|EMAIL|IP):/.test(name) ? name.toLowerCase() : name;
}

function sourceOf<T>(path: string | null, value: T): Source<T> {
  return { path, stamp: "", value };
}

/** Read a file if it has changed. Returns true if it was read. */
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
