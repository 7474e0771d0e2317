import type { SessionFacts } from "../../manager/sessions/session.ts";
import type { ConfiguredAuthenticator } from "../../rpc/auth/authenticator.ts";
import { SessionCallers } from "../../rpc/auth/session_callers.ts";
import { Site, type SiteOptions } from "./site.ts";

// A separate module, so that one import loads the site and everything it needs.

/** Make the site of a daemon, with the sessions of its store. */
export function openSite(
  { sessions, authenticator, ...options }: Omit<SiteOptions, "callers" | "authenticator"> & {
    readonly sessions: SessionFacts;
    readonly authenticator: ConfiguredAuthenticator;
  },
): Site {
  const callers = new SessionCallers({
    sessions,
    clock: options.clock,
    isCurrent: (holder) => authenticator.isCurrent(holder),
  });
  return new Site({ ...options, callers, authenticator });
}
