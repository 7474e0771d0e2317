import { isJobError } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Clock } from "../../platform/clock.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { JobInstance, LogEntry } from "../../rpc/gen/job_pb.ts";
import { clockText } from "../output/when.ts";
import { keepReading } from "../watch/watch_stream.ts";
import { isFinalState, msOf } from "../io/wire.ts";

/** Lines read at once. */
const PAGE_LINES = 1_000;

/** Receives the log of an instance. */
export interface LogEvents {
  /** New lines at the end, or with `isOlder` at the beginning. */
  lines(lines: readonly string[], isOlder: boolean): void;
  instance(instance: JobInstance): void;
  away(isAway: boolean): void;
  failed(error: unknown): void;
}

/** A line of a log: the time of day, the level if it matters, and the text. */
function logLine(entry: LogEntry): string {
  const level = entry.level === "info" ? "" : `${makeVisible(entry.level.toUpperCase())} `;
  const text = entry.message.split("\t").map(makeVisible).join("    ");
  return `${clockText(msOf(entry.at) ?? 0)} ${level}${text}`;
}

/** Sequences of terminals that set colors, which logs often have. */
// deno-lint-ignore no-control-regex
const COLORS = /\u001b\[[\d;:]*m/g;

function linesOf(entries: readonly LogEntry[]): readonly string[] {
  return entries.map((entry) =>
    logLine({ ...entry, message: entry.message.replaceAll(COLORS, "") })
  );
}

/** Reads the log of an instance: its end first, then additions, and earlier lines on request. */
export class LogReader {
  readonly #client: JobClient;
  readonly #uuid: string;
  readonly #events: LogEvents;
  readonly #stop = new AbortController();
  /** Number of the last line that was reported. */
  #last = 0n;
  #olderToken: string | undefined;
  #isReadingOlder = false;

  constructor(client: JobClient, uuid: string, events: LogEvents) {
    this.#client = client;
    this.#uuid = uuid;
    this.#events = events;
  }

  /** True if lines before the first one can be read. */
  get hasOlder(): boolean {
    return this.#olderToken !== undefined;
  }

  /** Read the end, and follow until the instance has ended. */
  start(clock: Clock): void {
    this.#run(clock).catch((error) => {
      if (!this.#stop.signal.aborted) this.#events.failed(error);
    });
  }

  /** Read the page before the first line. */
  async readOlder(): Promise<void> {
    if (this.#isReadingOlder || this.#olderToken === undefined) return;
    this.#isReadingOlder = true;
    try {
      const { entries } = await this.#readPage(this.#olderToken);
      this.#events.lines(linesOf(entries.toReversed()), true);
    } catch (error) {
      if (!isJobError(error, "unavailable")) this.#events.failed(error);
    } finally {
      this.#isReadingOlder = false;
    }
  }

  close(): void {
    this.#stop.abort();
  }

  async #readPage(pageToken: string | undefined) {
    const { signal } = this.#stop;
    const query = { uuid: this.#uuid, pageSize: PAGE_LINES, pageToken };
    const page = await this.#client.lookupInstanceLogs({ query, newestFirst: true }, { signal });
    this.#olderToken = page.nextPageToken || undefined;
    return page;
  }

  async #run(clock: Clock): Promise<void> {
    let cursor: string | undefined;
    const open = (signal: AbortSignal) =>
      this.#client.follow({ query: { uuid: this.#uuid }, cursor, fromNow: true }, { signal });
    await keepReading(open, {
      received: async (message) => {
        // The stream has begun: no line is missed between it and the current end of the log.
        if (cursor === undefined) await this.#readEnd();
        cursor = message.cursor;
        this.#report(message.entries);
        if (message.instance) this.#events.instance(message.instance);
      },
      away: (isAway) => this.#events.away(isAway),
    }, {
      clock,
      signal: this.#stop.signal,
      isEnd: ({ instance }) => instance !== undefined && isFinalState(instance.state),
    });
  }

  async #readEnd(): Promise<void> {
    const { entries } = await this.#readPage(undefined);
    const isNewestFirst = entries.length < 2 || entries[0]!.seq > entries[1]!.seq;
    this.#report(isNewestFirst ? entries.toReversed() : entries);
    if (isNewestFirst || !this.hasOlder) return;
    // An older daemon begins with the first line.
    this.#olderToken = undefined;
    this.#events.lines(["… lines are left out here: see jobctl logs"], false);
  }

  /** Report the entries that are new. */
  #report(entries: readonly LogEntry[]): void {
    const news = entries.filter(({ seq }) => seq > this.#last);
    if (news.length === 0) return;
    this.#last = news.at(-1)!.seq;
    this.#events.lines(linesOf(news), false);
  }
}
