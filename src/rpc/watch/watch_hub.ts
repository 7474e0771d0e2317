import { JobError } from "../../core/errors.ts";
import type { Timer } from "../../platform/clock.ts";
import type { WatchRequest } from "../gen/job_pb.ts";
import type { StreamSignal } from "../backend.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { textOf } from "../messages/requests.ts";
import {
  QUIET_MS,
  ROUND_MS,
  WatchQuestion,
  type WatchSource,
  type WatchSubject,
} from "./watch_question.ts";

/** Time for which changes are collected after a quiet time. */
const TOGETHER_MS = 50;
/** Readings take at most this share of the time: the longer they take, the rarer they are. */
const SHARE = 1 / 20;
/** Longest pause because of that. */
const PAUSE_MAX_MS = 15_000;
/** A watcher gets a message at least this often. */
const SILENCE_MS = 15_000;
/** Time for which a question is kept without watchers, so that they can resume. */
const KEPT_MS = 60_000;
/** Most different questions. */
const QUESTIONS_MAX = 50;

/**
 * Answers the watchers of a daemon. Watchers with the same rights and request share one question.
 * It is read at most once a second, and only while watched.
 */
export class WatchHub {
  readonly #source: WatchSource;
  /** Begins the cursors of this process. */
  readonly #name: string;
  readonly #questions = new Map<string, WatchQuestion>();
  #count = 0;
  #timer: Timer | null = null;
  #isReading = false;
  /** Monotonic ms before which nothing is read again. */
  #nextMs = 0;
  #unsubscribe: (() => void) | null = null;
  /** Resolves once changes are noted. */
  #subscribed: Promise<void> = Promise.resolve();

  /** @param name differs from every earlier hub's, even in earlier processes */
  constructor(source: WatchSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  /** The messages of a watcher until its signal aborts. @throws JobError for a bad request */
  async *watch(
    bytes: Uint8Array,
    { jobs, signal, isJson = false }: StreamSignal,
  ): AsyncGenerator<Uint8Array> {
    const request = decodeRequest<WatchRequest>("job.v1.WatchRequest", bytes);
    const question = this.#questionOf({ jobs, isJson, kind: textOf(request.kind) });
    const { log } = question;
    let place = log.placeOf(request.cursor);
    const { clock } = this.#source;
    question.watcherCount += 1;
    // The first message comes at once, even if the watcher has missed nothing.
    let sentMs = -Infinity;
    try {
      this.#begin(question);
      while (!signal.aborted) {
        const { wallMs, monotonicMs } = clock.now();
        if (question.failure !== null) throw question.failure;
        if (log.seq > place) {
          const message = log.messageAfter(place);
          place = log.seq;
          sentMs = monotonicMs;
          yield message;
        } else if (place > 0 && monotonicMs - sentMs >= SILENCE_MS) {
          sentMs = monotonicMs;
          yield log.silence(wallMs);
        } else {
          await question.next(signal);
        }
      }
    } finally {
      question.watcherCount -= 1;
      question.leftMs = clock.now().monotonicMs;
    }
  }

  #questionOf(subject: WatchSubject): WatchQuestion {
    const key = JSON.stringify([subject.jobs, subject.isJson, subject.kind]);
    const known = this.#questions.get(key);
    if (known) return known;
    this.#forget();
    if (this.#questions.size >= QUESTIONS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot watch: ${QUESTIONS_MAX} different things are watched already`,
        { path: "kind", hint: "Watch all jobs, or close other watchers" },
      );
    }
    this.#count += 1;
    const question = new WatchQuestion(this.#source, subject, `${this.#name}-${this.#count}`);
    this.#questions.set(key, question);
    return question;
  }

  /** Forget questions without watchers: long unwatched ones, or all to make room. */
  #forget(): void {
    const { monotonicMs } = this.#source.clock.now();
    for (const [key, question] of this.#questions) {
      if (question.watcherCount > 0) continue;
      const isOld = monotonicMs - question.leftMs >= KEPT_MS;
      if (isOld || this.#questions.size >= QUESTIONS_MAX) this.#questions.delete(key);
    }
  }

  #begin(question: WatchQuestion): void {
    // Its changes were not noted while it had no watcher.
    if (question.watcherCount === 1) question.noteGap();
    const isFirst = this.#unsubscribe === null;
    if (isFirst) this.#subscribe();
    if (isFirst || question.log.seq === 0) this.#readIn(0);
  }

  #subscribe(): void {
    let isSubscribed = false;
    this.#unsubscribe = this.#source.subscribe((change) => {
      // Earlier changes are in the first reading.
      if (!isSubscribed) return;
      for (const each of this.#questions.values()) {
        if (each.watcherCount > 0 && each.note(change)) this.#readSoon();
      }
    });
    this.#subscribed = (this.#source.subscribed?.() ?? Promise.resolve()).then(() => {
      isSubscribed = true;
    });
  }

  /** Read once simultaneous changes have arrived, but not too often. */
  #readSoon(): void {
    const waitMs = this.#nextMs - this.#source.clock.now().monotonicMs;
    this.#readIn(Math.max(TOGETHER_MS, waitMs));
  }

  #readIn(delayMs: number): void {
    if (this.#isReading) return;
    this.#timer?.cancel();
    this.#timer = this.#source.clock.timer(delayMs, () => void this.#read(), { unref: true });
  }

  async #read(): Promise<void> {
    const { clock } = this.#source;
    this.#isReading = true;
    this.#timer = null;
    await this.#subscribed;
    const beginMs = clock.now().monotonicMs;
    let busyMs = 0;
    for (const question of this.#questions.values()) {
      const startMs = clock.now().monotonicMs;
      if (question.watcherCount === 0) continue;
      if (question.isDue(startMs)) {
        await question.read();
        busyMs += clock.now().monotonicMs - startMs;
      }
      question.wake();
    }
    this.#isReading = false;
    this.#forget();
    const isWatched = [...this.#questions.values()].some((each) => each.watcherCount > 0);
    if (!isWatched) {
      this.#unsubscribe?.();
      this.#unsubscribe = null;
      if (this.#questions.size > 0) this.#readIn(KEPT_MS);
      return;
    }
    this.#nextMs = beginMs + Math.min(PAUSE_MAX_MS, Math.max(ROUND_MS, busyMs / SHARE));
    const hasNews = [...this.#questions.values()].some((each) => each.hasNews);
    if (hasNews) this.#readSoon();
    else this.#readIn(Math.max(QUIET_MS, this.#nextMs - clock.now().monotonicMs));
  }
}
