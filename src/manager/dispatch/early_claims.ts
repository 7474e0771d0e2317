import type { Clock, Instant, Timer } from "../../platform/clock.ts";
import { AHEAD_MS_MAX } from "../../store/store.ts";
import type { RunningAttempt } from "./running.ts";

/** Shortest wait: the store may name something due that it did not give, as another node was first or it is blocked. */
const WAIT_MS_MIN = 1;
/** Share of the newest claim in what claims are taken to take: most of them should take less. */
const NEWEST_SHARE = { longer: 0.5, shorter: 0.1 } as const;

/**
 * Claims what has a due time as long before it as the store takes, so that the commit of the claim is done by then, and
 * keeps it from beginning any sooner. Only where the nodes' clocks decide what is due.
 */
export class EarlyClaims {
  readonly #clock: Clock;
  readonly #held = new Map<RunningAttempt, Timer>();
  /** When the next instance is due, epoch ms. */
  #dueAt = -Infinity;
  #tookMs: number | null = null;
  #isPossible = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The store told how far its clock is off; null when ours decides. */
  told(skewMs: number | null): void {
    this.#isPossible = skewMs === null;
  }

  /** Something was claimed: what was asked for at a moment, monotonic ms, is committed. */
  took(sinceMs: number): void {
    const ms = Math.min(this.#clock.now().monotonicMs - sinceMs, AHEAD_MS_MAX);
    this.#tookMs ??= ms;
    const share = ms > this.#tookMs ? NEWEST_SHARE.longer : NEWEST_SHARE.shorter;
    this.#tookMs += (ms - this.#tookMs) * share;
  }

  /** How long before its time to ask for what is due, in whole milliseconds. */
  get leadMs(): number {
    // One less than is allowed, as {@link untilMs} is one more.
    return this.#isPossible ? Math.min(Math.ceil(this.#tookMs ?? 0), AHEAD_MS_MAX - 1) : 0;
  }

  /**
   * How long to wait before the store is asked for the next instance, in milliseconds. By the store's time: a node whose clock
   * is ahead of it must not ask again at once. That the answer took its time is no reason to wait for that once more.
   *
   * @param dueAt as the store said, epoch ms
   * @param said the store's time when it said so, and when it was asked
   */
  waitMs(dueAt: number, said: { readonly at: number; readonly asked: Instant }): number {
    this.#dueAt = dueAt;
    const elapsedMs = this.#clock.now().wallMs - said.asked.wallMs;
    return Math.max(dueAt - said.at - elapsedMs - this.leadMs, WAIT_MS_MIN);
  }

  /** An instance is due at `dueAt`, epoch ms: how long to wait before it is asked for, in milliseconds; 0 or less for not at all. */
  expect(dueAt: number): number {
    const { wallMs } = this.#clock.now();
    // What was awaited before is not any more once its time has come.
    if (this.#dueAt <= wallMs || dueAt < this.#dueAt) this.#dueAt = dueAt;
    return dueAt - wallMs - this.leadMs;
  }

  /** Until when what becomes due may be taken at a time, both epoch ms. */
  untilMs(nowMs: number): number {
    const { leadMs } = this;
    // One more than it was waited for, as the lead may have become less meanwhile.
    return leadMs === 0 ? nowMs : nowMs + leadMs + 1;
  }

  /** Until when a claim takes what becomes due too, epoch ms; nothing when nothing does so soon. */
  aheadOf(nowMs: number): { readonly dueBy?: number } {
    const isSoon = this.#dueAt > nowMs && this.#dueAt <= this.untilMs(nowMs);
    return isSoon ? { dueBy: this.#dueAt } : {};
  }

  /** Call `begin`: at once, or when what was claimed before its time is due. */
  hold(running: RunningAttempt, begin: () => void): void {
    const leftMs = this.#isPossible ? running.instance.dueAt - this.#clock.now().wallMs : 0;
    if (leftMs <= 0) return begin();
    // More is no head start: the clock was set back meanwhile.
    const timer = this.#clock.timer(Math.min(leftMs, AHEAD_MS_MAX), () => {
      this.#held.delete(running);
      begin();
    }, { isExact: true });
    this.#held.set(running, timer);
  }

  /** Wait no longer for one; false when it is not held. */
  release(running: RunningAttempt): boolean {
    this.#held.get(running)?.cancel();
    return this.#held.delete(running);
  }
}
