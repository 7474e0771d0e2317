import { JobError } from "../errors.ts";
import { nearest } from "../text/nearest.ts";

/** Host and port of a server. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A Valkey or Redis server, or its sentinels or cluster. */
export interface ValkeyAddress {
  readonly type: "valkey";
  /** One server, the master of the sentinels, or the cluster's server with our keys. */
  readonly topology: "single" | "sentinel" | "cluster";
  /** The server, the sentinels, or some of the cluster. */
  readonly hosts: readonly HostPort[];
  /** Name of the master that the sentinels watch; null without sentinels. */
  readonly master: string | null;
  readonly database: number;
  readonly isTls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  /** For the sentinels, which have separate users; absent if they require none. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

/** An etcd of one or more members. */
export interface EtcdAddress {
  readonly type: "etcd";
  readonly hosts: readonly HostPort[];
  readonly isTls: boolean;
  readonly username: string | null;
  readonly password: string | null;
}

/** A parsed store URL. */
export type StoreAddress =
  | { readonly type: "memory" }
  /** Path of the database file as written. */
  | { readonly type: "sqlite"; readonly path: string }
  /** Path of a module that implements a store, as written. */
  | {
    readonly type: "module";
    readonly path: string;
    /** Directory for its files; absent for the module's own directory. */
    readonly directory?: string;
  }
  | ValkeyAddress
  | EtcdAddress;

/** Forms of a store's URL, for messages. */
export const STORE_URL_WANTED =
  '"memory:", "sqlite:PATH", "valkey://HOST:PORT", "etcd://HOST:PORT", or the path of a module';

const VALKEY_PORT = 6_379;
const SENTINEL_PORT = 26_379;
const ETCD_PORT = 2_379;
const HOSTS_MAX = 100;
const DATABASE_MAX = 1_000_000;
const SCHEMES = [
  "memory",
  "sqlite",
  ...["valkey", "valkeys", "redis", "rediss"].flatMap((name) => [
    name,
    `${name}-sentinel`,
    `${name}-cluster`,
  ]),
  "etcd",
  "etcds",
];

/** A problem of a URL; it hides the URL, which may hold a password. */
function urlProblem(message: string, hint?: string): JobError {
  return new JobError("invalid_argument", message, { hint });
}

/** Read a store's URL. @throws JobError `invalid_argument` that shows no password */
export function parseStoreUrl(url: string): StoreAddress {
  if (url === "memory:") return { type: "memory" };
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(url)) throw urlProblem("found a control character, wanted none");
  // One letter is a drive of Windows.
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):/.exec(url)?.[1]?.toLowerCase() ?? null;
  if (scheme === null && /\.[mc]?[jt]s$/.test(url)) return { type: "module", path: url };
  if (scheme === "sqlite") return readSqlite(url);
  const match = /^(valkey|valkeys|redis|rediss|etcd|etcds)(-sentinel|-cluster)?$/.exec(
    scheme ?? "",
  );
  if (match === null || (match[2] !== undefined && match[1]!.startsWith("etcd"))) {
    throw unknownScheme(url, scheme);
  }
  const parts = readAuthority(url);
  const isTls = /^(valkeys|rediss|etcds)$/.test(match[1]!);
  if (match[1]!.startsWith("etcd")) return readEtcd(parts, isTls);
  const topology = (match[2]?.slice(1) ?? "single") as ValkeyAddress["topology"];
  return readValkey(parts, topology, isTls);
}

function unknownScheme(url: string, scheme: string | null): JobError {
  const near = nearest(scheme ?? "", SCHEMES);
  return urlProblem(
    `found ${showUrl(url)}, wanted ${STORE_URL_WANTED}`,
    near === null ? undefined : `Did you mean "${near}:"?`,
  );
}

/** Show only the scheme of a URL that may contain a password, whose place is unknown if invalid. */
function showUrl(url: string): string {
  const [scheme, rest = ""] = url.split(/(?<=^[^:]*:)/, 2) as [string, string?];
  const shown = /[:@]/.test(rest) ? scheme : url.slice(0, 60);
  return JSON.stringify(shown === url ? shown : `${shown}…`);
}

function readSqlite(url: string): StoreAddress {
  // Before a drive of Windows, all three slashes belong to the URL.
  const path = url.slice("sqlite:".length).replace(/^\/\/(?:\/(?=[a-z]:[\\/])|(?=\/))/i, "");
  if (path === "" || path === ":memory:") {
    throw urlProblem(
      `found ${JSON.stringify(url)}, wanted ${STORE_URL_WANTED}`,
      'For a store in memory write "memory:"',
    );
  }
  return { type: "sqlite", path };
}

interface Authority {
  readonly username: string | null;
  readonly password: string | null;
  readonly hosts: readonly { readonly host: string; readonly port: number | null }[];
  /** Parts of the path, decoded. */
  readonly path: readonly string[];
}

