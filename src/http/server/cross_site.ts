import type { IncomingHttpHeaders } from "node:http";
import { JobError } from "../../core/errors.ts";

/** Inputs of {@link siteRefusal}. */
export interface SiteCheck {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Origins of other sites that may use the API, such as `https://ops.example`. */
  readonly origins: readonly string[];
  readonly isSecure: boolean;
}

/** The methods of requests that a browser sends for any page, without a preflight. */
const SIMPLE: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);
/** Methods that change nothing. */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Headers that a page of an allowed origin may send. */
const ALLOWED_HEADERS =
  "authorization, content-type, idempotency-key, if-none-match, last-event-id";
/** Headers that the page may read. */
const EXPOSED_HEADERS = "etag, location, link, retry-after";
/** Time for which a browser may remember the permission, in seconds. */
const PREFLIGHT_S = "600";

/**
 * The refusal of a request that a page of another site may have made a browser send; null if it may
 * be answered. Only browsers send these headers.
 */
export function siteRefusal(check: SiteCheck): JobError | null {
  const { method, headers } = check;
  if (isOfNamedOrigin(check)) {
    return SAFE.has(method) || isAskedFor(method, headers) ? null : notAskedFor();
  }
  const site = headers["sec-fetch-site"];
  if (site === "same-origin") return null;
  if (SAFE.has(method) && (site === undefined || site === "none" || isNavigation(headers))) {
    return null;
  }
  if (site === undefined && isOwnOrigin(check)) return null;
  return new JobError(
    "permission_denied",
    `Cannot accept a request that a page of ${
      headers.origin === undefined ? "another site" : "another origin"
    } sends`,
    {
      hint: "Use the dashboard itself, or name the origin of the page in server.http_origins",
    },
  );
}

/**
 * True for a request of a page of another origin that may use the API. Anything that a browser adds
 * to it, such as a cookie, says nothing about the page: on another port, or on a sibling host, it
 * is the same site, and `SameSite` does not keep the cookie back.
 */
export function isOfNamedOrigin(check: SiteCheck): boolean {
  const { headers, origins } = check;
  if (allowedOrigin(headers, origins) === null) return false;
  const site = headers["sec-fetch-site"];
  return site === undefined ? !isOwnOrigin(check) : site !== "same-origin";
}

/**
 * True if a browser asks before it sends a request for another origin. The answer forbids cookies
 * and certificates.
 */
function isAskedFor(method: string, { authorization, "content-type": type }: IncomingHttpHeaders) {
  return !SIMPLE.has(method) || authorization !== undefined ||
    /^application\/json\s*(;|$)/i.test(type ?? "");
}

function notAskedFor(): JobError {
  return new JobError(
    "permission_denied",
    "Cannot accept a change that a page of another origin sends without a token",
    { hint: 'Send the token as the header "authorization: Bearer TOKEN", with credentials "omit"' },
  );
}

/** A click on a link leads here from anywhere; the page with the link cannot see the response. */
function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

/**
 * Browsers omit `Sec-Fetch-Site` on a connection without TLS beyond loopback, but send `Origin`. A
 * cookie without either comes from an old browser, and proves nothing.
 */
function isOwnOrigin({ headers, isSecure }: SiteCheck): boolean {
  const { origin, host, cookie, authorization } = headers;
  if (origin !== undefined) return origin === `${isSecure ? "https" : "http"}://${host}`;
  return cookie === undefined || authorization !== undefined;
}

/** The origin of a request if it is allowed; otherwise null. */
function allowedOrigin(
  { origin }: IncomingHttpHeaders,
  origins: readonly string[],
): string | null {
  return origin !== undefined && origins.includes(origin) ? origin : null;
}

/** Headers that let a page of an allowed origin read a response; empty for others. */
export function originHeaders(
  headers: IncomingHttpHeaders,
  origins: readonly string[],
): Readonly<Record<string, string>> {
  if (origins.length === 0) return {};
  const origin = allowedOrigin(headers, origins);
  if (origin === null) return { vary: "origin" };
  return {
    vary: "origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED_HEADERS,
  };
}

/** True if a browser asks in advance whether a page may send a request. */
export function isPreflight(method: string, headers: IncomingHttpHeaders): boolean {
  return method === "OPTIONS" && headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined;
}

/** The headers of the response to a preflight request. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  "access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE",
  "access-control-allow-headers": ALLOWED_HEADERS,
  "access-control-max-age": PREFLIGHT_S,
};
