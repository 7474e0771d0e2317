import { plainInstance } from "./plain_instance.ts";
import assert from "node:assert/strict";
import { type ErrorCode, isJobError } from "../../core/errors.ts";
import type { ErrorInfo, Instance, LogEntry } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/time/schedule.ts";
import { canFollow } from "../../core/state.ts";
import type { NodeReport } from "../../store/nodes.ts";
import type { Instant } from "../../platform/clock.ts";
import type {
  Advance,
  ChangeHint,
  ClaimKey,
  EnqueueResult,
  InstanceQuery,
  LogQuery,
  NewInstance,
  Page,
  PageRequest,
  Settlement,
  Store,
} from "../../store/store.ts";

/** Given to the function that makes a store for a case. */
export interface FixtureOptions {
  /** The time of the case, which moves it. A store with its own clock uses that instead. */
  readonly clock: () => Instant;
}

/** A store under test. */
export interface StoreFixture {
  /** Not yet open. */
  readonly store: Store;
  /**
   * Another connection to the same data, not yet open, which the case closes; absent: the store
   * itself.
   */
  another?(): Promise<Store>;
  /**
   * True if several processes share the data: opening leaves others' claims, which end with their
   * leases.
   */
  readonly isShared?: boolean;
  /** Writes foreign data beside the store's. @returns a check that it is unchanged */
  foreign?(): Promise<() => Promise<void>>;
  /**
   * Cut the connection at the next write: before the store receives it, or after it is committed
   * and before the response. The store reconnects. Absent for a store without a connection.
   */
  cutNext?(when: "before" | "after"): Promise<void>;
  /** Close the store and delete everything. */
  end(): Promise<void>;
}

/** Makes a new store for one case. */
export type OpenFixture = (options: FixtureOptions) => Promise<StoreFixture>;

/** Start time of every test, epoch ms. */
export const START = Date.UTC(2026, 0, 1);
/** Lease of the claims of a case. */
export const LEASE_MS = 15_000;
/** A minute, in milliseconds. */
export const MINUTE = 60_000;
/** The schedule of a case, unless it names another. */
export const SCHEDULE = "config:mail:0";

/** The report of a node. */
export const REPORT: NodeReport = {
  version: "1.2.3",
  host: "alpha",
  pid: 4711,
  process: "boot/4711/99",
  startedAt: 1_000,
  tags: ["gpu", "eu"],
  kinds: ["mail", "übung"],
  idle: ["render"],
  limits: { mail: "2 at once" },
  workers: 4,
  busy: 0,
  isDraining: false,
  tzVersion: "2026b",
};

const BOOM: ErrorInfo = { name: "Error", message: "boom" };

/** The time of one case. */
export class CaseTime {
  wallMs = START;
  monotonicMs = 1_000;

  get at(): Instant {
    return { wallMs: this.wallMs, monotonicMs: this.monotonicMs };
  }
}

/** One store, with a clock that the test moves. */
export class StoreWorld {
  readonly store: Store;
  /** The rest of the fixture; only the store if a test made it. */
  readonly fixture: Omit<StoreFixture, "end">;
  readonly #time: CaseTime;
  #nextId = 0;

  constructor(store: Store, fixture: Omit<StoreFixture, "end"> = { store }, time = new CaseTime()) {
    this.store = store;
    this.fixture = fixture;
    this.#time = time;
  }

  get wallMs(): number {
    return this.#time.wallMs;
  }

  set wallMs(wallMs: number) {
    this.#time.wallMs = wallMs;
  }

  get monotonicMs(): number {
    return this.#time.monotonicMs;
  }

  set monotonicMs(monotonicMs: number) {
    this.#time.monotonicMs = monotonicMs;
  }

  get at(): Instant {
    return this.#time.at;
  }

  advance(deltaMs: number): void {
    this.#time.wallMs += deltaMs;
    this.#time.monotonicMs += deltaMs;
  }

  /**
   * Close the store and open it again. @returns the instances taken back; a shared store takes back
   * after the leases have expired
   */
  async reopen(): Promise<readonly Instance[]> {
    await this.store.close();
    const { recovered } = await this.store.open({ at: this.at, node: "n1" });
    if (!this.fixture.isShared) return recovered;
    assert.deepEqual(recovered, []);
    this.advance(LEASE_MS);
    return await this.reap();
  }

  /** Open connections to the data; the store itself if there can be no other. */
  async connect(count: number): Promise<readonly Store[]> {
    const { fixture, store } = this;
    const stores: Store[] = [store];
    while (fixture.another && stores.length < count) {
      const another = await fixture.another();
      await another.open({ at: this.at, node: `n${stores.length + 1}` });
      stores.push(another);
    }
    return Array.from({ length: count }, (_, index) => stores[index % stores.length]!);
  }

