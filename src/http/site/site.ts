import { Buffer } from "node:buffer";
import { LOGIN_PATH, type SiteConfig } from "../../core/address.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { OpenedSession } from "../../manager/sessions/session.ts";
import type { Clock } from "../../platform/clock.ts";
import { Lazy } from "../../platform/lazy.ts";
import type { Logger } from "../../platform/logger.ts";
import type { AuthConfig } from "../../platform/network/server_config.ts";
import type { Authenticator, Caller } from "../../rpc/auth/auth.ts";
import type { SessionCallers } from "../../rpc/auth/session_callers.ts";
import { isSessionCaller, type SessionCaller } from "../../rpc/auth/session_proof.ts";
import type { HttpRequest, PlainResponse } from "../request/http_types.ts";
import { type Headers, isSameOrigin } from "../request/proxy_client.ts";
import { DashboardFiles } from "./dashboard_files.ts";
import { leadingPage, LOGIN_HEADERS, loginPage } from "./login_page.ts";
import { type LoginProof, Logins } from "./logins.ts";
import { SITE_HEADERS } from "./site_headers.ts";

/** Most cookies of a request that are read. */
const COOKIES_MAX = 50;

/** Options of the session cookie in a browser. */
interface CookieScope {
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
function readSessionCookie(header: string | undefined, scope: CookieScope): string | null {
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
 * @param seconds time that the browser keeps it; 0 makes it forget it
 */
function sessionCookie(secret: string, seconds: number, scope: CookieScope): string {
  return [
    `${nameOf(scope)}=${secret}`,
    `Path=${scope.basePath}`,
    `Max-Age=${seconds}`,
    "HttpOnly",
    "SameSite=Strict",
    ...(scope.isTls ? ["Secure"] : []),
  ].join("; ");
}

/** A request for something other than the API. */
export type SiteRequest = Omit<
  HttpRequest,
  "admit" | "peer" | "from" | "signal" | "cancelSignal"
>;

/** Options of {@link Site}. */
export interface SiteOptions {
  readonly callers: SessionCallers;
  /** For callers over TCP. */
  readonly authenticator: Authenticator;
  /** Authentication of callers over TCP; with "none" everyone is the owner. */
  readonly authMode: AuthConfig["mode"];
  readonly config: SiteConfig;
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Longest form of a login, in bytes. */
const FORM_BYTES_MAX = 8_192;
/** Longest path that a login leads to, in characters. */
const NEXT_CHARS_MAX = 1_000;
/** Wait for a client whose login was refused for now, in seconds. */
const RETRY_AFTER_S = 30;
/** A site that paths are resolved against. */
const NO_SITE = "http://site.invalid";
/** Start of the paths of the dashboard's files. */
const ASSETS = "/assets/";

const REFUSED = {
  token: "This token is not valid.",
  code: "This link is not valid any more. It works once, within two minutes, and on the daemon's " +
    "machine only for the user who created it. Run jobctl open again, or log in with a token.",
};
const FOREIGN = "The request does not come from this page. Try again here.";
const TOO_MANY = "Too many attempts. Try again in a minute.";

/** The pages for people: the dashboard, for users who have logged in, and the login. */
export class Site {
  readonly #options: SiteOptions;
  readonly #origin: string | null;
  readonly #logins: Logins;
  readonly #files: Lazy<DashboardFiles>;

  constructor(options: SiteOptions) {
    this.#options = options;
    const { config } = options;
    this.#origin = config.publicUrl === null ? null : new URL(config.publicUrl).origin;
    this.#logins = new Logins(options);
    this.#files = new Lazy(() => DashboardFiles.load(config.basePath));
  }

  /**
   * The caller whose session's cookie a request has; null if it is missing, has ended, or belongs
   * to another user of this machine.
   *
   * @throws JobError `resource_exhausted` after too many attempts; `unavailable`
   */
  async find(
    request: Pick<SiteRequest, "headers" | "address" | "isSecure" | "user">,
  ): Promise<SessionCaller | null> {
    const secret = this.#secretOf(request);
    const caller = secret && await this.#options.callers.find(secret, request.address);
    return caller && await this.#logins.isUserOf(caller, request) ? caller : null;
  }

  /** Call `ended` when the session of a caller ends. Returns a function that stops that. */
  watch(caller: Caller, ended: () => void): () => void {
    return isSessionCaller(caller) ? this.#options.callers.watch(caller, ended) : () => {};
  }

  /** Respond to a request. @throws JobError `not_found` for an unknown path */
  async respond(request: SiteRequest): Promise<PlainResponse> {
    const { path, method } = request;
    const isRead = method === "GET";
    if (path === `/${LOGIN_PATH}`) {
      if (isRead) return await this.#showLogin(request);
      return method === "POST" ? await this.#logIn(request) : notAllowed("GET, HEAD, POST");
    }
    if (path === "/logout") {
      return method === "POST" ? await this.#logOut(request) : notAllowed("POST");
    }
    // Without its last slash.
    if (isRead && `${path}/` === this.#options.config.basePath) return redirect(`${path}/`);
    const isPage = path === "/" || textOf(request.headers["accept"])?.includes("text/html");
    if (!path.startsWith(ASSETS) && !isPage) throw nothingAt(path);
    if (!isRead) return notAllowed("GET, HEAD");
    return path.startsWith(ASSETS) ? await this.#file(request) : await this.#page(request);
  }

  async #file({ path, headers }: SiteRequest): Promise<PlainResponse> {
    const file = (await this.#files.get()).file(path.slice(1), conditionsOf(headers));
    if (file === null) throw nothingAt(path);
    return { ...file, headers: { ...SITE_HEADERS, ...file.headers } };
  }

  async #page(request: SiteRequest): Promise<PlainResponse> {
    const { path, query, headers } = request;
    const { config: { basePath } } = this.#options;
    if (!await this.#isKnown(request)) {
      const text = query.toString();
      const next = `${basePath}${path.slice(1)}${text === "" ? "" : `?${text}`}`;
      const search = next === basePath ? "" : `?${new URLSearchParams({ next })}`;
      return redirect(`${basePath}${LOGIN_PATH}${search}`);
    }
    const page = (await this.#files.get()).page(conditionsOf(headers));
    return { ...page, headers: { ...SITE_HEADERS, ...page.headers } };
  }

  /** True if a page may be shown: the API then refuses its caller if needed. */
  async #isKnown(request: SiteRequest): Promise<boolean> {
    const { authMode } = this.#options;
    if (authMode === "none" || await this.find(request) !== null) return true;
    // Browsers send certificates unasked, but no token.
    if (authMode !== "mtls" || !request.isSecure) return false;
    return !(await request.authorize("getVersion") instanceof JobError);
  }

  async #showLogin(request: SiteRequest): Promise<PlainResponse> {
    const { query, headers, isHead } = request;
    const code = query.get("code");
    const next = this.#nextOf(query.get("next"));
    if (code === null) {
      const isOpen = await this.#isKnown(request);
      return isOpen ? redirect(next) : this.#form({ next, problem: null, status: 200 });
    }
    // A browser preloads pages, and follows links of other sites: these must neither use up the
    // code, nor log a user in as someone else. Nor would the browser send the new cookie after a
    // link of another site.
    const isMeant = !isHead && !isAhead(headers) && isNavigation(headers);
    if (isMeant) {
      return await this.#open(request, { type: "code", code }, { next, isForeign: false });
    }
    return this.#form({ next, problem: null, status: 200, code });
  }

  async #logIn(request: SiteRequest): Promise<PlainResponse> {
    const type = textOf(request.headers["content-type"]) ?? "";
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
      return this.#form({ next: "", problem: "Send a form.", status: 415 });
    }
    const form = new URLSearchParams(Buffer.from(await request.body(FORM_BYTES_MAX)).toString());
    const next = this.#nextOf(form.get("next"));
    const code = form.get("code");
    const isForeign = !isSameOrigin(request.headers, this.#origin);
    if (isForeign) {
      if (code === null) return this.#form({ next: "", problem: FOREIGN, status: 403 });
      // The page of jobctl open is a file. A page of a stranger would have a stranger's code.
      const isOwn = await this.#logins.isOfUser(code, request);
      if (!isOwn) return this.#form({ next, problem: null, status: 200, code });
    }
    const proof = code === null
      ? { type: "token", token: form.get("token")?.trim() ?? "" } as const
      : { type: "code", code } as const;
    return await this.#open(request, proof, { next, isForeign });
  }

  /** Log a user in, and lead to a page of the site whose URL has no secret. */
  async #open(
    request: SiteRequest,
    proof: LoginProof,
    { next, isForeign }: { readonly next: string; readonly isForeign: boolean },
  ): Promise<PlainResponse> {
    let opened: OpenedSession | null;
    try {
      opened = await this.#logins.logIn(proof, request);
    } catch (error) {
      if (!isJobError(error, "resource_exhausted")) throw error;
      return this.#form({ next, problem: TOO_MANY, status: 429 });
    }
    if (opened === null) return this.#form({ next, problem: REFUSED[proof.type], status: 403 });
    // The browser forgets its earlier session.
    const former = this.#secretOf(request);
    const caller = former && await this.#options.callers.findFormer(former, request.address);
    if (caller && await this.#logins.isUserOf(caller, request)) {
      await this.#logins.logOut(caller, request.address);
    }
    const { secret, session } = opened;
    const seconds = Math.floor((session.expiresAt - session.createdAt) / 1_000);
    const headers = {
      "set-cookie": sessionCookie(secret, seconds, this.#scopeOf(request)),
      // An earlier listener on the port may have left a service worker.
      "clear-site-data": '"storage"',
    };
    if (!isForeign) return redirect(next, headers);
    // After a link of another site, the browser would not send the new cookie.
    return { status: 200, headers: { ...LOGIN_HEADERS, ...headers }, body: leadingPage(next) };
  }

  async #logOut(request: SiteRequest): Promise<PlainResponse> {
    if (!isSameOrigin(request.headers, this.#origin)) {
      return this.#form({ next: "", problem: FOREIGN, status: 403 });
    }
    const caller = await this.find(request);
    if (caller !== null) await this.#logins.logOut(caller, request.address);
    return redirect(`${this.#options.config.basePath}${LOGIN_PATH}`, {
      "set-cookie": sessionCookie("", 0, this.#scopeOf(request)),
    });
  }

  #form(
    { next, problem, status, code = null }: {
      readonly next: string;
      readonly problem: string | null;
      readonly status: number;
      readonly code?: string | null;
    },
  ): PlainResponse {
    const action = `${this.#options.config.basePath}${LOGIN_PATH}`;
    return {
      status,
      headers: {
        ...LOGIN_HEADERS,
        ...(status === 429 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
      },
      body: loginPage({
        action,
        next,
        problem,
        code,
        takesTokens: this.#options.authMode === "token",
      }),
    };
  }

  /** The path to show after a login: only a path of this site. */
  #nextOf(next: string | null): string {
    const { basePath } = this.#options.config;
    const isShort = next !== null && next.length <= NEXT_CHARS_MAX;
    // Browsers read a second slash, and a backslash, as the beginning of a host.
    if (!isShort || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next)) return basePath;
    // Like browsers do: "..", also as "%2e%2e", leads up.
    const url = URL.parse(next, NO_SITE);
    const isOurs = url?.origin === NO_SITE && url.pathname.startsWith(basePath) &&
      !url.pathname.startsWith("//");
    return isOurs ? `${url.pathname}${url.search}${url.hash}` : basePath;
  }

