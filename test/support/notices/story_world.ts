import type { JobDefinition } from "../../../src/core/job/job.ts";
import type { NoticeEvent } from "../../../src/core/notices/notice.ts";
import { readDuration } from "../../../src/core/time/duration.ts";
import type { Manager } from "../../../src/manager/manager.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import type { Store } from "../../../src/store/store.ts";
import { seededRandom } from "../seeded_random.ts";
import { jobOf, ManagerWorld, type ScriptedAttempt } from "../worlds/manager_world.ts";
import type { SimClock } from "../worlds/sim_clock.ts";
import { Gate } from "./gate.ts";
import { RecordedChannel } from "./recorded_channel.ts";
import { openStoryStore, type StoryStore, type StoryStoreName } from "./story_stores.ts";

/** How an attempt ends; "print" writes a line first, and "hang" leaves it to the story. */
export type Outcome = "ok" | "print" | "fail" | "exit" | "timeout" | "lose" | "hang";

/** A node with its gate to the rest of the world. */
interface StoryNode {
  readonly name: string;
  readonly world: ManagerWorld;
  readonly gate: Gate;
  readonly connection: Store;
}

/** What a story begins with. */
export interface StoryStart {
  readonly store?: StoryStoreName;
  readonly jobs?: readonly JobDefinition[];
  readonly channels?: readonly RecordedChannel[];
  readonly workers?: number;
  /** True for nodes that share their store with no other, as a daemon on SQLite. */
  readonly isAlone?: boolean;
  /** Epoch ms; 2026-01-01 by default. */
  readonly startMs?: number;
}

/** What happens to jobs. */
export const ON_JOBS: readonly NoticeEvent[] = [
  ...["failed", "recovered", "late", "missed", "long", "short", "lost"] as const,
];
/** Lease of a node that is alone, as in a daemon, and there of its claims too. */
const LONE_LEASE_MS = 600_000;
/** How long a stop takes at most, in seconds. */
const STOP_SECONDS = 15;

/**
 * Daemons on one store and one clock, which run, end, freeze and come back as a story wants, and
 * channels that record what they deliver.
 */
export class StoryWorld {
  readonly store: StoryStore;
  readonly clock: SimClock;
  jobs: readonly JobDefinition[];
  channels: readonly RecordedChannel[];
  /** All channels that there ever were, by name. */
  readonly #everyChannel = new Map<string, RecordedChannel>();
  readonly #nodes = new Map<string, StoryNode>();
  readonly #outcomes = new Map<string, Outcome[]>();
  readonly #ids;
  readonly #workers: number;
  readonly #isAlone: boolean;
  #pid = 0;
  readonly #processes = new Set<string>();
  /** Attempts that hang, by kind. */
  readonly hanging = new Map<string, ScriptedAttempt>();
  /** Called with each new node's gate before it starts. */
  onNode: ((gate: Gate) => void) | null = null;
  /** Why listeners of the nodes cannot be opened. */
  listenerProblems: readonly string[] = [];
  /** What a node sees of its store: a bug that the story has. */
  plant: (store: Store) => Store = (store) => store;

  private constructor(store: StoryStore, start: StoryStart) {
    this.store = store;
    this.clock = store.clock;
    this.jobs = start.jobs ?? [jobOf("work")];
    this.channels = start.channels ?? [new RecordedChannel("ops", { on: ON_JOBS })];
    this.#workers = start.workers ?? 4;
    this.#isAlone = start.isAlone ?? false;
    this.#ids = createIdSource(this.clock, seededRandom(7));
  }

  /** A world without any node yet. */
  static async open(start: StoryStart = {}): Promise<StoryWorld> {
    return new StoryWorld(await openStoryStore(start.store ?? "memory", start.startMs), start);
  }

  /** A world with one node, `node`. */
  static async started(start: StoryStart = {}): Promise<StoryWorld> {
    const world = await StoryWorld.open(start);
    await world.start();
    return world;
  }