  /** Close connections of {@link connect}. */
  async disconnect(stores: readonly Store[]): Promise<void> {
    for (const store of new Set(stores)) if (store !== this.store) await store.close();
  }

  /** Listen to hints from now on. */
  hints(): HintLog {
    return new HintLog(this.store);
  }

  /** UUIDs version 7 that increase with each call. */
  newId(): string {
    this.#nextId += 1;
    const count = this.#nextId.toString(16).padStart(12, "0");
    return `019b76da-a800-7000-8000-${count}`;
  }

  newInstance(given: Partial<NewInstance> = {}): NewInstance {
    return plainInstance({ id: this.newId(), dueAt: this.wallMs, ...given });
  }

  /** Accept one instance for each element. */
  async add(...given: Partial<NewInstance>[]): Promise<readonly Instance[]> {
    const accepted = await this.enqueue(...given.map((one) => this.newInstance(one)));
    return accepted.map(({ instance }) => instance);
  }

  async addOne(given: Partial<NewInstance> = {}): Promise<Instance> {
    return (await this.add(given))[0]!;
  }

  /** Accept the same for each of `count` instances. */
  addMany(count: number, given: Partial<NewInstance> = {}): Promise<readonly Instance[]> {
    return this.add(...Array.from({ length: count }, () => given));
  }

  async enqueue(...instances: readonly NewInstance[]): Promise<readonly EnqueueResult[]> {
    return (await this.store.enqueue({ at: this.at, instances })).value;
  }

  async claim(
    limit = 1,
    kinds: readonly string[] = ["mail"],
    node = "n1",
  ): Promise<readonly Instance[]> {
    const request = { at: this.at, node, kinds: new Set(kinds), limit, leaseMs: LEASE_MS };
    return (await this.store.claim(request)).value;
  }

  /** Accept an instance and claim it. */
  async start(given: Partial<NewInstance> = {}): Promise<Instance> {
    const instance = await this.addOne(given);
    return (await this.claim(1, [instance.kind]))[0]!;
  }

  async settle({ id, fence }: Instance, given: Partial<Settlement> = {}) {
    const settlement: Settlement = { id, fence, logs: [], outcome: completed(), ...given };
    const request = { at: this.at, node: "n1", settlements: [settlement] };
    return (await this.store.settle(request)).value[0]!;
  }

  /** Accept an instance, claim it and settle it. */
  async finish(
    given: Partial<NewInstance> = {},
    settlement: Partial<Settlement> = {},
  ): Promise<Instance> {
    const { instance } = await this.settle(await this.start(given), settlement);
    return instance!;
  }

  async cancel(id: string): Promise<readonly Instance[]> {
    return (await this.store.cancel({ at: this.at, query: { ids: [id] }, limit: 10 })).value;
  }

  async reap(limit = 100): Promise<readonly Instance[]> {
    return (await this.store.reap({ at: this.at, limit })).value;
  }

  async retain(limit = 100): Promise<readonly string[]> {
    return (await this.store.retain({ at: this.at, limit })).value;
  }

  /** Pause a kind, or all if it is null. */
  async pause(kind: string | null, until: number | null = null, reason = "") {
    return (await this.store.setPause({ at: this.at, kind, until, reason })).value;
  }

  async resume(kind: string | null): Promise<boolean> {
    return (await this.store.removePause({ at: this.at, kind })).value;
  }

  /** The instances that match, oldest first. */
  async list(query: InstanceQuery = {}): Promise<readonly Instance[]> {
    return (await this.store.list(query, { limit: 100, order: "oldest" })).items;
  }

  /** The matching lines of logs, oldest first. */
  async logs(query: LogQuery = {}) {
    return (await this.store.logs(query, { limit: 100 })).items;
  }

  /** The fates of the ticks of {@link SCHEDULE}, oldest first. */
  async fates(): Promise<readonly TickFate[]> {
    const page = { limit: 1_000, order: "oldest" } as const;
    return (await this.store.listFates({ scheduleId: SCHEDULE }, page)).items;
  }

  /** The same as texts, such as `1-2 missed 2`, in minutes from the start of the case. */
  async fateTexts(): Promise<readonly string[]> {
    const minute = (at: number) => (at - START) / MINUTE;
    return (await this.fates()).map(({ from, to, count, fate }) =>
      `${minute(from)}-${minute(to)} ${fate} ${count}`
    );
  }

  /** The states of an instance so far. Each must be able to follow the one before. */
  async states(id: string): Promise<string> {
    const { items } = await this.store.history({ instanceId: id }, { limit: 100 });
    for (const [index, { state }] of items.slice(1).entries()) {
      assert.ok(canFollow(items[index]!.state, state), `${items[index]!.state} → ${state}`);
    }
    return items.map(({ state, reason }) => reason ? `${state}:${reason}` : state).join(" ");
  }

