import type { Instance } from "../../core/instance.ts";
import type { Instant, Timer } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { ClaimKey, Committed } from "../../store/store.ts";
import type { AbortCause, AttemptOutcome, FoundAttempt } from "../../worker/executor.ts";
import { readAdopted } from "./adopted.ts";
import { type AttemptCalls, AttemptRunner } from "./attempt_runner.ts";
import { ClaimBuffer, type WaitingClaim } from "./claim_buffer.ts";
import { Drain, drainFacts, isCommand } from "./drain.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { Renewal } from "./renewal.ts";
import { ProcessWatch } from "./process_watch.ts";
import { oldestOf, processesOf, RunningAttempt } from "./running_attempt.ts";
import { isOwnWork } from "../context/registry.ts";
import { isReleased, notStarted, settlementFor } from "./settlement.ts";
import type { PartContext } from "../context/part_context.ts";
import type { DrainFacts, DrainRequest } from "../api/daemon.ts";

/** Most instances of one claim. */
const CLAIM_MAX = 500;
/** Most attempts that the executor holds beyond the workers, to begin when it chooses. */
const HANDED_MAX = 64;
/** Most concurrent attempts without a worker: each is a process of some megabytes. */
const SLOTLESS_MAX = 1_000;
/** Longest sleep: the wall clock may be set meanwhile. */
const SLEEP_MS_MAX = 60_000;
/** Time for which outcomes wait for others while workers have more to do. */
const SEND_MS = 2;
/** Time for which a drain waits, after all attempts have ended, for the store to take outcomes. */
const GIVE_UP_MS = 10_000;

interface DispatcherOptions extends PartContext {
  readonly manager: AttemptCalls;
  /** Attempts at once. */
  readonly count: number;
  /** Called each time that the last free worker gets an attempt. */
  readonly full: () => void;
}

interface KindsToClaim {
  readonly limit: number;
  readonly kinds: ReadonlySet<string>;
}

/** A claim under way. */
interface ClaimRequest extends KindsToClaim {
  readonly at: Instant;
  readonly response: Promise<Committed<readonly Instance[]>>;
}

