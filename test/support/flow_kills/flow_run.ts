import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { UNDO_SIGNAL } from "../../../src/core/wait.ts";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { ClusterNode, type ClusterServer, startClusterServer } from "../cluster/cluster.ts";
import { signalIfThere, workersOf } from "../cluster/node_processes.ts";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
import { seededRandom } from "../seeded_random.ts";
import { withTempDir } from "../temp_dir.ts";
import { sleep, untilNoneLeft } from "../wait.ts";
import { ALL_KINDS, APPROVED, FLOW_KINDS, FLOW_MODULE, REMARK } from "./flow_jobs.ts";

const LEASE_MS = 3_000;
const WORKERS = 3;
/** Most instances that are unfinished at once, unless a run sets it. */
const OPEN_MAX = 40;
/** Longest time between two faults. */
const ALIVE_MS_MAX = 1_200;
/** Longest time that one of several daemons is away: also longer than its lease. */
const AWAY_MS_MAX = 1.5 * LEASE_MS;
/** Longest time that the store's server is away. */
const SERVER_AWAY_MS_MAX = 500;
/** Longest time that a request is repeated. */
const ASK_MS_MAX = 120_000;
/** Shares of faults that are kills of a worker, and restarts of the store's server. */
const WORKER_KILLS = 0.35;
const SERVER_RESTARTS = 0.15;
/** Share of the kills of a daemon that another one follows while it starts. */
const AT_START = 0.25;
/** What is done to an instance each time it is looked at. */
const SIGNALS = 0.12;
const REMARKS = 0.05;
const CANCELS = 0.03;
/** Share of the signals that are sent once more with the same id. */
const AGAIN = 0.3;

const UNFINISHED = [JobState.SCHEDULED, JobState.PROCESSING];

/** Stores on which flows can be tried. */
export const FLOW_STORES = ["sqlite", "valkey", "etcd"] as const;
export type FlowStore = typeof FLOW_STORES[number];

/** How daemons with flows are killed. */
export interface FlowKills {
  readonly store: FlowStore;
  readonly daemons: number;
  /** Faults of all types together; kills while a daemon starts come in addition. */
  readonly kills: number;
  readonly seed: number;
  /** Most instances that are unfinished at once. */
  readonly openMax?: number;
  readonly log?: (line: string) => void;
}

/** A signal and what became of it. Times are epoch ms. */
export interface SentSignal {
  readonly uuid: string;
  readonly name: string;
  readonly value: string;
  /** Null until it was answered. */
  status: string | null;
  /** When the first answer came. */
  answeredAt: number;
}

/** What a run left, to be checked while a daemon still runs. */
export interface FlowRun {
  readonly options: FlowKills;
  readonly daemon: Daemon;
  /** The file of acts. */
  readonly acts: string;
  /** Kinds of the acknowledged instances by id. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly signals: readonly SentSignal[];
  /** Instances of which a cancel was asked for. */
  readonly canceled: ReadonlySet<string>;
  /** How often each type of fault came. */
  readonly faults: ReadonlyMap<string, number>;
  /** Daemons that ended without being killed. */
  readonly unexpected: readonly string[];
  readonly spentMs: number;
}

/**
 * Kill daemons of the compiled file, their workers and the store's server at random moments while
 * instances in steps come, wait, are sent signals and are canceled; then let everything end.
 */
export async function withFlowKills<T>(
  options: FlowKills,
  body: (run: FlowRun) => Promise<T>,
): Promise<T> {
  const { store } = options;
  return await withTempDir({}, async (dir) => {
    const server = store === "sqlite" ? null : await startClusterServer(store);
    const run = new KilledFlows(options, server, join(dir.path, "acts.txt"));
    try {
      return await body(await run.finish());
    } finally {
      for (const { daemon } of run.nodes) await daemon.stop({ force: true });
      await server?.close();
    }
  });
}

class KilledFlows {
  readonly nodes: ClusterNode[] = [];
  readonly #options: FlowKills;
  readonly #server: ClusterServer | null;
  readonly #acts: string;
  readonly #random: () => number;
  readonly #accepted = new Map<string, string>();
  readonly #signals: SentSignal[] = [];
  readonly #canceled = new Set<string>();
  /** Instances that the end has approved. */
  readonly #approved = new Set<string>();
  readonly #faults = new Map<string, number>();
  readonly #unexpected: string[] = [];
  #isFeeding = true;
  #open = 0;

