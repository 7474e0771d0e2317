import { isJobError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { WatchResponse } from "../../rpc/gen/job_pb.ts";

/** Wait before the next attempt to connect. */
const RETRY_MS = 1_000;
/** The same for a daemon that takes calls, but cannot read its store. */
const POLL_MS = 2_000;

/** Receives a stream of changes. */
export interface StreamEvents<T> {
  /** The next message is read once it resolves. */
  received(message: T): void | Promise<void>;
  /** The daemon cannot be reached, or can be again. */
  away(isAway: boolean): void;
}

/**
 * Read a stream of the daemon until its last message, or until `signal` aborts. If the daemon goes
 * away, this waits for it without a limit.
 *
 * @param open begins the stream, also after a break
 * @throws JobError of the daemon, other than `unavailable`
 */
export async function keepReading<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  events: StreamEvents<T>,
  { clock, signal, isEnd }: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** True for the last message. Otherwise a stream that ends is reopened. */
    readonly isEnd?: (message: T) => boolean;
  },
): Promise<void> {
  let isAway = false;
  while (!signal.aborted) {
    try {
      for await (const message of open(signal)) {
        if (isAway) events.away(isAway = false);
        await events.received(message);
        if (isEnd?.(message)) return;
      }
    } catch (error) {
      if (!isJobError(error, "unavailable")) throw error;
      if (!isAway) events.away(isAway = true);
    }
    await sleep(clock, RETRY_MS, signal);
  }
}

/** The daemon's reports: the first message has everything, later ones the changes. */
export async function watchDaemon(
  client: Pick<JobClient, "watch">,
  kind: string | undefined,
  events: StreamEvents<WatchResponse>,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  let cursor: string | undefined;
  const open = (signal: AbortSignal) => client.watch({ kind, cursor }, { signal });
  await keepReading(open, {
    received(message) {
      cursor = message.cursor;
      return events.received(message);
    },
    away: events.away,
  }, options);
}

/** True if a message contains more than a sign of life. */
export function hasNews(message: WatchResponse): boolean {
  return message.isWhole || message.changesMissed || message.changed.length > 0 ||
    message.kinds.length > 0 || message.kindsMissed || message.problem !== undefined ||
    PARTS.some((part) => message[part] !== undefined);
}

const PARTS = [
  "status",
  "totals",
  "running",
  "upcoming",
  "failures",
  "incidents",
  "pauses",
  "nodes",
] as const;

/** Call `changed` repeatedly, for a daemon without a stream of changes. */
export async function pollDaemon(
  changed: () => void,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    changed();
    await sleep(clock, POLL_MS, signal);
  }
}
