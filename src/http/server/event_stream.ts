import { toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { CallTracker } from "../../rpc/guard/call_tracker.ts";
import { UNREAD_MS } from "../../rpc/limits.ts";
import type { ApiEvent, EventsResponse } from "../request/http_types.ts";
import { problemText } from "../api/problem.ts";
import type { HttpConnection } from "../wire/connection.ts";

/** Longest silence on a stream: proxies close streams that seem dead. */
const SILENCE_MS = 15_000;
/** Wait before a client connects again, in milliseconds. */
const RETRY_MS = 1_000;

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  // Otherwise nginx collects events before it passes them on.
  "x-accel-buffering": "no",
};

/** The text of an event, as in the HTML standard (9.2.5). */
function eventText({ id, event, data }: ApiEvent): string {
  let text = "";
  if (event !== undefined) text += `event: ${inOneLine(event)}\n`;
  if (id !== undefined) text += `id: ${inOneLine(id)}\n`;
  for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  return `${text}\n`;
}

// An id with a NUL is ignored by clients.
function inOneLine(text: string): string {
  return text.replace(/[\r\n\0]/g, " ");
}

/** Target of a stream. */
export interface EventTarget {
  readonly connection: HttpConnection;
  /** Aborts when the client has disconnected, or the stream must end. */
  readonly signal: AbortSignal;
  /** The tracker's name of the connection. */
  readonly peer: string;
  readonly tracker: CallTracker;
  readonly clock: Clock;
}

/**
 * Send events until they end, or until the client disconnects or leaves one unread for too long. An
 * error becomes the last event, with the type "problem". Does not end the response.
 */
export async function sendEvents(
  { headers, events }: EventsResponse,
  { connection, signal, peer, tracker, clock }: EventTarget,
): Promise<void> {
  let isWriting = false;
  const write = async (text: string) => {
    isWriting = true;
    const taken = tracker.sendMessage(peer, text.length);
    try {
      await writePiece(connection, text, { clock, signal });
    } finally {
      taken();
      isWriting = false;
      silence.setIn(SILENCE_MS);
    }
  };
  const silence = new LazyTimer(clock, () => {
    if (isWriting) silence.setIn(SILENCE_MS);
    else void write(":\n\n");
  });
  connection.beginStream(200, { ...headers, ...HEADERS });
  try {
    await write(`retry: ${RETRY_MS}\n\n`);
    for await (const event of events) {
      await write(eventText(event));
      if (signal.aborted) break;
    }
  } catch (thrown) {
    const data = problemText(toJobError(thrown, "Cannot send events"));
    // The signal may have aborted because the daemon is stopping.
    connection.writePiece(eventText({ event: "problem", data }), () => {});
  } finally {
    silence.cancel();
  }
}

/**
 * Write a piece, and wait until the system has taken it or the signal aborts. A client that leaves
 * it unread for half a minute is disconnected.
 */
function writePiece(
  connection: HttpConnection,
  text: string,
  { clock, signal }: Pick<EventTarget, "clock" | "signal">,
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      timer.cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.timer(UNREAD_MS, () => connection.destroy(), { unref: true });
    signal.addEventListener("abort", finish);
    connection.writePiece(text, finish);
  });
}
