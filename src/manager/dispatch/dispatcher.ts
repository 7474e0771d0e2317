import { encodeError } from "../../core/arguments/encode.ts";
import type { Instance, LogEntry } from "../../core/instance.ts";
import { JOB_DEFAULTS, type JobDefinition } from "../../core/job/job.ts";
import type { Instant, Timer } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { ClaimKey, Committed, SettleResult } from "../../store/store.ts";
import type { AbortCause, AttemptOutcome } from "../../worker/executor.ts";
import { askHandlers } from "./ask_handlers.ts";
import { ClaimBuffer, type WaitingClaim } from "./claim_buffer.ts";
import type { DispatcherOptions } from "./dispatcher_options.ts";
import { Outbox } from "./outbox.ts";
import { Renewal } from "./renewal.ts";
import { ResourceWait } from "./resource_wait.ts";
import { RunningAttempt } from "./running.ts";
import {
  isGivenBack,
  isUnasked,
  notStarted,
  settlementOf,
  versionOf,
  withDetails,
} from "./settlement.ts";
import type { StoreHealth } from "../store/store_health.ts";
import { writeLines } from "./write_lines.ts";

/** Most instances of one claim. */
const CLAIM_MAX = 500;
/** Most attempts that an executor is given beyond the workers, to begin as it likes. */
const HANDED_MAX = 64;
/** Most attempts at once that take no worker of the node: each is a process of some megabytes. */
const BESIDE_MAX = 1_000;
/** Longest sleep: the wall clock may be set meanwhile. */
const SLEEP_MS_MAX = 60_000;
/** How long outcomes wait for others while workers have more to do. */
const SEND_MS = 2;
/** How long a drain, when all attempts have ended, waits for a store that takes no outcomes. */
const GIVE_UP_MS = 10_000;

