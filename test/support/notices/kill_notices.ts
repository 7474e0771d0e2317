import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { NoticePayload } from "../../../src/notices/render/payload.ts";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
import { startClusterServer } from "../cluster/cluster.ts";
import { seededRandom } from "../seeded_random.ts";
import { sleep, untilNoneLeft } from "../wait.ts";

const KINDS = Array.from({ length: 8 }, (_, index) => `job${index}`);
const MODULE = `
import type { Context } from "ts-job";
export default async function run(_ctx: Context, fails: boolean, ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
  if (fails) throw new Error("as asked");
}
`;
/** Share of the kills that come while the daemon starts. */
const AT_START = 0.25;
/** Longest time between a start and a kill. */
const ALIVE_MS_MAX = 1_500;
const LEASE_MS = 3_000;
/** Longest time that one of several daemons is away: also longer than its lease. */
const AWAY_MS_MAX = 1.5 * LEASE_MS;
/**
 * Longest pause between two runs of a job on several daemons. The news of a node that is away wait
 * for its lease, and what comes beyond `NEWS_MAX` is only counted.
 */
const PAUSE_MS_MAX = 400;
/** Shares of requests that are refused before they are read, and taken without an answer. */
const REFUSALS = 0.05;
const LOST_ANSWERS = 0.05;
/** Longest time without progress. */
const WAIT_MS_MAX = 120_000;

/** How daemons with failing jobs are killed. */
export interface NoticeKills {
  /** Of all daemons together. */
  readonly kills: number;
  /** "sqlite", for one daemon only, by default. */
  readonly store?: "sqlite" | "valkey" | "etcd";
  /** 1 by default. */
  readonly daemons?: number;
  readonly seed: number;
  readonly log?: (line: string) => void;
}

/** What came of it. */
export interface NoticeKillsResult {
  readonly violations: readonly string[];
  readonly figures: {
    readonly kills: number;
    readonly runs: number;
    readonly incidents: number;
    readonly notices: number;
    readonly repeated: number;
    readonly lostAnswers: number;
  };
}

interface Received {
  readonly at: number;
  /** The daemon that sent it. */
  readonly sender: string;
  readonly payload: NoticePayload;
  readonly isAnswered: boolean;
}

/**
 * Kill daemons of the compiled file on one store at random moments while jobs fail and succeed in
 * turns, and a server takes their notices, refuses some, and ends some connections without an
 * answer; then let them come to rest, and compare the notices with how the runs ended.
 */
export async function tellUnderKills(options: NoticeKills): Promise<NoticeKillsResult> {
  const { store = "sqlite", daemons = 1 } = options;
  const server = store === "sqlite" ? null : await startClusterServer(store);
  const receiver = await Receiver.start(options.seed);
  const nodes: KilledNode[] = [];
  try {
    for (let index = 0; index < daemons; index++) {
      const id = `node-${index}`;
      nodes.push(new KilledNode(id, await startNotifier(id, receiver.port, server?.url)));
    }
    return await new KilledNotices(options, receiver, nodes).finish();
  } finally {
    for (const { daemon } of nodes) await daemon.stop({ force: true });
    receiver.close();
    await server?.close();
  }
}

async function startNotifier(id: string, port: number, store?: string): Promise<Daemon> {
  return await startDaemon({
    toml: [
      `[worker]\ncount = 4\nlease = "${LEASE_MS}ms"`,
      '[defaults]\ncrashes_max = 1000\n[defaults.keep]\nsuccess = "1d"\nfailure = "1d"',
      '[notices.hook]\nto = "webhook"\nallow_private = true',
      `url = "http://127.0.0.1:${port}/${id}"\non = ["failed", "recovered", "lost"]`,
      // Each is to come by itself.
      'limit = "10000/10s"',
    ].join("\n"),
    modules: Object.fromEntries(KINDS.map((kind) => [`${kind}.ts`, MODULE])),
    env: {
      ...{ JOBCTL_NODE_ID: id, JOBCTL_SERVER_HTTP: "" },
      ...(store === undefined ? {} : { JOBCTL_STORE_URL: store }),
    },
  });
}

/** A daemon that is killed and started again. */
class KilledNode {
  readonly id: string;
  /** When it was killed. */
  readonly killedAt: number[] = [];
  /** How it ended without being killed. */
  readonly unexpected: string[] = [];
  isUp = true;
  daemon: Daemon;

