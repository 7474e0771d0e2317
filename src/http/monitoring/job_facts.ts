import type { Instance } from "../../core/instance.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import type { ManagerApi, ManagerStatus } from "../../manager/api.ts";

/** Facts about one kind in the metrics. Times are epoch ms; null is unknown or none. */
export interface JobFacts {
  /** End of the last instance that completed. */
  lastSuccessAt: number | null;
  /** End of the last instance that failed for good. */
  lastFailureAt: number | null;
  /** Dead letters, see {@link FAILED_READ_MAX}. */
  deadCount: number | null;
  /** Start of the oldest running attempt. */
  runningSince: number | null;
  /** Next tick of any schedule, and the last tick that became an instance. */
  nextTickAt: number | null;
  lastTickAt: number | null;
}

/** Newest failed instances of a kind among which dead letters are counted. */
export const FAILED_READ_MAX = 100;
/** Newest completed instances that are searched for the last success: they may overlap. */
const COMPLETED_READ_MAX = 10;
/** Rows of one page of the store. */
const PAGE_MAX = 1_000;
/** Most kinds whose instances are read for one page. */
const KINDS_READ_MAX = 64;
/** Time for which the last success and failure count as current if other nodes may have had one. */
const FRESH_MS = 60_000;
/** Least time between two readings of a thousand schedules. */
const SCHEDULES_MS = 5_000;
/** Most schedules that are read. */
const SCHEDULES_MAX = 20_000;

/** A kind's facts when its instances were last read. */
interface Reading {
  atMs: number;
  completed: number;
  failed: number;
  redriven: number;
  /** Successes that events had reported by then. */
  seen: number;
}

type Reads = Pick<ManagerApi, "lookupInstances" | "listSchedules">;

/**
 * The last success and failure of each job, what runs, and the next tick: partly from events of
 * this process, and otherwise from the store, by queries that read a few rows of an index.
 */
