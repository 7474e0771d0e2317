import { Buffer } from "node:buffer";
import { JobError } from "../../../src/core/errors.ts";
import type { Caller } from "../../../src/rpc/auth/auth.ts";
import type { SiteConfig } from "../../../src/core/address.ts";
import {
  type SessionApi,
  sessionFactsOf,
  type SessionHolder,
} from "../../../src/manager/sessions/session.ts";
import type { AuthConfig } from "../../../src/platform/network/server_config.ts";
import {
  type Headers,
  type ProxyClient,
  TrustedProxies,
} from "../../../src/http/request/proxy_client.ts";
import type { PlainResponse } from "../../../src/http/request/http_types.ts";
import { Site, type SiteRequest } from "../../../src/http/site/site.ts";
import { ConfiguredAuthenticator } from "../../../src/rpc/auth/authenticator.ts";
import { SessionCallers } from "../../../src/rpc/auth/session_callers.ts";
import { memorySessions } from "./memory_sessions.ts";
import { keepingLogger, type LoggedLine, NO_AUTH, tokenEntry } from "./rpc_world.ts";
import { SimClock } from "./sim_clock.ts";

/** A holder as the Unix socket has it. */
export const ROOT: SessionHolder = {
  ...{ name: "root", role: "admin", jobs: null, proof: '{"type":"owner","uid":0}' },
};

const FORM = "application/x-www-form-urlencoded";

/** A request of a browser; what it says by itself can be replaced. */
export interface Visit {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly isTls?: boolean;
  /** The user of the client on this machine; null if nobody knows. */
  readonly uid?: number | null;
}

/** A site over sessions in memory, and a browser that keeps its cookie. */
export class SiteWorld {
  readonly clock = new SimClock();
  readonly sessions: SessionApi = memorySessions(this.clock);
  readonly lines: LoggedLine[] = [];
  readonly auth: AuthConfig;
  readonly authenticator: ConfiguredAuthenticator;
  readonly callers: SessionCallers;
  readonly site: Site;
  readonly #proxies: TrustedProxies;
  /** What the listener decides about a caller with a certificate. */
  #certificateCaller: Caller | JobError = new JobError("unauthenticated", "no certificate");
  /** Name and value, as the browser sends it. */
  cookie: string | null = null;

  constructor(config: Partial<SiteConfig> = {}, authMode: AuthConfig["mode"] = "token") {
    const logger = keepingLogger(this.lines);
    const { clock } = this;
    this.auth = {
      ...{ ...NO_AUTH, mode: authMode },
      tokens: [tokenEntry("eyes", "viewer-token", "viewer")],
    };
    this.authenticator = new ConfiguredAuthenticator(this.auth, {
      ...{ onToken: () => {}, ownToken: null, clock, logger },
    });
    this.callers = new SessionCallers({
      clock,
      isCurrent: (holder) => this.authenticator.isCurrent(holder),
      sessions: sessionFactsOf(this.sessions),
    });
    const whole = { basePath: "/", publicUrl: null, trustedProxies: [], ...config };
    this.#proxies = new TrustedProxies(whole);
    this.site = new Site({
      ...{ callers: this.callers, authenticator: this.authenticator, authMode },
      ...{ clock, logger, port: 59_052, config: whole },
    });
  }

  /** Have the browser send a certificate that is accepted. */
  useCertificate(): void {
    this.#certificateCaller = { name: "certificate of eva", role: "viewer", jobs: null };
  }

  /** Send a request; a cookie in the response is kept. */
  async visit(target: string, visit: Visit = {}): Promise<PlainResponse> {
    const { method = visit.form ? "POST" : "GET", form } = visit;
    const [path = "", query = ""] = target.split("?", 2);
    const defaults = method === "POST"
      ? { "sec-fetch-site": "same-origin", "content-type": FORM }
      : { "sec-fetch-site": "none", "sec-fetch-dest": "document" };
    const headers = {
      ...{ accept: "text/html,*/*", host: "localhost:59052", ...defaults },
      ...(this.cookie === null ? {} : { cookie: this.cookie }),
      ...visit.headers,
    };
    const request: SiteRequest = {
      ...{ method: method === "HEAD" ? "GET" : method, isHead: method === "HEAD" },
      ...{ path: `/${path}`, query: new URLSearchParams(query), headers },
      ...this.#clientOf(headers, visit),
      user: () => Promise.resolve(visit.uid ?? null),
      authorize: () => this.#certificateCaller,
      body: () => Promise.resolve(Buffer.from(new URLSearchParams(form).toString())),
    };
    const response = await this.site.respond(request);
    const set = response.headers["set-cookie"];
    if (set !== undefined) {
      this.cookie = /Max-Age=0(;|$)/.test(set) ? null : set.split(";")[0]!;
    }
    return response;
  }

  /** The name of the caller whose cookie the browser has; null if it is nobody's. */
  async caller(visit: Visit = {}): Promise<string | null> {
    const headers = { host: "localhost:59052", cookie: this.cookie ?? undefined, ...visit.headers };
    const user = () => Promise.resolve(visit.uid ?? null);
    const request = { headers, user, ...this.#clientOf(headers, visit) };
    return (await this.site.find(request))?.name ?? null;
  }

  /** What the server finds out about the other end of the connection. */
  #clientOf(
    headers: Headers,
    { address = "10.0.0.1", isTls: isSecure = false }: Visit,
  ): ProxyClient {
    return this.#proxies.clientOf(headers, { address, isSecure });
  }
}