/** A claim that was asked for. */
interface Asked {
  readonly at: Instant;
  readonly limit: number;
  readonly kinds: ReadonlySet<string>;
  readonly answer: Promise<Committed<readonly Instance[]>>;
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
  readonly #storeHealth: StoreHealth;
  readonly #outbox: Outbox;
  readonly #renewal: Renewal;
  readonly #ahead: ClaimBuffer;
  readonly #wake: LazyTimer;
  readonly #resources: ResourceWait;
  #sendTimer: Timer | null = null;
  #count: number;
  #busy = 0;
  /** Attempts that run and take none of the workers. */
  #beside = 0;
  #isStarted = false;
  #isClaiming = false;
  #isStepping = false;
  #mustClaim = false;
  #giveUpMs: number | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#count = options.count;
    this.#storeHealth = options.storeHealth;
    this.#outbox = new Outbox({
      ...options,
      settled: (running, result, at, logs) => this.#settled(running, result, at, logs),
      mustKeep: (running) => this.#mustKeep(running),
    });
    this.#renewal = new Renewal({ ...options, running: this.#running });
    this.#ahead = new ClaimBuffer(options.clock, ({ running }) => {
      this.#ended(running, notStarted());
    });
    this.#wake = new LazyTimer(options.clock, () => this.poke(), { isExact: true });
    this.#resources = new ResourceWait({
      ...options,
      retry: (running, deadlineMs) => this.#start(running, running.job!, deadlineMs),
      left: (running, outcome) => this.#left(running, outcome),
    });
  }

  /** Attempts at once. */
  get count(): number {
    return this.#count;
  }

  /** Attempts whose job code runs. */
  get busy(): number {
    return this.#busy - this.#options.executor.waiting;
  }

  /** Whether the executor takes another one: what waits in it does not need a worker yet. */
  get #isFree(): boolean {
    return this.busy < this.#count && this.#options.executor.waiting < HANDED_MAX;
  }

  /** Attempts that run and take none of the workers. */
  get beside(): number {
    return this.#beside;
  }

  /** The oldest attempt that takes a worker; null if there is none. */
  get oldest(): RunningAttempt | null {
    let oldest: RunningAttempt | null = null;
    for (const running of this.#running.values()) {
      const isOlder = oldest === null || running.startedMs < oldest.startedMs;
      if (running.hasSlot && isOlder) oldest = running;
    }
    return oldest;
  }

  start(): void {
    this.#isStarted = true;
    this.#giveUpMs = null;
    this.#renewal.start();
    this.poke();
  }

  /** Claim nothing more; running attempts go on. */
  pauseClaims(): void {
    this.#isStarted = false;
    this.#wake.cancel();
    this.#ahead.clear();
  }

  /** Resolves when no claim is held or on its way any more, or will not be known; call after {@link pauseClaims}. */
  async drained(): Promise<void> {
    if (this.isQuiet) return;
    const timer = this.#options.clock.timer(GIVE_UP_MS, () => {
      this.#isClaiming = false;
      this.#checkIdle();
    });
    await new Promise<void>((resolve) => this.#idle.add(resolve));
    timer.cancel();
  }

  /** Resolves when no claim is held or on its way; later ones may follow at once. */
  async quiet(): Promise<void> {
    if (!this.isQuiet) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** True if no claim is held or under way. */
  get isQuiet(): boolean {
    return this.#running.size === 0 && !this.#isClaiming;
  }

  /** Stop renewing; call after {@link drained}. */
  stop(): void {
    this.pauseClaims();
    this.#renewal.stop();
  }

  resize(count: number): void {
    this.#count = count;
    this.#options.executor.resize(count);
    if (this.#busy >= count) this.#options.full();
    this.poke();
  }

  /** Whether this node holds the claim. */
  holds(claim: ClaimKey): boolean {
    return this.#running.get(claim.id)?.instance.fence === claim.fence;
  }

  /** Abort the attempts of `claims`, or all. */
  abort(cause: AbortCause, claims?: readonly ClaimKey[]): void {
    for (const { id, fence } of claims ?? [...this.#running.values()].map((one) => one.instance)) {
      const running = this.#running.get(id);
      if (!running || running.instance.fence !== fence) continue;
      if (this.#ahead.remove(running)) this.#ended(running, notStarted(cause));
      else if (this.#options.earlyClaims.release(running)) this.#left(running, notStarted(cause));
      else running.attempt?.abort(cause);
    }
  }

  /**
   * Abort running attempts when their time to finish at a stop is over: their job's, else `drainMs`.
   *
   * @returns a function that cancels the aborts that are still to come
   */
  abortAfterDrain(drainMs: number, options: { readonly isForAll?: boolean } = {}): () => void {
    const claims = new Map<number, ClaimKey[]>();
    for (const { job, instance } of this.#running.values()) {
      const ownMs = options.isForAll ? null : job?.options.drainMs ?? null;
      const ms = ownMs ?? drainMs;
      claims.set(ms, [...claims.get(ms) ?? [], instance]);
    }
    const timers = [...claims].map(([ms, those]) =>
      this.#options.clock.timer(ms, () => this.abort("drain", those))
    );
    return () => {
      for (const timer of timers) timer.cancel();
    };
  }

  /** Something may be due: claim in this turn if a worker is free. */
  poke(): void {
    this.#mustClaim = true;
    this.#step();
  }

  /** Something will be due at `dueAt`, epoch ms. */
  pokeAt(dueAt: number): void {
    const delayMs = this.#options.earlyClaims.expect(dueAt);
    if (delayMs <= 0) this.poke();
    else if (this.#isStarted) this.#wakeIn(delayMs);
  }

  #wakeIn(delayMs: number): void {
    this.#wake.setWithin(Math.min(delayMs, SLEEP_MS_MAX));
  }

  // Everything that one turn brought, outcomes first, goes to the store together at the end of its promises.
  #step(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    queueMicrotask(() => {
      this.#isStepping = false;
      // While workers have more to do, outcomes wait for others, to go with the next claim or when that is on its way already.
      const { waiting } = this.#options.executor;
      const isEnough = this.#isClaiming
        ? this.#ahead.size + waiting > 0
        : this.#ahead.isEnough(waiting);
      if (!isEnough || !this.#isStarted) return this.#sendAndClaim();
      this.#sendTimer ??= this.#options.clock.timer(SEND_MS, () => this.#sendAndClaim());
    });
  }

  #sendAndClaim(): void {
    this.#send();
    if (this.#mustClaim && !this.#isClaiming) void this.#claim();
  }

  #send(): void {
    this.#sendTimer?.cancel();
    this.#sendTimer = null;
    this.#outbox.send();
  }

  async #claim(): Promise<void> {
    this.#mustClaim = false;
    const wanted = this.#wanted();
    if (!this.#isStarted || wanted.limit <= 0 || wanted.kinds.size === 0) return;
    this.#isClaiming = true;
    try {
      let asked: Asked | null = this.#ask(wanted.limit, wanted.kinds);
      while (asked !== null) asked = await this.#takeIn(asked);
    } catch (error) {
      this.#storeHealth.failed(error, "claim");
      const delayMs = this.#storeHealth.backoff();
      if (this.#isStarted) this.#wakeIn(delayMs);
    } finally {
      this.#isClaiming = false;
    }
    this.#checkIdle();
    if (this.#mustClaim) this.#step();
  }

  /** How many to claim, and of which kinds: if all workers are busy, only kinds that take none. */
  #wanted(): Pick<Asked, "limit" | "kinds"> {
    const { registry } = this.#options;
    const room = this.#count - this.#busy - this.#ahead.size;
    const free = Math.min(room + this.#ahead.most, CLAIM_MAX);
    const { taking, beside } = registry.kindsBySlot;
    if (beside.size === 0) return { limit: free, kinds: taking };
    const more = Math.min(BESIDE_MAX - this.#beside, CLAIM_MAX);
    if (free <= 0) return { limit: more, kinds: beside };
    return more <= 0
      ? { limit: free, kinds: taking }
      : { limit: Math.min(free, more), kinds: registry.kinds };
  }

  #ask(limit: number, kinds: ReadonlySet<string>): Asked {
    const { store, clock, earlyClaims, node, registry: { limits }, leaseMs } = this.#options;
    const at = clock.now();
    const ahead = earlyClaims.aheadOf(at.wallMs);
    return {
      at,
      limit,
      kinds,
      answer: store.claim({ at, node, kinds, limits, limit, leaseMs, ...ahead }),
    };
  }

  /** Begin what was claimed; answers the claim that was asked for meanwhile. */
  async #takeIn({ at, limit, kinds, answer }: Asked): Promise<Asked | null> {
    const { value, at: claimedAt, sentMs = at.monotonicMs } = await answer;
    this.#storeHealth.succeeded("claim");
    if (value.length > 0) this.#options.earlyClaims.took(at.monotonicMs);
    const isFull = value.length === limit;
    // Where the store is slower than the workers it looks for the next ones while they have these.
    const { taking, beside } = this.#options.registry.kindsBySlot;
    const isOfWorkers = kinds !== beside && this.#isStarted;
    const more = isFull && isOfWorkers ? this.#ahead.arrived() : 0;
    const next = more > 0 ? this.#ask(more, taking) : null;
    const deadlineMs = this.#renewal.deadlineOf(sentMs);
    for (const instance of value) this.#run(instance, deadlineMs, claimedAt);
    if (value.length > 0) this.#renewal.claimed(sentMs);
    if (isFull) this.#mustClaim = true;
    else if (!this.#mustClaim) await this.#armNextDue(kinds);
    return next;
  }

  // By the store's time: a node whose clock is ahead must not ask again at once.
  async #armNextDue(kinds: ReadonlySet<string>): Promise<void> {
    const { store, clock, registry: { limits }, node, earlyClaims } = this.#options;
    const asked = clock.now();
    const { at, instanceAt } = await store.nextDue({ at: asked, node, kinds, limits });
    if (instanceAt === null || !this.#isStarted) return;
    this.#wakeIn(earlyClaims.waitMs(instanceAt, { at, asked }));
  }

  #run(instance: Instance, deadlineMs: number, at: number): void {
    const { clock, events } = this.#options;
    const job = events.jobOf(instance);
    const running = new RunningAttempt({
      job: job ?? null,
      instance,
      clock,
      write: (source, writing) => writeLines(this.#options, source, writing),
    });
    this.#running.set(instance.id, running);
    if (job && this.#isStarted) events.changed(instance, at);
    if (!running.hasSlot || this.#isFree) this.#begin({ running, deadlineMs });
    else this.#ahead.add({ running, deadlineMs });
  }

  #begin({ running, deadlineMs }: WaitingClaim): void {
    const { job } = running;
    const isLate = deadlineMs <= this.#options.clock.now().monotonicMs;
    // The kind was removed meanwhile, the answer came when too little of the lease was left, or we drain: give it back unstarted.
    if (!job || isLate || !this.#isStarted) return this.#ended(running, notStarted());
    if (running.hasSlot) {
      if (this.#busy === 0) this.#ahead.began();
      this.#busy += 1;
      if (this.#busy >= this.#count) this.#options.full();
    } else this.#beside += 1;
    this.#options.earlyClaims.hold(running, () => this.#start(running, job, deadlineMs));
  }

  #start(running: RunningAttempt, job: JobDefinition, deadlineMs: number): void {
    running.startedMs = this.#options.clock.now().monotonicMs;
    // While it was held back we may have begun to drain, or been frozen past the end of its lease.
    const isLate = running.startedMs >= deadlineMs;
    if (isLate || !this.#isStarted) return this.#left(running, notStarted());
    if (job.source.type === "system") {
      const done = this.#options.systemJobs.run(running.instance);
      void done.then((outcome) => this.#left(running, outcome));
    } else this.#execute(running, job, deadlineMs);
  }

  /** It no longer runs, and its worker is free again. */
  #left(running: RunningAttempt, outcome: AttemptOutcome): void {
    if (!running.hasSlot) {
      this.#beside -= 1;
      return this.#ended(running, outcome);
    }
    this.#busy -= 1;
    // What the executor gave back tells nothing of how fast workers are.
    if (!isGivenBack(outcome)) this.#ahead.ended();
    this.#ended(running, outcome);
    while (this.#isFree) {
      const next = this.#ahead.take();
      if (next === null) break;
      this.#begin(next);
    }
    if (this.#busy === 0) this.#ahead.idle();
  }

  #execute(running: RunningAttempt, job: JobDefinition, deadlineMs: number): void {
    const { executor, events, handleCall } = this.#options;
    const { instance } = running;
    const after = events.handled(instance.id);
    try {
      running.attempt = executor.run({ job, instance, deadlineMs, after }, {
        log: (entries) => running.log(entries),
        progress: (progress) => running.progress(progress),
        call: (method, args) => handleCall(running, method, args),
      });
    } catch (error) {
      return this.#left(running, { type: "lost", error: encodeError(error) });
    }
    const deadline = running.watchDeadline();
    void running.attempt.outcome.then((outcome) => {
      deadline?.cancel();
      if (outcome.type === "unstarted") this.#resources.enter(running, outcome, deadlineMs);
      else if (isUnasked(outcome) && this.holds(running.instance)) {
        void askHandlers(executor, running, outcome).then((said) => this.#left(running, said));
      } else this.#left(running, outcome);
    });
  }

  #ended(running: RunningAttempt, outcome: AttemptOutcome): void {
    const { clock, random } = this.#options;
    const releaseMs = this.#resources.leave(running, outcome);
    running.end(({ lines: logs, progress }) => {
      const settlement = settlementOf(running.instance, outcome, {
        // A claim whose job is gone is given back, never retried.
        retry: running.job?.options.retry ?? JOB_DEFAULTS.retry,
        onDrain: running.job?.options.onDrain ?? running.job?.options.onCrash,
        nowMs: clock.now().wallMs,
        random: random.next(),
        logs,
        releaseMs,
      });
      this.#outbox.add(running, withDetails(settlement, versionOf(running.job), progress));
      this.#step();
    });
    this.poke();
  }

  // A claim that was taken over has its outcome from others; one that a drain cannot settle is taken back at the next opening.
  #mustKeep(running: RunningAttempt): boolean {
    if (!this.holds(running.instance)) return false;
    if (this.#isStarted || this.#busy + this.#beside > 0) return true;
    const nowMs = this.#options.clock.now().monotonicMs;
    this.#giveUpMs ??= nowMs + GIVE_UP_MS;
    if (nowMs < this.#giveUpMs) return true;
    const { id, kind } = running.instance;
    this.#options.logger.error(
      "An outcome is lost, as the store does not take it: it will run again",
      { kind, instance: id },
    );
    this.#release(running);
    return false;
  }

  #settled(
    running: RunningAttempt,
    result: SettleResult,
    at: number,
    logs: readonly LogEntry[],
  ): void {
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
    events.logged(instance, logs, at);
    const durationMs = clock.now().monotonicMs - running.startedMs;
    events.attempted(instance, durationMs);
    events.changed(instance, at);
    if (instance.state === "scheduled") this.pokeAt(instance.dueAt);
  }

  #release(running: RunningAttempt): void {
    if (this.#running.get(running.instance.id) === running) {
      this.#running.delete(running.instance.id);
    }
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (!this.isQuiet) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}