  constructor(id: string, daemon: Daemon) {
    this.id = id;
    this.daemon = daemon;
    this.#watch();
  }

  async kill(): Promise<void> {
    this.isUp = false;
    await this.daemon.kill();
    this.killedAt.push(Date.now());
  }

  async killDuringStart(afterMs: number): Promise<void> {
    await this.daemon.killDuringStart(afterMs);
    this.killedAt.push(Date.now());
  }

  async start(): Promise<void> {
    this.daemon = await this.daemon.restart();
    this.isUp = true;
    this.#watch();
  }

  #watch(): void {
    const { daemon } = this;
    void daemon.exited.then(({ code, signal }) => {
      if (!this.isUp) return;
      this.unexpected.push(`${this.id} ended (${code ?? signal}): ${daemon.log().slice(-1_500)}`);
    });
  }
}

/** An HTTP server that receives notices. */
class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;
  readonly #random: () => number;
  isFaulty = true;

  private constructor(seed: number) {
    const random = seededRandom(seed + 1);
    this.#random = () => random.next();
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  static async start(seed: number): Promise<Receiver> {
    const receiver = new Receiver(seed);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Uint8Array[] = [];
    try {
      for await (const part of request) parts.push(part as Uint8Array);
    } catch {
      // A daemon that was killed while it sent: nothing was received.
      return;
    }
    const fate = this.isFaulty ? this.#random() : 1;
    if (fate < REFUSALS) return void response.writeHead(503).end();
    const payload = JSON.parse(Buffer.concat(parts).toString()) as NoticePayload;
    const isAnswered = fate >= REFUSALS + LOST_ANSWERS;
    const sender = request.url!.slice(1);
    this.received.push({ at: Date.now(), sender, payload, isAnswered });
    if (isAnswered) response.writeHead(204).end();
    else response.destroy();
  }
}

class KilledNotices {
  readonly #options: NoticeKills;
  readonly #receiver: Receiver;
  readonly #random: () => number;
  readonly #nodes: readonly KilledNode[];
  #kills = 0;
  #isFeeding = true;

