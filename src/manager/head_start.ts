import type { Clock, Instant, Timer } from "../platform/clock.ts";
import type { RunningAttempt } from "./running.ts";

/** Longest time before something is due at which it is claimed, in whole milliseconds. */
const LEAD_MS_MAX = 4;
/** Shortest wait: the store may name something due that it did not give, as another node was first or it is blocked. */
const WAIT_MS_MIN = 1;
/** Share of the newest claim in what claims are taken to take. */
const NEWEST_SHARE = 0.2;

/** What a store is asked for ahead of its time. */
export type Awaited = "instance" | "schedule";

/**
 * Claims what has a due time as long before it as the store takes, so that the commit of the claim is done by then, and keeps it from
 * beginning any sooner. Only where the nodes' clocks decide what is due: a store with a clock of its own gives nothing before.
 */
export class HeadStart {
  readonly #clock: Clock;
  readonly #due = new Map<Awaited, number>();
  readonly #held = new Map<RunningAttempt, Timer>();
  readonly #tookMs = { instance: 0, schedule: 0 };
  #isPossible = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The store told how far its clock is off; null when ours decides. */
  told(skewMs: number | null): void {
    this.#isPossible = skewMs === null;
  }

  /** Something was claimed, or made of schedules: what began at a moment, monotonic ms, is committed. */
  took(what: Awaited, sinceMs: number): void {
    const ms = Math.min(this.#clock.now().monotonicMs - sinceMs, LEAD_MS_MAX);
    this.#tookMs[what] += (ms - this.#tookMs[what]) * NEWEST_SHARE;
  }

  /** How long before its time to ask for what is due, in whole milliseconds. */
  leadMs(what: Awaited): number {
    return this.#isPossible ? Math.ceil(this.#tookMs[what]) : 0;
  }

  /**
   * How long to wait before the store is asked for the next of its sort, in milliseconds. By the store's time: a node whose clock is
   * ahead of it must not ask again at once. That the answer took its time is no reason to wait for that once more.
   *
   * @param dueAt as the store said, epoch ms
   * @param told the store's time when it said so, and when it was asked
   */
  waitMs(
    what: Awaited,
    dueAt: number,
    told: { readonly at: number; readonly asked: Instant },
  ): number {
    this.#due.set(what, dueAt);
    const elapsedMs = this.#clock.now().wallMs - told.asked.wallMs;
    return Math.max(dueAt - told.at - elapsedMs - this.leadMs(what), WAIT_MS_MIN);
  }

  /** An instance is due at `dueAt`, epoch ms: how long to wait before it is asked for, in milliseconds; 0 or less for not at all. */
  expect(dueAt: number): number {
    const { wallMs } = this.#clock.now();
    const awaited = this.#due.get("instance") ?? -Infinity;
    if (awaited <= wallMs || dueAt < awaited) this.#due.set("instance", dueAt);
    return dueAt - wallMs - this.leadMs("instance");
  }

  /** The moment to ask the store at: that of what is due in no time, and else now. */
  now(): Instant {
    const { wallMs, monotonicMs } = this.#clock.now();
    const leadMs = Math.max(this.leadMs("instance"), this.leadMs("schedule"));
    if (leadMs === 0) return { wallMs, monotonicMs };
    // One more than it was waited for, as the lead may have become less meanwhile; never more than is held back.
    const untilMs = wallMs + Math.min(leadMs + 1, LEAD_MS_MAX);
    let atMs = wallMs;
    for (const dueAt of this.#due.values()) {
      if (dueAt <= untilMs) atMs = Math.max(atMs, dueAt);
    }
    return { wallMs: atMs, monotonicMs };
  }

  /** Call `begin`: at once, or when what was claimed before its time is due. */
  hold(running: RunningAttempt, begin: () => void): void {
    const leftMs = this.#isPossible ? running.instance.dueAt - this.#clock.now().wallMs : 0;
    // More is no head start: the clock was set back.
    if (leftMs <= 0 || leftMs > LEAD_MS_MAX) return begin();
    const timer = this.#clock.timer(leftMs, () => {
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
