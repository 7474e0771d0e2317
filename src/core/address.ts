/** Default port of the daemon's gRPC listener, as in go-job. */
export const GRPC_PORT_DEFAULT = 59_051;

/** The page of a daemon's site that takes codes and tokens. */
export const LOGIN_PATH = "login";

/** True if `host` names this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = bareHost(host).toLowerCase();
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** Public location of a daemon's site. */
export interface SiteSettings {
  /** The path that browsers use: it begins and ends with a slash. */
  readonly basePath: string;
  /** The URL that browsers use, if it differs from the listener's. */
  readonly publicUrl: string | null;
}

/** The same, plus the proxies to trust about it. */
export interface SiteConfig extends SiteSettings {
  /** Addresses or networks of proxies whose X-Forwarded headers count, such as 10.0.0.0/8. */
  readonly trustedProxies: readonly string[];
}

/** The URL of a daemon's site, which ends with a slash. */
export function siteUrlOf(
  { host, port, isTls }: {
    readonly host: string;
    readonly port: number;
    readonly isTls: boolean;
  },
  { basePath, publicUrl }: SiteSettings,
): string {
  const origin = publicUrl === null
    ? `${isTls ? "https" : "http"}://${hostPort(host, port)}`
    : new URL(publicUrl).origin;
  return origin + basePath;
}

/** A host without the brackets that an IPv6 address needs before a port. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}
