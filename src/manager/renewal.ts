import type { Clock, Timer } from "../platform/clock.ts";
import { BATCH_MAX, type ClaimKey, type RenewResult, type Store } from "../store/store.ts";
import type { RunningAttempt } from "./running.ts";
import type { StoreAnswers } from "./store_answers.ts";

/** Share of the lease that job code must have ended before. */
export const LEASE_MARGIN_SHARE = 1 / 10;
/** Share of the lease after which it is renewed. */
const RENEW_SHARE = 1 / 3;

/** What the renewal works with. */
export interface RenewalOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly node: string;
  readonly leaseMs: number;
  readonly answers: StoreAnswers;
  /** The claims that this node holds, by instance. */
  readonly running: ReadonlyMap<string, RunningAttempt>;
}

/** Keeps the leases of the held claims from ending, and aborts the attempts whose claim is lost or to be canceled. */
export class Renewal {
  readonly #options: RenewalOptions;
  #timer: Timer | null = null;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, leaseMs } = this.#options;
    // A renewal from before a stop may end after the next start.
    this.#timer?.cancel();
    this.#timer = clock.timer(leaseMs * RENEW_SHARE, () => {
      void this.#renew().finally(() => {
        if (this.#timer) this.start();
      });
    }, { unref: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  // When it fails nothing is extended, and the executor stops job code before the lease ends.
  async #renew(): Promise<void> {
    const { running, answers } = this.#options;
    const claims = [...running.values()].map(({ instance: { id, fence } }) => ({ id, fence }));
    const requests: Promise<void>[] = [];
    for (let from = 0; from < claims.length; from += BATCH_MAX) {
      requests.push(this.#renewSome(claims.slice(from, from + BATCH_MAX)));
    }
    if (requests.length === 0) return;
    try {
      await Promise.all(requests);
      answers.answered("renew");
    } catch (error) {
      answers.failed(error, "renew");
    }
  }

  async #renewSome(claims: readonly ClaimKey[]): Promise<void> {
    const { store, clock, node, leaseMs } = this.#options;
    const at = clock.now();
    const { value } = await store.renew({ at, node, claims, leaseMs });
    const deadlineMs = at.monotonicMs + leaseMs * (1 - LEASE_MARGIN_SHARE);
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
