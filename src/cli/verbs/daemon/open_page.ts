import { createHash } from "node:crypto";
import { bareHost, hostPort, isLoopback, LOGIN_PATH } from "../../../core/address.ts";
import { JobError } from "../../../core/errors.ts";
import { readAddress } from "../../../core/public_address.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { isOwnAddress } from "../../../platform/network/own_address.ts";
import type { ConnectOptions } from "../../../rpc/client/client.ts";

/** The address for the login. */
export interface LoginTarget {
  /** URL of the login page, without a code. */
  readonly url: string;
  /** False if it is on a different host from the called one. */
  readonly isCalled: boolean;
}

/**
 * Addresses that mean every address of a host: a browser cannot visit them. Without TLS it visits
 * one of them: "localhost" is ::1 first, where any user of this machine may listen.
 */
const EVERY_ADDRESS: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);
/** A code as a daemon creates it. */
const CODE = /^[\w-]{20,200}$/;
const URL_CHARS_MAX = 2_000;
const SUBMIT = "document.forms[0].submit()";

/**
 * The login page of a daemon. Only scheme, port and path of the daemon's URL are used, and its host
 * if that is its own: no other address from a server is ever opened.
 *
 * @param named the URL that the daemon gives for a code
 * @throws JobError `unavailable` for anything but the URL of a login page
 */
export function loginTarget(named: string, settings: ConnectOptions): LoginTarget {
  const url = named.length <= URL_CHARS_MAX ? URL.parse(named) : null;
  const isLogin = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.pathname.endsWith(`/${LOGIN_PATH}`);
  if (!isLogin) {
    throw new JobError(
      "unavailable",
      `Cannot open "${
        makeVisible(named.slice(0, URL_CHARS_MAX))
      }": the daemon names it, and it is not a login page`,
      { hint: "Is the other end the daemon that you mean? jobctl status shows it" },
    );
  }
  const host = hostOf(bareHost(url.hostname), settings, url.protocol === "https:");
  url.host = hostPort(host.name, portOf(url));
  return { url: `${url.origin}${url.pathname}`, isCalled: host.isCalled };
}

/** The URL of a login page with a code, for copying to a browser. */
export function loginUrl({ url }: LoginTarget, code: string): string {
  return `${url}?code=${checkCode(code)}`;
}

/** A page that sends a code to a login page at once. */
export function openingPage({ url }: LoginTarget, code: string): string {
  const hash = createHash("sha256").update(SUBMIT).digest("base64");
  const scheme = url.slice(0, url.indexOf(":") + 1);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-${hash}'; form-action ${scheme}; base-uri 'none'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>jobctl</title>
</head>
<body>
<form method="post" action="${escapeHtml(url)}">
<input type="hidden" name="code" value="${checkCode(code)}">
<button>Log in</button>
</form>
<script>${SUBMIT}</script>
</body>
</html>
`;
}

/** The host for a browser: the called host, if it can be the host that the daemon names. */
function hostOf(
  named: string,
  { socket, host }: ConnectOptions,
  hasTls: boolean,
): { readonly name: string; readonly isCalled: boolean } {
  const isLocal = host === undefined || isLoopback(host) || (socket ?? null) !== null;
  const own = EVERY_ADDRESS.get(named);
  if (own !== undefined) {
    return { name: isLocal ? hasTls ? "localhost" : own : host, isCalled: true };
  }
  if (isLocal) return { name: named, isCalled: isLoopback(named) || isOwnAddress(named) };
  // Another address of the called host, on which the daemon listens.
  if (readAddress(named) !== null && !isLoopback(named)) return { name: host, isCalled: true };
  return { name: named, isCalled: named.toLowerCase() === bareHost(host).toLowerCase() };
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

/** A code becomes part of a page and of a URL. */
function checkCode(code: string): string {
  if (CODE.test(code)) return code;
  throw new JobError("unavailable", "Cannot log in: the daemon's one-time code is malformed", {
    hint: "Is the other end the daemon that you mean? jobctl status shows it",
  });
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
