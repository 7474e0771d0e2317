import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Logger } from "../../platform/logger.ts";
import { BATCH_MAX, type ClaimKey, type RenewResult, type Store } from "../../store/store.ts";
import type { RunningAttempt } from "./running.ts";
import type { StoreHealth } from "../store/store_health.ts";

/** Share of the lease that job code must have ended before. */
const LEASE_MARGIN_SHARE = 1 / 10;
/** Share of the lease after which it is renewed; the smaller one while the store takes long to answer. */
const RENEW_SHARE = 1 / 3;
const SLOW_RENEW_SHARE = 1 / 6;
/** Share of the lease that a slow store takes for an answer. */
const SLOW_SHARE = 1 / 12;
/** Renewals that may wait for their answers: one that is late must not keep the next from being asked in time. */
const WAITING_MAX = 4;

/** What the renewal works with. */
export interface RenewalOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly node: string;
  readonly leaseMs: number;
  readonly storeHealth: StoreHealth;
  readonly logger: Logger;
  /** The claims that this node holds, by instance. */
  readonly running: ReadonlyMap<string, RunningAttempt>;
}

/** Keeps the leases of the held claims from ending, and aborts the attempts whose claim is lost or to be canceled. */
export class Renewal {
  readonly #options: RenewalOptions;
  #isStarted = false;
  /** Not set while nothing is claimed: an idle node has nothing to wake for. */
  readonly #timer: LazyTimer;
  #waiting = 0;
  #tookMs = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => this.#due());
  }

  start(): void {
    this.#isStarted = true;
    if (this.#options.running.size > 0) this.#arm();
  }

  #arm(): void {
    const { leaseMs } = this.#options;
    const share = this.#tookMs > leaseMs * SLOW_SHARE ? SLOW_RENEW_SHARE : RENEW_SHARE;
    this.#timer.setIn(leaseMs * share);
  }

  #due(): void {
    const { running, storeHealth } = this.#options;
    // Nothing is left for which a failed renewal would have to be repeated.
    if (running.size === 0) return storeHealth.succeeded("renew");
    this.#arm();
    if (this.#waiting < WAITING_MAX) void this.#renew();
  }

  /** Monotonic ms at which job code of a claim must have ended; 0 when it came too late to be renewed before. */
  deadlineOf(sentMs: number): number {
    const { clock, leaseMs } = this.#options;
    const nowMs = clock.now().monotonicMs;
    const deadlineMs = lastsUntil(sentMs, leaseMs);
    return nowMs + (nowMs - sentMs) < deadlineMs ? deadlineMs : 0;
  }

  /** Claims came: renew what came late at once, as much of its lease is over. */
  claimed(sentMs: number): void {
    const { clock, leaseMs, logger } = this.#options;
    if (this.#isStarted && this.#timer.dueMs === null) this.#arm();
    const tookMs = clock.now().monotonicMs - sentMs;
    if (this.deadlineOf(sentMs) === 0) {
      logger.warn("The store takes too long for the lease: claims are given back unstarted", {
        seconds: Math.round(tookMs / 1_000),
        hint: `worker.lease, ${leaseMs / 1_000} s, must be more than twice as long`,
      });
    } else if (tookMs > leaseMs * SLOW_SHARE && this.#isStarted) {
      this.#tookMs = tookMs;
      this.#arm();
      if (this.#waiting < WAITING_MAX) void this.#renew();
    }
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer.cancel();
  }

  // When it fails nothing is extended, and the executor stops job code before the lease ends.
  async #renew(): Promise<void> {
    const { running, storeHealth } = this.#options;
    const claims = [...running.values()].map(({ instance: { id, fence } }) => ({ id, fence }));
    const requests: Promise<void>[] = [];
    for (let from = 0; from < claims.length; from += BATCH_MAX) {
      requests.push(this.#renewSome(claims.slice(from, from + BATCH_MAX)));
    }
    if (requests.length === 0) return;
    const askedMs = this.#options.clock.now().monotonicMs;
    this.#waiting += 1;
    try {
      await Promise.all(requests);
      storeHealth.succeeded("renew");
    } catch (error) {
      storeHealth.failed(error, "renew");
    } finally {
      this.#waiting -= 1;
      this.#tookMs = this.#options.clock.now().monotonicMs - askedMs;
    }
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
    if (result.status === "stale") {
      running.attempt?.abort("lease");
      return;
    }
    running.attempt?.extend(deadlineMs);
    if (result.status === "canceling") running.attempt?.abort("canceled");
  }
}

function lastsUntil(sentMs: number, leaseMs: number): number {
  return sentMs + leaseMs * (1 - LEASE_MARGIN_SHARE);
}
