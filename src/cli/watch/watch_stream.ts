import { isJobError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { WatchResponse } from "../../rpc/gen/job_pb.ts";

/** How long to wait before the next attempt to connect. */
const RETRY_MS = 1_000;
/** The same for a daemon that takes calls, but nothing can be read from it. */
const POLL_MS = 2_000;

/** What a stream of changes is reported to. */
export interface StreamEvents<T> {
  /** The next message is read once it resolves. */
  received(message: T): void | Promise<void>;
  /** The daemon cannot be reached, or can be again. */
  away(isAway: boolean): void;
}

/**
 * Read a stream of the daemon until its last message, or until `signal` aborts. If the daemon goes
 * away, this waits for it for as long as it takes.
 *
 * @param open begins the stream, after a break as well
 * @throws JobError of the daemon, other than `unavailable`
 */
export async function keepReading<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  events: StreamEvents<T>,
  { clock, signal, isEnd }: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** True for the last message. Without one, a stream that ends is opened again. */
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

/** What the daemon reports by itself: the first message has everything, later ones the changes. */
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

/** True if a message says more than that the daemon is there. */
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

/** Call `changed` again and again, for a daemon that has no stream of changes. */
export async function pollDaemon(
  changed: () => void,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    changed();
    await sleep(clock, POLL_MS, signal);
  }
}
