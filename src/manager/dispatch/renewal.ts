import { inTime } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { BATCH_MAX, type ClaimKey, type RenewResult } from "../../store/store.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import type { PartContext } from "../context/part_context.ts";

/** Share of the lease that is left when job code must have ended. */
const LEASE_MARGIN_SHARE = 1 / 10;
/** Share of the lease after which it is renewed; a smaller one while the store is slow. */
const RENEW_SHARE = 1 / 3;
const SLOW_RENEW_SHARE = 1 / 6;
/** A store is slow if a response takes more than this share of the lease. */
const SLOW_SHARE = 1 / 12;
/** Attempts are stopped if two renewals in a row take longer than this share of the lease. */
const TOO_SLOW_SHARE = 2 / 5;
/** Shortest interval between two of these warnings. */
const WARN_EVERY_MS = 600_000;
/** Longest wait for a renewal that something depends on. */
const RENEWED_MS_MAX = 2_000;
/** Most renewals under way: a late response must not delay the next renewal. */
const WAITING_MAX = 4;
/** A renewal this soon after another shows nothing new, as a share of the lease. */
const SAME_SHARE = 1 / 60;

interface RenewalOptions
  extends Pick<PartContext, "store" | "clock" | "logger" | "node" | "leaseMs" | "storeHealth"> {
  /** The claims of this node, by instance. */
  readonly running: ReadonlyMap<string, RunningAttempt>;
}

/** Renews the leases of this node's claims, and aborts attempts whose claim is lost or canceled. */
export class Renewal {
  readonly #options: RenewalOptions;
  #isStarted = false;
  /** Not set without claims: an idle node has nothing to wake for. */
  readonly #timer: LazyTimer;
  #waiting = 0;
  #sentMs = 0;
  #tookMs = 0;
  #warnedMs = -Infinity;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => this.#due());
  }

  start(): void {
    this.#isStarted = true;
    if (this.#options.running.size > 0) this.#arm();
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer.cancel();
  }

  /** Monotonic ms by which job code of a claim must have ended; 0 if too late for a renewal. */
  deadlineOf(sentMs: number): number {
    const { clock, leaseMs } = this.#options;
    const nowMs = clock.now().monotonicMs;
    const deadlineMs = lastsUntil(sentMs, leaseMs);
    return nowMs + (nowMs - sentMs) < deadlineMs ? deadlineMs : 0;
  }

  /** Claims came: renew them at once if little of their lease is left. */
  claimed(sentMs: number): void {
    const { clock, leaseMs, logger } = this.#options;
    if (this.#isStarted && this.#timer.dueMs === null) this.#arm();
    const tookMs = clock.now().monotonicMs - sentMs;
    if (this.deadlineOf(sentMs) === 0) {
      logger.warn("The store takes too long for the lease: claims are released unstarted", {
        seconds: Math.round(tookMs / 1_000),
        hint: `worker.lease, ${leaseMs / 1_000} s, must be more than twice as long`,
      });
    } else if (tookMs > leaseMs * SLOW_SHARE && this.#isStarted) {
      this.#tookMs = tookMs;
      this.#due();
    }
  }

  /** Renew all claims: they are an earlier daemon's, and were not renewed since its end. */
  renewNow(): void {
    this.#isStarted = true;
    this.#due();
  }

  /** Renew all claims, and resolve when done or after too long. */
  async renewed(): Promise<void> {
    const { clock, running } = this.#options;
    if (running.size > 0) await inTime(this.#renew(), RENEWED_MS_MAX, { clock, late: () => {} });
  }

  #arm(): void {
    const { leaseMs } = this.#options;
    const share = this.#tookMs > leaseMs * SLOW_SHARE ? SLOW_RENEW_SHARE : RENEW_SHARE;
    this.#timer.setIn(leaseMs * share);
  }

  #due(): void {
    const { running, storeHealth } = this.#options;
    // A failed renewal need not be repeated.
    if (running.size === 0) return storeHealth.succeeded("renew");
    this.#arm();
    if (this.#waiting < WAITING_MAX) void this.#renew();
  }

  // On failure nothing is extended, and the executor stops job code before the lease ends.
  async #renew(): Promise<void> {
    const { running, storeHealth, clock } = this.#options;
    const claims = [...running.values()].map(({ instance: { id, fence } }) => ({ id, fence }));
    const requests: Promise<void>[] = [];
    for (let from = 0; from < claims.length; from += BATCH_MAX) {
      requests.push(this.#renewSome(claims.slice(from, from + BATCH_MAX)));
    }
    const sentMs = this.#sentMs = clock.now().monotonicMs;
    this.#waiting += 1;
    let isDone = false;
    try {
      await Promise.all(requests);
      isDone = true;
      storeHealth.succeeded("renew");
    } catch (error) {
      storeHealth.failed(error, "renew");
    } finally {
      this.#waiting -= 1;
      this.#tookMs = clock.now().monotonicMs - sentMs;
    }
    if (!isDone) return;
    this.#warnOfSlow();
    if (this.#isStarted) this.#followSlow();
  }

  /** Warn now and then while slow renewals risk the end of a lease. */
  #warnOfSlow(): void {
    const { leaseMs, logger, clock } = this.#options;
    const nowMs = clock.now().monotonicMs;
    if (this.#tookMs <= leaseMs * TOO_SLOW_SHARE || nowMs < this.#warnedMs + WARN_EVERY_MS) return;
    this.#warnedMs = nowMs;
    logger.warn("The store takes too long to renew leases: running attempts may be stopped", {
      seconds: Math.round(this.#tookMs / 1_000),
      hint: `worker.lease is ${leaseMs / 1_000} s; see docs/stores.md for how long it should be`,
    });
  }

  /**
   * Renew again at once if the response came after the next renewal was due: a store that commits
   * group after group has room for it only now.
   */
  #followSlow(): void {
    const { clock, leaseMs } = this.#options;
    const sinceMs = clock.now().monotonicMs - this.#sentMs;
    if (this.#tookMs > leaseMs * SLOW_RENEW_SHARE && sinceMs > leaseMs * SAME_SHARE) this.#due();
  }

  async #renewSome(claims: readonly ClaimKey[]): Promise<void> {
    const { store, clock, node, leaseMs } = this.#options;
    const at = clock.now();
    const { value, sentMs } = await store.renew({ at, node, claims, leaseMs });
    const deadlineMs = lastsUntil(sentMs ?? at.monotonicMs, leaseMs);
    for (const result of value) this.#renewed(result, deadlineMs);
  }

  #renewed(result: RenewResult, deadlineMs: number): void {
    const running = this.#options.running.get(result.id);
    if (!running || running.instance.fence !== result.fence) return;
    if (result.status === "stale") return running.attempt?.abort("lease");
    running.attempt?.extend(deadlineMs);
    // An attempt that began after the cancel takes back what earlier steps did.
    const isAsked = running.instance.cancelRequestedAt === null;
    if (result.status === "canceling" && isAsked) running.attempt?.abort("canceled");
  }
}

function lastsUntil(sentMs: number, leaseMs: number): number {
  return sentMs + leaseMs * (1 - LEASE_MARGIN_SHARE);
}
