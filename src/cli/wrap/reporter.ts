import { JobError } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import type { ReportedRun } from "../../core/job/external.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { reportedOf, requestOf, type WrappedRun } from "./wrapped_run.ts";

/** Sends reports of runs to one place. */
export interface Reporter {
  /** The place as text, which a report that is kept for later names. */
  readonly target: string;
  /** True if it takes a report that was kept for this place. */
  takes(target: string): boolean;
  /**
   * Send the known facts about a run.
   *
   * @param options.isBegun true if its begin was reported before
   * @throws JobError if it was not taken
   */
  send(
    run: WrappedRun,
    options: { readonly nowMs: number; readonly timeoutMs: number; readonly isBegun: boolean },
  ): Promise<void>;
}

/** Reports to a daemon. @param connect called with each report */
export function daemonReporter(target: string, connect: () => Promise<JobClient>): Reporter {
  return {
    target,
    takes: (other) => other === target,
    async send(run, { nowMs, timeoutMs }) {
      await (await connect()).reportRun(requestOf(run, nowMs), { timeoutMs });
    },
  };
}

/** Ends the target of a report that may also go to the socket of the daemon. */
export const OR_SOCKET = ", or its socket";

/** Reports to the daemon in this process. @param socket its Unix socket, if it has one */
export function ownReporter(
  socket: string | null,
  report: (kind: string, run: ReportedRun) => Promise<unknown>,
): Reporter {
  return {
    target: socket ?? "",
    takes: (target) => target === socket || target.endsWith(OR_SOCKET),
    async send(run, { nowMs }) {
      await report(run.kind, reportedOf(run, nowMs));
    },
  };
}

/**
 * Reports by pings, as healthchecks.io takes them: to the URL of the job's pings.
 *
 * @param daemonUser the user whose listener on this machine is accepted, if neither root's, our own
 * nor the service's
 */
export function pingReporter(url: string, daemonUser?: string): Reporter {
  const ping = async (
    run: WrappedRun,
    at: number,
    { part, body, nowMs, timeoutMs }: {
      readonly part: string;
      readonly body: string;
      readonly nowMs: number;
      readonly timeoutMs: number;
    },
  ) => {
    const target = new URL(url);
    target.pathname = `${target.pathname.replace(/\/+$/, "")}/${part}`;
    target.searchParams.set("rid", run.runId);
    const agoMs = nowMs - at;
    // Only our daemons read it.
    if (agoMs > 0) target.searchParams.set("ago", (agoMs / 1_000).toFixed(3));
    const headers = { "content-type": "text/plain; charset=utf-8" };
    const status = target.protocol === "https:"
      ? await securePost(target, { body, headers, timeoutMs })
      : await (await import("./plain_post.ts")).plainPost(target, {
        body,
        headers,
        timeoutMs,
        daemonUser,
      });
    if (status >= 200 && status < 300) return;
    const isPassing = status === 408 || status === 429 || status >= 500;
    const code = isPassing ? "unavailable" : status === 404 ? "not_found" : "invalid_argument";
    throw new JobError(code, `Cannot report to ${target.host}: it responded with ${status}`);
  };
  return {
    target: url,
    takes: (other) => other === url,
    async send(run, { nowMs, timeoutMs, isBegun }) {
      const { startedAt, end } = run;
      if (!isBegun) await ping(run, startedAt, { part: "start", body: "", nowMs, timeoutMs });
      if (end === null) return;
      const part = String(Math.min(255, end.exitCode));
      const body = end.problem === null ? end.output : `${end.problem}\n${end.output}`;
      await ping(run, end.at, { part, body, nowMs, timeoutMs });
    },
  };
}

/** Send a POST over TLS, and return the status of the response. */
async function securePost(
  url: URL,
  { timeoutMs, ...post }: {
    readonly body: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
  },
): Promise<number> {
  const abort = new AbortController();
  const timer = systemClock.timer(timeoutMs, () => abort.abort(), { unref: true });
  const request = { method: "POST", signal: abort.signal, redirect: "error", ...post } as const;
  const { status, body } = await fetch(url, request).catch((cause: unknown) => {
    throw new JobError("unavailable", `Cannot reach ${url.host}`, { cause });
  }).finally(() => timer.cancel());
  await body?.cancel();
  return status;
}
