import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Daemon, JOBCTL, type RunResult, startDaemon } from "./daemon.ts";
import { linesOf, sleep, until } from "../wait.ts";

const KIND = "append";
const SCHEDULED = "tick";

const APPEND = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function append(ctx: Context, file: string, ms: number): Promise<void> {
  appendFileSync(file, ctx.instance.id + "\\n");
  await new Promise((done) => setTimeout(done, ms));
}
`;

/**
 * A daemon with instances that run, and a schedule of every second, whose store is moved meanwhile.
 */
export class MovingDaemon {
  daemon: Daemon;
  accepted: readonly string[] = [];

  private constructor(daemon: Daemon) {
    this.daemon = daemon;
  }

  /**
   * Start one and give it `count` instances of some ten milliseconds each. It may move to the files
   * `new` and `back` of its folder, and to `targets`.
   *
   * @param url of its store; its own file when absent
   */
  static async start(
    count: number,
    { url, targets = {} }: {
      readonly url?: string;
      readonly targets?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<MovingDaemon> {
    const env: Record<string, string> = { JOBCTL_NODE_ID: "first" };
    if (url !== undefined) env.JOBCTL_STORE_URL = url;
    const named = { new: "sqlite:new.db", back: "sqlite:back.db", ...targets };
    const toml = [
      "[store.targets]",
      ...Object.entries(named).map(([name, target]) => `${name} = ${JSON.stringify(target)}`),
      "[worker]",
      "count = 2",
      "[jobs.tick]",
      "run = 'echo $JOB_INSTANCE_ID >> ticks'",
      'schedule = "* * * * * *"',
      'overlap = "allow"',
      'cwd = "."',
    ].join("\n");
    const moving = new MovingDaemon(
      await startDaemon({ toml, modules: { "append.ts": APPEND }, env }),
    );
    await moving.add(count);
    return moving;
  }

  /** Give it `count` instances of some ten milliseconds each. */
  async add(count: number): Promise<void> {
    const requests = Array.from({ length: count }, (_, index) => ({
      kind: KIND,
      arguments: [this.file, String(10 + index % 40)],
    }));
    const { instances } = await this.daemon.client().scheduleJobs({ requests });
    this.accepted = [...this.accepted, ...instances.map(({ uuid }) => uuid)];
  }

  /** Another daemon with the same jobs on a shared store. */
  async startPeer(url: string): Promise<Daemon> {
    const env = { JOBCTL_NODE_ID: "second", JOBCTL_STORE_URL: url };
    return await startDaemon({ modules: { "append.ts": APPEND }, env });
  }

  get file(): string {
    return join(this.daemon.dir, "done");
  }

  /** Resolves when so many instances have begun. */
  async begun(count: number): Promise<void> {
    await until(`${count} instances have begun`, () => linesOf(this.file).length >= count);
  }

  /** Begin to move to a target, and kill -9 the command after a while. */
  async moveAndKill(target: string, afterMs: number): Promise<void> {
    const args = ["store", "migrate", "--to", target, "--yes", "--port", String(this.daemon.port)];
    const child = spawn(JOBCTL, args, {
      cwd: this.daemon.dir,
      stdio: "ignore",
      env: { ...process.env, JOBCTL_TOKEN_FILE: join(this.daemon.dir, "token") },
    });
    const ended = once(child, "exit");
    await sleep(afterMs);
    child.kill("SIGKILL");
    await ended;
  }

  /** Move to a target. */
  async move(target: string): Promise<RunResult> {
    return await this.daemon.jobctl(["store", "migrate", "--to", target, "--verify", "--yes"]);
  }

  /** Start the daemon on another store; without a URL on the one that it had. */
  async restart(url?: string): Promise<void> {
    const changes = url === undefined ? {} : { env: { JOBCTL_STORE_URL: url } };
    this.daemon = await this.daemon.restart(undefined, changes);
  }

  /**
   * Everything that was accepted ended well; nothing twice, unless a daemon was killed under what
   * ran.
   */
  async check(options: { readonly isOnce: boolean }): Promise<void> {
    const client = this.daemon.client();
    await until("everything has ended, and the schedule has ticked again", async () => {
      const { kinds } = await client.getStatus({});
      const counts = kinds.find(({ kind }) => kind === KIND);
      const ticked = kinds.find(({ kind }) => kind === SCHEDULED);
      return counts?.scheduled === 0n && counts.processing === 0n &&
        (ticked?.completed ?? 0n) >= 2n;
    }, 60_000);
    const reasons = new Map<string, string>();
    const ticks: string[] = [];
    let pageToken: string | undefined;
    do {
      const page = await client.lookupInstances({ query: { pageToken } });
      for (const { uuid, kind, reason, scheduledFor } of page.instances) {
        if (kind === KIND) reasons.set(uuid, reason ?? "");
        if (kind === SCHEDULED) ticks.push(String(scheduledFor?.seconds));
      }
      pageToken = page.nextPageToken;
    } while (pageToken);
    for (const id of this.accepted) assert.equal(reasons.get(id), "ok", `instance ${id}`);
    assert.equal(reasons.size, this.accepted.length);
    assert.equal(new Set(ticks).size, ticks.length, "a tick fired twice");
    const begun = linesOf(this.file);
    assert.deepEqual([...new Set(begun)].sort(), [...this.accepted].sort());
    if (options.isOnce) assert.equal(begun.length, this.accepted.length, "one ran twice");
  }

  async stop(): Promise<void> {
    await this.daemon.stop({ force: true });
  }
}
