import { JobError } from "../../core/errors.ts";
import type { Instance, StoredLogEntry } from "../../core/instance.ts";
import { instanceChars } from "../../core/payload_chars.ts";
import { isFinal } from "../../core/state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { LogTailQuery, StoreReads } from "../../store/store.ts";
import { type ChangeOfInstance, FollowChanges, type Followers, newsOf } from "./followers.ts";
import type { FollowOptions, FollowStep } from "../api/instances.ts";

/** Most lines of one step. */
const LINES_MAX = 50;
/** Lines of the first step, while their length is unknown: each may have 8,192 characters. */
const LINES_FIRST = 4;
/** Rough limit of a step's characters; a follower that does not read holds several times more. */
const STEP_CHARS = 32_000;
/** From this many characters on, an instance is sent to few followers at once. */
const LARGE_CHARS = 32_000;
/** Time for which a follower that does not read delays the others. */
const TURN_MS = 5;
/** Shortest time between two reads of the store; with many followers, one millisecond for each. */
const INTERVAL_MS = 50;
/** Interval between reads of the store for lines of other nodes, which cause no events here. */
const OTHERS_MS = 200;
/** Interval between checks whether there are other nodes. */
const ALONE_MS = 1_000;
/** Interval of empty steps, which show each side that the other is alive. */
const IDLE_MS = 20_000;

/** Parts that {@link follow} uses. */
export interface FollowContext {
  readonly store: Pick<StoreReads, "tailLogs" | "logEnd" | "list">;
  readonly clock: Clock;
  readonly get: (id: string) => Promise<Instance>;
  /** Subscribe to changes, null meaning any; returns a function that unsubscribes. */
  readonly subscribe: (
    listener: (event: ChangeOfInstance | null) => void,
  ) => () => void;
  /** Resolves once every change is reported to subscribers; absent if it always is. */
  readonly subscribed?: () => Promise<void>;
  readonly onStop: (listener: () => void) => () => void;
  /** True if other nodes may write to the followed instances. */
  readonly hasOthers: () => boolean;
  /** Followers of this manager; kept up to date here. */
  readonly followers: Followers;
}

/** A followed instance before its lines are read. */
interface Glance {
  readonly news: string;
  readonly isFinal: boolean;
  /** Null if it is large: hundreds of followers may keep it while their clients read lines. */
  readonly instance: Instance | null;
}

const NOTHING = { entries: [], instance: null, changed: [], hasMissed: false } as const;

/**
 * Follow the log of one instance to its end, or of a kind or everything without an end. Events only
 * say that there is something to read: lines are read from the store on demand, so a slow reader
 * costs no more than its cursor.
 *
 * @throws JobError `not_found` for an unknown instance, `invalid_argument` for an unreadable
 * cursor, `unavailable` when the manager stops
 */
export async function* follow(
  query: LogTailQuery,
  options: FollowOptions,
  context: FollowContext,
): AsyncGenerator<FollowStep> {
  const { store, followers } = context;
  const changes = query.instanceId !== undefined || options.logsOnly
    ? null
    : new FollowChanges(context);
  const bell = new Bell(query, options.signal, { ...context, changes });
  followers.count += 1;
  try {
    if (changes) {
      await context.subscribed?.();
      changes.begin();
    }
    const start = options.fromNow ? await store.logEnd() : null;
    let cursor = options.cursor ?? start;
    let shown: string | null = null;
    let limit = LINES_FIRST;
    for (;;) {
      bell.clear();
      // Read before the log, to include the last lines of a final instance.
      const glance = await glanceAt(query.instanceId, options.signal, context);
      if (context.hasOthers()) changes?.recheck();
      const { changed, hasMissed } = await changes?.take() ?? NOTHING;
      let isEnd = false;
      while (!isEnd && !options.signal?.aborted) {
        let tail = await store.tailLogs(query, { cursor, limit });
        limit = linesLike(tail.items);
        // Much longer than earlier ones: read fewer.
        if (tail.items.length > 2 * limit) tail = await store.tailLogs(query, { cursor, limit });
        ({ cursor, isEnd } = tail);
        if (context.hasOthers()) changes?.noteLines(tail.items);
        const news = glance?.news ?? "";
        // The instance comes after the lines before its change.
        const isNew = isEnd && shown !== news;
        const isLarge = isNew && glance?.instance === null;
        const hasChanges = isEnd && (hasMissed || changed.length > 0);
        if (tail.items.length > 0 || isNew && !isLarge || hasChanges) {
          if (isNew && !isLarge) shown = news;
          const step = { ...NOTHING, entries: tail.items, cursor };
          if (hasChanges) yield { ...step, changed, hasMissed };
          else yield { ...step, instance: isNew && glance?.instance || null };
        }
        if (isLarge) {
          const sent = yield* sendLarge(query, { ...options, cursor, limit }, context);
          cursor = sent.cursor;
          if (sent.news === null) bell.ring();
          else shown = sent.news;
        }
      }
      if (options.signal?.aborted || (glance?.isFinal && shown === glance.news)) return;
      if (changes?.hasMore) bell.ring();
      while (await bell.rung() === "idle") {
        // Instances that other nodes accept and run without a line go unnoticed here.
        yield { ...NOTHING, cursor: cursor!, hasMissed: changes !== null && context.hasOthers() };
      }
      if (options.signal?.aborted) return;
    }
  } finally {
    followers.count -= 1;
    bell.close();
    // There may be no listener left to note its changes.
    if (query.instanceId !== undefined) followers.forget(query.instanceId);
  }
}