  /** Start a node, with other jobs or channels if given; its start may not succeed yet. */
  async start(
    name = "node",
    own: Pick<StoryStart, "jobs" | "channels"> & { readonly hasNotices?: boolean } = {},
  ): Promise<void> {
    const channels = own.channels ?? this.channels;
    for (const channel of channels) this.#everyChannel.set(channel.settings.name, channel);
    const gate = new Gate();
    this.onNode?.(gate);
    const connection = this.store.connect();
    const process = `process ${++this.#pid}`;
    this.#processes.add(process);
    const world = new ManagerWorld({
      jobs: own.jobs ?? this.jobs,
      ...(own.hasNotices === false ? {} : { channels }),
      ...{ workers: this.#workers, node: name },
      listenerProblems: () => this.listenerProblems,
      ...(this.#isAlone ? { nodeLeaseMs: LONE_LEASE_MS, leaseMs: LONE_LEASE_MS } : {}),
      before: { clock: this.clock, store: gate.store(this.plant(connection)) },
      clockOf: (clock) => gate.clock(clock),
      process: {
        ...{ host: "host", pid: this.#pid, process },
        fateOf: (other) => this.#processes.has(other ?? "") ? "alive" : "gone",
      },
    });
    world.executor.onRun = (attempt) => this.#run(attempt);
    gate.onDeath = () => this.#processes.delete(process);
    this.#nodes.set(name, { name, world, gate, connection });
    world.manager.start().catch(() => {});
    await this.clock.settle();
  }

  /** Stop a node as its operator would. */
  async stop(name = "node"): Promise<void> {
    const node = this.#nodes.get(name)!;
    let isStopped = false;
    void node.world.manager.stop({ drainMs: 1_000 }).finally(() => isStopped = true);
    for (let tries = 0; !isStopped && tries < STOP_SECONDS; tries++) await this.advance("1s");
    if (!isStopped) return await this.kill(name);
    this.#nodes.delete(name);
    node.gate.kill();
    this.store.left(node.connection);
  }

  /** kill -9. */
  async kill(name = "node"): Promise<void> {
    const node = this.#nodes.get(name)!;
    this.#nodes.delete(name);
    node.gate.kill();
    await this.store.drop(node.connection);
  }

  /** Stop and start a node, with other jobs or channels if given. */
  async restart(name = "node"): Promise<void> {
    await this.stop(name);
    await this.start(name);
  }

  /** Start again the nodes that ended by themselves, as systemd does. @returns whether any did */
  async revive(): Promise<boolean> {
    const dead = [...this.#nodes.values()].filter(({ gate }) => gate.isDead);
    for (const { name } of dead) {
      await this.kill(name);
      await this.start(name);
    }
    return dead.length > 0;
  }

  freeze(name = "node"): void {
    this.#nodes.get(name)!.gate.freeze();
  }

  async thaw(name = "node"): Promise<void> {
    this.#nodes.get(name)!.gate.thaw();
    await this.clock.settle();
  }

  /** Reload a node with these jobs and channels. */
  async reload(
    next: Pick<StoryStart, "jobs" | "channels"> & { readonly disabled?: readonly string[] },
    name = "node",
  ): Promise<void> {
    this.jobs = next.jobs ?? this.jobs;
    this.channels = next.channels ?? this.channels;
    for (const channel of this.channels) this.#everyChannel.set(channel.settings.name, channel);
    const { manager } = this.#nodes.get(name)!.world;
    const reloading = manager.reload({
      ...{ jobs: this.jobs, channels: this.channels },
      disabled: new Map((next.disabled ?? []).map((kind) => [kind, "it does not load"])),
      scheduleDefaults: {
        ...{ timezone: "UTC", overlap: "skip", misfire: "latest", jitterMs: 0 },
        misfireWithinMs: 86_400_000,
      },
    });
    await this.of(reloading);
  }

  /** The manager of a living node, by default of any. */
  manager(name?: string): Manager {
    const node = name === undefined ? this.#living() : this.#nodes.get(name);
    if (!node) throw new Error(`There is no node ${name ?? ""}`);
    return node.world.manager;
  }

  #living(): StoryNode | undefined {
    return [...this.#nodes.values()].find(({ gate }) => !gate.isDead);
  }

  /** What happens in the next attempts of a kind; later ones succeed. */
  next(kind: string, outcomes: string): void {
    const waiting = this.#outcomes.get(kind) ?? [];
    waiting.push(...outcomes.split(" ") as Outcome[]);
    this.#outcomes.set(kind, waiting);
  }

  /** Run a job once for each outcome, a second apart; a lost request is sent again. */
  async run(kind: string, outcomes: string): Promise<void> {
    for (const outcome of outcomes.split(" ")) {
      this.next(kind, outcome);
      await this.submit(kind);
    }
  }

  /** Schedule a job now, as often as it takes. */
  async submit(kind: string): Promise<void> {
    const id = this.#ids();
    for (let isAccepted = false; !isAccepted;) {
      await this.revive();
      const node = this.#living();
      node?.world.manager.scheduleJob(kind, { id }).then(() => isAccepted = true, () => {});
      await this.advance("1s");
    }
  }

  /** Run a job once, asked of one node. */
  async submitAt(name: string, kind: string, outcome: Outcome): Promise<void> {
    this.next(kind, outcome);
    await this.of(this.manager(name).scheduleJob(kind));
    await this.advance("1s");
  }

  /** End a node just before it calls a method of the store, once it has called another. */
  endBefore(method: string, { after }: { readonly after: string }, name = "node"): void {
    const { gate } = this.#nodes.get(name)!;
    let isArmed = false;
    gate.onCall = (_call, when, called) => {
      if (when === "before" && called === method && isArmed) gate.kill();
      if (when === "after" && called === after) isArmed = true;
    };
  }

  /**
   * Keep back a node's next call of a method whose request mentions something.
   *
   * @returns lets it pass
   */
  holdBefore(method: string, mention: string, name = "node"): () => Promise<void> {
    const release = this.#nodes.get(name)!.gate.holdBefore(method, mention);
    return async () => {
      release();
      await this.clock.settle();
    };
  }

  #run(attempt: ScriptedAttempt): void {
    const { kind } = attempt.instance;
    switch (this.#outcomes.get(kind)?.shift() ?? "ok") {
      case "ok":
        return attempt.ok();
      case "print":
        attempt.print("a line");
        return attempt.ok();
      case "fail":
        return attempt.fail();
      case "exit":
        return attempt.exit();
      case "timeout":
        return attempt.aborted("timeout");
      case "lose":
        return attempt.lose();
      case "hang":
        this.hanging.set(kind, attempt);
    }
  }

  async advance(time: string | number): Promise<void> {
    await this.clock.advance(typeof time === "number" ? time : readDuration("time", time));
  }

  /** What a promise comes to when the turns that it needs have passed. */
  async of<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    await this.clock.settle();
    return await promise;
  }

  /** A connection of the story's own to the data. */
  async look<T>(read: (store: Store) => Promise<T>): Promise<T> {
    const [node] = this.#nodes.values();
    return await this.of(read(node!.connection));
  }

  /** What each channel delivered, by its name. */
  get told(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries([...this.#everyChannel].map(([name, { told }]) => [name, told]));
  }

  async close(): Promise<void> {
    for (const name of [...this.#nodes.keys()]) await this.kill(name);
    await this.store.close();
  }
}
