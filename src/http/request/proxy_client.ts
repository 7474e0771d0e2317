import type { SiteConfig } from "../../core/address.ts";
import { isInNetworks, type Network, readNetwork } from "../../core/network.ts";

/** Headers of a request, by their names in lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Facts about the client of a request. */
export interface ProxyClient {
  /** Its address; behind proxies, the nearest unknown proxy's. */
  readonly address: string;
  /** True if it is connected by TLS, according to its trusted proxies. */
  readonly isSecure: boolean;
  /** True if the peer of the connection is a trusted proxy. */
  readonly isProxied: boolean;
}

/** Longest list of proxies that is read. */
const HOPS_MAX = 20;

/** Identifies clients, which may be behind proxies. */
export class TrustedProxies {
  readonly #trusted: readonly Network[];
  readonly #publicUrl: URL | null;

  constructor({ trustedProxies, publicUrl }: SiteConfig) {
    this.#trusted = trustedProxies.flatMap((text) => readNetwork(text) ?? []);
    this.#publicUrl = publicUrl === null ? null : new URL(publicUrl);
  }

  /** @param connection the listener's facts about the other end of the connection */
  clientOf(headers: Headers, connection: Omit<ProxyClient, "isProxied">): ProxyClient {
    const isSecure = connection.isSecure || this.#isPublicTls(headers);
    const { address } = connection;
    if (!this.#isTrusted(address)) return { address, isSecure, isProxied: false };
    const protocol = textOf(headers["x-forwarded-proto"]);
    return {
      address: this.#addressOf(headers, address),
      isSecure: protocol === "" ? isSecure : protocol === "https",
      isProxied: true,
    };
  }

  // From the right, where each proxy adds its client.
  #addressOf(headers: Headers, nearest: string): string {
    const hops = textOf(headers["x-forwarded-for"]).split(",").slice(-HOPS_MAX);
    let address = nearest;
    for (const hop of hops.reverse()) {
      const next = withoutPort(hop.trim());
      if (readNetwork(next) === null || next.includes("/")) return address;
      address = next;
      if (!this.#isTrusted(next)) return address;
    }
    return address;
  }

  #isTrusted(address: string): boolean {
    return this.#trusted.length > 0 && isInNetworks(address, this.#trusted);
  }

  /** True if the request is for the host of an https URL: the proxy of that host has TLS. */
  #isPublicTls(headers: Headers): boolean {
    return this.#publicUrl?.protocol === "https:" &&
      this.#publicUrl.host === textOf(headers["host"]).toLowerCase();
  }
}

/**
 * True if a browser says that a page of this site sends the request. Older browsers name the page's
 * origin, which must be the site's; other clients send neither.
 *
 * @param publicOrigin of the URL at which browsers find the site; null if it is not configured
 */
export function isSameOrigin(headers: Headers, publicOrigin: string | null): boolean {
  const site = textOf(headers["sec-fetch-site"]);
  if (site !== "") return site === "same-origin";
  const origin = textOf(headers["origin"]);
  if (origin === "" || origin === publicOrigin) return true;
  return URL.parse(origin)?.host === textOf(headers["host"]);
}

/** The text of a header; empty if it is absent. */
function textOf(header: string | readonly string[] | undefined): string {
  return typeof header === "string" ? header : header?.join(",") ?? "";
}

/** `10.0.0.1:1234` and `[::1]:1234` as an address. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
