import type { Instance } from "../../src/core/instance.ts";
import { isFinal } from "../../src/core/state.ts";
import { nextTickOf } from "../../src/core/time/ticks.ts";
import type { Instant } from "../../src/platform/clock.ts";
import type { ScheduleOptions } from "../../src/manager/api.ts";
import { createIdSource, type IdSource } from "../../src/platform/ids.ts";
import type { Random } from "../../src/platform/random.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { GroupCommit } from "../../src/store/ledger/group.ts";
import { LedgerStore } from "../../src/store/ledger/store.ts";
import type { OwnedTables } from "../../src/store/ledger/tables/tables.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";
import { SqliteTables } from "../../src/store/sqlite/tables.ts";
import { AHEAD_MS_MAX, type Page, type PageRequest, type Store } from "../../src/store/store.ts";
import { type Ack, checkInvariants, type Violation } from "../support/invariants/invariants.ts";
import {
  type RecordingStore,
  recordStore,
  type StoreRecord,
} from "../support/servers/recording_store.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";
import type { StoreFaults } from "./faulty_store.ts";
import type { Plant, PlantContext } from "./plants.ts";
import type { SimRun } from "./sim_executor.ts";
import { definitions, JOBS } from "./sim_jobs.ts";
import { LEASE_MS, SimNode } from "./sim_node.ts";
import { simReplicas } from "./sim_replicas.ts";

/** How long the faults of a seed last, and how long the world then has to settle. */
const FAULTY_MS = 60_000;
const REST_MS = 120_000;
const STEP_MS = 500;
const NODES = 2;
/** Most delay of a tick at the end by the slower node's clock. */
const TICK_LATE_MS = 5_000;
/** Longest delay of an effect to the resource. */
const EFFECT_LATE_MS = 10_000;
/** Most tries of a client. */
const SUBMITS_MAX = 4;
/** Seeds that may pass before a planted bug is found. */
const PLANT_SEEDS_MAX = 300;

/**
 * The store shared by a world's nodes. "ahead" is memory in their own process, where their clocks,
 * which agree, decide what is due: there they may claim early.
 */
export const SIM_STORES = ["memory", "sqlite", "replicas", "ahead"] as const;
export type SimStore = typeof SIM_STORES[number];

/** The result of one seed. */
export interface WorldResult {
  readonly violations: readonly Violation[];
  /** Text of everything that the store did, without hashes: the same seed gives the same text. */
  readonly trace: string;
  readonly records: number;
  /** First claims before their due time. */
  readonly claimsAhead: number;
}

/**
 * Run one seeded world: two nodes, clients, lost and late messages, crashes, freezes, skew; then
 * rest, then check.
 *
 * @param plant a bug for the world to have
 */
export async function runWorld(
  seed: number,
  storeType: SimStore,
  plant: Plant | null = null,
): Promise<WorldResult> {
  const world = new World(seed, storeType, plant);
  return await world.run();
}

/** The first of 300 seeds in which the invariants detect a planted bug; null if none does. */
export async function findPlant(
  plant: Plant,
): Promise<{ readonly seed: number; readonly invariant: string } | null> {
  const first = plant.firstSeed ?? 1;
  for (let seed = first; seed < first + PLANT_SEEDS_MAX; seed++) {
    const { violations } = await runWorld(seed, plant.world ?? "memory", plant);
    const told = violations.find(({ invariant }) => plant.tells.includes(invariant));
    if (told) return { seed, invariant: told.invariant };
  }
  return null;
}

class World {
  readonly #clock = new SimClock();
  readonly #random: Random;
  readonly #ids: IdSource;
  readonly #store: RecordingStore;
  readonly #faults: StoreFaults;
  readonly #plant: Plant | null;
  readonly #hasEarlyClaims: boolean;
  readonly #acks: Ack[] = [];
  readonly #cancelAcks: { instanceId: string; rev: number }[] = [];
  readonly #effects: { instanceId: string; fence: number }[] = [];
  readonly #runs: SimRun[] = [];
  readonly #nodes: SimNode[] = [];
  readonly #kills = new Map<string, number>();
  /** A time by which the schedules exist. */
  readonly #startAt: number = this.#clock.now().wallMs + 10_000;

