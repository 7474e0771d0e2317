import { isJobError, type JobError, toJobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { type Instant, sleep } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { ProcessFate, ProcessIdentity } from "../../platform/process/process_identity.ts";
import {
  type ClaimKey,
  NODE_ID_PATH,
  type NodeRecord,
  type NodeReport,
} from "../../store/store.ts";
import type { Survivors } from "../../worker/executor.ts";
import type { Peers } from "./peers.ts";
import type { PartContext } from "../context/part_context.ts";

/** Share of the lease after which a node reports. */
const REPORT_SHARE = 1 / 3;
/** A node that knows no other reads the nodes after this many reports: a hint may be lost. */
const REPORTS_ALONE = 12;
/** Report interval, in ms, from which a node also reports when somebody lists the nodes. */
const SELDOM_MS = 60_000;
/** Greatest age of a report then. */
const FRESH_MS = 1_000;
/** Longest wait after a failed report, in milliseconds. */
const RETRY_MS = 5_000;
/** Interval between checks if another daemon with our id still reports. */
const LOOK_MS = 250;

interface MembershipOptions
  extends Pick<PartContext, "store" | "clock" | "logger" | "node" | "leaseMs" | "storeHealth"> {
  readonly process: ProcessIdentity;
  readonly survivors: Pick<Survivors, "place"> | undefined;
  readonly peers: Peers;
  /** Called with the lead of `clock` over the store's, if known; see `StoreTime`. */
  readonly skewed: (skewMs: number | null, tookMs: number) => void;
  readonly report: () => NodeReport;
  /** Called when a different number of workers is requested. */
  readonly resize: (workers: number) => void;
  /** Called when another daemon took this node's id while we were frozen or cut off. */
  readonly lost: (error: JobError) => void;
  /** Called when this node has joined again because the store had forgotten it. */
  readonly rejoined: () => void;
}

/**
 * This node's membership on the store: it joins, reports regularly and on change, and leaves. It
 * notices when another daemon takes its id.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #record: NodeRecord | null = null;
  #appliedWish: number | null = null;
  /** Number of changes of the worker count here: the response to an older request may lack some. */
  #wishes = 0;
  /** The last report that the store has. */
  #reported: NodeReport | null = null;
  /** When the store last received a report, monotonic ms. */
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
  }

  /** True if this node has joined and not left. */
  get isJoined(): boolean {
    return this.#record !== null;
  }

  /**
   * Take this node's id. A dead daemon with that id is replaced at once. If its state is unknown,
   * wait until it reports or its lease expires.
   *
   * @param keeps claims of the dead daemon whose job code still runs
   * @returns the other instances that a dead daemon was processing, taken back
   * @throws JobError `conflict` if another daemon with that id lives
   */
  async join(keeps: readonly ClaimKey[] = []): Promise<readonly Instance[]> {
    const { store, clock, node: id, leaseMs, report, logger } = this.#options;
    let replaces: number | undefined;
    let awaited: NodeRecord | undefined;
    for (;;) {
      const current = report();
      const request = { at: clock.now(), id, report: current, leaseMs, replaces, keeps };
      try {
        const { value } = await store.joinNode(request);
        this.#record = value.node;
        this.#heard(value.node, request.at);
        this.#appliedWish = null;
        this.#reported = current;
        return value.recovered;
      } catch (error) {
        const there = await this.#holder(error);
        const fate = this.#fateOf(there);
        const isNews = awaited !== undefined &&
          (there?.session !== awaited.session || there.seenAt !== awaited.seenAt);
        if (there && fate === "gone" && there.session !== replaces) {
          const fields = { node: id, pid: there.pid };
          // A drained daemon has left commands on purpose.
          if (there.isDraining) {
            logger.info("Taking over from the daemon that had this node's id", fields);
          } else {
            const what = "The daemon that had this node's id is dead: taking over its instances";
            logger.warn(what, fields);
          }
          replaces = there.session;
          continue;
        }
        if (!there || fate === "alive" || isNews) throw error;
        if (awaited === undefined) {
          logger.warn("Another daemon has this node's id: waiting to see whether it is alive", {
            node: id,
            host: there.host,
            pid: there.pid,
            until: new Date(there.until).toISOString(),
          });
        }
        awaited = there;
        await sleep(clock, LOOK_MS);
      }
    }
  }

  start(): void {
    this.#arm();
    this.changed();
    void this.#options.peers.refresh().catch(() => {});
  }

  /** The report has changed: send it now. */
  changed(): void {
    if (!this.#record) return;
    this.#mustReport = true;
    this.#reporting ??= this.#reportAll().finally(() => {
      this.#reporting = null;
      if (this.#mustReport) this.changed();
    });
  }

  /** Resolves when the store has a fresh report, or takes none. */
  async refreshed(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    if (leaseMs * REPORT_SHARE < SELDOM_MS) return;
    if (clock.now().monotonicMs - this.#heardMs < FRESH_MS) return;
    this.changed();
    await this.#reporting;
  }

  /** Nodes came, went or were sent a request. */
  hinted(): void {
    const wishes = this.#wishes;
    void this.#options.peers.refresh().then((nodes) => {
      const own = nodes.find(({ id }) => id === this.#options.node);
      if (!this.#record || !own) return;
      if (own.session === this.#record.session) this.#apply(own, wishes);
      else this.changed();
    }, () => {});
  }

  /** Stop reporting, and keep the id for its lease: the next daemon takes over running attempts. */
  stop(): void {
    this.#timer.cancel();
    this.#record = null;
    this.#mustReport = false;
  }

  /** Release the id. Store errors are ignored. */
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

  /** Request another number of workers of a node. Returns the node. @throws JobError `not_found` */
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

  /** The fate of a daemon with this id, and of its remaining processes. */
  #fateOf(there: NodeRecord | undefined): ProcessFate {
    const { process, survivors } = this.#options;
    const fate = process.fateOf(there?.process ?? null);
    // Its commands may run in a place that we did not search: they end with their leases.
    const isFound = there?.survivors === undefined || there.survivors === survivors?.place;
    return fate === "gone" && !isFound ? "unknown" : fate;
  }

  async #holder(error: unknown): Promise<NodeRecord | undefined> {
    if (!isJobError(error, "conflict")) throw error;
    const nodes = await this.#options.store.listNodes({ at: this.#options.clock.now() });
    return nodes.find(({ id }) => id === this.#options.node);
  }

  #arm(delayMs = this.#options.leaseMs * REPORT_SHARE): void {
    this.#timer.setIn(delayMs);
  }

  // Reading the nodes is an idle node's main cost, and there is a hint when one joins.
  #lookForOthers(): void {
    const { peers } = this.#options;
    this.#reportsAlone = peers.hasOthers ? 0 : this.#reportsAlone + 1;
    if (this.#reportsAlone % REPORTS_ALONE === 0) void peers.refresh().catch(() => {});
  }

  async #reportAll(): Promise<void> {
    // All changes of one turn of the event loop are in one report.
    await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
    while (this.#mustReport && this.#record) {
      this.#mustReport = false;
      await this.#report(this.#record);
    }
  }

  async #report({ session }: NodeRecord): Promise<void> {
    const { store, clock, storeHealth, node: id, leaseMs, report } = this.#options;
    const wishes = this.#wishes;
    try {
      const current = report();
      const request = {
        at: clock.now(),
        id,
        session,
        report: changesOf(this.#reported, current),
        leaseMs,
      };
      const { value } = await store.reportNode(request);
      this.#reported = current;
      storeHealth.succeeded("report");
      this.#heard(value, request.at);
      if (this.#record?.session === session) this.#apply(value, wishes);
    } catch (error) {
      if (this.#record?.session !== session) return;
      if (isTaken(error)) this.#lose(error);
      else if (isJobError(error, "not_found")) await this.#joinAgain();
      else {
        storeHealth.failed(error, "report");
        // Until then the store counts as failing.
        if (this.#timer.dueMs !== null && leaseMs * REPORT_SHARE > RETRY_MS) this.#arm(RETRY_MS);
      }
    }
  }

  // We were frozen for over an hour, or the store lost its data: our id is free.
  async #joinAgain(): Promise<void> {
    try {
      await this.join();
      this.#options.rejoined();
    } catch (error) {
      if (isTaken(error)) this.#lose(error);
      else this.#options.storeHealth.failed(error, "report");
    }
  }

  #heard({ seenAt, skewMs }: NodeRecord, asked: Instant): void {
    const { clock, peers, skewed } = this.#options;
    this.#heardMs = asked.monotonicMs;
    peers.synchronize(seenAt);
    skewed(skewMs, clock.now().monotonicMs - asked.monotonicMs);
  }

  /** @param wishes the count when the record was requested */
  #apply(record: NodeRecord, wishes: number): void {
    // Changes that others request meanwhile follow in the next report.
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

/** The parts of a report that differ from the last one. */
function changesOf(before: NodeReport | null, now: NodeReport): Partial<NodeReport> {
  if (before === null) return now;
  const keys = Object.keys(now) as (keyof NodeReport)[];
  // Lists are the same objects while the jobs are the same.
  return Object.fromEntries(
    keys.filter((key) => before[key] !== now[key]).map((key) => [key, now[key]]),
  );
}

/**
 * True if another daemon has this node's id. An emptied or replaced store is a conflict too, for an
 * operator to resolve.
 */
function isTaken(error: unknown): error is JobError {
  return isJobError(error, "conflict") && error.path === NODE_ID_PATH;
}