/**
 * Claims due instances for free workers, runs them and settles their outcomes.
 *
 * It wakes when something was enqueued, is due or ended, and never polls. Outcomes and the
 * following claim are sent in the same turn of the event loop, so that one transaction settles a
 * group and claims the next.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #idle = new Set<() => void>();
  readonly #outbox: Outbox;
  readonly #renewal: Renewal;
  readonly #watch: ProcessWatch;
  readonly #buffer: ClaimBuffer;
  readonly #wake: LazyTimer;
  readonly #runner: AttemptRunner;
  #sendTimer: Timer | null = null;
  #count: number;
  #busy = 0;
  /** Running attempts that take none of the workers. */
  #slotless = 0;
  #isStarted = false;
  #isClaiming = false;
  #isStepping = false;
  #mustClaim = false;
  #giveUpMs: number | null = null;
  #drain: Drain | null = null;
  readonly runningOf = (id: string) => this.#running.get(id);

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#count = options.count;
    this.#outbox = new Outbox({
      ...options,
      settled: this.#settled,
      mustKeep: (running) => this.#mustKeep(running),
    });
    const watched = { ...options, running: this.#running };
    this.#renewal = new Renewal(watched);
    this.#watch = new ProcessWatch(watched, (running, why) => this.#runner.lose(running, why));
    this.#buffer = new ClaimBuffer(options.clock, ({ running }) => {
      this.#settle(running, notStarted());
    });
    this.#wake = new LazyTimer(options.clock, () => this.poke(), { isExact: true });
    this.#runner = new AttemptRunner({
      ...options,
      isClaimed: (claim) => this.#isClaimed(claim),
      mayBegin: (running) => this.#mayBegin(running),
      ended: (running, outcome) => this.#ended(running, outcome),
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

  /** See {@link processesOf}. */
  readonly processesOf = (ids: Iterable<string>) => processesOf(this.#running, ids);

  /** Attempts that seem to run without a process. */
  get missingCount(): number {
    return this.#watch.count;
  }

  /** The work that a {@link drain} would wait for. */
  drainFacts(options: DrainRequest): DrainFacts {
    return drainFacts([...this.#running.values()], options);
  }

  /** True if the executor can take another attempt: attempts queued in it need no worker yet. */
  get #isFree(): boolean {
    return this.busy < this.#count && this.#options.executor.waiting < HANDED_MAX;
  }

  /** See {@link oldestOf}. */
  get oldest(): RunningAttempt | null {
    return oldestOf(this.#running.values());
  }

  start(): void {
    this.#isStarted = true;
    this.#giveUpMs = null;
    this.#renewal.start();
    this.poke();
  }

  /**
   * Take over attempts that an earlier daemon began, before {@link start}: same claims, same
   * fences. Attempts with invalid claims are ended. @returns number that continue
   */
  async adopt(found: readonly FoundAttempt[]): Promise<number> {
    const all = await readAdopted(found, this.#options);
    // In one turn of the event loop, so that none ends or times out in between.
    for (const each of all) {
      const running = RunningAttempt.adopted(each, this.#options);
      this.#running.set(running.instance.id, running);
      this.#takeSlot(running);
      this.#runner.adopt(running, each);
    }
    this.#options.executor.survivors?.begin();
    if (this.#running.size > 0) this.#renewal.renewNow();
    return found.filter(({ id, isUnbegun }) => !isUnbegun && this.#running.has(id)).length;
  }

  /** Claim nothing more; running attempts continue. */
  pauseClaims(): void {
    this.#isStarted = false;
    this.#wake.cancel();
    this.#withdraw();
  }

  /** Release claims that may not begin any more. */
  #withdraw(): void {
    this.#buffer.clear();
    this.#runner.withdraw(this.#running.values());
  }

  /** True until the node drains. With no workers only notices and backups begin. */
  #mayBegin({ job }: RunningAttempt): boolean {
    return this.#isStarted && (this.#count > 0 || (job !== null && isOwnWork(job)));
  }

  /**
   * Claim nothing more, and wait until every claim is settled, or the store has not responded for
   * 10 s. Returns the number of attempts left to the next daemon.
   */
  async drain(request: DrainRequest): Promise<number> {
    this.pauseClaims();
    this.#drain = new Drain(request, {
      clock: this.#options.clock,
      running: () => [...this.#running.values()],
      abort: (claims) => this.abort("drain", claims),
      quiet: () => this.quiet(),
      leave: () => this.#leave(),
    });
    const giveUp = this.#options.clock.timer(GIVE_UP_MS, () => {
      this.#isClaiming = false;
      this.#checkIdle();
    });
    return await this.#drain.run().finally(() => giveUp.cancel());
  }

  /** End commands too, in a {@link drain} that would leave them and still waits for others. */
  readonly endCommands = () => this.#drain?.endCommands();

  /** Leave what can be left, with whole leases for the next daemon. @returns number of attempts */
  async #leave(): Promise<number> {
    await this.#renewal.renewed();
    const before = this.#running.size;
    for (const [id, running] of this.#running) {
      if (!running.leave()) continue;
      this.#running.delete(id);
      if (running.hasSlot) this.#busy -= 1;
      else this.#slotless -= 1;
    }
    return before - this.#running.size;
  }

  /** Resolves when no claim is unsettled or under way; later ones may follow at once. */
  async quiet(): Promise<void> {
    if (!this.isQuiet) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** True if no claim is unsettled or under way, except commands to be left. */
  get isQuiet(): boolean {
    if (this.#isClaiming) return false;
    if (!this.#drain?.keepsCommands) return this.#running.size === 0;
    return [...this.#running.values()].every((each) => isCommand(each) && !each.hasEnded);
  }

  /** Stop renewing; call after {@link drain}. */
  stop(): void {
    this.pauseClaims();
    this.#renewal.stop();
  }

  resize(count: number): void {
    this.#count = count;
    this.#options.executor.resize(count);
    if (count === 0) this.#withdraw();
    if (this.#busy >= count) this.#options.full();
    this.poke();
  }

  #isClaimed(claim: ClaimKey): boolean {
    return this.#running.get(claim.id)?.instance.fence === claim.fence;
  }

  /** Abort the attempts of `claims`, or all. */
  abort(cause: AbortCause, claims?: readonly ClaimKey[]): void {
    for (const { id, fence } of claims ?? [...this.#running.values()].map((one) => one.instance)) {
      const running = this.#running.get(id);
      if (!running || running.instance.fence !== fence) continue;
      if (this.#buffer.remove(running)) this.#settle(running, notStarted(cause));
      else this.#runner.abort(running, cause);
    }
  }

  /** Abort all attempts, and kill any that do not end soon. */
  abortNow(): void {
    this.abort("drain");
    this.#runner.hurry(this.#running.values());
  }

  /** Something may be due: claim in this turn of the event loop if a worker is free. */
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

  // Everything of one turn is sent together after its promises have settled, outcomes first.
  #step(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    queueMicrotask(() => {
      this.#isStepping = false;
      // While workers have more to do, outcomes wait for others and for the next claim.
      const { waiting } = this.#options.executor;
      const isEnough = this.#isClaiming
        ? this.#buffer.size + waiting > 0
        : this.#buffer.isEnough(waiting);
      if (!isEnough || !this.#isStarted) return this.#sendAndClaim();
      this.#sendTimer ??= this.#options.clock.timer(SEND_MS, () => this.#sendAndClaim());
    });
  }

  #sendAndClaim(): void {
    this.#sendTimer?.cancel();
    this.#sendTimer = null;
    this.#outbox.send();
    if (this.#mustClaim && !this.#isClaiming) void this.#claim();
  }

  async #claim(): Promise<void> {
    this.#mustClaim = false;
    const wanted = this.#isStarted ? this.#wanted() : [];
    if (wanted.length === 0) return;
    const { storeHealth } = this.#options;
    this.#isClaiming = true;
    try {
      // Requested in the same turn of the event loop, so that they share a transaction.
      const claims = await Promise.allSettled(wanted.map((each) => this.#claimKinds(each)));
      const failed = claims.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
      if (!this.#mustClaim) await this.#armNextDue(wanted.map(({ kinds }) => kinds));
    } catch (error) {
      storeHealth.failed(error, "claim");
      const delayMs = storeHealth.backoff();
      if (this.#isStarted) this.#wakeIn(delayMs);
    } finally {
      this.#isClaiming = false;
    }
    this.#checkIdle();
    if (this.#mustClaim) this.#step();
  }

  /** Number of claims wanted of kinds that take a worker, and of others, which need not wait. */
  #wanted(): readonly KindsToClaim[] {
    const { taking, slotless } = this.#options.registry.kindsBySlot(this.#count);
    const room = this.#count - this.#busy - this.#buffer.size;
    const both = [
      { limit: Math.min(room + this.#buffer.most, CLAIM_MAX), kinds: taking },
      { limit: Math.min(SLOTLESS_MAX - this.#slotless, CLAIM_MAX), kinds: slotless },
    ];
    return both.filter(({ limit, kinds }) => limit > 0 && kinds.size > 0);
  }

  async #claimKinds({ limit, kinds }: KindsToClaim): Promise<void> {
    let request: ClaimRequest | null = this.#request(limit, kinds);
    while (request !== null) request = await this.#receive(request);
  }

  #request(limit: number, kinds: ReadonlySet<string>): ClaimRequest {
    const { store, clock, earlyClaims, node, registry: { limits }, leaseMs } = this.#options;
    const at = clock.now();
    const request = { at, node, kinds, limits, limit, leaseMs, ...earlyClaims.aheadOf(at.wallMs) };
    return { at, limit, kinds, response: store.claim(request) };
  }

  /** Begin claimed attempts. Returns the next claim, if it was requested before that. */
  async #receive({ at, limit, kinds, response }: ClaimRequest): Promise<ClaimRequest | null> {
    const { storeHealth, earlyClaims, registry } = this.#options;
    const { value, at: claimedAt, sentMs = at.monotonicMs } = await response;
    storeHealth.succeeded("claim");
    if (value.length > 0) earlyClaims.took(at.monotonicMs);
    const isFull = value.length === limit;
    // A store slower than the workers can claim the next ones while they work.
    const { taking } = registry.kindsBySlot(this.#count);
    const isForWorkers = kinds === taking && this.#isStarted;
    const more = isFull && isForWorkers ? this.#buffer.arrived() : 0;
    const next = more > 0 ? this.#request(more, taking) : null;
    const deadlineMs = this.#renewal.deadlineOf(sentMs);
    for (const instance of value) this.#accept(instance, deadlineMs, claimedAt);
    if (value.length > 0) this.#renewal.claimed(sentMs);
    if (isFull) this.#mustClaim = true;
    return next;
  }

  // By the store's time: a node with a fast clock must not claim repeatedly.
  async #armNextDue(claimed: readonly ReadonlySet<string>[]): Promise<void> {
    const { store, clock, registry, node, earlyClaims } = this.#options;
    const asked = clock.now();
    const { limits } = registry;
    const kinds = claimed.length === 1 ? claimed[0]! : registry.kinds;
    const { at, instanceAt } = await store.nextDue({ at: asked, node, kinds, limits });
    if (instanceAt === null || !this.#isStarted) return;
    this.#wakeIn(earlyClaims.waitMs(instanceAt, { at, asked }));
  }

  #accept(instance: Instance, deadlineMs: number, at: number): void {
    const { events } = this.#options;
    const job = events.jobOf(instance) ?? null;
    const running = new RunningAttempt(instance, job, this.#options);
    this.#running.set(instance.id, running);
    if (job && this.#isStarted) events.changed(instance, at);
    const mustWait = running.hasSlot && !this.#isFree && this.#mayBegin(running);
    if (mustWait) this.#buffer.add({ running, deadlineMs });
    else this.#begin({ running, deadlineMs });
  }

  #begin({ running, deadlineMs }: WaitingClaim): void {
    const { job } = running;
    const isLate = deadlineMs <= this.#options.clock.now().monotonicMs;
    // Release it unstarted: its kind was removed, or too little of the lease is left.
    if (!job || isLate || !this.#mayBegin(running)) return this.#settle(running, notStarted());
    const wait = running.meetNewCode();
    if (wait !== null) return this.#settle(running, { type: "park", waits: [wait], steps: [] });
    this.#takeSlot(running);
    this.#runner.run(running, job, deadlineMs);
  }

  #takeSlot(running: RunningAttempt): void {
    this.#watch.begin();
    if (!running.hasSlot) return void (this.#slotless += 1);
    if (this.#busy === 0) this.#buffer.began();
    this.#busy += 1;
    if (this.#busy >= this.#count) this.#options.full();
  }

  /** An attempt no longer runs: its worker is free for the next one. */
  #ended(running: RunningAttempt, outcome: AttemptOutcome): void {
    if (!running.hasSlot) {
      this.#slotless -= 1;
      return this.#settle(running, outcome);
    }
    this.#busy -= 1;
    // An attempt that the executor released does not show how fast workers are.
    if (!isReleased(outcome)) this.#buffer.ended();
    this.#settle(running, outcome);
    while (this.#isFree) {
      const next = this.#buffer.take();
      if (next === null) break;
      this.#begin(next);
    }
    if (this.#busy === 0) this.#buffer.idle();
  }

  #settle(running: RunningAttempt, outcome: AttemptOutcome): void {
    const { clock, random, notices } = this.#options;
    const releaseMs = this.#runner.settle(running, outcome);
    running.end(({ lines: logs, progress }) => {
      const isNews = running.hasOutput && notices.isOutputWanted(running.instance.kind);
      const settlement = settlementFor(running, outcome, {
        nowMs: clock.now().wallMs,
        random: random.next(),
        releaseMs,
        logs,
        progress,
        news: isNews ? "output" : undefined,
      });
      this.#outbox.add(running, settlement);
      this.#step();
    });
    this.poke();
  }

  // Another node settles a claim that was taken over. The next start takes back claims that a drain
  // cannot settle.
  #mustKeep(running: RunningAttempt): boolean {
    if (!this.#isClaimed(running.instance)) return false;
    if (this.#isStarted || this.#busy + this.#slotless > 0) return true;
    const nowMs = this.#options.clock.now().monotonicMs;
    this.#giveUpMs ??= nowMs + GIVE_UP_MS;
    if (nowMs < this.#giveUpMs) return true;
    const { id, kind } = running.instance;
    this.#options.logger.error(
      "An outcome is lost because the store does not accept it: the instance will run again",
      { kind, instance: id },
    );
    this.#release(running);
    return false;
  }

  readonly #settled: OutboxOptions["settled"] = (running, result, at, logs) => {
    const { events, logger, clock } = this.#options;
    this.#release(running);
    const { instance } = result;
    if (result.status === "stale" || !instance) {
      const fields = { kind: running.instance.kind, instance: result.id, fence: result.fence };
      return logger.warn("An outcome was reported too late: its claim has expired", fields);
    }
    if (running.wasReplaced(result)) return;
    events.logged(instance, logs, at);
    const durationMs = (running.endedMs ?? clock.now().monotonicMs) - running.startedMs;
    events.attempted(instance, durationMs);
    events.changed(instance, at);
    if (instance.state === "scheduled") this.pokeAt(instance.dueAt);
  };

  #release(running: RunningAttempt): void {
    // Only once the store has the outcome: until then the supervisor keeps it for the next daemon.
    running.attempt?.outcomeRecorded?.();
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
