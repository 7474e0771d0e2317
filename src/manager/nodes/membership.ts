import { isJobError, type JobError, toJobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { type Clock, type Instant, sleep } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Logger } from "../../platform/logger.ts";
import type { ProcessIdentity } from "../../platform/process/process_identity.ts";
import { NODE_ID_PATH, type NodeRecord, type NodeReport, type Store } from "../../store/store.ts";
import { Peers } from "./peers.ts";
import type { StoreHealth } from "../store/store_health.ts";

/** Share of the lease after which a node reports. */
const REPORT_SHARE = 1 / 3;
/** After how many reports a node that knows of no other looks whether there is one: a hint tells of it, and may be lost. */
const REPORTS_ALONE = 12;
/** A node that reports as seldom as this, in milliseconds, does so too when somebody wants to see the nodes. */
const SELDOM_MS = 60_000;
/** How old a seldom report may be then. */
const FRESH_MS = 1_000;
/** Longest wait after a report that the store did not take, in milliseconds. */
const RETRY_MS = 5_000;
/** How often it is looked whether the holder of our id still lives, when nothing here can tell. */
const LOOK_MS = 250;

/** What membership works with. */
export interface MembershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly storeHealth: StoreHealth;
  readonly node: string;
  readonly leaseMs: number;
  readonly process: ProcessIdentity;
  readonly maxSkewMs: number;
  /** How far `clock` is ahead of the store's, when that has one; see `StoreTime`. */
  readonly skewed: (skewMs: number | null, tookMs: number) => void;
  /** What this node says of itself now. */
  readonly report: () => NodeReport;
  /** Somebody asked for another number of workers. */
  readonly resize: (workers: number) => void;
  /** Another daemon took this node's id while we were frozen or cut off. */
  readonly lost: (error: JobError) => void;
}

/**
 * This node among those on the store: it joins, reports in time and on change, leaves, and learns when its id is no longer
 * its own.
 */