async function glanceAt(
  id: string | undefined,
  signal: AbortSignal | undefined,
  context: FollowContext,
): Promise<Glance | null> {
  if (id === undefined) return null;
  const { followers } = context;
  const end = await followers.looks.acquire(signal);
  try {
    const instance = await followers.get(id, context);
    return {
      news: newsOf(instance),
      isFinal: isFinal(instance.state),
      instance: instanceChars(instance) < LARGE_CHARS ? instance : null,
    };
  } finally {
    end();
  }
}

/**
 * Send a large instance once few other followers are being sent one. Returns it as news; null if
 * there are more lines to read first.
 */
async function* sendLarge(
  query: LogTailQuery,
  { signal, ...from }: FollowOptions & { readonly cursor: string | null; readonly limit: number },
  context: FollowContext,
): AsyncGenerator<FollowStep, { readonly cursor: string | null; readonly news: string | null }> {
  const { store, clock, followers } = context;
  const end = await followers.larges.acquire(signal);
  // The connection limits the memory of data that a client leaves unread.
  const timer = clock.timer(TURN_MS, end, { unref: true });
  try {
    if (signal?.aborted) return { cursor: from.cursor, news: null };
    const instance = await followers.get(query.instanceId!, context);
    const { items, cursor, isEnd } = await store.tailLogs(query, from);
    const isSent = isEnd || !isFinal(instance.state);
    const news = isSent ? newsOf(instance) : null;
    // A separate step, so that the instance is encoded once for all of its followers.
    if (items.length > 0) yield { ...NOTHING, entries: items, cursor };
    if (isSent) yield { ...NOTHING, cursor, instance };
    return { cursor, news };
  } finally {
    timer.cancel();
    end();
  }
}

/** The number of lines of this length in one step. */
function linesLike(entries: readonly StoredLogEntry[]): number {
  const chars = entries.reduce((sum, { message }) => sum + message.length, 0);
  if (chars === 0) return LINES_MAX;
  return Math.max(1, Math.min(LINES_MAX, Math.floor(STEP_CHARS * entries.length / chars)));
}

/** Rings when something happened that a follower may want to read. */
class Bell {
  readonly #context: FollowContext & { readonly changes: FollowChanges | null };
  readonly #signal: AbortSignal | undefined;
  readonly #closers: (() => void)[];
  #isRung = false;
  #hasStopped = false;
  #wake: (() => void) | null = null;
  #clearedMs: number;
  #idleMs: number;

  constructor(
    query: LogTailQuery,
    signal: AbortSignal | undefined,
    context: FollowContext & { readonly changes: FollowChanges | null },
  ) {
    this.#context = context;
    this.#signal = signal;
    this.#clearedMs = this.#idleMs = context.clock.now().monotonicMs;
    const ring = () => this.ring();
    signal?.addEventListener("abort", ring);
    this.#closers = [
      context.subscribe((event) => {
        const { changes } = context;
        if (event === null) {
          if (changes) changes.miss();
          else context.followers.forgetAll();
          return this.ring();
        }
        const { instance } = event;
        const isMeant = query.instanceId === undefined
          ? query.kind === undefined || instance.kind === query.kind
          : instance.id === query.instanceId;
        if (!isMeant) return;
        if (changes) changes.note(event);
        else if (event.type !== "log" && event.type !== "attempt") {
          context.followers.forget(instance.id);
        }
        this.ring();
      }),
      context.onStop(() => {
        this.#hasStopped = true;
        this.ring();
      }),
      () => signal?.removeEventListener("abort", ring),
    ];
  }

  clear(): void {
    this.#isRung = false;
    this.#clearedMs = this.#context.clock.now().monotonicMs;
  }

  /** Wait for a ring, and then for the others' share of the time. */
  async rung(): Promise<"rung" | "idle"> {
    const { followers, clock, hasOthers } = this.#context;
    for (let mustLook = false; !this.#isRung && !mustLook;) {
      mustLook = hasOthers();
      await this.#wait(mustLook ? OTHERS_MS : ALONE_MS, () => this.#isRung);
      const nowMs = clock.now().monotonicMs;
      if (this.#isRung || nowMs - this.#idleMs < IDLE_MS) continue;
      this.#idleMs = nowMs;
      return "idle";
    }
    const intervalMs = Math.max(INTERVAL_MS, followers.count);
    const leftMs = this.#clearedMs + intervalMs - clock.now().monotonicMs;
    if (leftMs > 0) await this.#wait(leftMs, () => this.#isOver);
    if (this.#hasStopped && !this.#signal?.aborted) {
      throw new JobError("unavailable", "Cannot follow any longer: the manager has stopped", {
        hint: "Resume from the last cursor once it has restarted",
      });
    }
    return "rung";
  }

  close(): void {
    for (const close of this.#closers) close();
  }

  get #isOver(): boolean {
    return this.#hasStopped || this.#signal?.aborted === true;
  }

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async #wait(delayMs: number, isEnough: () => boolean): Promise<void> {
    if (isEnough()) return;
    await new Promise<void>((resolve) => {
      const timer = this.#context.clock.timer(delayMs, resolve, { unref: true });
      this.#wake = () => {
        if (!isEnough()) return;
        timer.cancel();
        resolve();
      };
    });
    this.#wake = null;
  }
}
