import type { Role, TokenEntry } from "../files/tokens_file.ts";

/** The rights of client certificates with a given name. */
export interface ClientRule {
  /** The subject's common name, or a pattern of it; null if the rule is about {@link san}. */
  readonly cn: string | null;
  /** An alternative name such as `DNS:ci.example.org`, or a pattern of one. */
  readonly san: string | null;
  readonly role: Role;
  /** Kinds, or patterns of kinds; null for all. */
  readonly jobs: readonly string[] | null;
}

/** The TCP credentials, as plain data. */
export interface AuthConfig {
  readonly mode: "token" | "mtls" | "none";
  /** Tokens in addition to the ones in files. */
  readonly tokens: readonly TokenEntry[];
  /** File of one permanent admin token. Null: each start creates a token in the runtime folder. */
  readonly tokenFile: string | null;
  /** File managed by `jobctl token`; null for none. */
  readonly tokensFile: string | null;
  /** Rules for client certificates with "mtls"; without rules, each one is an admin. */
  readonly clients: readonly ClientRule[];
  /** File of revoked certificates; null for none. */
  readonly revokedFile: string | null;
}

/** Addresses of the listeners, and their callers: the `[server]` table of the configuration. */
export interface ServerConfig {
  readonly host: string;
  /** 0 picks a free one; null is off. */
  readonly port: number | null;
  /** Absolute path of the Unix socket; "auto" puts it into the runtime folder, null is off. */
  readonly socket: string | null;
  /** Group, by name or number, whose members may open the socket. */
  readonly socketGroup: string | null;
  /** Role of its members. */
  readonly socketRole: Role;
  readonly allowInsecure: boolean;
  /** Paths of PEM files. */
  readonly tls:
    | { readonly cert: string; readonly key: string; readonly clientCa: string | null }
    | null;
  readonly auth: AuthConfig;
}
