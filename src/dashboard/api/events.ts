import { chance, pause } from "../browser/clock.ts";
import { noteStatus } from "./client.ts";
import { EventParser, type StreamEvent } from "./event_parser.ts";
import { Problem, problemIn, problemOf, toProblem } from "./problem.ts";

/** State of a stream. */
export type StreamState = "connecting" | "open" | "broken" | "ended";

/** Options of {@link follow}. */
export interface FollowOptions {
  /** The URL, asked before each connection. */
  readonly url: () => string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: StreamEvent) => void;
  readonly onState?: (state: StreamState, problem: Problem | null) => void;
}

/** First and longest wait before another connection, in milliseconds. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 15_000;
/** A stream that is silent for longer is broken: the daemon sends something every 20 s. */
const SILENCE_MS = 45_000;
/** Statuses after which another connection would not help. */
const LASTING = [400, 403, 404, 405, 410];

/**
 * Read a stream of events until it ends, is aborted, or is finally refused. After a lost connection
 * it continues behind the last event.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { signal, onState = () => {} } = options;
  const place = { lastId: "" };
  let waitMs = RETRY_MS;
  while (!signal.aborted) {
    onState("connecting", null);
    let problem: Problem | null = null;
    try {
      const isOver = await readOnce(options, place, () => {
        waitMs = RETRY_MS;
        onState("open", null);
      });
      if (isOver) return onState("ended", null);
    } catch (error) {
      if (signal.aborted) return;
      problem = toProblem(error);
      if (LASTING.includes(problem.status)) return onState("ended", problem);
    }
    if (signal.aborted) return;
    onState("broken", problem);
    // Many tabs must not come back at the same moment.
    await pause(waitMs * (0.5 + chance()), signal);
    waitMs = Math.min(RETRY_MS_MAX, waitMs * 2);
  }
}

/** Read from one connection. @returns true if the stream is over, not only the connection */
async function readOnce(
  { url, signal, onEvent }: FollowOptions,
  place: { lastId: string },
  onOpen: () => void,
): Promise<boolean> {
  const silence = new AbortController();
  const response = await fetch(url(), {
    headers: {
      accept: "text/event-stream",
      ...(place.lastId === "" ? {} : { "last-event-id": place.lastId }),
    },
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.any([signal, silence.signal]),
  });
  noteStatus(response.status);
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return true;
  if (response.body === null) throw new Problem("No stream", { status: 0, code: "internal" });
  onOpen();
  let isOver = false;
  let problem: Problem | null = null;
  const parser = new EventParser((event) => {
    if (event.id !== "") place.lastId = event.id;
    if (event.event === "end") isOver = true;
    else if (event.event === "problem") problem = problemIn(JSON.parse(event.data), 0);
    else onEvent(event);
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const watch = new AbortController();
    void pause(SILENCE_MS, watch.signal).then(() => {
      if (!watch.signal.aborted) silence.abort();
    });
    const { done, value } = await reader.read().finally(() => watch.abort());
    if (done) return isOver;
    parser.add(decoder.decode(value, { stream: true }));
    if (problem !== null) throw problem;
  }
}