  constructor(seed: number, storeType: SimStore, plant: Plant | null) {
    this.#random = seededRandom(seed);
    this.#ids = createIdSource(this.#clock, this.#random);
    this.#plant = plant;
    this.#hasEarlyClaims = storeType === "ahead";
    const isInProcess = this.#hasEarlyClaims;
    this.#faults = { lostRequests: 0, lostAnswers: 0, latencyMaxMs: 0, isInProcess };
    const context = { clock: this.#clock, killsOf: (node: string) => this.#kills.get(node) ?? 0 };
    const store = storeType === "replicas"
      ? simReplicas(this.#clock, seededRandom(seed + 1_000_000), this.#faults)
      : this.#ledgerOf(storeType, context);
    this.#store = recordStore(plant?.store?.(store, context) ?? store);
  }

  #ledgerOf(storeType: Exclude<SimStore, "replicas">, context: PlantContext): Store {
    const own: OwnedTables = storeType === "sqlite"
      ? new SqliteTables(":memory:")
      : new MemoryTables();
    const plant = this.#plant;
    const isTimeOfNodes = this.#hasEarlyClaims || plant?.isTimeOfNodes === true;
    const tables = plant?.tables?.(own, context) ?? own;
    const options = {
      // One clock of the server for all nodes, as Valkey has.
      ...(isTimeOfNodes ? {} : { clock: (): Instant => this.#clock.now() }),
      defer: (callback: () => void) => this.#clock.defer(callback),
    };
    return new LedgerStore((publish) => new GroupCommit(tables, options, publish));
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

  // The store responds at the end of a turn, and turns pass only when the clock advances.
  async #settled<T>(promise: Promise<T>): Promise<T> {
    await this.#clock.settle();
    return await promise;
  }

  async #startNode(index: number): Promise<void> {
    const skewMs = this.#hasEarlyClaims ? 0 : Math.floor((this.#random.next() - 0.5) * 4_000);
    const node = new SimNode(`node-${index}`, skewMs, {
      clock: this.#clock,
      random: this.#random,
      store: this.#store,
      faults: this.#faults,
      definitions: definitions(),
      jobs: JOBS,
      onRun: (run) => void this.#runs.push(run),
      onEffect: (instanceId, fence) => this.#affect(instanceId, fence),
      plant: this.#plant?.node ?? null,
    });
    this.#nodes[index] = node;
    const started = node.manager.start();
    // An operator restarts a daemon whose start failed.
    started.catch(() => node.kill());
    await this.#clock.settle();
  }

  // Most effects arrive at once; some take longer than the attempt that caused them.
  #affect(instanceId: string, fence: number): void {
    const delayMs = this.#chance(0.1) ? Math.floor(this.#random.next() * EFFECT_LATE_MS) : 0;
    const arrive = () => void this.#effects.push({ instanceId, fence });
    if (delayMs === 0) arrive();
    else this.#clock.timer(delayMs, arrive);
  }

  #misbehave(): void {
    this.#faults.lostRequests = this.#chance(0.15) ? 0.3 : 0;
    this.#faults.lostAnswers = this.#chance(0.15) ? 0.3 : 0;
    // Early claims take as long as other claims, up to their maximum.
    if (this.#hasEarlyClaims) {
      this.#faults.latencyMaxMs = this.#pick([2, AHEAD_MS_MAX, AHEAD_MS_MAX + 4]);
    } else this.#faults.latencyMaxMs = this.#chance(0.3) ? 300 : 0;
    for (const [index, node] of this.#nodes.entries()) {
      const fate = this.#random.next();
      if (fate < 0.02) {
        node.kill();
        this.#kills.set(node.name, (this.#kills.get(node.name) ?? 0) + 1);
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
    if (this.#chance(0.7)) this.#schedule();
    if (this.#chance(0.25)) this.#scheduleLimited();
    if (this.#chance(0.2)) this.#scheduleUnique();
    if (this.#chance(0.08)) this.#cancel(node);
    if (this.#chance(0.08)) this.#operate(node);
  }

  #schedule(): void {
    const uniqueKey = this.#chance(0.2) ? `key-${Math.floor(this.#random.next() * 3)}` : undefined;
    const kind = uniqueKey ? "quick" : this.#pick(["quick", "flaky", "long"]);
    const options = {
      id: this.#ids(),
      uniqueKey,
      priority: Math.floor(this.#random.next() * 3),
      afterMs: this.#chance(0.3) ? Math.floor(this.#random.next() * 20_000) : 0,
    };
    this.#submit(kind, options, SUBMITS_MAX);
  }

  #scheduleLimited(): void {
    const kind = this.#pick(["lane", "paced"]);
    const options = {
      id: this.#ids(),
      arguments: [this.#pick(["a", "b", "c"])],
      priority: Math.floor(this.#random.next() * 3),
      afterMs: this.#chance(0.3) ? Math.floor(this.#random.next() * 5_000) : 0,
    };
    this.#submit(kind, options, SUBMITS_MAX);
  }

  #scheduleUnique(): void {
    const options: ScheduleOptions & { id: string } = {
      id: this.#ids(),
      uniqueKey: this.#pick(["only-a", "only-b"]),
      onConflict: this.#pick(["keep", "replace"]),
      ...(this.#chance(0.5) ? { uniqueForMs: this.#pick([2_000, 12_000]) } : {}),
      afterMs: this.#chance(0.6) ? Math.floor(this.#random.next() * 5_000) : 0,
    };
    this.#submit("quick", options, SUBMITS_MAX);
  }

  // Occasional actions of an operator, who does not retry.
  #operate(node: SimNode): void {
    const { wallMs } = this.#clock.now();
    const { manager } = node;
    // Not before the schedules exist.
    const range = { from: Math.max(wallMs - 40_000, this.#startAt), to: wallMs - 5_000 };
    const until = wallMs + Math.floor(this.#random.next() * 8_000);
    this.#pick<() => Promise<unknown>>([
      () => manager.pause(this.#pick(["quick", "tick", null]), { until }),
      () => manager.redriveInstances({ kinds: ["flaky", "long", "line"] }),
      () => manager.backfill({ kind: this.#pick(["line", "beat", "tick"]), ...range }),
    ])().catch(() => {});
  }

  // A client without a response retries with the same id, at any node.
  #submit(kind: string, options: ScheduleOptions & { id: string }, tries: number): void {
    const { id: requestedId } = options;
    const uniqueKey = options.uniqueKey === undefined ? null : `${kind} ${options.uniqueKey}`;
    this.#pick(this.#nodes).manager.scheduleJob(kind, options).then(
      (instance) => void this.#acks.push({ instanceId: instance.id, requestedId, uniqueKey }),
      () => {
        if (tries > 1) this.#clock.timer(500, () => this.#submit(kind, options, tries - 1));
      },
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
    // First let pending restarts finish.
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
      effects: this.#plant?.isResourceOpen ? this.#effects : acceptedEffects(this.#effects),
      runs: this.#runs,
      snapshot,
      endAt: wallMs,
      logs: await this.#all((page) => this.#store.logs({}, page)),
      counts: (await this.#settled(this.#store.stats())).kinds,
      expectedTicks: await this.#expectedTicks(wallMs - TICK_LATE_MS),
      aheadMs: this.#hasEarlyClaims ? AHEAD_MS_MAX : 0,
    })];
    const stuck = snapshot.filter((instance) =>
      !isFinal(instance.state) && instance.scheduleId === null && instance.dueAt < wallMs - REST_MS
    );
    for (const { id, kind, state } of stuck) {
      violations.push({ invariant: "L1", message: `${kind} ${id} rests in state ${state}` });
    }
    violations.push(...heldForEver(snapshot));
    return {
      violations,
      trace: JSON.stringify(records),
      records: records.length,
      claimsAhead: countAhead(records),
    };
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

  // Every tick from the schedule's start to its cursor, which must have reached `until`.
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

function countAhead(records: readonly StoreRecord[]): number {
  const dueAt = new Map<string, number>();
  let count = 0;
  for (const record of records) {
    if (record.type === "accept") dueAt.set(record.instance, record.as.dueAt);
    const isFirst = record.type === "claim" && record.attempt === 1;
    if (isFirst && record.t < dueAt.get(record.instance)!) count += 1;
  }
  return count;
}

// The probe refuses a lower fence after a higher one, as a fenced resource does; accepted effects
// must be in order.
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

// The oldest unfinished instance of a schedule waits for none.
function heldForEver(snapshot: readonly Instance[]): readonly Violation[] {
  const oldest = new Map<string, Instance>();
  for (const instance of snapshot) {
    const { scheduleId, state } = instance;
    if (scheduleId !== null && !isFinal(state) && !oldest.has(scheduleId)) {
      oldest.set(scheduleId, instance);
    }
  }
  return [...oldest.values()].filter(({ reason }) => reason === "queued").map(({ id, kind }) => ({
    invariant: "L1",
    message: `${kind} ${id} waits for an instance that is final`,
  }));
}
