import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { NoticePayload } from "../../../src/notices/render/payload.ts";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type Daemon, startDaemon } from "../processes/daemon.ts";
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
/** Shares of requests that are refused before they are read, and taken without an answer. */
const REFUSALS = 0.05;
const LOST_ANSWERS = 0.05;
/** Longest time without progress. */
const WAIT_MS_MAX = 120_000;

/** How a daemon with failing jobs is killed. */
export interface NoticeKills {
  readonly kills: number;
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
  readonly payload: NoticePayload;
  readonly isAnswered: boolean;
}

/**
 * Kill a daemon of the compiled file at random moments while jobs fail and succeed in turns, and a
 * server takes their notices, refuses some, and ends some connections without an answer; then let
 * it come to rest, and compare the notices with how the runs ended.
 */
export async function tellUnderKills(options: NoticeKills): Promise<NoticeKillsResult> {
  const receiver = await Receiver.start(options.seed);
  try {
    const run = new KilledNotices(options, receiver, await startNotifier(receiver.port));
    try {
      return await run.finish();
    } finally {
      await run.daemon.stop({ force: true });
    }
  } finally {
    receiver.close();
  }
}

async function startNotifier(port: number): Promise<Daemon> {
  return await startDaemon({
    toml: [
      '[worker]\ncount = 4\nlease = "3s"',
      '[defaults]\ncrashes_max = 1000\n[defaults.keep]\nsuccess = "1d"\nfailure = "1d"',
      '[notices.hook]\nto = "webhook"\nallow_private = true',
      `url = "http://127.0.0.1:${port}/"\non = ["failed", "recovered", "lost"]`,
    ].join("\n"),
    modules: Object.fromEntries(KINDS.map((kind) => [`${kind}.ts`, MODULE])),
    env: { JOBCTL_NODE_ID: "killed", JOBCTL_SERVER_HTTP: "" },
  });
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
    this.received.push({ at: Date.now(), payload, isAnswered });
    if (isAnswered) response.writeHead(204).end();
    else request.destroy();
  }
}

class KilledNotices {
  readonly #options: NoticeKills;
  readonly #receiver: Receiver;
  readonly #random: () => number;
  /** When a daemon was killed. */
  readonly #killedAt: number[] = [];
  #isFeeding = true;
  #isUp = true;
  daemon: Daemon;

  constructor(options: NoticeKills, receiver: Receiver, daemon: Daemon) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#receiver = receiver;
    this.#random = () => random.next();
    this.daemon = daemon;
  }

  async finish(): Promise<NoticeKillsResult> {
    const { log, kills } = this.#options;
    const feeding = Promise.all(KINDS.map((kind) => this.#feed(kind)));
    await Promise.race([this.#kill(kills), feeding]);
    this.#isFeeding = false;
    await feeding;
    this.#receiver.isFaulty = false;
    log?.(`${this.#receiver.received.length} notices, ${kills} kills; waiting for the last`);
    await untilNoneLeft(
      () => this.#left(),
      (left) => `${left} instances do not end: ${this.daemon.log().slice(-1_500)}`,
    );
    return await this.#check();
  }

  async #kill(kills: number): Promise<void> {
    for (let count = 0; count < kills;) {
      await sleep(this.#random() * ALIVE_MS_MAX);
      this.#isUp = false;
      await this.daemon.kill();
      this.#killedAt.push(Date.now());
      count += 1;
      for (; count < kills && this.#random() < AT_START; count++) {
        await this.daemon.killDuringStart(5 + this.#random() * 395);
        this.#killedAt.push(Date.now());
      }
      this.daemon = await this.daemon.restart();
      this.#isUp = true;
      const { length } = this.#receiver.received;
      if (count % 20 === 0) this.#options.log?.(`${count} kills, ${length} notices`);
    }
  }

  /** Run a job again and again, one run after the other: two failures on average, one success. */
  async #feed(kind: string): Promise<void> {
    while (this.#isFeeding) {
      const uuid = randomUUID();
      const args = [String(this.#random() < 0.6), String(Math.floor(this.#random() * 20))];
      await this.#ask((daemon) => daemon.client().scheduleJob({ kind, uuid, arguments: args }));
      while (!await this.#hasEnded(uuid)) await sleep(20);
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
      try {
        if (this.#isUp) return await question(this.daemon);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(5);
    }
  }

  async #left(): Promise<number> {
    const { kinds } = await this.daemon.client().getStatus({});
    return kinds.reduce(
      (sum, { scheduled, processing }) => sum + Number(scheduled + processing),
      0,
    );
  }

  async #check(): Promise<NoticeKillsResult> {
    const { received } = this.#receiver;
    const violations = this.#repeated(received);
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

  /** Notices that came twice although the first had an answer and nobody was killed between. */
  #repeated(received: readonly Received[]): string[] {
    const last = new Map<string, Received>();
    const violations: string[] = [];
    for (const one of received) {
      const before = last.get(one.payload.id);
      last.set(one.payload.id, one);
      if (!before?.isAnswered) continue;
      const wasKilled = this.#killedAt.some((at) => at >= before.at && at <= one.at);
      if (!wasKilled) violations.push(`"${one.payload.title}" came twice`);
    }
    return violations;
  }

  async #runsOf(kind: string): Promise<readonly JobInstance[]> {
    const found: JobInstance[] = [];
    let pageToken: string | undefined;
    do {
      const query = { kinds: [kind], pageSize: 1_000, pageToken };
      const page = await this.daemon.client().lookupInstances({ query });
      found.push(...page.instances);
      pageToken = page.nextPageToken;
    } while (pageToken);
    // One run of a kind is accepted when the one before has ended.
    return found.reverse();
  }
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
