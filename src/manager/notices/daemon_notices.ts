import { toJobError } from "../../core/errors.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Notices } from "../../notices/notices.ts";
import type { Context } from "../context/context.ts";
import type { NodeStatus } from "../api/nodes.ts";

/** Time for which the store must be away before a notice is sent, in milliseconds. */
const STORE_AWAY_MS = 30_000;

/** Most losses that a node remembers. */
const LOSSES_MAX = 1_000;

const NODE_LOST = "node-lost";

interface DaemonNoticesOptions extends Pick<Context, "clock" | "logger" | "node" | "leaseMs"> {
  readonly notices: Notices;
  readonly peers: { list(): Promise<readonly NodeStatus[]> };
  /** True if other processes may use the store. */
  readonly isShared: boolean;
  readonly listenerProblems: () => readonly string[];
}

/** Notifies people of events of daemons: this one, and others on its store. */
export class DaemonNotices {
  readonly #options: DaemonNoticesOptions;
  readonly #peerTimer: LazyTimer;
  readonly #storeTimer: LazyTimer;
  #isStarted = false;
  #storeProblem: string | null = null;
  #count = 0;
  /** Losses that were reported, by id: each is reported once by each node. */
  readonly #reported = new Set<string>();

  constructor(options: DaemonNoticesOptions) {
    this.#options = options;
    this.#peerTimer = new LazyTimer(options.clock, () => void this.#lookAtPeers());
    this.#storeTimer = new LazyTimer(options.clock, () => this.#storeStaysAway());
  }

  /** Watch the other nodes, if there are channels; call it again after a reload. */
  start(): void {
    // Earlier daemons' problems are over: the configuration was read, and workers are new.
    if (!this.#isStarted && this.#options.notices.isActive) {
      this.reloadRefused(null);
      this.workersBusy(null);
      this.portsClosed(this.#options.listenerProblems());
    }
    this.#isStarted = true;
    this.#armPeers(0);
  }

  stop(): void {
    this.#isStarted = false;
    this.#peerTimer.cancel();
    this.#storeTimer.cancel();
  }

  /** All workers have been busy for a while and instances wait, or no longer (null). */
  workersBusy(detail: string | null): void {
    this.#report("workers-busy", detail);
  }

  /** A reload was refused, or succeeded (null). */
  reloadRefused(problem: string | null): void {
    this.#report("reload-refused", problem);
  }

  /** Listeners cannot be opened, or no longer (empty). */
  portsClosed(problems: readonly string[]): void {
    this.#report("port-closed", problems.length === 0 ? null : problems.join("; "));
  }

  /** The store is away, or back (null). `isCertain`: it cannot recover alone, so notify at once. */
  storeAway(problem: string | null, isCertain: boolean): void {
    const wasAway = this.#storeProblem !== null;
    this.#storeProblem = problem;
    if (problem === null) {
      this.#storeTimer.cancel();
      if (wasAway) this.#options.notices.store.returned();
    } else if (!this.#options.notices.isActive) return;
    else if (isCertain) this.#storeStaysAway();
    else if (!wasAway) this.#storeTimer.setIn(STORE_AWAY_MS);
  }

  #storeStaysAway(): void {
    if (this.#storeProblem !== null) this.#options.notices.store.away(this.#storeProblem);
  }

  /** @param detail null if it is over */
  #report(event: "workers-busy" | "reload-refused" | "port-closed", detail: string | null): void {
    const { notices, node, clock } = this.#options;
    const { wallMs } = clock.now();
    const news = { id: `${event}:${wallMs}:${++this.#count}`, event, detail };
    this.#settle(notices.report({ type: "daemon", name: node }, news));
  }

  #settle(reported: Promise<void>): void {
    reported.catch((error: unknown) => {
      this.#options.logger.warn(toJobError(error, "Cannot record a notice").message);
    });
  }

  #armPeers(delayMs: number): void {
    const { isShared, notices } = this.#options;
    if (this.#isStarted && isShared && notices.isActive) this.#peerTimer.setIn(delayMs);
  }

  async #lookAtPeers(): Promise<void> {
    const { peers, notices, node, leaseMs, logger } = this.#options;
    try {
      for (const { id, state, host, session, until } of await peers.list()) {
        const subject = { type: "node", name: id } as const;
        if (state === "lost" && id !== node) {
          const lossId = `${NODE_LOST}:${id}:${session}:${until}`;
          if (this.#reported.has(lossId)) continue;
          const detail = `host ${host}, lease expired ${new Date(until).toISOString()}`;
          await notices.report(subject, { id: lossId, event: NODE_LOST, detail });
          if (this.#reported.size >= LOSSES_MAX) this.#reported.clear();
          this.#reported.add(lossId);
        } else if (state !== "lost" && state !== "left") {
          const id = `node-live:${session}:${until}`;
          await notices.report(subject, { id, event: NODE_LOST, detail: null });
        }
      }
    } catch (error) {
      logger.debug(toJobError(error, "Cannot look at the other nodes").message);
    }
    this.#armPeers(leaseMs);
  }
}
