import { isJobError, type JobError, toJobError } from "../../core/errors.ts";
import type { Clock, Instant, Timer } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { checkOpening } from "../ledger/maintenance/marks.ts";
import { recoverNode } from "../ledger/operations/recover.ts";
import type { Freshness, LedgerOwner, OperationOptions, PeerClocks } from "../ledger/owner.ts";
import { LedgerState, type Moment, momentBy } from "../ledger/state.ts";
import type { Committed, OpenRequest, StoreInfo } from "../store.ts";
import {
  backOff,
  type Flight,
  GroupError,
  newFlight,
  type Operation,
  operationsOf,
  resolveAll,
  resolveOne,
  type Result,
  runGroup,
  sendCommit,
  unwrittenFlight,
} from "./flight.ts";
import { AbandonedClaims, releaseClaims } from "./abandoned_claims.ts";
import { ClockWatch } from "./clock_watch.ts";
import { findHead, hasCommit } from "./head.ts";
import type { MediumChange, MediumListener, ReplicaMedium } from "./medium.ts";
import { Replica } from "./replica.ts";
import { ReplicaTables } from "./tables.ts";
import { FairShare } from "./fair_share.ts";
import { cannotReach, Patience, reachError, unreachable } from "./unreachable.ts";
import { Waiters } from "./waiters.ts";

/** Parts of a replicated store. */
export interface ReplicaOptions {
  readonly medium: ReplicaMedium;
  readonly clock: Clock;
  readonly random: Random;
  /** Replaces the callers' clocks: for tests. */
  readonly now?: (() => Instant) | undefined;
  /**
   * A node whose clock is further from most of its peers' claims nothing, fires nothing and takes
   * nothing back. Clocks are compared by rows of the medium. Absent: they are not.
   */
  readonly maxSkewMs?: number | undefined;
  /** Compares them by the medium's own means instead. */
  readonly clocks?: PeerClocks | undefined;
}

/** Most waiting operations; further ones are refused at once. */
const WAITING_MAX = 50_000;
/** Interval between checks of waiting operations. */
const LOOK_MS = 100;

/**
 * One of several owners of a ledger. Operations of one turn of the event loop run on the replica at
 * once and are committed together, one commit at a time. If another owner was first, they are
 * rolled back and run again on its changes. An acknowledged operation is committed, and a read
 * includes everyone's last commit.
 */
export class ReplicaOwner implements LedgerOwner {
  readonly state: LedgerState;
  readonly tables: ReplicaTables;
  readonly clocks: PeerClocks | undefined;
  readonly #options: ReplicaOptions;
  readonly #publish: () => void;
  /** Distinguishes this process from every other writer. */
  readonly #writer: string;
  readonly #replica: Replica;
  readonly #patience: Patience;
  readonly #waiters: Waiters;
  readonly #fairShare: FairShare;
  readonly #abandoned: AbandonedClaims;
  #queue: Operation[] = [];
  #status: "closed" | "loading" | "live" = "closed";
  #failure: JobError | null = null;
  #openings = 0;
  #flight: Flight | null = null;
  #flightCount = 0;
  /** The version to reach before anything runs again, and since when. */
  #wanted = { version: 0, sinceMs: 0 };
  #stopWatch: (() => void) | null = null;
  #isScheduled = false;
  #look: Timer | null = null;

  /** @param publish called after each commit, also of other owners */
  constructor(options: ReplicaOptions, publish: () => void) {
    this.#options = options;
    this.#publish = publish;
    const { clock, medium, now, maxSkewMs } = options;
    const tables = this.tables = new ReplicaTables();
    const state = this.state = new LedgerState(tables, { hasOwnClock: now !== undefined });
    if (maxSkewMs !== undefined) {
      tables.clocks = new ClockWatch(state, maxSkewMs, now ?? (() => clock.now()));
    }
    this.clocks = options.clocks ?? tables.clocks ?? undefined;
    const writer = [...options.random.bytes(9)].map((byte) => byte.toString(36)).join("");
    this.#writer = writer;
    this.#patience = new Patience(medium);
    this.#abandoned = new AbandonedClaims(writer);
    const momentOf = () => this.momentOf(clock.now());
    this.#replica = new Replica(state, { medium, tables, momentOf });
    const asked = (version: number) => {
      this.#want(version);
      this.#schedule();
    };
    this.#waiters = new Waiters({ medium, clock, patience: this.#patience, asked });
    this.#fairShare = new FairShare(clock, options.random, () => this.#schedule());
  }

