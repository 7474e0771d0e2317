import type { Clock, Instant, Timer } from "../../platform/clock.ts";
import { AHEAD_MS_MAX } from "../../store/store.ts";

/** Shortest wait: the store may name a due instance that another node took or that is blocked. */
const WAIT_MS_MIN = 1;
/** Weight of the newest claim in the estimate of claim durations; most should take less. */
const NEWEST_SHARE = { longer: 0.5, shorter: 0.1 } as const;
/** The lead in multiples of a claim's time: handing the attempts over may take equally long. */
const LEAD = 2;

interface Claimed {
  readonly instance: { readonly dueAt: number };
}

/**
 * Claims an instance before its due time, so that the claim is committed when it is due; the
 * attempt does not begin before that. Only if the clocks of the nodes decide due times.
 */
export class EarlyClaims {
  readonly #clock: Clock;
  readonly #delayed = new Map<Claimed, Timer>();
  /** When the next instance is due, epoch ms. */
  #dueAt = -Infinity;
  /** Estimated duration of a claim; null before the first one. The first claims take longest. */
  #tookMs: number | null = null;
  #isPossible = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Note the error of the store's clock; null if ours decides. */
  noteSkew(skewMs: number | null): void {
    this.#isPossible = skewMs === null;
  }

  /** A claim that was requested at this time, in monotonic ms, is committed. */
  took(sinceMs: number): void {
    const ms = Math.min(this.#clock.now().monotonicMs - sinceMs, AHEAD_MS_MAX);
    this.#tookMs ??= ms;
    const share = ms > this.#tookMs ? NEWEST_SHARE.longer : NEWEST_SHARE.shorter;
    this.#tookMs += (ms - this.#tookMs) * share;
  }

  /** Lead of a claim before the instance's due time, in whole milliseconds. */
  get leadMs(): number {
    if (!this.#isPossible) return 0;
    // One less than the store allows, because untilMs is one more.
    const leadMs = this.#tookMs === null ? AHEAD_MS_MAX : this.#tookMs * LEAD;
    return Math.min(Math.ceil(leadMs), AHEAD_MS_MAX - 1);
  }

  /**
   * Wait before the next instance is claimed, in milliseconds. It follows the store's time: a node
   * whose clock is ahead must not claim again and again. The duration of the response counts as
   * part of the wait.
   */
  waitMs(dueAt: number, response: { readonly at: number; readonly asked: Instant }): number {
    this.#dueAt = dueAt;
    const elapsedMs = this.#clock.now().wallMs - response.asked.wallMs;
    return Math.max(dueAt - response.at - elapsedMs - this.leadMs, WAIT_MS_MIN);
  }

  /** An instance is due at `dueAt`. Returns the wait before its claim in ms, 0 or less for none. */
  expect(dueAt: number): number {
    const { wallMs } = this.#clock.now();
    // An expected time that has passed no longer counts.
    if (this.#dueAt <= wallMs || dueAt < this.#dueAt) this.#dueAt = dueAt;
    return dueAt - wallMs - this.leadMs;
  }

  /** The latest due time of instances that may be claimed at `nowMs`, both epoch ms. */
  untilMs(nowMs: number): number {
    const { leadMs } = this;
    // One more than the wait, because the lead may have become shorter meanwhile.
    return leadMs === 0 ? nowMs : nowMs + leadMs + 1;
  }

  /** The option of a claim that includes instances due soon, epoch ms; empty to exclude them. */
  aheadOf(nowMs: number): { readonly dueBy?: number } {
    const isSoon = this.#dueAt > nowMs && this.#dueAt <= this.untilMs(nowMs);
    return isSoon ? { dueBy: this.#dueAt } : {};
  }

  /** Time until an attempt may begin, in milliseconds: 0 unless it was claimed early. */
  leftMs({ instance: { dueAt } }: Claimed): number {
    const leftMs = this.#isPossible ? dueAt - this.#clock.now().wallMs : 0;
    // If it is more than the longest lead, the clock was set back meanwhile.
    return Math.max(0, Math.min(leftMs, AHEAD_MS_MAX));
  }

  /** Call `begin` at once, or when the instance is due if it was claimed early. */
  delay(running: Claimed, begin: () => void): void {
    const leftMs = this.leftMs(running);
    if (leftMs === 0) return begin();
    const timer = this.#clock.timer(leftMs, () => {
      this.#delayed.delete(running);
      begin();
    }, { isExact: true });
    this.#delayed.set(running, timer);
  }

  isDelayed(running: Claimed): boolean {
    return this.#delayed.has(running);
  }

  /** Forget a delayed attempt. Returns false if it is not delayed. */
  release(running: Claimed): boolean {
    this.#delayed.get(running)?.cancel();
    return this.#delayed.delete(running);
  }
}
