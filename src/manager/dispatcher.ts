import { encodeError } from "../core/encode.ts";
import { toJobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { RetryPolicy } from "../core/job.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import type { ClaimKey, Settlement, SettleResult, Store } from "../store/store.ts";
import type { AbortCause, AttemptOutcome, Executor } from "../worker/executor.ts";
import type { Events } from "./events.ts";
import type { Registry } from "./registry.ts";
import { RunningAttempt } from "./running.ts";
import { settlementOf } from "./settlement.ts";
import type { SystemJobs } from "./system_jobs.ts";

/** Most instances of one claim. */
const CLAIM_MAX = 500;
/** Share of the lease after which it is renewed. */
const RENEW_SHARE = 1 / 3;
/** Share of the lease that job code must have ended before. */
const MARGIN_SHARE = 1 / 10;
/** Shortest wait when the store names something due that it did not give: another node was first, or it is blocked. */
const REFUSED_WAIT_MS = 1;
/** First and longest wait after the store refused, in milliseconds. */
const RETRY_MS = { first: 50, longest: 2_000 } as const;

/** Of a claim whose job is gone: it is given back, never retried. */
const NO_RETRY: RetryPolicy = { max: 0, backoff: "fixed", initialMs: 0, capMs: 0, jitter: 0 };

/** What the dispatcher works with. */
export interface DispatcherOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly executor: Executor;
  readonly events: Events;
  readonly systemJobs: SystemJobs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: string;
  readonly count: number;
  readonly leaseMs: number;
  /** Answers a call that a running job makes through its `Manager`. */
  readonly handleCall: (
    running: RunningAttempt,
    method: string,
    args: readonly unknown[],
  ) => Promise<unknown>;
  /** Told how the store answers: null when it does, else what it said. */
  readonly storeAnswered: (problem: string | null) => void;
}

