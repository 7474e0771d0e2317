import { isJobError, JobError } from "../../core/errors.ts";
import { sleep } from "../../platform/clock.ts";
import type { FollowResponse } from "../../rpc/gen/job_pb.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { VerbContext } from "./verb.ts";
import { isFinalState } from "../io/wire.ts";

/** Time to wait for a daemon that went away. */
const AWAY_MS_MAX = 60_000;
/** Wait before the next attempt to connect. */
const RETRY_MS = 500;

/** The logs to follow: of an instance by its whole id, of a kind, or of everything. */
export interface FollowTarget {
  readonly uuid?: string | undefined;
  readonly kind?: string | undefined;
  readonly level?: string | undefined;
  readonly fromNow?: boolean;
}

/**
 * Follow logs across restarts of the daemon, each line once: a broken stream continues after its
 * last message. Ends once the instance is final, or when `signal` aborts.
 *
 * @throws JobError of the daemon; `unavailable` if it is away for a minute
 */
export async function* followSteps(
  client: Pick<JobClient, "follow">,
  target: FollowTarget,
  { io, printer, signal }: VerbContext & { readonly signal: AbortSignal },
): AsyncGenerator<FollowResponse> {
  const { uuid, kind, level, fromNow } = target;
  let cursor: string | undefined;
  let awaySinceMs: number | null = null;
  while (!signal.aborted) {
    try {
      const logsOnly = uuid === undefined ? true : undefined;
      const request = { query: { uuid, kind }, level, cursor, fromNow, logsOnly };
      for await (const step of client.follow(request, { signal })) {
        if (awaySinceMs !== null) await printer.note("The daemon is back");
        awaySinceMs = null;
        cursor = step.cursor;
        yield step;
        if (step.instance && isFinalState(step.instance.state)) return;
      }
    } catch (error) {
      if (!isJobError(error, "unavailable") || cursor === undefined) throw error;
      const nowMs = io.clock.now().monotonicMs;
      if (awaySinceMs === null) {
        await printer.note("The connection to the daemon is lost: waiting for it");
      }
      awaySinceMs ??= nowMs;
      if (nowMs - awaySinceMs > AWAY_MS_MAX) throw error;
    }
    if (!signal.aborted) await sleep(io.clock, RETRY_MS);
  }
}

/**
 * Run `action` with a signal that Ctrl-C aborts; a second Ctrl-C ends the program.
 *
 * @param options.interrupted called at the first one
 * @param options.signals signals treated like Ctrl-C
 */
export async function withInterrupt<T>(
  { io }: VerbContext,
  action: (signal: AbortSignal) => Promise<T>,
  options: {
    readonly interrupted?: () => void;
    readonly signals?: readonly NodeJS.Signals[];
  } = {},
): Promise<T> {
  const controller = new AbortController();
  const { interrupted = () => controller.abort(), signals = [] } = options;
  const stop = io.onInterrupt?.(() => {
    stop?.();
    interrupted();
  }, ["SIGINT", ...signals]);
  try {
    return await action(controller.signal);
  } finally {
    stop?.();
  }
}

/**
 * Wait for the response to a call that the daemon completes even if nobody waits.
 *
 * @param look the command that shows the result
 * @throws JobError `canceled` at Ctrl-C, SIGTERM and SIGHUP; the errors of the call
 */
export async function unlessInterrupted<T>(
  context: VerbContext,
  call: Promise<T>,
  look: string,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const interrupted = () => {
    const message = "Interrupted: the daemon has the request, and may complete it";
    reject(new JobError("canceled", message, { hint: `See ${look}` }));
  };
  return await withInterrupt(context, () => Promise.race([call, promise]), {
    interrupted,
    signals: ["SIGTERM", "SIGHUP"],
  });
}
