import type { JobDefinition } from "../../src/core/job.ts";
import type { JobSchedule } from "../../src/core/job.ts";
import { isFinal } from "../../src/core/state.ts";
import { nextTickOf } from "../../src/core/ticks.ts";
import type { Instant } from "../../src/platform/clock.ts";
import { type Random, seededRandom } from "../../src/platform/random.ts";
import { MemoryStore } from "../../src/store/memory/memory_store.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite_store.ts";
import type { Page, PageRequest, Store } from "../../src/store/store.ts";
import { checkInvariants, type Violation } from "../support/invariants.ts";
import { type RecordingStore, recordStore } from "../support/recording_store.ts";
import { SimClock } from "../support/sim_clock.ts";
import type { StoreFaults } from "./faulty_store.ts";
import type { SimJob, SimRun } from "./sim_executor.ts";
import { LEASE_MS, SIM_OPTIONS, SimNode } from "./sim_node.ts";

/** How long a seed's faults last, and how long the world then has to come to rest. */
const FAULTY_MS = 60_000;
const REST_MS = 120_000;
const STEP_MS = 500;
const NODES = 2;
/** By how much the slower node's clock may delay a tick at the end. */
const TICK_LATE_MS = 5_000;

const JOBS: Readonly<Record<string, SimJob>> = {
  quick: { durationMaxMs: 50, failureShare: 0, crashShare: 0 },
  flaky: { durationMaxMs: 400, failureShare: 0.3, crashShare: 0.1 },
  long: { durationMaxMs: 9_000, failureShare: 0.05, crashShare: 0.05 },
  tick: { durationMaxMs: 12_000, failureShare: 0.1, crashShare: 0.05 },
  beat: { durationMaxMs: 600, failureShare: 0, crashShare: 0 },
};

/** What one seed came to. */
export interface WorldResult {
  readonly violations: readonly Violation[];
  /** Hash-free text of everything that the store did: the same seed gives the same. */
  readonly trace: string;
  readonly records: number;
}

/** Run one seeded world: two nodes, clients, lost and late messages, crashes, freezes, skew; then rest, then check. */
export async function runWorld(seed: number, storeType: "memory" | "sqlite"): Promise<WorldResult> {
  const world = new World(seed, storeType);
  return await world.run();
}

class World {
  readonly #clock = new SimClock();
  readonly #random: Random;
  readonly #store: RecordingStore;
  readonly #faults: StoreFaults = { lostRequests: 0, lostAnswers: 0, latencyMaxMs: 0 };
  readonly #acks: { instanceId: string; uniqueKey: string | null }[] = [];
  readonly #cancelAcks: { instanceId: string; rev: number }[] = [];
  readonly #effects: { instanceId: string; fence: number; at: number }[] = [];
  readonly #runs: SimRun[] = [];
  readonly #nodes: SimNode[] = [];

  constructor(seed: number, storeType: "memory" | "sqlite") {
    this.#random = seededRandom(seed);
    // One clock of the server for all nodes, as Valkey has.
    const clock = (): Instant => this.#clock.now();
    const defer = (callback: () => void) => this.#clock.defer(callback);
    const store: Store = storeType === "memory"
      ? new MemoryStore({ clock, defer })
      : new SqliteStore({ path: ":memory:", clock, defer });
    this.#store = recordStore(store);
  }