  async open(request: OpenRequest): Promise<StoreInfo> {
    const { medium } = this.#options;
    [this.#failure, this.#status, this.#wanted.version] = [null, "loading", 0];
    this.#openings += 1;
    try {
      await medium.open?.({ node: request.node });
      await this.#replica.load(request);
      if (!request.isMaintenance) checkOpening(this.#replica.state.mark, medium.location);
      this.#goLive();
    } catch (thrown) {
      this.#status = "closed";
      await medium.close().catch(() => {});
      throw reachError(thrown, `Cannot open ${medium.location}`);
    }
    const recover = (state: LedgerState, moment: Moment) =>
      request.isMaintenance ? [] : recoverNode(state, moment, request);
    const isOpening = !request.isMaintenance;
    const { rev, value: recovered } = await this.run(request.at, recover, { isOpening });
    return { ...this.#replica.info, recovered, rev };
  }

  run<T>(
    at: Instant,
    run: (state: LedgerState, moment: Moment) => T,
    options: OperationOptions & { readonly isOpening?: boolean } = {},
  ): Promise<Committed<T>> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#queue.length >= WAITING_MAX) return Promise.reject(unreachable(this.#options.medium));
    const { canBeLate = false, isOpening = false } = options;
    const askedMs = this.#nowMs();
    return new Promise((resolve, reject) => {
      this.#queue.push({ at, run, canBeLate, isOpening, askedMs, resolve, reject });
      this.#schedule();
      this.#lookLater();
    });
  }

  async close(): Promise<void> {
    while (this.#queue.length > 0 || this.#flight) await this.#waiters.moved();
    this.#status = "closed";
    this.#stopWatch?.();
    this.#stopWatch = null;
    this.#look?.cancel();
    this.#look = null;
    this.#fairShare.cancel();
    this.#waiters.rejectAll(unreachable(this.#options.medium));
    await this.#options.medium.close();
  }

  momentOf(at: Instant): Moment {
    return momentBy(this.#options.now?.() ?? at, this.state.at);
  }

  refresh(freshness: Freshness): Promise<void> {
    return freshness === "own" ? this.#settled() : this.#synced();
  }

  /** A long read continues once concurrent operations are decided. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.defer(() => void this.#settled().then(resolve, resolve));
    });
  }

  /** Resolves when everything that this owner has run is decided. */
  async #settled(): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#status === "closed" || (this.#status === "live" && !this.#flight)) return;
    this.#lookLater();
    await this.#waiters.wait(0);
  }

  /** Resolves when the replica has everything acknowledged to anyone before. */
  async #synced(): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#status === "closed") return;
    this.#lookLater();
    await this.#waiters.waitForAll();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => {
      this.#isScheduled = false;
      this.#step();
      if (!this.#flight) this.#waiters.notifyMoved();
    });
  }

  /** Apply commits of other owners, then run the queue. */
  #step(): void {
    if (this.#status !== "live" || this.#flight) return;
    try {
      if (this.#replica.takeIn()) {
        this.#fairShare.note();
        this.#publish();
        this.#returnClaims();
      }
    } catch (thrown) {
      return this.#end(thrown);
    }
    const { version } = this.#replica;
    if (version < this.#wanted.version) return;
    // Reads that wait come before the next changes.
    if (this.#waiters.reached(version) > 0) return this.#schedule();
    if (this.#queue.length > 0 && !this.#fairShare.isResting) this.#start();
  }

  #start(): void {
    const { medium } = this.#options;
    const momentOf = (at: Instant) => this.momentOf(at);
    let results: readonly Result[];
    try {
      results = runGroup(this.#replica, this.#queue, { medium, momentOf });
    } catch (thrown) {
      this.#replica.takeBack();
      if (!(thrown instanceof GroupError)) return this.#end(thrown);
      this.#queue = this.#queue.filter((one) => one !== thrown.operation);
      thrown.operation.reject(thrown.error);
      return this.#schedule();
    }
    this.#queue = this.#queue.slice(results.length);
    const number = ++this.#flightCount;
    const flight = newFlight(this.#replica, results, {
      writer: this.#writer,
      number,
      sentMs: this.#nowMs(),
    });
    if (flight) void this.#send(flight);
    else this.#resolveUnwritten(results);
  }

  async #send(flight: Flight): Promise<void> {
    this.#flight = flight;
    const isWanted = () => this.#flight === flight;
    try {
      const by = { ...this.#options, patience: this.#patience, isWanted };
      const isDone = await sendCommit(flight.commit!, by);
      if (!isWanted()) return;
      if (isDone === true) return this.#landed(flight);
      if (isDone === false) return this.#lost(flight);
      flight.isUndecided = true;
      this.#want(flight.commit!.next);
      this.#waiters.notifyMoved();
    } catch (thrown) {
      if (isWanted()) this.#fail(flight, toJobError(thrown, "Cannot write to the store"));
    }
  }

  /** Nothing was written: late ones may resolve at once, others if the replica is up to date. */
  #resolveUnwritten(results: readonly Result[]): void {
    this.#replica.state.commit();
    const left: [Result, number][] = [];
    for (const result of results) {
      const rev = this.#replica.unwrittenRev();
      if (result.operation.canBeLate) resolveOne(result, { rev });
      else left.push([result, rev]);
    }
    this.#publish();
    if (left.length === 0) return this.#schedule();
    const flight = unwrittenFlight(this.#replica, left.map(([result]) => result));
    this.#flight = flight;
    this.#waiters.ask().then((version) => {
      if (this.#flight !== flight) return;
      this.#flight = null;
      const isOld = version > this.#replica.version;
      if (isOld) this.#queue = [...operationsOf(flight), ...this.#queue];
      else for (const [result, rev] of left) resolveOne(result, { rev });
      this.#schedule();
    }, (thrown) => {
      if (this.#flight === flight) {
        this.#fail(flight, reachError(thrown, cannotReach(this.#options.medium)));
      }
    });
  }

  #landed(flight: Flight): void {
    const { next } = flight.commit!;
    this.#flight = null;
    this.#replica.landed(next, flight.head);
    this.#returnClaims();
    resolveAll(flight);
    this.#publish();
    this.#fairShare.rest(flight.sentMs);
    this.#schedule();
  }

  /** Another owner was first: run the same operations again on its changes. */
  #lost(flight: Flight): void {
    this.#flight = null;
    this.#replica.takeBack();
    this.#queue = [...operationsOf(flight), ...this.#queue];
    this.#want(flight.commit!.next);
    this.#schedule();
  }