/** Read `scheme://[[user][:password]@]host[:port][,…][/path]`: URL classes refuse several hosts. */
function readAuthority(url: string): Authority {
  const match = /^[^:]+:\/\/(?:([^@]*)@)?([^/?#@]*)(\/[^?#]*)?([?#].*)?$/.exec(url);
  if (match === null) {
    throw urlProblem(
      "found a URL that cannot be read, wanted SCHEME://USER:PASSWORD@HOST:PORT",
      "Write @ : / ? # in a password as %40 %3A %2F %3F %23, or set store.password",
    );
  }
  const [, userInfo, hosts = "", path = "", rest] = match;
  if (rest !== undefined) {
    throw urlProblem(
      "found parameters after ? or #, wanted none",
      "TLS and the like are keys of their own: store.tls, store.username, store.password",
    );
  }
  const colon = userInfo?.indexOf(":") ?? -1;
  const username = colon < 0 ? userInfo : userInfo!.slice(0, colon);
  const password = colon < 0 ? undefined : userInfo!.slice(colon + 1);
  return {
    username: decoded(username, "user"),
    password: decoded(password, "password"),
    hosts: readHosts(hosts),
    path: path.split("/").filter((part) => part !== "").map((part) => decoded(part, "path")!),
  };
}

function decoded(text: string | undefined, what: string): string | null {
  if (text === undefined || text === "") return null;
  try {
    return decodeURIComponent(text);
  } catch {
    throw urlProblem(`found a ${what} with a bad % sequence`, "Write a % as %25");
  }
}

function readHosts(text: string): Authority["hosts"] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length > HOSTS_MAX) {
    throw urlProblem(`found ${parts.length} hosts, wanted at most ${HOSTS_MAX}`);
  }
  return parts.map((part) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(part);
    const port = match?.[3] === undefined ? null : Number(match[3]);
    if (match === null || port === 0 || (port ?? 0) > 65_535) {
      // Without an @, user and password would look like the host.
      const shown = /^[^:]*:?\d*$/.test(part) ? part.slice(0, 60) : `${part.split(":", 1)}:…`;
      throw urlProblem(`found the host ${JSON.stringify(shown)}, wanted HOST:PORT`);
    }
    return { host: match[1] ?? match[2]!, port };
  });
}

function withPorts(hosts: Authority["hosts"], standard: number): readonly HostPort[] {
  return hosts.map(({ host, port }) => ({ host, port: port ?? standard }));
}

function readEtcd(parts: Authority, isTls: boolean): EtcdAddress {
  const { username, password, path } = parts;
  if (path.length > 0) {
    throw urlProblem("found a path, wanted none", "The namespace is store.prefix");
  }
  return { type: "etcd", hosts: withPorts(parts.hosts, ETCD_PORT), isTls, username, password };
}

function readValkey(
  parts: Authority,
  topology: ValkeyAddress["topology"],
  isTls: boolean,
): ValkeyAddress {
  const { username, password, path } = parts;
  const isSentinel = topology === "sentinel";
  if (topology === "single" && parts.hosts.length > 1) {
    throw urlProblem(
      `found ${parts.hosts.length} hosts, wanted one`,
      "For several write valkey-sentinel://H1,H2/MASTER or valkey-cluster://H1,H2",
    );
  }
  if (isSentinel && path.length === 0) {
    throw urlProblem(
      "found no name of a master, wanted valkey-sentinel://H1,H2/MASTER",
      "Name the master as the sentinels' configuration does",
    );
  }
  const master = isSentinel ? path[0]! : null;
  const [database = "0", ...more] = isSentinel ? path.slice(1) : path;
  if (more.length > 0 || !/^\d{1,7}$/.test(database) || Number(database) > DATABASE_MAX) {
    throw urlProblem(
      `found the path ${
        JSON.stringify(path.join("/").slice(0, 60))
      }, wanted the number of a database`,
    );
  }
  if (topology === "cluster" && database !== "0") {
    throw urlProblem(`found database ${database}, wanted 0: a cluster has no other`);
  }
  return {
    type: "valkey",
    topology,
    hosts: withPorts(parts.hosts, isSentinel ? SENTINEL_PORT : VALKEY_PORT),
    master,
    database: Number(database),
    isTls,
    username,
    password,
  };
}

/** A URL without its password. */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/*[^/@:]*):[^]*@/i, "$1:***@");
}

/** Target of a move. */
export interface MovedTo {
  /** URL without secrets. */
  readonly to: string;
  /** Namespace there; absent for the configured one. */
  readonly prefix?: string;
}

/** A place in the configuration's syntax: `store.url = "…"`. */
export function configOf({ to, prefix }: MovedTo): string {
  const url = `store.url = ${JSON.stringify(to)}`;
  return prefix === undefined ? url : `${url} and store.prefix = ${JSON.stringify(prefix)}`;
}

/** A place in a sentence. */
export function placeOf({ to, prefix }: MovedTo): string {
  return prefix === undefined ? to : `${to} with prefix "${prefix}"`;
}