  async run(): Promise<WorldResult> {
    await this.#settled(this.#store.open({ at: this.#clock.now(), node: "world" }));
    for (let index = 0; index < NODES; index++) await this.#startNode(index);
    for (let spent = 0; spent < FAULTY_MS; spent += STEP_MS) {
      this.#misbehave();
      this.#act();
      await this.#clock.advance(STEP_MS);
    }
    await this.#repair();
    await this.#clock.advance(REST_MS);
    return await this.#check();
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)]!;
  }

  // The store answers at the end of a turn, and turns pass only when the clock is told.
  async #settled<T>(promise: Promise<T>): Promise<T> {
    await this.#clock.settle();
    return await promise;
  }

  async #startNode(index: number): Promise<void> {
    const skewMs = Math.floor((this.#random.next() - 0.5) * 4_000);
    const node = new SimNode(`node-${index}`, skewMs, {
      clock: this.#clock,
      random: this.#random,
      store: this.#store,
      faults: this.#faults,
      definitions: definitions(),
      jobs: JOBS,
      onRun: (run) => void this.#runs.push(run),
      onEffect: (instanceId, fence) =>
        void this.#effects.push({ instanceId, fence, at: this.#clock.now().monotonicMs }),
    });
    this.#nodes[index] = node;
    const started = node.manager.start();
    // A start that the link broke is tried again by whoever runs the daemon.
    started.catch(() => node.kill());
    await this.#clock.settle();
  }

  #misbehave(): void {
    this.#faults.lostRequests = this.#chance(0.15) ? 0.3 : 0;
    this.#faults.lostAnswers = this.#chance(0.15) ? 0.3 : 0;
    this.#faults.latencyMaxMs = this.#chance(0.3) ? 300 : 0;
    for (const [index, node] of this.#nodes.entries()) {
      const fate = this.#random.next();
      if (fate < 0.02) {
        node.kill();
        this.#clock.timer(1_000 + this.#random.next() * 5_000, () => void this.#startNode(index));
      } else if (fate < 0.04 && node.isAlive) {
        node.freeze();
        this.#clock.timer(this.#random.next() * 3 * LEASE_MS, () => node.thaw());
      }
    }
  }

  #act(): void {
    const node = this.#pick(this.#nodes);
    if (!node.isAlive) return;
    if (this.#chance(0.7)) this.#schedule(node);
    if (this.#chance(0.08)) this.#cancel(node);
  }

  #schedule(node: SimNode): void {
    const uniqueKey = this.#chance(0.2) ? `key-${Math.floor(this.#random.next() * 3)}` : undefined;
    const kind = uniqueKey ? "quick" : this.#pick(["quick", "flaky", "long"]);
    const options = {
      uniqueKey,
      priority: Math.floor(this.#random.next() * 3),
      afterMs: this.#chance(0.3) ? Math.floor(this.#random.next() * 20_000) : 0,
    };
    node.manager.scheduleJob(kind, options).then(
      (instance) => void this.#acks.push({ instanceId: instance.id, uniqueKey: uniqueKey ?? null }),
      () => {},
    );
  }

  #cancel(node: SimNode): void {
    if (this.#acks.length === 0) return;
    const { instanceId } = this.#pick(this.#acks);
    node.manager.cancelInstances({ ids: [instanceId] }).then(
      (canceled) => {
        for (const { id } of canceled) {
          this.#cancelAcks.push({ instanceId: id, rev: this.#store.records.at(-1)?.rev ?? 0 });
        }
      },
      () => {},
    );
  }

  async #repair(): Promise<void> {
    Object.assign(this.#faults, { lostRequests: 0, lostAnswers: 0, latencyMaxMs: 0 });
    // Restarts that are under way come first.
    await this.#clock.advance(10_000);
    for (const [index, node] of this.#nodes.entries()) {
      node.thaw();
      if (!node.isAlive) await this.#startNode(index);
    }
  }

  async #check(): Promise<WorldResult> {
    const { records } = this.#store;
    const snapshot = await this.#all((page) => this.#store.list({}, page));
    const { wallMs } = this.#clock.now();
    const violations = [...checkInvariants({
      records,
      acks: this.#acks,
      cancelAcks: this.#cancelAcks,
      effects: acceptedEffects(this.#effects),
      runs: this.#runs,
      snapshot,
      endAt: wallMs,
      logs: await this.#all((page) => this.#store.logs({}, page)),
      counts: (await this.#settled(this.#store.stats())).kinds,
      expectedTicks: await this.#expectedTicks(wallMs - TICK_LATE_MS),
    })];
    const stuck = snapshot.filter((instance) =>
      !isFinal(instance.state) && instance.scheduleId === null && instance.dueAt < wallMs - REST_MS
    );
    for (const { id, kind, state } of stuck) {
      violations.push({ invariant: "L1", message: `${kind} ${id} rests in state ${state}` });
    }
    return { violations, trace: JSON.stringify(records), records: records.length };
  }

  async #all<T>(read: (page: PageRequest) => Promise<Page<T>>): Promise<readonly T[]> {
    const items: T[] = [];
    let token: string | undefined;
    do {
      const page = await this.#settled(read({ limit: 1_000, order: "oldest", token }));
      items.push(...page.items);
      token = page.nextToken ?? undefined;
    } while (token);
    return items;
  }

  // Every tick from the schedule's start to its cursor, which must have come as far as `until`.
  async #expectedTicks(until: number): Promise<ReadonlyMap<string, readonly number[]>> {
    const expected = new Map<string, readonly number[]>();
    for (const record of await this.#all((page) => this.#store.listSchedules({}, page))) {
      const { id, spec, startAt, cursor } = record;
      const ticks: number[] = [];
      let tick = nextTickOf(spec, startAt, startAt);
      while (tick !== null && tick <= Math.max(cursor, until)) {
        ticks.push(tick);
        tick = nextTickOf(spec, startAt, tick);
      }
      expected.set(id, ticks);
    }
    return expected;
  }
}

// The probe refuses a lower fence after a higher one, as a fenced resource does; what it accepted must be in order.
function acceptedEffects<T extends { readonly instanceId: string; readonly fence: number }>(
  effects: readonly T[],
): readonly T[] {
  const highest = new Map<string, number>();
  return effects.filter(({ instanceId, fence }) => {
    if (fence < (highest.get(instanceId) ?? 0)) return false;
    highest.set(instanceId, fence);
    return true;
  });
}

function definitions(): readonly JobDefinition[] {
  return Object.keys(JOBS).map((kind) => ({
    kind,
    description: "",
    source: { type: "function", run: () => {}, handlers: {} },
    signature: { parameters: [], resultCount: 0, isTyped: false, warnings: [] },
    options: SIM_OPTIONS,
    schedules: schedulesOf(kind),
    hasHandler: { onComplete: false, onTerminate: false, onStateChange: false },
    registeredAt: 0,
  }));
}

function schedulesOf(kind: string): readonly JobSchedule[] {
  const common = {
    timezone: "UTC",
    misfireWithinMs: 86_400_000,
    jitterMs: 0,
    misfire: "latest",
  } as const;
  if (kind === "tick") {
    const spec = { ...common, cron: "*/10 * * * * *", everyMs: null, overlap: "skip" } as const;
    return [{ spec, arguments: [] }];
  }
  if (kind === "beat") {
    const spec = { ...common, cron: null, everyMs: 7_000, overlap: "allow" } as const;
    return [{ spec, arguments: [] }];
  }
  return [];
}
