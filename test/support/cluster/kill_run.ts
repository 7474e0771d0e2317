import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { seededRandom } from "../seeded_random.ts";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { ClusterRun, Fault } from "./cluster.ts";
import { CLUSTER_MODULE, TICK_KINDS } from "./cluster_jobs.ts";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
import { type TempDir, withTempDir } from "../temp_dir.ts";
import { sleep, untilNoneLeft } from "../wait.ts";

const NODE = "killed";
const LEASE_MS = 3_000;
const FEEDERS = 4;
const BATCH = 4;
/** None takes so long that it never ends between two kills. */
const KINDS = ["noop", "noop", "noop", "sleeping", "failing"] as const;
/** Share of the kills that come while the daemon starts. */
const AT_START = 0.25;
/** Longest wait for the last instances without any that ends. */
const DRAIN_MS_MAX = 60_000;

/** How a daemon is killed. */
export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly log?: (line: string) => void;
}

/**
 * Kill a daemon of the compiled file on SQLite at random moments, also of its start, while
 * instances come and run and two schedules tick every second; then wait until everything has ended.
 */
export async function withKills<T>(
  options: KillOptions,
  body: (run: ClusterRun) => Promise<T>,
): Promise<T> {
  return await withTempDir({}, async (dir) => {
    const run = await KillRun.start(options, dir);
    try {
      return await body(await run.finish());
    } finally {
      await run.daemon.stop({ force: true });
    }
  });
}

class KillRun {
  readonly #options: KillOptions;
  readonly #effects: string;
  readonly #random: () => number;
  readonly #accepted = new Map<string, string>();
  readonly #faults: Fault[] = [];
  readonly #begun = Date.now();
  #isFeeding = true;
  #isUp = true;
  daemon: Daemon;

  private constructor(options: KillOptions, effects: string, daemon: Daemon) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#effects = effects;
    this.#random = () => random.next();
    this.daemon = daemon;
  }

  static async start(options: KillOptions, dir: TempDir): Promise<KillRun> {
    const effects = join(dir.path, "effects.txt");
    const daemon = await startDaemon({
      toml: [
        `[worker]\ncount = 8\nlease = "${LEASE_MS}ms"\n[defaults]\ncrashes_max = 1000`,
        '[defaults.keep]\nsuccess = "1d"',
      ].join("\n"),
      modules: {
        "jobs.ts": CLUSTER_MODULE.replaceAll(
          "process.env.CLUSTER_EFFECTS",
          JSON.stringify(effects),
        ),
      },
      env: { JOBCTL_NODE_ID: NODE, JOBCTL_SERVER_HTTP: "" },
    });
    return new KillRun(options, effects, daemon);
  }

  async finish(): Promise<ClusterRun> {
    const { kills, seed } = this.#options;
    const feeding = Promise.all(Array.from({ length: FEEDERS }, () => this.#feed()));
    // A request that fails for good ends the run at once.
    await Promise.race([this.#kill(kills), feeding]);
    this.#isFeeding = false;
    await feeding;
    const ticksUntil = Date.now();
    this.#options.log?.(`${this.#accepted.size} accepted, ${kills} kills; waiting for the last`);
    await this.#drain(ticksUntil);
    return {
      options: { store: "sqlite", leaseMs: LEASE_MS, seed },
      daemon: this.daemon,
      effects: this.#effects,
      accepted: this.#accepted,
      faults: this.#faults,
      unexpected: [],
      ticksUntil,
      spentMs: Date.now() - this.#begun,
    };
  }

  #between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  async #kill(kills: number): Promise<void> {
    for (let count = 0; count < kills;) {
      await sleep(this.#between(0, 700));
      const fault: Fault = { type: "kill", node: NODE, at: Date.now(), endAt: Infinity };
      this.#faults.push(fault);
      this.#isUp = false;
      await this.daemon.kill();
      count += 1;
      for (; count < kills && this.#random() < AT_START; count++) {
        await this.daemon.killDuringStart(this.#between(5, 400));
        this.#faults.push({ ...fault, endAt: fault.at });
      }
      this.daemon = await this.daemon.restart();
      this.#isUp = true;
      fault.endAt = Date.now();
      if (count % 20 === 0) this.#options.log?.(`${count} kills, ${this.#accepted.size} accepted`);
    }
  }

  /** A request that was not answered is sent again with the same ids, so that it counts once. */
  async #feed(): Promise<void> {
    while (this.#isFeeding) {
      const requests = Array.from({ length: BATCH }, () => ({
        kind: KINDS[Math.floor(this.#random() * KINDS.length)]!,
        uuid: randomUUID(),
        arguments: [this.#effects],
      }));
      await this.#ask((daemon) => daemon.client().scheduleJobs({ requests }));
      for (const { uuid, kind } of requests) this.#accepted.set(uuid, kind);
      await sleep(this.#between(5, 50));
    }
  }

  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    const end = Date.now() + DRAIN_MS_MAX;
    for (;;) {
      try {
        if (this.#isUp) return await question(this.daemon);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(5);
    }
  }

  #drain(ticksUntil: number): Promise<void> {
    return untilNoneLeft(
      () => this.#left(ticksUntil),
      (left) => `${left} instances do not end: ${this.daemon.log().slice(-1_500)}`,
    );
  }

  async #left(ticksUntil: number): Promise<number> {
    const client = this.daemon.client();
    const { kinds } = await client.getStatus({});
    const ticks: readonly string[] = TICK_KINDS;
    const left = kinds.filter(({ kind }) => !ticks.includes(kind))
      .reduce((sum, { scheduled, processing }) => sum + Number(scheduled + processing), 0);
    if (left > 0) return left;
    const newest = { kinds: [...TICK_KINDS], pageSize: 2 * TICK_KINDS.length };
    const { instances } = await client.lookupInstances({ query: newest });
    const timeOf = (tick: JobInstance) => Number(tick.scheduledFor!.seconds) * 1_000;
    if (!instances.some((tick) => timeOf(tick) > ticksUntil)) return 1;
    const query = { kinds: [...TICK_KINDS], states: [JobState.SCHEDULED, JobState.PROCESSING] };
    const unfinished = await client.lookupInstances({ query });
    return unfinished.instances.filter((tick) => timeOf(tick) <= ticksUntil).length;
  }
}