  constructor(options: FlowKills, server: ClusterServer | null, acts: string) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#server = server;
    this.#acts = acts;
    this.#random = () => random.next();
  }

  async finish(): Promise<FlowRun> {
    const { daemons, kills } = this.#options;
    const begun = Date.now();
    for (let index = 0; index < daemons; index++) await this.#start(`node-${index}`);
    const living = Promise.all([this.#feed(), this.#operate()]);
    // A request that fails for good ends the run at once.
    await Promise.race([this.#break(kills), living]);
    this.#isFeeding = false;
    await living;
    this.#say(`${this.#figures()}; waiting for the last`);
    await untilNoneLeft(() => this.#left(), (left) => this.#stuck(left));
    return {
      ...{ options: this.#options, daemon: this.nodes[0]!.daemon, acts: this.#acts },
      ...{ accepted: this.#accepted, signals: this.#signals, canceled: this.#canceled },
      ...{ faults: this.#faults, unexpected: this.#unexpected, spentMs: Date.now() - begun },
    };
  }

  async #start(id: string): Promise<void> {
    const daemon = await startDaemon({
      toml: [
        `[worker]\ncount = ${WORKERS}\nlease = "${LEASE_MS}ms"\n[defaults]\ncrashes_max = 1000`,
        '[defaults.keep]\nsuccess = "1d"\nfailure = "1d"',
      ].join("\n"),
      modules: { "flows.ts": FLOW_MODULE },
      env: {
        ...{ JOBCTL_NODE_ID: id, JOBCTL_SERVER_HTTP: "" },
        ...(this.#server === null ? {} : { JOBCTL_STORE_URL: this.#server.url }),
      },
    });
    this.nodes.push(new ClusterNode(id, daemon, this.#unexpected));
  }

  #say(line: string): void {
    this.#options.log?.(line);
  }

  #figures(): string {
    const [accepted, signals, canceled] = [this.#accepted, this.#signals, this.#canceled];
    return `${accepted.size} accepted, ${this.#open} open, ${signals.length} signals, ` +
      `${canceled.size} cancels`;
  }

  #between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  async #break(kills: number): Promise<void> {
    for (let count = 1; count <= kills; count++) {
      await sleep(this.#between(0, ALIVE_MS_MAX));
      const dice = this.#random();
      const isServer = this.#server !== null && dice < WORKER_KILLS + SERVER_RESTARTS;
      const what = dice < WORKER_KILLS
        ? this.#killWorker()
        : isServer
        ? await this.#crashServer()
        : await this.#killDaemon(this.#pick(this.nodes));
      this.#say(`cycle ${count}: ${what}; ${this.#figures()}`);
    }
  }

  #count(fault: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }

  #killWorker(): string {
    const node = this.#pick(this.nodes);
    const workers = workersOf(node.daemon.pid);
    if (workers.length === 0) return `${node.id} has no worker`;
    this.#count("worker kills");
    signalIfThere(this.#pick(workers), "SIGKILL");
    return `killed one of ${workers.length} workers of ${node.id}`;
  }

  async #crashServer(): Promise<string> {
    this.#count("server restarts");
    const downMs = Math.round(this.#between(0, SERVER_AWAY_MS_MAX));
    await this.#server!.crash(downMs);
    return `killed the server of the store for ${downMs} ms`;
  }

  async #killDaemon(node: ClusterNode): Promise<string> {
    let kills = 1;
    this.#count("daemon kills");
    await node.kill();
    // So that others take over what it held, or it does itself.
    const awayMs = this.nodes.length > 1 ? Math.round(this.#between(0, AWAY_MS_MAX)) : 0;
    await sleep(awayMs);
    for (; this.#random() < AT_START; kills++) {
      this.#count("kills at start");
      await node.daemon.killDuringStart(this.#between(5, 400));
    }
    await node.start();
    return `killed ${node.id} ${kills} times, away for ${awayMs} ms`;
  }

  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    const end = Date.now() + ASK_MS_MAX;
    for (;;) {
      const up = this.nodes.filter(({ isHealthy }) => isHealthy);
      try {
        if (up.length > 0) return await question(this.#pick(up).daemon);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(20);
    }
  }

  /** A request that was not answered is sent again with the same id, so that it counts once. */
  async #feed(): Promise<void> {
    while (this.#isFeeding) {
      await sleep(this.#between(20, 120));
      if (this.#open >= (this.#options.openMax ?? OPEN_MAX)) continue;
      const [uuid, kind] = [randomUUID(), this.#pick(FLOW_KINDS)];
      const more: Readonly<Record<string, readonly unknown[]>> = {
        order: [this.#random() < 0.4],
        chain: [5 + Math.floor(this.#random() * 10)],
      };
      const argumentsJson = JSON.stringify([this.#acts, ...more[kind] ?? []]);
      await this.#ask((daemon) => daemon.client().scheduleJob({ kind, uuid, argumentsJson }));
      this.#accepted.set(uuid, kind);
    }
  }

  /** Send signals and cancels to what is unfinished, as people would. */
  async #operate(): Promise<void> {
    while (this.#isFeeding) {
      const instances = await this.#unfinished();
      for (const instance of instances) {
        if (!this.#isFeeding) return;
        if (this.#random() < SIGNALS) await this.#signal(instance.uuid, APPROVED);
        else if (this.#random() < REMARKS) await this.#signal(instance.uuid, REMARK);
        else if (this.#random() < CANCELS) await this.#cancel(instance.uuid);
        await this.#decide(instance);
      }
      await sleep(100);
    }
  }

  async #unfinished(): Promise<readonly JobInstance[]> {
    const query = { kinds: [...ALL_KINDS], states: UNFINISHED, pageSize: 1_000 };
    const { instances } = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
    this.#open = instances.length;
    return instances;
  }

  async #signal(uuid: string, name: string): Promise<void> {
    const [signalId, value] = [randomUUID(), randomUUID()];
    const signal: SentSignal = { uuid, name, value, status: null, answeredAt: Infinity };
    this.#signals.push(signal);
    const request = { uuid, name, signalId, valueJson: JSON.stringify(value) };
    const send = async () => {
      const answer = await this.#ask((daemon) => daemon.client().signalInstance(request));
      signal.status ??= answer.status;
    };
    await send();
    signal.answeredAt = Date.now();
    if (this.#random() < AGAIN) await send();
  }

  /** Never asked again: a second cancel takes nothing back. */
  async #cancel(uuid: string): Promise<void> {
    if (this.#canceled.has(uuid) || !this.#accepted.has(uuid)) return;
    this.#canceled.add(uuid);
    const { daemon } = this.#pick(this.nodes);
    await daemon.client().cancelInstances({ query: { uuids: [uuid] } }).catch(() => {});
  }

  /** An undo that failed for good is tried again. */
  async #decide({ uuid, waits }: JobInstance): Promise<void> {
    if (!waits.some(({ type }) => type === "undo")) return;
    this.#count("undo decisions");
    const request = { uuid, name: UNDO_SIGNAL, valueJson: JSON.stringify({ retry: true }) };
    const { daemon } = this.#pick(this.nodes);
    // Somebody else may have decided, or the daemon is gone.
    await daemon.client().signalInstance(request).catch(() => {});
  }

  async #left(): Promise<number> {
    const instances = await this.#unfinished();
    for (const instance of instances) {
      await this.#decide(instance);
      const { uuid, waits } = instance;
      if (this.#approved.has(uuid) || !waits.some(({ name }) => name === APPROVED)) continue;
      this.#approved.add(uuid);
      await this.#signal(uuid, APPROVED);
    }
    return instances.length;
  }

  async #stuck(left: number): Promise<string> {
    const instances = await this.#unfinished();
    return [
      `${left} instances do not end:`,
      ...instances.slice(0, 5).map(({ kind, uuid, state, node, attempts, reason, waits }) =>
        `${kind} ${uuid} ${JobState[state]} ${node} attempt ${attempts} ${reason} waits ` +
        waits.map(({ type, name }) => `${type} ${name}`).join()
      ),
      ...this.nodes.map(({ id, daemon }) => `${id}: ${daemon.log().slice(-3_000)}`),
    ].join("\n");
  }
}