  /** Append lines to the log of a claim, or of an instance. @returns what was refused */
  async append({ id, fence }: ClaimKey, ...texts: readonly string[]): Promise<readonly ClaimKey[]> {
    const appends = [{ id, fence, logs: texts.map((text) => line(text)) }];
    return (await this.store.appendLogs({ at: this.at, appends })).value;
  }

  newSchedule(given: Partial<ScheduleRecord> = {}): ScheduleRecord {
    return {
      id: "config:mail:0",
      kind: "mail",
      origin: "config",
      spec: {
        cron: "* * * * *",
        everyMs: null,
        timezone: "UTC",
        overlap: "skip",
        misfire: "latest",
        misfireWithinMs: 86_400_000,
        jitterMs: 0,
      },
      specHash: "hash",
      generation: 1,
      cursor: START,
      startAt: START,
      nextAt: START + 60_000,
      argumentsJson: "[]",
      priority: null,
      timeoutMs: null,
      retryMax: null,
      createdAt: START,
      updatedAt: START,
      ...given,
    };
  }

  async putSchedule(
    given: Partial<ScheduleRecord> = {},
    expectedGeneration: number | null = null,
  ): Promise<ScheduleRecord> {
    const record = this.newSchedule(given);
    return (await this.store.putSchedule({ at: this.at, record, expectedGeneration })).value;
  }

  /** Fire the given ticks of {@link SCHEDULE}, from cursor to the last of them. */
  async fire(expectedCursor: number, ticks: readonly number[], given: Partial<Advance> = {}) {
    const scheduleId = given.scheduleId ?? SCHEDULE;
    const cursor = ticks.at(-1) ?? expectedCursor;
    const advance: Advance = {
      scheduleId,
      generation: 1,
      expectedCursor,
      cursor,
      nextAt: cursor + 60_000,
      fires: ticks.map((scheduledFor) =>
        this.newInstance({ scheduleId, scheduledFor, dueAt: scheduledFor })
      ),
      fates: [],
      overlap: "skip",
      ...given,
    };
    return (await this.store.advance({ at: this.at, advances: [advance] })).value[0]!;
  }
}

/** Rejects unless a promise is rejected with a code, and with a part of its message if given. */
export async function refuses(refused: Promise<unknown>, code: ErrorCode, part = "") {
  await assert.rejects(refused, (error) => isJobError(error, code) && error.message.includes(part));
}

/** The ids of instances, or of anything else with one. */
export function idsOf(items: readonly { readonly id: string }[]): readonly string[] {
  return items.map(({ id }) => id);
}

/** A line of a log. */
export function line(message: string, given: Partial<LogEntry> = {}): LogEntry {
  return { at: START, level: "info", message, source: "job", ...given };
}

/** The outcome of an attempt that runs again. */
export function retry(dueAt: number, error: ErrorInfo = BOOM): Settlement["outcome"] {
  return { type: "retry", dueAt, reason: "error", error };
}

/** The outcome of a success. */
export function completed(resultsJson: string | null = "[null]"): Settlement["outcome"] {
  return {
    type: "final",
    state: "completed",
    reason: "ok",
    resultsJson,
    error: null,
    isFailure: false,
  };
}

/** The outcome of a failed last attempt. */
export function failed(): Settlement["outcome"] {
  return {
    type: "final",
    state: "terminated",
    reason: "error",
    resultsJson: null,
    error: BOOM,
    isFailure: true,
  };
}

/** Every item of a list, page by page. */
export async function readPages<T>(
  list: (page: PageRequest) => Promise<Page<T>>,
  limit: number,
  order: PageRequest["order"] = "newest",
): Promise<readonly T[]> {
  const items: T[] = [];
  let token: string | undefined;
  do {
    const page = await list({ limit, order, ...(token === undefined ? {} : { token }) });
    items.push(...page.items);
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
  return items;
}

/** Hints in order of arrival: a store may send them after it has returned. */
class HintLog {
  readonly hints: ChangeHint[] = [];
  readonly stop: () => void;
  #wake: () => void = () => {};

  constructor(store: Store) {
    this.stop = store.subscribe((hint) => {
      // Of stores with one owner only; the others need a request.
      if (hint.type === "claims") return;
      this.hints.push(hint);
      this.#wake();
    });
  }

  /** The hints so far, of all types or of one, once there are `count` of them. */
  async first(count: number, type?: ChangeHint["type"]): Promise<readonly ChangeHint[]> {
    for (;;) {
      const found = this.hints.filter((hint) => type === undefined || hint.type === type);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** Cases by name: the behavior of the store under test. */
export type StoreCases = Readonly<Record<string, (world: StoreWorld) => Promise<void>>>;
