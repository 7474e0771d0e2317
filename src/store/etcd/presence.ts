import { backoffMs } from "../../core/backoff.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import { type Clock, type Instant, sleep, type Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EtcdCalls } from "./calls.ts";
import { boundsOf, putOf, readOf, readTogether, runTransaction } from "./keys.ts";
import { Lease, Watch, type WatchResponse } from "./gen/etcd_pb.ts";
import { Event_EventType as EventType } from "./gen/kv_pb.ts";
import { type Layout, textOf } from "./layout.ts";
import { NodeClocks, parseReport } from "../replica/node_clocks.ts";

/** Shortest lease that etcd grants, in seconds. */
const LEASE_S_MIN = 2;
/** Longest time between two reports of a node, which also renew its lease. */
const REPORT_MS_MAX = 5_000;
/** Longest pause of claims while peers have not reported their clocks; live ones do so at once. */
const REPORTS_MS_MAX = 1_000;
/** A wall clock that moves this far against the monotonic one was set. */
const STEP_MS = 100;
/** Waits before a lost lease is replaced. */
const BACKOFF = { firstMs: 50, longestMs: 2_000 };

/** Time for which a node's key outlives it, and the allowed difference of its clock. */
export interface PresenceLimits {
  readonly leaseMs: number;
  readonly maxSkewMs: number;
  /** Replaces the clocks that run the timers. */
  readonly now?: () => Instant;
}

/** Parts of a presence. */
export interface PresenceOptions extends PresenceLimits {
  readonly calls: EtcdCalls;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: string;
}

