import { isJobError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { FollowResponse } from "../../rpc/gen/job_pb.ts";
import { isFinalState } from "../io/wire.ts";
import { hasNews, keepReading, pollDaemon, watchDaemon } from "./watch_stream.ts";

/** The watched subject: one instance by its whole id, one kind, or everything. */
export interface WatchTarget {
  readonly uuid?: string | undefined;
  readonly kind?: string | undefined;
}

/** Least time between two looks. */
const GAP_MS = 1_000;
/** Longest time between two looks: it keeps ages right, and finds unreported changes. */
const AGE_MS = 5_000;

/** Signals when to look again. */
export class Changes {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #everyMs: number | null;
  #wake: (() => void) | null = null;
  #isRung = false;
  #lookedMs = -Infinity;
  #failure: unknown = null;
  #isAway = false;
  #hasEnded = false;

  /** @param everyMs look at this interval; null for at each change */
  constructor(
    { clock, signal, everyMs }: {
      readonly clock: Clock;
      readonly signal: AbortSignal;
      readonly everyMs: number | null;
    },
  ) {
    this.#clock = clock;
    this.#signal = signal;
    this.#everyMs = everyMs;
    signal.addEventListener("abort", () => this.ring());
  }

  /** True while the daemon cannot be reached. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** True once the instance has ended: nothing will change. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Begin to follow the daemon's reports. */
  start(client: Pick<JobClient, "watch" | "follow">, target: WatchTarget): void {
    this.#follow(client, target).catch((error) => {
      this.#failure = error;
      this.ring();
    });
  }

  /** Look again, at once. */
  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /**
   * Resolves when it is time to look again; with false if nobody looks any more.
   *
   * @throws JobError of the daemon, which would refuse the next call too
   */
  async next(): Promise<boolean> {
    await this.#rung(this.#everyMs ?? AGE_MS);
    const gapMs = this.#lookedMs + GAP_MS - this.#clock.now().monotonicMs;
    if (gapMs > 0 && !this.#hasEnded) await sleep(this.#clock, gapMs, this.#signal);
    this.#isRung = false;
    this.#lookedMs = this.#clock.now().monotonicMs;
    if (this.#failure !== null) throw this.#failure;
    return !this.#signal.aborted;
  }

  async #rung(longestMs: number): Promise<void> {
    if (this.#isRung) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.timer(longestMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  #changed(): void {
    if (this.#everyMs === null) this.ring();
  }

  async #follow(
    client: Pick<JobClient, "watch" | "follow">,
    { uuid, kind }: WatchTarget,
  ): Promise<void> {
    const options = { clock: this.#clock, signal: this.#signal };
    const away = (isAway: boolean) => {
      this.#isAway = isAway;
      this.ring();
    };
    try {
      if (uuid !== undefined) return await this.#followInstance(client, uuid, away);
      const received = (message: Parameters<typeof hasNews>[0]) => {
        if (hasNews(message)) this.#changed();
      };
      await watchDaemon(client, kind, { received, away }, options);
    } catch (error) {
      // An older daemon.
      if (!isJobError(error, "unimplemented")) throw error;
      await pollDaemon(() => this.#changed(), options);
    }
  }

  async #followInstance(
    client: Pick<JobClient, "follow">,
    uuid: string,
    away: (isAway: boolean) => void,
  ): Promise<void> {
    let cursor: string | undefined;
    const isEnd = ({ instance }: FollowResponse) =>
      instance !== undefined && isFinalState(instance.state);
    await keepReading(
      (signal) =>
        client.follow({ query: { uuid }, cursor, fromNow: cursor === undefined }, { signal }),
      {
        received: (message) => {
          cursor = message.cursor;
          this.#hasEnded = isEnd(message);
          if (this.#hasEnded) this.ring();
          else if (message.entries.length > 0 || message.instance !== undefined) this.#changed();
        },
        away,
      },
      { clock: this.#clock, signal: this.#signal, isEnd },
    );
  }
}
