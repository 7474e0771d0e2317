import type { ReportedRun } from "../../core/job/external.ts";
import type { JobHook } from "../../core/hooks/hook.ts";
import type { HookDelivery, HookRun } from "../../core/hooks/hook.ts";
import type { ManagerApi } from "../../manager/api.ts";
import { Metrics, type MetricsOptions } from "./metrics.ts";

/** The readiness of a daemon for work. */
export interface Readiness {
  /** Why it is not ready; null if it is. */
  readonly reason: string | null;
  /** The parts that were checked; a problem of the configuration alone leaves it ready. */
  readonly checks: readonly { readonly name: string; readonly problem: string | null }[];
}

/** A ping: a report about a run elsewhere, in the form of healthchecks.io. */
export interface Ping {
  /** The job's own key, or the shared key. */
  readonly key: string;
  /** With the shared key, the kind of the job. */
  readonly kind: string | null;
  readonly run: ReportedRun;
}

/** The data that the HTTP server shows, and the receiver of pings and deliveries. */
export interface StatusSource {
  /**
   * Record a run. Returns false if no job has the key.
   *
   * @throws JobError `invalid_argument` for a report that cannot be recorded
   */
  ping(ping: Ping): Promise<boolean>;
  /** SHA-256 of the possible keys of pings, in hexadecimal. */
  pingKeys(): Promise<ReadonlySet<string>>;
  /** The hooks of all jobs, by kind. */
  hooks(): Promise<ReadonlyMap<string, JobHook>>;
  /** Run a job for a delivery whose signature is right. @throws JobError */
  deliver(kind: string, delivery: HookDelivery): Promise<HookRun>;
  /** @throws JobError when the status cannot be read */
  readiness(): Promise<Readiness>;
  /** The page for a scrape. @throws JobError when the status cannot be read */
  metrics(): Promise<string>;
}

/** Status of a manager in this thread. */
export class ManagerStatusSource implements StatusSource {
  readonly #manager: ManagerApi;
  readonly #metrics: Metrics;

  constructor(manager: ManagerApi, options: MetricsOptions) {
    this.#manager = manager;
    this.#metrics = new Metrics(manager, options);
  }

  async readiness(): Promise<Readiness> {
    const { storeProblem, isDraining, reloadProblem, listenerProblems = [] } = await this.#manager
      .status();
    const store = storeProblem && `the store cannot be used: ${storeProblem}`;
    const draining = isDraining ? "draining" : null;
    const listeners = listenerProblems.length === 0 ? null : listenerProblems.join("; ");
    return {
      reason: store ?? draining ?? listeners,
      checks: [
        { name: "store", problem: store },
        { name: "draining", problem: draining },
        { name: "listeners", problem: listeners },
        { name: "config", problem: reloadProblem },
      ],
    };
  }

  metrics(): Promise<string> {
    return this.#metrics.page();
  }

  ping({ key, kind, run }: Ping): Promise<boolean> {
    return this.#manager.ping(key, kind, run);
  }

  pingKeys(): Promise<ReadonlySet<string>> {
    return this.#manager.pingKeyHashes();
  }

  async hooks(): Promise<ReadonlyMap<string, JobHook>> {
    return this.#manager.hooks();
  }

  deliver(kind: string, delivery: HookDelivery): Promise<HookRun> {
    return this.#manager.deliver(kind, delivery);
  }

  stop(): void {
    this.#metrics.stop();
  }
}
