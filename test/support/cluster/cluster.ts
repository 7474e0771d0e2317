import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { seededRandom } from "../seeded_random.ts";
import { CLUSTER_MODULE, KINDS, TICK_KINDS } from "./cluster_jobs.ts";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
import { startEtcd } from "../servers/etcd_server.ts";
import { type TempDir, withTempDir } from "../temp_dir.ts";
import { startValkey } from "../servers/valkey_server.ts";
import { sleep, untilNoneLeft } from "../wait.ts";

/** Instances of one request. */
const BATCH = 50;
/** How often a request is tried again, at once or on another node. */
const TRIES_MAX = 600;

const UNFINISHED = [JobState.SCHEDULED, JobState.PROCESSING];

/** The store's server. */
export interface ClusterServer {
  readonly url: string;
  /** kill -9, and start again on the same data after a while. */
  crash(downMs: number): Promise<void>;
  close(): Promise<void>;
}

/** What happened to a node or to the server. Times are of this host's clock, epoch ms. */
export interface Fault {
  readonly type: "kill" | "stop" | "server";
  /** Empty for the server. */
  readonly node: string;
  readonly at: number;
  /** When it was over: it answered again. */
  endAt: number;
}

/** How a cluster is tried. */
export interface ClusterOptions {
  readonly store: "valkey" | "etcd";
  readonly jobs: number;
  /** How long instances come and faults happen. */
  readonly durationMs: number;
  readonly leaseMs: number;
  readonly seed: number;
  readonly nodes?: number;
  readonly workers?: number;
  readonly log?: (line: string) => void;
}

/** What a run of a cluster left, to be checked. */
export interface ClusterRun {
  readonly options: Pick<ClusterOptions, "leaseMs" | "seed"> & { readonly store: string };
  readonly daemon: Daemon;
  readonly effects: string;
  /** UUIDs that were acknowledged, with their kind. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
  /** Daemons that ended without being killed. */
  readonly unexpected: readonly string[];
  /** Ticks until then have ended; the schedules go on. */
  readonly ticksUntil: number;
  /** From the first request to the last end. */
  readonly spentMs: number;
}

/** A real server for a cluster, with its data on disk and every answer synced. */
export async function startClusterServer(store: "valkey" | "etcd"): Promise<ClusterServer> {
  if (store === "etcd") {
    const server = await startEtcd();
    const [member] = server.members;
    return {
      url: server.url,
      close: () => server.close(),
      async crash(downMs) {
        await member!.kill();
        await sleep(downMs);
        await member!.start();
      },
    };
  }
  const server = await startValkey({ appendonly: true, config: { appendfsync: "always" } });
  return {
    url: `${server.url}/0`,
    close: () => server.close(),
    async crash(downMs) {
      await server.kill();
      await sleep(downMs);
      await server.start();
    },
  };
}

/** One daemon, which is started again when it is gone. */
export class ClusterNode {
  readonly id: string;
  readonly unexpected: string[];
  daemon: Daemon;
  isHealthy = true;
  #isKilled = false;

  constructor(id: string, daemon: Daemon, unexpected: string[]) {
    this.id = id;
    this.daemon = daemon;
    this.unexpected = unexpected;
    this.#watch();
  }

  #watch(): void {
    const { daemon } = this;
    void daemon.exited.then(({ code, signal }) => {
      if (this.#isKilled || this.daemon !== daemon) return;
      this.isHealthy = false;
      this.unexpected.push(`${this.id} (${code ?? signal}): ${daemon.log().slice(-1_500)}`);
    });
  }

  async kill(): Promise<void> {
    this.isHealthy = false;
    this.#isKilled = true;
    await this.daemon.kill();
  }

  /** Start it, again and again while the server is away. */
  async start(): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        this.daemon = await this.daemon.restart();
        this.#isKilled = false;
        this.#watch();
        this.isHealthy = true;
        return;
      } catch (error) {
        if (tries >= 20) throw error;
        await sleep(250);
      }
    }
  }
}