/**
 * A node's key under its lease, which ends with the node. Its value is the node's clock report; the
 * others' reports show whether its clock can be right.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #clocks: NodeClocks;
  readonly #stopping = new AbortController();
  #leaseId: bigint | null = null;
  #fail: (error: JobError) => void = () => {};
  /** Monotonic time since which we wait for the peers' clocks; null if we do not wait. */
  #askedMs: number | null = null;
  #wallLeadMs: number;
  #isReporting = false;
  #mustReport = false;
  #mustAsk = false;
  #timer: Timer | null = null;
  #hasProblem = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#clocks = new NodeClocks(options.node, options.maxSkewMs);
    const { wallMs, monotonicMs } = this.#now();
    this.#wallLeadMs = wallMs - monotonicMs;
  }

  /** Write the key, and wait for the peers' quick reports. Retried while etcd does not respond. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const revision = await this.#appear().catch(() => null);
    void this.#run(revision);
    const endMs = clock.now().monotonicMs + REPORTS_MS_MAX;
    while (!this.#clocks.haveAllReported && clock.now().monotonicMs < endMs) {
      await sleep(clock, 5, this.#stopping.signal);
    }
  }

  /** Delete the key. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#fail(new JobError("canceled", "Cannot continue: stopped"));
    await this.#endLease();
  }

  async #endLease(): Promise<void> {
    const ID = this.#leaseId;
    this.#leaseId = null;
    if (ID === null) return;
    const { calls } = this.#options;
    // If etcd cannot be reached, the lease expires.
    await calls.call(Lease.method.leaseRevoke, { ID }, { action: "end its lease" }).catch(() => {});
  }

  /** A node's clock minus the median, in milliseconds; null if unknown or without peers. */
  skewOf(node: string): number | null {
    return this.#clocks.skewOf(node);
  }

  /** @throws JobError `unavailable` while our clock may be too far from most live peers' */
  check(action: string): void {
    const { wallMs, monotonicMs } = this.#now();
    if (Math.abs(wallMs - monotonicMs - this.#wallLeadMs) > STEP_MS) {
      this.#wallLeadMs = wallMs - monotonicMs;
      this.#clocks.forget();
      this.#askedMs = monotonicMs;
      void this.#report(true);
    }
    const isAsking = this.#askedMs !== null && monotonicMs - this.#askedMs < REPORTS_MS_MAX &&
      !this.#clocks.haveAllReported;
    if (!isAsking) {
      this.#askedMs = null;
      this.#note(this.#clocks.problem() !== null);
    }
    this.#clocks.check(action, isAsking);
  }

  #note(hasProblem: boolean): void {
    if (this.#hasProblem === hasProblem) return;
    this.#hasProblem = hasProblem;
    const { logger, node } = this.#options;
    if (!hasProblem) logger.info("The clock agrees with those of the other nodes again", { node });
  }

  /** Take a lease if needed, read the other nodes, report. @returns the revision of the read */
  async #appear(): Promise<bigint> {
    const { calls, layout } = this.#options;
    if (this.#leaseId === null || !await this.#isLeaseKept(this.#leaseId)) {
      const TTL = BigInt(Math.max(LEASE_S_MIN, Math.ceil(this.#options.leaseMs / 1_000)));
      const { message } = await calls.call(Lease.method.leaseGrant, { TTL }, {
        action: "take a lease",
      });
      this.#leaseId = message.ID;
    }
    const { revision, ranges } = await readTogether(calls, "read who is there", [
      readOf(layout.nodes),
    ]);
    const kvs = ranges[0]?.kvs ?? [];
    this.#clocks.keep(new Set(kvs.map(({ key }) => layout.nodeOf(key))));
    for (const { key, value } of kvs) {
      const report = parseReport(textOf(value));
      if (report) this.#clocks.heard(layout.nodeOf(key), report, null);
    }
    await this.#put(true);
    return revision;
  }

  async #isLeaseKept(ID: bigint): Promise<boolean> {
    let respond!: (isKept: boolean) => void;
    let fail!: (error: JobError) => void;
    const responded = new Promise<boolean>((resolve, reject) => {
      respond = resolve;
      fail = reject;
    });
    const stream = await this.#options.calls.stream(Lease.method.leaseKeepAlive, {
      action: "keep its lease",
      received: ({ TTL }) => respond(TTL > 0n),
      ended: fail,
    });
    stream.send({ ID });
    return await responded.finally(() => stream.cancel());
  }

  async #run(first: bigint | null): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stopping;
    let revision = first;
    for (let failures = 0; !signal.aborted;) {
      try {
        revision ??= await this.#appear();
        if (signal.aborted) break;
        failures = 0;
        await this.#follow(revision + 1n);
      } catch (thrown) {
        if (signal.aborted) break;
        const error = toJobError(thrown, "Cannot keep the node's lease");
        if (failures === 0 && error.code !== "unavailable") {
          logger.warn("The node's lease on etcd was not renewed: taking a new one", {
            error: error.message,
          });
        }
        await sleep(clock, backoffMs(BACKOFF, failures), signal);
        failures += 1;
      }
      revision = null;
    }
    // It may have taken another lease since it was stopped.
    await this.#endLease();
  }

  /** Exchange reports, and renew the lease until a stream ends. @throws JobError with the reason */
  async #follow(startRevision: bigint): Promise<void> {
    const { calls, layout, clock, leaseMs } = this.#options;
    const ended = new Promise<void>((_resolve, reject) => this.#fail = reject);
    ended.catch(() => {});
    const fail = (error: JobError) => this.#fail(error);
    const watch = await calls.stream(Watch.method.watch, {
      action: "watch the nodes",
      received: (message) => this.#heard(message),
      ended: fail,
    });
    const keep = await calls.stream(Lease.method.leaseKeepAlive, {
      action: "keep its lease",
      received: ({ TTL }) => {
        if (TTL > 0n) return;
        this.#leaseId = null;
        fail(new JobError("conflict", "Cannot keep its lease: it has ended"));
      },
      ended: fail,
    });
    const range = {
      ...boundsOf(layout.nodes),
      startRevision,
      progressNotify: true,
      fragment: true,
    };
    watch.send({ requestUnion: { case: "createRequest", value: range } });
    const everyMs = Math.min(REPORT_MS_MAX, leaseMs / 3);
    const beat = () => {
      this.#timer = clock.timer(everyMs, () => {
        if (this.#leaseId !== null) keep.send({ ID: this.#leaseId });
        void this.#report(false);
        beat();
      }, { unref: true });
    };
    beat();
    try {
      await ended;
    } finally {
      this.#timer?.cancel();
      watch.cancel();
      keep.cancel();
    }
  }

  #heard(message: WatchResponse): void {
    if (message.canceled) {
      return this.#fail(new JobError("unavailable", "Cannot watch the nodes: canceled"));
    }
    const { layout, node } = this.#options;
    for (const { type, kv } of message.events) {
      if (kv === undefined) continue;
      const name = layout.nodeOf(kv.key);
      if (name === node) continue;
      const report = type === EventType.PUT ? parseReport(textOf(kv.value)) : null;
      if (report === null) {
        this.#clocks.gone(name);
        continue;
      }
      this.#clocks.heard(name, report, this.#now().wallMs);
      if (report.asks) void this.#report(false);
    }
  }

  /** Write one report at a time; further requests share the next one. */
  async #report(asks: boolean): Promise<void> {
    this.#mustAsk ||= asks;
    this.#mustReport = true;
    if (this.#isReporting) return;
    this.#isReporting = true;
    try {
      while (this.#mustReport && this.#leaseId !== null) await this.#put(this.#mustAsk);
    } catch (thrown) {
      this.#fail(toJobError(thrown, "Cannot report the clock"));
    } finally {
      this.#isReporting = false;
    }
  }

  async #put(asks: boolean): Promise<void> {
    this.#mustAsk = this.#mustReport = false;
    const lease = this.#leaseId;
    // Without a lease the key would stay forever.
    if (lease === null) return;
    const { calls, layout, node } = this.#options;
    const report = JSON.stringify(this.#clocks.report(this.#now().wallMs, asks));
    await runTransaction(calls, {
      action: "report its clock",
      success: [putOf(layout.nodeKey(node), report, lease)],
    });
  }

  #now(): Instant {
    return this.#options.now?.() ?? this.#options.clock.now();
  }
}
