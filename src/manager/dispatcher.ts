import { encodeError } from "../core/encode.ts";
import type { Instance, LogEntry } from "../core/instance.ts";
import { JOB_DEFAULTS, type JobDefinition } from "../core/job.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { type ClaimKey, type SettleResult, type Store } from "../store/store.ts";
import type { AbortCause, AttemptOutcome, Executor } from "../worker/executor.ts";
import type { Events } from "./events.ts";
import { Outbox } from "./outbox.ts";
import type { Registry } from "./registry.ts";
import { LEASE_MARGIN_SHARE, Renewal } from "./renewal.ts";
import { RunningAttempt, type Writing } from "./running.ts";
import { isUnasked, settlementOf, type UnaskedOutcome, withAnswer } from "./settlement.ts";
import type { StoreAnswers } from "./store_answers.ts";
import type { SystemJobs } from "./system_jobs.ts";

/** Most instances of one claim. */
const CLAIM_MAX = 500;
/** Shortest wait when the store names something due that it did not give: another node was first, or it is blocked. */
const REFUSED_WAIT_MS = 1;
/** How long a drain, when all attempts have ended, waits for a store that takes no outcomes. */
const GIVE_UP_MS = 10_000;

/** Of a claim whose job is gone: it is given back, never retried. */
const NO_RETRY = JOB_DEFAULTS.retry;

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
  readonly answers: StoreAnswers;
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
  readonly #answers: StoreAnswers;
  readonly #outbox: Outbox;
  readonly #renewal: Renewal;
  #count: number;
  #busy = 0;
  #isStarted = false;
  #isClaiming = false;
  #isStepping = false;
  #mustClaim = false;
  #wakeTimer: Timer | null = null;
  #wakeMs = Infinity;
  #giveUpMs: number | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#count = options.count;
    this.#answers = options.answers;
    this.#outbox = new Outbox({
      ...options,
      settled: (running, result, at, logs) => this.#settled(running, result, at, logs),
      mustKeep: (running) => this.#mustKeep(running),
    });
    this.#renewal = new Renewal({ ...options, running: this.#running });
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
    this.#giveUpMs = null;
    this.#renewal.start();
    this.poke();
  }

  /** Claim nothing more; running attempts go on. */
  pauseClaims(): void {
    this.#isStarted = false;
    this.#wakeTimer?.cancel();
    this.#wakeTimer = null;
  }

  /** Resolves when no claim is held or on its way any more; call after {@link pauseClaims}. */
  async drained(): Promise<void> {
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** Stop renewing; call after {@link drained}. */
  stop(): void {
    this.pauseClaims();
    this.#renewal.stop();
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
      this.#outbox.send();
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
      const { kinds, limits } = registry;
      const request = { at, node, kinds, limits, limit: free, leaseMs };
      const { value, at: claimedAt } = await store.claim(request);
      this.#answers.answered("claim");
      const deadlineMs = at.monotonicMs + leaseMs * (1 - LEASE_MARGIN_SHARE);
      for (const instance of value) this.#run(instance, deadlineMs, claimedAt);
      if (value.length > 0) this.#renewal.claimed(clock.now().monotonicMs - at.monotonicMs);
      if (value.length === free) this.#mustClaim = true;
      else if (!this.#mustClaim) await this.#armNextDue();
    } catch (error) {
      this.#answers.failed(error, "claim");
      this.#armWake(this.#answers.backoff());
    } finally {
      this.#isClaiming = false;
    }
    this.#checkIdle();
    if (this.#mustClaim) this.#step();
  }

  // By the store's time: a node whose clock is ahead must not ask again at once.
  async #armNextDue(): Promise<void> {
    const { store, clock, registry, node } = this.#options;
    const { kinds, limits } = registry;
    const asked = clock.now();
    const { at, instanceAt } = await store.nextDue({ at: asked, node, kinds, limits });
    if (instanceAt === null) return;
    const elapsedMs = clock.now().wallMs - asked.wallMs;
    this.#armWake(Math.max(instanceAt - at - elapsedMs, REFUSED_WAIT_MS));
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
    }, { isExact: true });
  }

  #run(instance: Instance, deadlineMs: number, at: number): void {
    const { registry, clock, events, systemJobs } = this.#options;
    const job = registry.find(instance.kind);
    const running = new RunningAttempt({
      job: job ?? null,
      instance,
      clock,
      write: (source, writing) => this.#write(source, writing),
    });
    this.#running.set(instance.id, running);
    this.#busy += 1;
    // The kind was removed meanwhile, the answer came when the lease was already over, or we drain: give it back unstarted.
    if (!job || deadlineMs <= clock.now().monotonicMs || !this.#isStarted) {
      this.#ended(running, notStarted());
      return;
    }
    events.changed(instance, at);
    if (job.source.type === "system") {
      void systemJobs.run(instance).then((outcome) => this.#ended(running, outcome));
    } else this.#execute(running, job, deadlineMs);
  }

  #execute(running: RunningAttempt, job: JobDefinition, deadlineMs: number): void {
    const { executor, handleCall, clock } = this.#options;
    try {
      running.attempt = executor.run({ job, instance: running.instance, deadlineMs }, {
        log: (entries) => running.log(entries),
        progress: (progress) => running.progress(progress),
        call: (method, args) => handleCall(running, method, args),
      });
    } catch (error) {
      this.#ended(running, { type: "lost", error: encodeError(error) });
      return;
    }
    const { deadlineAt } = running.instance;
    const deadline = deadlineAt === null ? null : clock.timer(
      Math.max(0, deadlineAt - clock.now().wallMs),
      () => running.attempt?.abort("deadline"),
      { unref: true },
    );
    void running.attempt.outcome.then((outcome) => {
      deadline?.cancel();
      if (isUnasked(outcome) && this.holds(running.instance)) this.#ask(running, job, outcome);
      else this.#ended(running, outcome);
    });
  }

  // The worker that failed may be gone: its handlers then have their say in another one, under the same claim.
  #ask(running: RunningAttempt, job: JobDefinition, outcome: UnaskedOutcome): void {
    const { onTerminate, retryDelay } = job.hasHandler;
    if (!onTerminate && !retryDelay) return this.#ended(running, outcome);
    void this.#options.executor.handle({
      job,
      instance: running.instance,
      call: { type: "terminate", error: outcome.error },
      log: (entries) => running.log(entries),
    }).then((answer) => this.#ended(running, withAnswer(outcome, answer)));
  }

  #ended(running: RunningAttempt, outcome: AttemptOutcome): void {
    const { clock, random } = this.#options;
    this.#busy -= 1;
    running.end(({ lines: logs, progress }) => {
      const settlement = settlementOf(running.instance, outcome, {
        retry: running.job?.options.retry ?? NO_RETRY,
        nowMs: clock.now().wallMs,
        random: random.next(),
        logs,
      });
      const version = versionOf(running.job);
      const isPlain = version === null && progress === undefined;
      this.#outbox.add(
        running,
        isPlain ? settlement : {
          ...settlement,
          ...(version === null ? {} : { version }),
          ...(progress === undefined ? {} : { progress }),
        },
      );
      this.#step();
    });
    this.poke();
  }

  // A claim that was taken over has its outcome from others; one that a drain cannot settle is taken back at the next opening.
  #mustKeep(running: RunningAttempt): boolean {
    if (!this.holds(running.instance)) return false;
    if (this.#isStarted || this.#busy > 0) return true;
    const nowMs = this.#options.clock.now().monotonicMs;
    this.#giveUpMs ??= nowMs + GIVE_UP_MS;
    if (nowMs < this.#giveUpMs) return true;
    const { id, kind } = running.instance;
    this.#options.logger.error(
      "An outcome is lost, as the store does not take it: it will run again",
      {
        kind,
        instance: id,
      },
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
    events.emit({ type: "attempt", instance, durationMs, outcome: instance.state });
    events.changed(instance, at);
    if (instance.state === "scheduled") this.pokeAt(instance.dueAt);
  }

  #release(running: RunningAttempt): void {
    if (this.#running.get(running.instance.id) === running) {
      this.#running.delete(running.instance.id);
    }
    this.#checkIdle();
  }

  get #isIdle(): boolean {
    return this.#running.size === 0 && !this.#isClaiming;
  }

  #checkIdle(): void {
    if (!this.#isIdle) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  async #write(running: RunningAttempt, { lines, progress }: Writing): Promise<boolean> {
    const { store, clock, events } = this.#options;
    const { id, fence } = running.instance;
    try {
      const append = { id, fence, logs: lines, progress };
      const { value: stale, at } = await store.appendLogs({ at: clock.now(), appends: [append] });
      this.#answers.answered("write the log");
      if (stale.length > 0) return true;
      events.logged(running.instance, lines, at);
      if (progress) events.progressed({ ...running.instance, progress }, progress, at);
      return true;
    } catch (error) {
      this.#answers.failed(error, "write the log");
      return false;
    }
  }
}

function notStarted(): AttemptOutcome {
  return { type: "aborted", cause: "drain", error: encodeError(new Error("not started")) };
}

/** Version of the code that an attempt ran; null where it has none, or none ran. */
function versionOf(job: JobDefinition | null): string | null {
  const source = job?.source;
  return source?.type === "module" && source.problem === undefined ? source.version : null;
}