/** Daemons of the compiled file on one server, with faults by chance. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #server: ClusterServer;
  readonly #random: () => number;
  readonly #nodes: ClusterNode[] = [];
  readonly #faults: Fault[] = [];
  readonly #accepted = new Map<string, string>();
  readonly #unexpected: string[] = [];
  readonly #recoveries = new Set<Promise<void>>();
  readonly #effects: string;
  #isServerUp = true;

  constructor(options: ClusterOptions, server: ClusterServer, dir: TempDir) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#server = server;
    this.#random = () => random.next();
    this.#effects = join(dir.path, "effects.txt");
  }

  /** Start, load, break and mend, and wait until everything has ended. */
  async run(): Promise<ClusterRun> {
    const { nodes = 3, durationMs } = this.#options;
    await Promise.all(Array.from({ length: nodes }, (_, index) => this.#start(`node-${index}`)));
    const begun = Date.now();
    const endAt = begun + durationMs;
    await Promise.all([this.#submit(begun, endAt), this.#break(endAt)]);
    while (this.#recoveries.size > 0) await Promise.all(this.#recoveries);
    for (const node of this.#nodes) if (!node.isHealthy) await node.start();
    this.#say(`${this.#accepted.size} accepted, ${this.#faults.length} faults; draining`);
    const ticksUntil = Date.now();
    await this.#drain(ticksUntil);
    return {
      options: this.#options,
      daemon: this.#nodes[0]!.daemon,
      effects: this.#effects,
      accepted: this.#accepted,
      faults: this.#faults,
      unexpected: this.#unexpected,
      ticksUntil,
      spentMs: Date.now() - begun,
    };
  }

  async stop(): Promise<void> {
    for (const { daemon } of this.#nodes) await daemon.stop({ force: true });
  }

  async #start(id: string): Promise<void> {
    const { leaseMs, workers = 4 } = this.#options;
    const daemon = await startDaemon({
      toml: [
        `[worker]\ncount = ${workers}\nlease = "${leaseMs}ms"\n[defaults]\ncrashes_max = 1000`,
        '[defaults.keep]\nsuccess = "1d"',
      ].join("\n"),
      modules: {
        "jobs.ts": CLUSTER_MODULE.replaceAll(
          "process.env.CLUSTER_EFFECTS",
          JSON.stringify(this.#effects),
        ),
      },
      env: { JOBCTL_STORE_URL: this.#server.url, JOBCTL_NODE_ID: id, JOBCTL_SERVER_HTTP: "" },
    });
    this.#nodes.push(new ClusterNode(id, daemon, this.#unexpected));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  #between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  #say(line: string): void {
    this.#options.log?.(line);
  }

  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      const healthy = this.#nodes.filter(({ isHealthy }) => isHealthy);
      try {
        return await question(this.#pick(healthy.length > 0 ? healthy : this.#nodes).daemon);
      } catch (error) {
        if (tries >= TRIES_MAX) throw error;
        await sleep(50);
      }
    }
  }

  // A request that was not answered is asked again with the same ids, so that it counts once.
  async #submit(begun: number, endAt: number): Promise<void> {
    const { jobs } = this.#options;
    for (let count = 0; count < jobs; count += BATCH) {
      const requests = Array.from({ length: Math.min(BATCH, jobs - count) }, () => ({
        kind: this.#kind(),
        uuid: randomUUID(),
        arguments: [this.#effects],
      }));
      await this.#ask((daemon) => daemon.client().scheduleJobs({ requests }));
      for (const { uuid, kind } of requests) this.#accepted.set(uuid, kind);
      await sleep(Math.max(0, begun + (endAt - begun) * ((count + BATCH) / jobs) - Date.now()));
    }
  }

  #kind(): string {
    let left = this.#random();
    for (const [kind, share] of KINDS) {
      left -= share;
      if (left <= 0) return kind;
    }
    return KINDS[0][0];
  }

  async #break(endAt: number): Promise<void> {
    const { leaseMs } = this.#options;
    while (Date.now() < endAt) {
      await sleep(this.#between(0.4, 1.2) * leaseMs);
      const healthy = this.#nodes.filter(({ isHealthy }) => isHealthy);
      const dice = this.#random();
      if (dice < 0.2) this.#heal(this.#crashServer());
      // One is left to take over.
      else if (healthy.length < 2) continue;
      else if (dice < 0.7) this.#heal(this.#killNode(this.#pick(healthy)));
      else this.#heal(this.#stopNode(this.#pick(healthy)));
    }
  }

  #heal(recovery: Promise<void>): void {
    const noted = recovery.finally(() => this.#recoveries.delete(noted));
    this.#recoveries.add(noted);
  }

  #note(type: Fault["type"], node: string): Fault {
    const fault = { type, node, at: Date.now(), endAt: Infinity };
    this.#faults.push(fault);
    this.#say(`${type} ${node}`);
    return fault;
  }

  async #crashServer(): Promise<void> {
    if (!this.#isServerUp) return;
    this.#isServerUp = false;
    const fault = this.#note("server", "");
    await this.#server.crash(this.#between(0, 500));
    fault.endAt = Date.now();
    this.#isServerUp = true;
  }

  // Sometimes it is back within its lease, and takes back itself what it held; sometimes later.
  async #killNode(node: ClusterNode): Promise<void> {
    const fault = this.#note("kill", node.id);
    await node.kill();
    await sleep(this.#between(0, 2) * this.#options.leaseMs);
    await node.start();
    fault.endAt = Date.now();
  }

  async #stopNode(node: ClusterNode): Promise<void> {
    node.isHealthy = false;
    const fault = this.#note("stop", node.id);
    node.daemon.signal("SIGSTOP");
    await sleep(3 * this.#options.leaseMs);
    node.daemon.signal("SIGCONT");
    fault.endAt = Date.now();
    node.isHealthy = true;
  }

  #drain(ticksUntil: number): Promise<void> {
    return untilNoneLeft(() => this.#left(ticksUntil), (left) => this.#stuck(left));
  }

  async #left(ticksUntil: number): Promise<number> {
    const { kinds } = await this.#ask((daemon) => daemon.client().getStatus({}));
    const asked = new Set<string>(KINDS.map(([kind]) => kind));
    const left = kinds.filter(({ kind }) => asked.has(kind))
      .reduce((sum, { scheduled, processing }) => sum + Number(scheduled + processing), 0);
    if (left > 0) return left;
    const query = { kinds: [...TICK_KINDS], states: UNFINISHED };
    const { instances } = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
    return instances.filter((tick) => Number(tick.scheduledFor!.seconds) * 1_000 <= ticksUntil)
      .length;
  }

  async #stuck(left: number): Promise<string> {
    const query = { states: UNFINISHED, pageSize: 5 };
    const { instances } = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
    const { nodes } = await this.#ask((daemon) => daemon.client().listNodes({}));
    return [
      `${left} instances do not end:`,
      ...instances.map(({ kind, uuid, state, node, attempts, reason, fence }) =>
        `${kind} ${uuid} ${JobState[state]} ${node} attempt ${attempts} ${reason} fence ${fence}`
      ),
      ...nodes.map(({ id, state, busy, workers }) => `${id} ${state} ${busy} of ${workers}`),
      ...this.#nodes.map(({ id, daemon }) => `${id}: ${daemon.log().slice(-3_000)}`),
    ].join("\n");
  }
}

/** Run a cluster on a server of its own, and hand over what it left while everything still runs. */
export async function withCluster<T>(
  options: ClusterOptions,
  body: (run: ClusterRun) => Promise<T>,
): Promise<T> {
  return await withTempDir({}, async (dir) => {
    const server = await startClusterServer(options.store);
    const cluster = new Cluster(options, server, dir);
    try {
      return await body(await cluster.run());
    } finally {
      await cluster.stop();
      await server.close();
    }
  });
}
