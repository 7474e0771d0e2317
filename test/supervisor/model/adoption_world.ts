import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instance } from "../../../src/core/instance.ts";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { Manager } from "../../../src/manager/manager.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import { createLogger } from "../../../src/platform/logger.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import type { Store, StoreInfo } from "../../../src/store/store.ts";
import { createCommandExecutor } from "../../../src/supervisor/command_executor.ts";
import { createInlineExecutor } from "../../../src/worker/isolation/inline_executor.ts";
import { createExecutor } from "../../../src/worker/isolation/routing_executor.ts";
import { commandJob } from "../../support/attempts.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { type Plant, SimSystem } from "./sim_supervisors.ts";

export const LEASE_MS = 4_000;
const DRAIN_MS = 500;
const KILL_AFTER_MS = 300;
/** How long a read of the store takes: an adoption is no matter of one moment. */
const READ_MS = 3;
/** When the first daemon is killed or the first event comes. */
export const BEGIN_MS = 1_000;

/** What happens to commands and to those who look after them. */
export type Event =
  | "adopt"
  | "timer"
  | "cancel"
  | "command exits"
  | "supervisor exits"
  | "daemon exits"
  | "connection lost";

/** The commands of a world, by program. */
const PROGRAMS = ["limited", "canceled", "short", "long"] as const;

/** A daemon, which can be killed between any two of its steps. */
class SimDaemon {
  readonly manager: Manager;
  readonly clock: Clock;
  isDead = false;
  readonly #system: SimSystem;

  constructor(world: AdoptionWorld) {
    const { clock, system, store, folder, jobs, plant } = world;
    this.#system = system;
    this.clock = this.#gated(clock);
    const random = seededRandom(world.daemons);
    const logger = createLogger({
      ...{ clock, level: "error", format: "text" },
      write: (line) => world.noteError(line),
    });
    const shared = { clock: this.clock, logger };
    const command = createCommandExecutor({
      ...{ ...shared, system, random, idleMs: 60_000, hasCgroups: false, command: ["sim"] },
      outliving: { folder: () => folder, graceMs: LEASE_MS },
    });
    const inline = createInlineExecutor({ clock: this.clock });
    const executor = createExecutor({ command, inline, process: inline });
    if (plant === "exits unseen") {
      const { run } = executor;
      // Nobody looks: the watchdog knows nothing either.
      executor.run = (task, sink) => Object.assign(run(task, sink), { missing: () => null });
    }
    this.manager = new Manager({
      ...{ ...shared, executor, random, jobs },
      store: this.#link(world, store),
      ids: createIdSource(this.clock, random),
      process: { host: "host", pid: 1, process: String(world.daemons), fateOf: () => "gone" },
      ...{ node: "node", version: "0", workers: 8, leaseMs: LEASE_MS, drainMs: DRAIN_MS },
      jobDefaults: jobs[0]!.options,
      scheduleDefaults: {
        ...{ timezone: "UTC", overlap: "skip", misfire: "latest" },
        ...{ misfireWithinMs: 86_400_000, jitterMs: 0 },
      },
      disabled: new Map(),
    });
  }

  kill(): void {
    this.isDead = true;
    this.#system.daemonDied(this.clock);
  }

  #gated(clock: SimClock): Clock {
    const gate = (step: () => void) => () => this.isDead ? undefined : step();
    return {
      now: () => clock.now(),
      timer: (delayMs, callback) => clock.timer(delayMs, gate(callback)),
      defer: (callback) => clock.defer(gate(callback)),
    };
  }

  /** The store as this daemon reaches it: its reads take time, and nothing reaches a dead one. */
  #link(world: AdoptionWorld, store: Store): Store {
    const never = new Promise<never>(() => {});
    return new Proxy(store, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key === "subscribe") {
          return (listener: (hint: unknown) => void) =>
            value.call(target, (hint: unknown) => this.isDead ? undefined : listener(hint));
        }
        return (...args: unknown[]) => {
          if (this.isDead) return never;
          if (key === "open") return world.open(args[0] as never);
          const given = value.apply(target, args);
          if (!(given instanceof Promise)) return given;
          const isRead = key === "get" || key === "logs";
          return new Promise((resolve, reject) => {
            const pass = (step: () => void) => {
              if (this.isDead) return;
              if (isRead) this.clock.timer(READ_MS, step);
              else step();
            };
            given.then(
              (result) => pass(() => resolve(result)),
              (error) => pass(() => reject(error)),
            );
          });
        };
      },
    });
  }
}

/** Commands, their supervisors and the daemons that adopt them, in virtual time. */
export class AdoptionWorld {
  readonly clock = new SimClock();
  readonly store: MemoryStore;
  readonly folder: string;
  readonly system: SimSystem;
  readonly jobs: readonly JobDefinition[];
  readonly plant: Plant | null;
  readonly violations: string[] = [];
  /** How often commands were lost. */
  losses = 0;
  daemons = 0;
  #daemon: SimDaemon | null = null;
  readonly #ids = new Map<string, string>();