  #fail(flight: Flight, error: JobError): void {
    this.#flight = null;
    if (flight.commit) this.#replica.takeBack();
    this.#abandoned.note(flight, this.tables);
    for (const operation of operationsOf(flight)) operation.reject(error);
    this.#schedule();
  }

  /** Release claims of abandoned commits that were made after all. */
  #returnClaims(): void {
    const { head, version } = this.#replica;
    const claims = this.#abandoned.take(version, head);
    if (claims.length === 0) return;
    const release = (state: LedgerState, moment: Moment) => releaseClaims(state, moment, claims);
    this.run(this.#options.clock.now(), release).catch(() => this.#abandoned.keep(claims));
  }

  #want(version: number): void {
    if (version <= this.#wanted.version) return;
    this.#wanted = { version, sinceMs: this.#nowMs() };
    this.#lookLater();
  }

  #goLive(): void {
    this.#status = "live";
    this.#stopWatch = watchMedium(this.#options.medium, this.#replica.version, {
      changed: (change) => this.#heard(change),
      lost: () => this.#reload(),
      failed: (thrown) => this.#end(thrown),
    });
    this.#schedule();
  }

  #heard(change: MediumChange): void {
    this.#patience.responded();
    const place = this.#replica.hear(change);
    if (place === "old") return;
    if (place === "gap") return this.#reload();
    const flight = this.#flight;
    if (flight?.commit?.next === change.version) {
      const head = findHead(change);
      const isOurs = head && hasCommit(head, this.#writer, flight.number);
      if (isOurs) return this.#landed(flight);
      this.#lost(flight);
    }
    this.#replica.add(change);
    this.#schedule();
  }

  /** Load everything again: the watch has ended. */
  #reload(): void {
    if (this.#status !== "live") return;
    this.#status = "loading";
    this.#stopWatch?.();
    this.#stopWatch = null;
    void this.#reloadUntilDone();
  }

  async #reloadUntilDone(): Promise<void> {
    const { clock, random } = this.#options;
    const openings = this.#openings;
    const isOver = () => this.#status !== "loading" || this.#openings !== openings;
    for (let tries = 1, isDone = false; !isDone; tries++) {
      // Its result decides a sent commit; loading decides an undecided one.
      while (this.#flight && !this.#flight.isUndecided) await this.#waiters.moved();
      if (isOver()) return;
      try {
        await this.#replica.load(null, isOver);
        if (isOver()) return;
        isDone = true;
      } catch (thrown) {
        if (isOver()) return;
        if (isJobError(thrown, "conflict")) return this.#end(thrown);
        await backOff(tries, clock, random);
      }
    }
    const flight = this.#flight;
    this.#flight = null;
    this.#wanted.version = Math.min(this.#wanted.version, this.#replica.version);
    if (flight && hasCommit(this.#replica.head, this.#writer, flight.number)) {
      resolveAll(flight);
    } else if (flight) this.#queue = [...operationsOf(flight), ...this.#queue];
    this.#goLive();
    this.#publish();
    this.#returnClaims();
  }

  /** Fail everything: this store cannot be used any more. */
  #end(thrown: unknown): void {
    const error = toJobError(thrown, `Cannot continue with ${this.#options.medium.location}`);
    this.#failure = error;
    const waiting = [...this.#flight ? operationsOf(this.#flight) : [], ...this.#queue];
    for (const operation of waiting) operation.reject(error);
    [this.#flight, this.#queue] = [null, []];
    this.#waiters.rejectAll(error);
    this.#waiters.notifyMoved();
  }

  /** Check regularly for operations that have waited too long, while any wait. */
  #lookLater(): void {
    this.#look ??= this.#options.clock.timer(LOOK_MS, () => {
      this.#look = null;
      this.#lookNow();
    }, { unref: true });
  }

  #lookNow(): void {
    const nowMs = this.#nowMs();
    const lastMs = nowMs - this.#patience.ms;
    const isOver = ({ askedMs }: Operation) => askedMs <= lastMs;
    const flight = this.#flight;
    if (flight && operationsOf(flight).some(isOver)) {
      this.#patience.gaveUp();
      this.#fail(flight, unreachable(this.#options.medium));
    }
    const over = this.#queue.filter(isOver);
    if (over.length > 0) {
      this.#queue = this.#queue.filter((one) => !isOver(one));
      this.#patience.gaveUp();
      for (const operation of over) operation.reject(unreachable(this.#options.medium));
      this.#waiters.notifyMoved();
    }
    this.#waiters.rejectOver();
    const isBehind = this.#replica.version < this.#wanted.version;
    if (isBehind && nowMs - this.#wanted.sinceMs > this.#patience.lagMs) {
      this.#wanted.sinceMs = nowMs;
      this.#reload();
    }
    const hasAny = this.#queue.length > 0 || this.#flight || !this.#waiters.isEmpty || isBehind;
    if (hasAny && this.#status !== "closed" && !this.#failure) this.#lookLater();
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }
}

/** Watch a medium of any author: a lost or stopped watch reports nothing more. */
function watchMedium(
  medium: ReplicaMedium,
  from: number,
  { changed, lost, failed }: MediumListener & { readonly failed: (thrown: unknown) => void },
): () => void {
  let isCurrent = true;
  const stop = medium.watch(from, {
    changed: (change) => {
      if (!isCurrent) return;
      try {
        changed(change);
      } catch (thrown) {
        failed(thrown);
      }
    },
    lost: (error) => {
      if (!isCurrent) return;
      isCurrent = false;
      lost(error);
    },
  });
  return () => {
    isCurrent = false;
    stop();
  };
}