export class JobFactsReader {
  readonly #manager: Reads;
  readonly #facts = new Map<string, JobFacts>();
  readonly #readings = new Map<string, Reading>();
  /** Redrives seen, by kind: they do not change state counts. */
  readonly #redriven = new Map<string, number>();
  /** Successes reported by events, by kind. */
  readonly #seen = new Map<string, number>();
  #schedulesDueMs = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(manager: Reads) {
    this.#manager = manager;
  }

  /** All known facts by kind. */
  get facts(): ReadonlyMap<string, Readonly<JobFacts>> {
    return this.#facts;
  }

  /** Note an instance that became final, from an event. */
  ended(instance: Instance): void {
    const { kind, state } = instance;
    if (state === "completed") this.#seen.set(kind, (this.#seen.get(kind) ?? 0) + 1);
    this.#note(instance);
  }

  #note({ kind, state, settledAt }: Instance): void {
    if (settledAt === null) return;
    const facts = this.#of(kind);
    if (state === "completed") facts.lastSuccessAt = later(facts.lastSuccessAt, settledAt);
    else if (state !== "canceled") facts.lastFailureAt = later(facts.lastFailureAt, settledAt);
  }

  /** Note that a dead letter of a kind runs again. */
  redriven(kind: string): void {
    this.#redriven.set(kind, (this.#redriven.get(kind) ?? 0) + 1);
  }

  /**
   * Read facts that may have changed; joins an unfinished reading.
   *
   * @param kinds that are shown
   * @param nowMs monotonic
   */
  read(status: ManagerStatus, kinds: ReadonlySet<string>, nowMs: number): Promise<void> {
    this.#reading ??= this.#read(status, kinds, nowMs).finally(() => this.#reading = null);
    return this.#reading;
  }

  async #read(status: ManagerStatus, kinds: ReadonlySet<string>, nowMs: number): Promise<void> {
    await this.#readRunning(status, kinds);
    await this.#readSchedules(kinds, nowMs);
    await this.#readEnds(status, kinds, nowMs);
  }

  async #readRunning({ stats }: ManagerStatus, kinds: ReadonlySet<string>): Promise<void> {
    const running = [...kinds].filter((kind) => (stats.kinds.get(kind)?.processing ?? 0) > 0);
    const since = new Map<string, number>();
    if (running.length > 0) {
      const { items } = await this.#manager.lookupInstances(
        { kinds: running, states: ["processing"] },
        { limit: PAGE_MAX, order: "oldest" },
      );
      for (const { kind, processedAt } of items) {
        if (processedAt !== null) {
          since.set(kind, Math.min(since.get(kind) ?? Infinity, processedAt));
        }
      }
    }
    for (const [kind, facts] of this.#facts) facts.runningSince = since.get(kind) ?? null;
    for (const [kind, at] of since) this.#of(kind).runningSince = at;
  }

  async #readSchedules(kinds: ReadonlySet<string>, nowMs: number): Promise<void> {
    if (nowMs < this.#schedulesDueMs) return;
    const next = new Map<string, number | null>();
    const last = new Map<string, number | null>();
    let token: string | undefined;
    let count = 0;
    do {
      const page = await this.#manager.listSchedules({}, { limit: PAGE_MAX, token });
      count += page.items.length;
      for (const record of page.items) {
        if (!kinds.has(record.kind)) continue;
        next.set(record.kind, sooner(next.get(record.kind) ?? null, nextTickAt(record)));
        last.set(record.kind, later(last.get(record.kind) ?? null, record.lastRunAt ?? null));
      }
      token = page.nextToken ?? undefined;
    } while (token !== undefined && count < SCHEDULES_MAX);
    for (const kind of new Set([...this.#facts.keys(), ...next.keys()])) {
      const facts = this.#of(kind);
      facts.nextTickAt = next.get(kind) ?? null;
      facts.lastTickAt = last.get(kind) ?? null;
    }
    this.#schedulesDueMs = nowMs + SCHEDULES_MS * Math.ceil(count / PAGE_MAX);
  }

  async #readEnds(
    { stats, nodes }: ManagerStatus,
    kinds: ReadonlySet<string>,
    nowMs: number,
  ): Promise<void> {
    const isShared = nodes.length > 1;
    const wanted: { kind: string; now: Reading; before: Reading | undefined }[] = [];
    for (const kind of kinds) {
      const counts = stats.kinds.get(kind);
      const now = {
        atMs: nowMs,
        completed: counts?.completed ?? 0,
        failed: (counts?.terminated ?? 0) + (counts?.timedOut ?? 0),
        redriven: this.#redriven.get(kind) ?? 0,
        seen: this.#seen.get(kind) ?? 0,
      };
      const before = this.#readings.get(kind);
      const isCurrent = before !== undefined && before.failed === now.failed &&
        before.redriven === now.redriven && !hasUnseen(before, now) &&
        (!isShared || nowMs - before.atMs < FRESH_MS);
      if (!isCurrent) wanted.push({ kind, now, before });
    }
    // Unread ones come first, then by age of the last read.
    wanted.sort((a, b) => (a.before?.atMs ?? -Infinity) - (b.before?.atMs ?? -Infinity));
    for (const { kind, now, before } of wanted.slice(0, KINDS_READ_MAX)) {
      const readsCompleted = isShared || before === undefined || hasUnseen(before, now);
      if (now.completed > 0 && readsCompleted) await this.#readCompleted(kind);
      await this.#readFailed(kind, now.failed);
      this.#readings.set(kind, now);
    }
  }

  async #readCompleted(kind: string): Promise<void> {
    const query = { kinds: [kind], states: ["completed"] as const };
    const { items } = await this.#manager.lookupInstances(query, { limit: COMPLETED_READ_MAX });
    for (const instance of items) this.#note(instance);
  }

  async #readFailed(kind: string, failedCount: number): Promise<void> {
    let deadCount = 0;
    if (failedCount > 0) {
      const query = { kinds: [kind], states: ["terminated", "timedOut"] as const };
      const { items } = await this.#manager.lookupInstances(query, { limit: FAILED_READ_MAX });
      for (const instance of items) {
        this.#note(instance);
        if (instance.redrivenAs === null) deadCount += 1;
      }
    }
    this.#of(kind).deadCount = deadCount;
  }

  #of(kind: string): JobFacts {
    let facts = this.#facts.get(kind);
    if (!facts) {
      facts = {
        lastSuccessAt: null,
        lastFailureAt: null,
        deadCount: null,
        runningSince: null,
        nextTickAt: null,
        lastTickAt: null,
      };
      this.#facts.set(kind, facts);
    }
    return facts;
  }
}

/** True if more instances have completed than events have reported. */
function hasUnseen(before: Reading, now: Reading): boolean {
  return now.completed - before.completed > now.seen - before.seen;
}

function later(one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.max(one, other);
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.min(one, other);
}

// A finished schedule keeps no next tick.
function nextTickAt({ nextAt, removedAt }: ScheduleRecord): number | null {
  return removedAt === undefined ? nextAt : null;
}