  /** @param timeoutMs of the command with a time limit */
  constructor(
    { timeoutMs, shortMs, plant = null }: {
      readonly timeoutMs: number;
      readonly shortMs: number;
      readonly plant?: Plant | null;
    },
  ) {
    this.plant = plant;
    this.folder = join(mkdtempSync(join(tmpdir(), "adoption-")), "c");
    this.store = new MemoryStore({ defer: (callback) => this.clock.defer(callback) });
    const durations: Readonly<Record<string, number>> = { short: shortMs };
    this.system = new SimSystem({
      ...{ clock: this.clock, plant, graceMs: LEASE_MS },
      durationOf: (program) => durations[program] ?? 9_000,
    });
    this.jobs = PROGRAMS.map((kind) => ({
      ...commandJob([kind], {}, {
        ...{ killAfterMs: KILL_AFTER_MS, crashesMax: 4, keepSuccessMs: 3_600_000 },
        ...{ keepFailureMs: 3_600_000, timeoutMs: kind === "limited" ? timeoutMs : 0 },
      }),
      kind,
    }));
  }

  async begin(): Promise<void> {
    this.startDaemon();
    await this.clock.advance(20);
    for (const kind of PROGRAMS) {
      void this.#daemon!.manager.scheduleJob(kind).then(({ id }) => this.#ids.set(kind, id));
    }
    await this.clock.advance(BEGIN_MS - 20);
  }

  /** The watchdog is for what nobody thought of: without a planted bug, it has nothing to do. */
  noteError(line: string): void {
    if (this.plant === null && line.includes("without a process")) this.violations.push(line);
  }

  startDaemon(): void {
    if (this.#daemon !== null) return;
    this.daemons += 1;
    const daemon = this.#daemon = new SimDaemon(this);
    daemon.manager.start().catch((error: unknown) => {
      if (!daemon.isDead) this.violations.push(`a daemon does not start: ${String(error)}`);
    });
  }

  /** A daemon opens the store: that of a dead one is closed by its end. */
  async open(request: Parameters<Store["open"]>[0]): Promise<StoreInfo> {
    await this.store.close();
    const { at, node } = request;
    return await this.store.open(this.plant === "keeps no claims" ? { at, node } : request);
  }

  do(event: Event): void {
    switch (event) {
      case "adopt":
        return this.startDaemon();
      case "daemon exits":
        this.#daemon?.kill();
        this.#daemon = null;
        return;
      case "supervisor exits":
        for (const supervisor of this.system.supervisors) supervisor.die(false);
        return;
      case "connection lost":
        return this.system.cutConnections();
      case "cancel": {
        const query = { ids: [this.#ids.get("canceled")!] };
        void this.store.cancel({ at: this.clock.now(), query, limit: 1 });
        return;
      }
      // Their time has come by itself: see the constructor.
      case "timer":
      case "command exits":
    }
  }

  /** Let a daemon run until all must have ended, and check that they have, each once at a time. */
  async finish(): Promise<void> {
    this.startDaemon();
    await this.clock.advance(10 * (LEASE_MS + 9_000));
    for (const [kind, id] of this.#ids) this.#checkEnd(kind, (await this.store.get(id))!);
    this.#checkRuns();
    await this.#checkStop();
    rmSync(join(this.folder, ".."), { recursive: true, force: true });
  }

  #checkEnd(kind: string, { state, attempt, crashes }: Instance): void {
    if (state === "processing" || state === "scheduled") {
      this.violations.push(`"${kind}" never ends: ${state}, attempt ${attempt}`);
    }
    this.losses += crashes;
    const begun = this.#runsOf(kind).length;
    if (begun > crashes + 1) {
      this.violations.push(`"${kind}" began ${begun} times, lost ${crashes}`);
    }
  }

  #runsOf(kind: string) {
    return this.system.runs.filter(({ instance }) => instance === this.#ids.get(kind));
  }

  #checkRuns(): void {
    for (const kind of PROGRAMS) {
      const runs = this.#runsOf(kind);
      const fences = new Set(runs.map(({ fence }) => fence));
      if (fences.size < runs.length) this.violations.push(`"${kind}" began twice with one fence`);
      for (const [index, { endedMs }] of runs.entries()) {
        const next = runs[index + 1];
        if (endedMs === null) this.violations.push(`"${kind}" runs on`);
        else if (next !== undefined && next.begunMs < endedMs) {
          this.violations.push(`"${kind}" ran twice at once`);
        }
      }
    }
  }

  async #checkStop(): Promise<void> {
    let isStopped = false;
    void this.#daemon!.manager.stop().then(() => isStopped = true);
    await this.clock.advance(DRAIN_MS + KILL_AFTER_MS + 5_000);
    if (!isStopped) this.violations.push("the daemon does not stop");
  }
}