/**
 * Claims due instances for free workers, runs them and records what came of them.
 *
 * It wakes when something was enqueued, is due or ended, never by a period. Outcomes and the claim that follows them go to
 * the store in the same turn, so that one transaction settles a group and takes the next.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #idle = new Set<() => void>();
  #count: number;
  #busy = 0;
  #isStarted = false;
  #isClaiming = false;
  #isStepping = false;
  #mustClaim = false;
  #settlements: { readonly running: RunningAttempt; readonly settlement: Settlement }[] = [];
  #wakeTimer: Timer | null = null;
  #wakeMs = Infinity;
  #renewTimer: Timer | null = null;
  #retryMs: number = RETRY_MS.first;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#count = options.count;
  }

  /** Attempts at once. */
  get count(): number {
    return this.#count;
  }

  /** Attempts whose job code runs. */
  get busy(): number {
    return this.#busy;
  }

  start(): void {
    this.#isStarted = true;
    this.#scheduleRenewal();
    this.poke();
  }

  /** Claim nothing more; running attempts go on. */
  pauseClaims(): void {
    this.#isStarted = false;
    this.#wakeTimer?.cancel();
    this.#wakeTimer = null;
  }

  /** Resolves when no claim is held any more. */
  async drained(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** Stop renewing; call after {@link drained}. */
  stop(): void {
    this.pauseClaims();
    this.#renewTimer?.cancel();
    this.#renewTimer = null;
  }

  resize(count: number): void {
    this.#count = count;
    this.#options.executor.resize(count);
    this.poke();
  }

  /** Whether this node holds the claim. */
  holds(claim: ClaimKey): boolean {
    return this.#running.get(claim.id)?.instance.fence === claim.fence;
  }

  /** Abort the attempts of `claims`, or all. */
  abort(cause: AbortCause, claims?: readonly ClaimKey[]): void {
    if (!claims) {
      for (const running of this.#running.values()) running.attempt?.abort(cause);
      return;
    }
    for (const claim of claims) {
      const running = this.#running.get(claim.id);
      if (running && running.instance.fence === claim.fence) running.attempt?.abort(cause);
    }
  }

  /** Something may be due: claim in this turn if a worker is free. */
  poke(): void {
    this.#mustClaim = true;
    this.#step();
  }

  /** Something will be due at `dueAt`, epoch ms. */
  pokeAt(dueAt: number): void {
    const delayMs = dueAt - this.#options.clock.now().wallMs;
    if (delayMs <= 0) this.poke();
    else this.#armWake(delayMs);
  }

  // Everything that one turn brought, outcomes first, goes to the store together at the end of its promises.
  #step(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    queueMicrotask(() => {
      this.#isStepping = false;
      if (this.#settlements.length > 0) {
        const batch = this.#settlements;
        this.#settlements = [];
        void this.#settle(batch);
      }
      if (this.#mustClaim && !this.#isClaiming) void this.#claim();
    });
  }

  async #claim(): Promise<void> {
    const { store, clock, node, registry, leaseMs } = this.#options;
    this.#mustClaim = false;
    const free = Math.min(this.#count - this.#busy, CLAIM_MAX);
    if (!this.#isStarted || free <= 0 || registry.kinds.size === 0) return;
    this.#isClaiming = true;
    try {
      const at = clock.now();
      const request = { at, node, kinds: registry.kinds, limit: free, leaseMs };
      const { value, at: claimedAt } = await store.claim(request);
      this.#answered();
      const answeredMs = clock.now().monotonicMs;
      const deadlineMs = at.monotonicMs + leaseMs * (1 - MARGIN_SHARE);
      for (const instance of value) this.#run(instance, deadlineMs, claimedAt);
      if (value.length === free) this.#mustClaim = true;
      else if (!this.#mustClaim) await this.#armNextDue(claimedAt, answeredMs);
    } catch (error) {
      this.#storeFailed(error, "claim");
      clock.timer(this.#backoff(), () => this.poke());
    } finally {
      this.#isClaiming = false;
    }
    if (this.#mustClaim) this.#step();
  }

  // By the store's time, at which it just gave all that was due: a node whose clock is ahead must not ask again at once.
  async #armNextDue(claimedAt: number, answeredMs: number): Promise<void> {
    const { store, clock, registry } = this.#options;
    const { instanceAt } = await store.nextDue({ at: clock.now(), kinds: registry.kinds });
    if (instanceAt === null) return;
    const elapsedMs = clock.now().monotonicMs - answeredMs;
    this.#armWake(Math.max(instanceAt - claimedAt - elapsedMs, REFUSED_WAIT_MS));
  }

  #armWake(delayMs: number): void {
    const { clock } = this.#options;
    const wakeMs = clock.now().monotonicMs + delayMs;
    if (!this.#isStarted || (this.#wakeTimer && this.#wakeMs <= wakeMs)) return;
    this.#wakeTimer?.cancel();
    this.#wakeMs = wakeMs;
    // The wall clock may be set while we wait: look again at least once a minute.
    this.#wakeTimer = clock.timer(Math.min(delayMs, 60_000), () => {
      this.#wakeTimer = null;
      this.poke();
    });
  }

  #run(instance: Instance, deadlineMs: number, at: number): void {
    const { registry, clock, executor, events, systemJobs } = this.#options;
    const job = registry.find(instance.kind);
    const running = new RunningAttempt({
      job: job ?? null,
      instance,
      clock,
      flush: (source) => void this.#flushLogs(source),
    });
    this.#running.set(instance.id, running);
    this.#busy += 1;
    // The kind was removed meanwhile, or the answer came when the lease was already over: give it back unstarted.
    if (!job || deadlineMs <= clock.now().monotonicMs) {
      this.#ended(running, notStarted());
      return;
    }
    events.changed(instance, at);
    if (job.source.type === "system") {
      void systemJobs.run(instance).then((outcome) => this.#ended(running, outcome));
      return;
    }
    const attempt = executor.run({ job, instance, deadlineMs }, {
      log: (entries) => running.log(entries),
      call: (method, args) => this.#options.handleCall(running, method, args),
    });
    running.attempt = attempt;
    void attempt.outcome.then((outcome) => this.#ended(running, outcome));
  }

  #ended(running: RunningAttempt, outcome: AttemptOutcome): void {
    const { clock, random } = this.#options;
    running.hasEnded = true;
    this.#busy -= 1;
    const settlement = settlementOf(running.instance, outcome, {
      retry: running.job?.options.retry ?? NO_RETRY,
      nowMs: clock.now().wallMs,
      random: random.next(),
      logs: running.takeLines(),
    });
    this.#settlements.push({ running, settlement });
    this.poke();
  }

  // Tried again until the store has it or the claim is no longer ours: an outcome is never dropped for a full disk.
  async #settle(
    batch: readonly { readonly running: RunningAttempt; readonly settlement: Settlement }[],
  ): Promise<void> {
    const { store, clock, node } = this.#options;
    try {
      const settlements = batch.map(({ settlement }) => settlement);
      const { value, at } = await store.settle({ at: clock.now(), node, settlements });
      this.#answered();
      for (const [index, result] of value.entries()) {
        this.#settled(batch[index]!.running, result, at);
      }
    } catch (error) {
      this.#storeFailed(error, "settle");
      clock.timer(this.#backoff(), () => {
        const held = batch.filter(({ running }) => this.holds(running.instance));
        if (held.length > 0) void this.#settle(held);
      });
    }
  }

  #settled(running: RunningAttempt, result: SettleResult, at: number): void {
    const { events, logger, clock } = this.#options;
    this.#release(running);
    const { instance } = result;
    if (result.status === "stale" || !instance) {
      logger.warn("An outcome came too late: the claim is no longer held", {
        kind: running.instance.kind,
        instance: result.id,
        fence: result.fence,
      });
      return;
    }
    const durationMs = clock.now().monotonicMs - running.startedMs;
    events.emit({ type: "attempt", instance, durationMs, outcome: instance.state });
    events.changed(instance, at);
    if (instance.state === "scheduled") this.pokeAt(instance.dueAt);
  }

  #release(running: RunningAttempt): void {
    if (this.#running.get(running.instance.id) === running) {
      this.#running.delete(running.instance.id);
    }
    if (this.#running.size > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  async #flushLogs(running: RunningAttempt): Promise<void> {
    const { store, clock } = this.#options;
    const logs = running.takeLines();
    if (logs.length === 0) return;
    const { id, fence } = running.instance;
    try {
      await store.appendLogs({ at: clock.now(), appends: [{ id, fence, logs }] });
    } catch (error) {
      this.#storeFailed(error, "write the log");
      if (!running.hasEnded) running.log(logs);
    }
  }

  #scheduleRenewal(): void {
    const { clock, leaseMs } = this.#options;
    this.#renewTimer = clock.timer(leaseMs * RENEW_SHARE, () => {
      void this.#renew().finally(() => {
        if (this.#renewTimer) this.#scheduleRenewal();
      });
    }, { unref: true });
  }

  // When it fails nothing is extended, and the executor stops job code before the lease ends.
  async #renew(): Promise<void> {
    if (this.#running.size === 0) return;
    const { store, clock, node, leaseMs } = this.#options;
    const at = clock.now();
    const claims = [...this.#running.values()].map(({ instance }) => ({
      id: instance.id,
      fence: instance.fence,
    }));
    try {
      const { value } = await store.renew({ at, node, claims, leaseMs });
      this.#answered();
      for (const result of value) this.#renewed(result, at.monotonicMs + leaseMs);
    } catch (error) {
      this.#storeFailed(error, "renew the leases");
    }
  }

  #renewed(result: ClaimKey & { readonly status: string }, untilMs: number): void {
    const running = this.#running.get(result.id);
    if (!running || running.instance.fence !== result.fence) return;
    if (result.status === "stale") {
      running.attempt?.abort("lease");
      return;
    }
    running.attempt?.extend(untilMs - this.#options.leaseMs * MARGIN_SHARE);
    if (result.status === "canceling") running.attempt?.abort("canceled");
  }

  #answered(): void {
    this.#retryMs = RETRY_MS.first;
    this.#options.storeAnswered(null);
  }

  #storeFailed(error: unknown, action: string): void {
    const known = toJobError(error, `Cannot ${action}`);
    this.#options.storeAnswered(known.message);
    // The manager logs a store that is away once; anything else is news each time.
    if (known.code === "unavailable" || known.code === "resource_exhausted") return;
    this.#options.logger.error(`The store refused to ${action}`, { error: known.message });
  }

  #backoff(): number {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, RETRY_MS.longest);
    return delayMs;
  }
}

function notStarted(): AttemptOutcome {
  return { type: "aborted", cause: "drain", error: encodeError(new Error("not started")) };
}