export class Membership {
  readonly peers: Peers;
  readonly #options: MembershipOptions;
  #record: NodeRecord | null = null;
  #appliedWish: number | null = null;
  /** Counts changes of the worker count made here: the response to an older request may not have the latest. */
  #wishes = 0;
  /** What the store has of us. */
  #told: NodeReport | null = null;
  /** When the store last heard of us, monotonic ms. */
  #heardMs = -Infinity;
  readonly #timer: LazyTimer;
  #reporting: Promise<void> | null = null;
  #mustReport = false;
  #reportsAlone = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => {
      this.#arm();
      this.changed();
      this.#lookForOthers();
    });
    this.peers = new Peers(options);
  }

  /** Whether this node has joined and not left. */
  get isJoined(): boolean {
    return this.#record !== null;
  }

  /**
   * Take this node's id. A daemon of that id that is known to be dead is replaced at once; of one that nothing is known of it
   * is awaited, for its lease at most, whether it still reports.
   *
   * @returns what the dead one was processing, taken back
   * @throws JobError `conflict` when another daemon with that id lives
   */
  async join(): Promise<readonly Instance[]> {
    const { store, clock, node: id, leaseMs, report, process, logger } = this.#options;
    let replaces: number | undefined;
    let awaited: NodeRecord | undefined;
    for (;;) {
      const told = report();
      const request = { at: clock.now(), id, report: told, leaseMs };
      try {
        const { value } = await store.joinNode(
          replaces === undefined ? request : { ...request, replaces },
        );
        this.#record = value.node;
        this.#heard(value.node, request.at);
        this.#appliedWish = null;
        this.#told = told;
        return value.recovered;
      } catch (error) {
        const there = await this.#holder(error);
        const fate = process.fateOf(there?.process ?? null);
        const isNews = awaited !== undefined &&
          (there?.session !== awaited.session || there.seenAt !== awaited.seenAt);
        if (there && fate === "gone" && there.session !== replaces) {
          logger.warn("The daemon that had this node's id is dead: taking over what it held", {
            node: id,
            pid: there.pid,
          });
          replaces = there.session;
          continue;
        }
        if (!there || fate === "alive" || isNews) throw error;
        if (awaited === undefined) {
          logger.warn("Another daemon has this node's id: waiting to see whether it is alive", {
            ...{ node: id, host: there.host, pid: there.pid },
            until: new Date(there.until).toISOString(),
          });
        }
        awaited = there;
        await sleep(clock, LOOK_MS);
      }
    }
  }

  /** Report from now on. */
  start(): void {
    this.#arm();
    this.changed();
    void this.peers.refresh().catch(() => {});
  }

  /** What this node says of itself is another: report now. */
  changed(): void {
    if (!this.#record) return;
    this.#mustReport = true;
    this.#reporting ??= this.#reportAll().finally(() => {
      this.#reporting = null;
      if (this.#mustReport) this.changed();
    });
  }

  /** Somebody wants to see this node as it is: resolves when the store knows, or takes no report. */
  async refreshed(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    if (leaseMs * REPORT_SHARE < SELDOM_MS) return;
    if (clock.now().monotonicMs - this.#heardMs < FRESH_MS) return;
    this.changed();
    await this.#reporting;
  }

  /** Nodes came, went or were asked for something. */
  hinted(): void {
    const wishes = this.#wishes;
    void this.peers.refresh().then((nodes) => {
      const own = nodes.find(({ id }) => id === this.#options.node);
      if (!this.#record || !own) return;
      if (own.session === this.#record.session) this.#apply(own, wishes);
      else this.changed();
    }, () => {});
  }

  /** Give the id back; what is wrong with the store then is of no matter. */
  async leave(): Promise<void> {
    const { store, clock, node: id, logger } = this.#options;
    this.#timer.cancel();
    const record = this.#record;
    this.#record = null;
    this.#mustReport = false;
    if (!record) return;
    await this.#reporting;
    try {
      await store.leaveNode({ at: clock.now(), id, session: record.session });
    } catch (error) {
      logger.debug("Cannot leave the other nodes", { error: String(error) });
    }
  }

  /** Ask a node for another number of workers; answers it as it then is. @throws JobError `not_found` */
  async resize(id: string, workers: number): Promise<NodeRecord> {
    const { store, clock, node } = this.#options;
    if (id === node) this.#wishes += 1;
    const wishes = this.#wishes;
    const { value } = await store.setNodeWorkers({ at: clock.now(), id, workers });
    if (id === node && wishes === this.#wishes) {
      this.#wishes += 1;
      this.#apply(value, this.#wishes);
    }
    return value;
  }

  async #holder(error: unknown): Promise<NodeRecord | undefined> {
    if (!isJobError(error, "conflict")) throw error;
    const nodes = await this.#options.store.listNodes({ at: this.#options.clock.now() });
    return nodes.find(({ id }) => id === this.#options.node);
  }

  #arm(delayMs = this.#options.leaseMs * REPORT_SHARE): void {
    this.#timer.setIn(delayMs);
  }

  // Reading the nodes is the dearest part of being idle, and one that comes is told of by a hint.
  #lookForOthers(): void {
    this.#reportsAlone = this.peers.hasOthers ? 0 : this.#reportsAlone + 1;
    if (this.#reportsAlone % REPORTS_ALONE === 0) void this.peers.refresh().catch(() => {});
  }

  async #reportAll(): Promise<void> {
    const { clock, defer } = { clock: this.#options.clock, defer: Promise.withResolvers<void>() };
    // What changes in one turn is told once.
    clock.defer(defer.resolve);
    await defer.promise;
    while (this.#mustReport && this.#record) {
      this.#mustReport = false;
      await this.#report(this.#record);
    }
  }

  async #report({ session }: NodeRecord): Promise<void> {
    const { store, clock, storeHealth, node: id, leaseMs, report } = this.#options;
    const wishes = this.#wishes;
    try {
      const told = report();
      const request = {
        at: clock.now(),
        id,
        session,
        report: changesOf(this.#told, told),
        leaseMs,
      };
      const { value } = await store.reportNode(request);
      this.#told = told;
      storeHealth.succeeded("report");
      this.#heard(value, request.at);
      if (this.#record?.session === session) this.#apply(value, wishes);
    } catch (error) {
      if (this.#record?.session !== session) return;
      if (isTaken(error)) this.#lose(error);
      else if (isJobError(error, "not_found")) await this.#joinAgain();
      else {
        storeHealth.failed(error, "report");
        // Until then the store counts as one that does not answer.
        if (this.#timer.dueMs !== null && leaseMs * REPORT_SHARE > RETRY_MS) this.#arm(RETRY_MS);
      }
    }
  }

  // Frozen for over an hour, or the store lost what it knew: nobody has our id.
  async #joinAgain(): Promise<void> {
    try {
      await this.join();
    } catch (error) {
      if (isTaken(error)) this.#lose(error);
      else this.#options.storeHealth.failed(error, "report");
    }
  }

  #heard({ seenAt, skewMs }: NodeRecord, asked: Instant): void {
    const { clock, skewed } = this.#options;
    this.#heardMs = asked.monotonicMs;
    this.peers.synchronize(seenAt);
    skewed(skewMs, clock.now().monotonicMs - asked.monotonicMs);
  }

  /** @param wishes the count when the record was requested */
  #apply(record: NodeRecord, wishes: number): void {
    // Changes that others request meanwhile come with the next report.
    if (wishes !== this.#wishes) return this.changed();
    this.#record = record;
    const { wantedWorkers } = record;
    if (wantedWorkers === null || wantedWorkers === this.#appliedWish) return;
    this.#appliedWish = wantedWorkers;
    this.#options.resize(wantedWorkers);
    this.changed();
  }

  #lose(error: unknown): void {
    this.#record = null;
    this.#timer.cancel();
    this.#options.lost(toJobError(error, "Cannot report"));
  }
}

/** The parts of a report that are other than before. */
function changesOf(before: NodeReport | null, now: NodeReport): Partial<NodeReport> {
  if (before === null) return now;
  const keys = Object.keys(now) as (keyof NodeReport)[];
  // Lists are the same objects while the jobs are the same.
  return Object.fromEntries(
    keys.filter((key) => before[key] !== now[key]).map((key) => [key, now[key]]),
  );
}

/** Whether another has this node's id. A store that was emptied or replaced is a conflict too, and waits for somebody to look. */
function isTaken(error: unknown): error is JobError {
  return isJobError(error, "conflict") && error.path === NODE_ID_PATH;
}