  constructor(options: NoticeKills, receiver: Receiver, nodes: readonly KilledNode[]) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#receiver = receiver;
    this.#random = () => random.next();
    this.#nodes = nodes;
  }

  async finish(): Promise<NoticeKillsResult> {
    const { log, kills } = this.#options;
    const feeding = Promise.all(KINDS.map((kind) => this.#feed(kind)));
    await Promise.race([Promise.all(this.#nodes.map((node) => this.#kill(node))), feeding]);
    this.#isFeeding = false;
    await feeding;
    this.#receiver.isFaulty = false;
    log?.(`${this.#receiver.received.length} notices, ${kills} kills; waiting for the last`);
    await untilNoneLeft(
      () => this.#left(),
      (left) =>
        `${left} instances do not end: ${
          this.#nodes.map(({ id, daemon }) => `${id}: ${daemon.log().slice(-1_500)}`).join("\n")
        }`,
    );
    return await this.#check();
  }

  /** Kill a node and start it again until there were enough kills of all. */
  async #kill(node: KilledNode): Promise<void> {
    const { kills } = this.#options;
    for (;;) {
      await sleep(this.#random() * ALIVE_MS_MAX * this.#nodes.length);
      if (!this.#countKill()) return;
      await node.kill();
      // So that others take over what it held, or it does itself.
      if (this.#nodes.length > 1) await sleep(this.#random() * AWAY_MS_MAX);
      while (this.#kills < kills && this.#random() < AT_START && this.#countKill()) {
        await node.killDuringStart(5 + this.#random() * 395);
      }
      await node.start();
    }
  }

  /** @returns false if there were enough */
  #countKill(): boolean {
    if (this.#kills === this.#options.kills) return false;
    this.#kills += 1;
    const { length } = this.#receiver.received;
    if (this.#kills % 20 === 0) this.#options.log?.(`${this.#kills} kills, ${length} notices`);
    return true;
  }

  /** Run a job again and again, one run after the other: two failures on average, one success. */
  async #feed(kind: string): Promise<void> {
    while (this.#isFeeding) {
      const uuid = randomUUID();
      const args = [String(this.#random() < 0.6), String(Math.floor(this.#random() * 20))];
      await this.#ask((daemon) => daemon.client().scheduleJob({ kind, uuid, arguments: args }));
      while (!await this.#hasEnded(uuid)) await sleep(20);
      if (this.#nodes.length > 1) await sleep(this.#random() * PAUSE_MS_MAX);
    }
  }

  async #hasEnded(uuid: string): Promise<boolean> {
    const query = { uuids: [uuid] };
    const { instances } = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
    return isFinal(instances[0]);
  }

  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    const end = Date.now() + WAIT_MS_MAX;
    for (;;) {
      const up = this.#nodes.filter(({ isUp }) => isUp);
      try {
        const node = up[Math.floor(this.#random() * up.length)];
        if (node) return await question(node.daemon);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(5);
    }
  }

  async #left(): Promise<number> {
    const { kinds } = await this.#ask((daemon) => daemon.client().getStatus({}));
    return kinds.reduce(
      (sum, { scheduled, processing }) => sum + Number(scheduled + processing),
      0,
    );
  }

  async #check(): Promise<NoticeKillsResult> {
    const { received } = this.#receiver;
    const violations = [
      ...this.#nodes.flatMap(({ unexpected }) => unexpected),
      ...this.#repeated(received),
    ];
    let runs = 0;
    let incidents = 0;
    for (const kind of KINDS) {
      const ended = await this.#runsOf(kind);
      runs += ended.length;
      const expected = transitions(ended);
      const found = incidentsOf(kind, received);
      incidents += found.size;
      for (const [id, told] of found) {
        if (told !== "failed" && told !== "failed recovered") {
          violations.push(`incident ${id} of ${kind} was told as "${told}"`);
        }
      }
      const all = [...found.values()].flatMap((told) => told.split(" "));
      for (const event of ["failed", "recovered"]) {
        const [is, should] = [all, expected].map((list) => list.filter((one) => one === event));
        if (is!.length === should!.length) continue;
        violations.push(`${kind}: ${is!.length} ${event}, expected ${should!.length}`);
      }
    }
    const distinct = new Set(received.map(({ payload }) => payload.id)).size;
    return {
      violations,
      figures: {
        ...{ kills: this.#options.kills, runs, incidents, notices: distinct },
        repeated: received.length - distinct,
        lostAnswers: received.filter(({ isAnswered }) => !isAnswered).length,
      },
    };
  }

  /** Notices that came twice although the first had an answer and its sender was not killed. */
  #repeated(received: readonly Received[]): string[] {
    const last = new Map<string, Received>();
    const violations: string[] = [];
    for (const one of received) {
      const before = last.get(one.payload.id);
      last.set(one.payload.id, one);
      if (!before?.isAnswered) continue;
      const sender = this.#nodes.find(({ id }) => id === before.sender)!;
      const wasKilled = sender.killedAt.some((at) => at >= before.at && at <= one.at);
      if (!wasKilled) violations.push(`"${one.payload.title}" came twice, ${between(before, one)}`);
    }
    return violations;
  }

  async #runsOf(kind: string): Promise<readonly JobInstance[]> {
    const found: JobInstance[] = [];
    let pageToken: string | undefined;
    do {
      const query = { kinds: [kind], pageSize: 1_000, pageToken };
      const page = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
      found.push(...page.instances);
      pageToken = page.nextPageToken;
    } while (pageToken);
    // One run of a kind is accepted when the one before has ended.
    return found.reverse();
  }
}

function between(first: Received, second: Received): string {
  return `from ${first.sender} and ${second.at - first.at} ms later from ${second.sender}`;
}

function isFinal(instance: JobInstance | undefined): boolean {
  return instance !== undefined &&
    instance.state !== JobState.SCHEDULED && instance.state !== JobState.PROCESSING;
}

/** "failed" and "recovered" in their order, as the runs of a job ended. */
function transitions(runs: readonly JobInstance[]): readonly string[] {
  const told: string[] = [];
  for (const { state } of runs) {
    const event = state === JobState.COMPLETED ? "recovered" : "failed";
    if (event !== (told.at(-1) ?? "recovered")) told.push(event);
  }
  return told;
}

/** What was told of each incident of a job, in the order in which it first came. */
function incidentsOf(kind: string, received: readonly Received[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  for (const { payload: { id, job, event, incident } } of received) {
    if (job !== kind || seen.has(id)) continue;
    seen.add(id);
    const before = found.get(incident!.id);
    found.set(incident!.id, before === undefined ? event : `${before} ${event}`);
  }
  return found;
}