  #secretOf(request: Pick<SiteRequest, "headers" | "isSecure">): string | null {
    return readSessionCookie(textOf(request.headers["cookie"]), this.#scopeOf(request));
  }

  #scopeOf({ isSecure }: Pick<SiteRequest, "isSecure">): CookieScope {
    const { port, config: { basePath } } = this.#options;
    return { port, basePath, isTls: isSecure };
  }
}

function textOf(header: Headers[string]): string | undefined {
  return typeof header === "string" ? header : header?.join(", ");
}

function conditionsOf(headers: Headers) {
  return {
    acceptEncoding: textOf(headers["accept-encoding"]),
    ifNoneMatch: textOf(headers["if-none-match"]),
  };
}

/** True if a browser preloads a page. */
function isAhead({ "sec-purpose": purpose, purpose: older }: Headers): boolean {
  return [purpose, older].some((value) => (textOf(value) ?? "").includes("prefetch"));
}

/** True if a person opened the page directly, or another page of this site did. */
function isNavigation({ "sec-fetch-site": site, "sec-fetch-dest": destination }: Headers): boolean {
  const isMeant = site === undefined || site === "none" || site === "same-origin";
  return isMeant && (destination === undefined || destination === "document");
}

/** Go on with a GET of another page. */
function redirect(
  location: string,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return {
    status: 303,
    headers: { ...SITE_HEADERS, "cache-control": "no-store", location, ...headers },
    body: "",
  };
}

function nothingAt(path: string): JobError {
  return new JobError("not_found", `Cannot find "${makeVisible(path)}"`, { hint: "See /" });
}

function notAllowed(allow: string): PlainResponse {
  return {
    status: 405,
    headers: { ...SITE_HEADERS, allow, "content-type": "text/plain; charset=utf-8" },
    body: `only ${allow}\n`,
  };
}
