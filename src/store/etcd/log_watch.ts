import { backoffMs } from "../../core/backoff.ts";
import { isJobError, JobError, toJobError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { MediumListener } from "../replica/medium.ts";
import {
  type CommitLog,
  type LogEntry,
  type LogHead,
  parseEntry,
  parseHead,
  readChanges,
} from "./commit_log.ts";
import type { EtcdCalls, EtcdStream } from "./calls.ts";
import { boundsOf, readOf, readTogether } from "./keys.ts";
import { parseFold } from "./folding.ts";
import {
  Watch,
  WatchCreateRequest_FilterType as Filter,
  type WatchResponse,
} from "./gen/etcd_pb.ts";
import { Event_EventType as EventType } from "./gen/kv_pb.ts";
import type { Layout } from "./layout.ts";

/** Commits read at a time when catching up. */
const CATCH_UP_ENTRIES = 32;
/** Waits before a broken watch is resumed. */
const BACKOFF = { firstMs: 50, longestMs: 1_000 };
/** Most commits that wait for their parts; beyond, the watch resumes from the last reported one. */
const WAITING_MAX = 1_000;
/** Shortest time between two log lines about a broken watch, in milliseconds. */
const WARN_EVERY_MS = 60_000;

type Stream = EtcdStream<typeof Watch.method.watch>;

/** Parts of a watch. */
export interface LogWatchOptions {
  readonly calls: EtcdCalls;
  readonly layout: Layout;
  readonly log: CommitLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reports every commit after a version, in order. It reads the log from there at one revision, then
 * watches from the next. When the watch breaks it starts over, so compacted versions are not
 * needed.
 */
export class LogWatch {
  readonly #options: LogWatchOptions;
  readonly #listener: MediumListener;
  readonly #stopping = new AbortController();
  /** The last reported one. */
  #version: number;
  #stream: { cancel(): void } | null = null;
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;
  #warnedMs = -Infinity;

  constructor(from: number, listener: MediumListener, options: LogWatchOptions) {
    this.#version = from;
    this.#listener = listener;
    this.#options = options;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
    this.#stream?.cancel();
  }

  /** Report a commit of this node, unless the watch already has; its event is then skipped. */
  reportOwn(change: Parameters<MediumListener["changed"]>[0]): void {
    if (this.#stopping.signal.aborted || change.version !== this.#version + 1) return;
    this.#report(change);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        const revision = await this.#catchUp();
        failures = 0;
        if (!signal.aborted) await this.#follow(revision + 1n);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = toJobError(thrown, "Cannot watch the store");
        if (isLost(error)) {
          this.stop();
          this.#listener.lost(error);
          return;
        }
        this.#warn(error);
        await sleep(this.#options.clock, backoffMs(BACKOFF, failures), signal);
        failures += 1;
      }
    }
  }

  /** Report new commits in the log. @returns the revision of that moment */
  async #catchUp(): Promise<bigint> {
    const { calls, layout, log } = this.#options;
    for (;;) {
      const since = { head: log.head, version: this.#version };
      const { revision, ranges } = await readTogether(calls, "read the log", [
        readOf(layout.head),
        readOf(layout.fold),
        readOf(layout.logAfter(since.version), CATCH_UP_ENTRIES),
      ]);
      const [head, fold, entries] = ranges;
      checkHead(log, parseHead(head?.kvs ?? []), since);
      const folded = parseFold(fold?.kvs ?? []).version;
      if (folded > this.#version) {
        throw new LostError(
          `commits up to ${folded} are folded, and ${this.#version} was reported last`,
        );
      }
      for (const kv of entries?.kvs ?? []) await this.#take(parseEntry(layout, kv));
      if (entries?.more !== true) return revision;
    }
  }

  /** Watch until the stream ends. @throws JobError with the reason */
  async #follow(startRevision: bigint): Promise<void> {
    const { calls, layout } = this.#options;
    let fail!: (error: JobError) => void;
    const ended = new Promise<void>((_resolve, reject) => fail = reject);
    const stream: Stream = await calls.stream(Watch.method.watch, {
      action: "watch the log",
      received: (message) => this.#received(message, fail),
      ended: fail,
    });
    this.#stream = { cancel: () => (stream.cancel(), fail(stoppedError())) };
    const start = { startRevision, progressNotify: true, fragment: true };
    const log = { ...boundsOf(layout.logAfter(0)), filters: [Filter.NODELETE] };
    // The head is deleted only with everything else, which no log entry reports.
    const head = { ...boundsOf(layout.head), filters: [Filter.NOPUT] };
    for (const range of [log, head]) {
      stream.send({ requestUnion: { case: "createRequest", value: { ...start, ...range } } });
    }
    try {
      await ended;
    } finally {
      this.#stream = null;
      stream.cancel();
      await this.#queue;
    }
  }

  #received(message: WatchResponse, fail: (error: JobError) => void): void {
    if (message.canceled) {
      const why = message.compactRevision > 0n
        ? `everything before revision ${message.compactRevision} was compacted`
        : message.cancelReason;
      return fail(new JobError("unavailable", `Cannot watch the log: ${why}`));
    }
    for (const { type, kv } of message.events) {
      if (kv === undefined) continue;
      if (type === EventType.DELETE) {
        return fail(new JobError("unavailable", "Cannot watch the log: the head was deleted"));
      }
      const { layout } = this.#options;
      // Skip commits of this node, which were already reported.
      if (layout.versionOf(kv.key) <= this.#version) continue;
      if (this.#waiting >= WAITING_MAX) {
        return fail(new JobError("unavailable", "Cannot watch the log: too many commits at once"));
      }
      this.#waiting += 1;
      const entry = parseEntry(layout, kv);
      this.#queue = this.#queue.then(() => this.#take(entry)).catch((thrown) => {
        fail(toJobError(thrown, "Cannot read a commit"));
      }).finally(() => this.#waiting -= 1);
    }
  }

  async #take(entry: LogEntry): Promise<void> {
    if (entry.version <= this.#version) return;
    const { calls, layout, log } = this.#options;
    const changes = await readChanges(calls, layout, entry);
    if (this.#stopping.signal.aborted || entry.version <= this.#version) return;
    if (entry.version !== this.#version + 1) {
      throw new JobError(
        "unavailable",
        `Cannot watch the log: commit ${entry.version} follows ${this.#version}`,
      );
    }
    log.noteEntry(entry);
    this.#report({ version: entry.version, ...changes });
  }

  #report(change: Parameters<MediumListener["changed"]>[0]): void {
    this.#version = change.version;
    this.#listener.changed(change);
  }

  #warn(error: JobError): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.now().monotonicMs;
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#warnedMs = nowMs;
    logger.warn("The watch of the store ended, and is being restarted", { error: error.message });
  }
}

/** The watch cannot continue from its version. */
class LostError extends JobError {
  constructor(why: string) {
    super("unavailable", `Cannot continue watching the store: ${why}`);
  }
}

function isLost(error: JobError): boolean {
  return error instanceof LostError || isJobError(error, "internal");
}

/** @throws LostError if a head cannot follow the known one */
function checkHead(
  log: CommitLog,
  head: LogHead | null,
  since: { readonly head: LogHead | null; readonly version: number },
): void {
  try {
    log.note(head, since.head);
  } catch (error) {
    throw new LostError((error as JobError).message);
  }
  if ((head?.version ?? 0) < since.version) {
    throw new LostError(`its head went back to ${head?.version ?? 0} from ${since.version}`);
  }
}

function stoppedError(): JobError {
  return new JobError("canceled", "Cannot watch the store: stopped");
}
