/** Most cookies of a request that are read. */
const COOKIES_MAX = 50;

/** Where and how a session's cookie is kept by a browser. */
export interface CookieScope {
  /** Port of the listener: browsers send the cookies of all daemons on a host to each of them. */
  readonly port: number;
  /** It begins and ends with a slash. */
  readonly basePath: string;
  readonly isTls: boolean;
}

/**
 * The name of the cookie. With `__Host-`, a browser takes it only from this host itself, over TLS;
 * that needs the path `/`.
 */
function nameOf({ port, basePath, isTls }: CookieScope): string {
  const prefix = !isTls ? "" : basePath === "/" ? "__Host-" : "__Secure-";
  return `${prefix}jobctl-${port}`;
}

/** The session's secret in the Cookie header of a request; null if there is none. */
export function readSessionCookie(header: string | undefined, scope: CookieScope): string | null {
  const name = nameOf(scope);
  for (const pair of header?.split(";", COOKIES_MAX) ?? []) {
    const [before, ...rest] = pair.split("=");
    if (before!.trim() === name) return rest.join("=").trim();
  }
  return null;
}

/**
 * The Set-Cookie header that gives a browser a session.
 *
 * @param seconds how long the browser keeps it; 0 makes it forget it
 */
export function sessionCookie(secret: string, seconds: number, scope: CookieScope): string {
  return [
    `${nameOf(scope)}=${secret}`,
    `Path=${scope.basePath}`,
    `Max-Age=${seconds}`,
    "HttpOnly",
    "SameSite=Strict",
    ...(scope.isTls ? ["Secure"] : []),
  ].join("; ");
}
