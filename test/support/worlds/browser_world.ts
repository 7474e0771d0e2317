import { sessionFactsOf, type SessionHolder } from "../../../src/manager/sessions/session.ts";
import { openSite } from "../../../src/http/site/open_site.ts";
import type { Site } from "../../../src/http/site/site.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { type HttpWorld, httpWorld, type HttpWorldOptions } from "./http_world.ts";
import { keepingLogger } from "./rpc_world.ts";

/** The HTTP server with the API and the site, over a fake manager, and browsers. */
export interface BrowserWorld extends HttpWorld {
  /** Open a session for a caller, and return the cookie as a browser sends it. */
  cookieOf(holder: SessionHolder): Promise<string>;
  /** A request that a page of the dashboard makes its browser send. */
  browse(path: string, cookie: string | null, init?: RequestInit): Promise<Response>;
}

/** Start a server with a site. */
export async function browserWorld(options: HttpWorldOptions = {}): Promise<BrowserWorld> {
  let site: Site | null = null;
  const late: Pick<Site, "respond" | "find" | "watch"> = {
    respond: (request) => site!.respond(request),
    find: (request) => site!.find(request),
    watch: (caller, ended) => site!.watch(caller, ended),
  };
  const world = await httpWorld({ ...options, site: late, sessions: late });
  const { sessions } = world.manager;
  site = openSite({
    authenticator: world.server.access.authenticator,
    sessions: sessionFactsOf(sessions),
    authMode: options.server?.auth?.mode ?? "none",
    config: { basePath: options.basePath ?? "/", publicUrl: null, trustedProxies: [] },
    port: world.httpPort,
    clock: options.clock ?? systemClock,
    logger: keepingLogger(world.lines),
  });
  return Object.assign(world, {
    async cookieOf(holder: SessionHolder) {
      const { secret } = await sessions.open(holder, "127.0.0.1");
      return `jobctl-${world.httpPort}=${secret}`;
    },
    browse: (path: string, cookie: string | null, init: RequestInit = {}) =>
      world.send(path, {
        redirect: "manual",
        ...init,
        headers: {
          ...{ "sec-fetch-site": "same-origin", "accept": "text/html" },
          ...(cookie === null ? {} : { cookie }),
          ...init.headers as Record<string, string> | undefined,
        },
      }),
  });
}
