import type { FinalState, JobState } from "../core/state.ts";
import { isFinal, JOB_STATES } from "../core/state.ts";
import type { ManagerApi, ManagerEvent, ManagerStatus } from "../manager/api.ts";
import { Histogram, MetricsPage } from "./prometheus.ts";

/** Most kinds with a label of their own; later ones share a label. */
export const KIND_LABELS_MAX = 200;
const OTHER = "_other";

/** Counters of one kind since the start. */
class KindCounters {
  executed = 0;
  retried = 0;
  readonly settled: Record<FinalState, number> = {
    completed: 0,
    terminated: 0,
    canceled: 0,
    timedOut: 0,
  };
  readonly duration = new Histogram();
}

/** go-job's name of each counter of final states. */
const SETTLED_METRIC: Readonly<Record<FinalState, string>> = {
  completed: "go_job_completed_total",
  terminated: "go_job_terminated_total",
  canceled: "go_job_canceled_total",
  timedOut: "go_job_timedout_total",
};

/**
 * The metrics of one manager: counters of its events, and gauges read for each page. Every event is
 * counted, so that the counters equal the store's counts at rest.
 */
export class Metrics {
  readonly #manager: ManagerApi;
  readonly #kinds = new Map<string, KindCounters>();
  readonly #labels = new Set<string>();
  readonly #lateness = new Histogram();
  readonly #unsubscribe: () => void;

  constructor(manager: ManagerApi) {
    this.#manager = manager;
    this.#unsubscribe = manager.subscribe((event) => this.#count(event));
  }

  /** Stop counting. */
  stop(): void {
    this.#unsubscribe();
  }

  /** The page for a scrape. @throws JobError as `ManagerApi.status` */
  async page(): Promise<string> {
    const status = await this.#manager.status();
    const page = new MetricsPage();
    this.#writeGoJob(page, status);
    this.#writeOurs(page, status);
    return page.toString();
  }

  #count(event: ManagerEvent): void {
    const { instance } = event;
    if (event.type === "log" || event.type === "progress") return;
    const counters = this.#countersOf(instance.kind);
    if (event.type === "attempt") {
      counters.executed += 1;
      counters.duration.observe(event.durationMs / 1000);
      return;
    }
    if (isFinal(event.state)) counters.settled[event.state] += 1;
    else if (event.state === "processing") {
      this.#lateness.observe(Math.max(0, event.at - instance.dueAt) / 1000);
    } else if (event.state === "scheduled" && instance.attempt > 0) counters.retried += 1;
  }

  #countersOf(kind: string): KindCounters {
    const label = this.#label(kind);
    let counters = this.#kinds.get(label);
    if (!counters) {
      counters = new KindCounters();
      this.#kinds.set(label, counters);
    }
    return counters;
  }

  #label(kind: string): string {
    if (this.#labels.has(kind)) return kind;
    if (this.#labels.size >= KIND_LABELS_MAX) return OTHER;
    this.#labels.add(kind);
    return kind;
  }

  #writeGoJob(page: MetricsPage, status: ManagerStatus): void {
    page.single("go_job_registered", "gauge", "Registered jobs.", this.#manager.listJobs().length);
    page.single("go_job_workers", "gauge", "Most concurrent attempts.", status.workers.count);
    page.metric("go_job_queued", "gauge", "Waiting instances.");
    for (const [kind, counts] of this.#countsByLabel(status)) {
      page.sample("go_job_queued", counts.created + counts.scheduled, { kind });
    }
    page.metric("go_job_executed_total", "counter", "Attempts that ended.");
    for (const [kind, { executed }] of this.#kinds) {
      page.sample("go_job_executed_total", executed, { kind });
    }
    for (const state of Object.keys(SETTLED_METRIC) as FinalState[]) {
      const name = SETTLED_METRIC[state];
      page.metric(name, "counter", `Instances that ended as ${state}.`);
      for (const [kind, { settled }] of this.#kinds) page.sample(name, settled[state], { kind });
    }
    page.metric("go_job_duration_seconds", "histogram", "Length of attempts.");
    for (const [kind, { duration }] of this.#kinds) {
      duration.write(page, "go_job_duration_seconds", { kind });
    }
  }

  #writeOurs(page: MetricsPage, status: ManagerStatus): void {
    page.metric("jobctl_build_info", "gauge", "Always 1, with the version as label.");
    page.sample("jobctl_build_info", 1, { version: status.version });
    page.single(
      "jobctl_start_time_seconds",
      "gauge",
      "When the daemon started, Unix time.",
      status.startedAt / 1000,
    );
    page.single(
      "jobctl_store_up",
      "gauge",
      "1 while the store responds.",
      status.storeProblem === null ? 1 : 0,
    );
    page.single(
      "jobctl_config_last_reload_successful",
      "gauge",
      "0 after a reload that was refused, or that left out jobs.",
      status.reloadProblem === null ? 1 : 0,
    );
    page.single("jobctl_draining", "gauge", "1 while stopping.", status.isDraining ? 1 : 0);
    page.single("jobctl_workers_busy", "gauge", "Running attempts.", status.workers.busy);
    page.single(
      "jobctl_workers_full_seconds",
      "gauge",
      "How long all workers have been busy while an instance waits for one.",
      (status.workers.fullMs ?? 0) / 1000,
    );
    page.single("jobctl_workers_alive", "gauge", "Worker processes.", status.workers.alive);
    page.metric("jobctl_nodes", "gauge", "Live daemons on the store.");
    for (const state of ["live", "draining", "skewed"]) {
      page.sample("jobctl_nodes", status.nodes.filter((node) => node.state === state).length, {
        state,
      });
    }
    page.single("jobctl_schedules", "gauge", "Recurring schedules.", status.stats.schedules);
    if (status.nextScheduleAt !== null) {
      page.single(
        "jobctl_next_schedule_timestamp_seconds",
        "gauge",
        "Next tick of any schedule, Unix time.",
        status.nextScheduleAt / 1000,
      );
    }
    page.metric("jobctl_instances", "gauge", "Instances in the store.");
    for (const [kind, counts] of this.#countsByLabel(status)) {
      for (const state of JOB_STATES) {
        if (state !== "created") page.sample("jobctl_instances", counts[state], { kind, state });
      }
    }
    page.metric("jobctl_unserved", "gauge", "Instances that no live node can run.");
    for (const [kind, count] of this.#unservedByLabel(status)) {
      page.sample("jobctl_unserved", count, { kind });
    }
    page.metric("jobctl_rescheduled_total", "counter", "Retries, releases and takeovers.");
    for (const [kind, { retried }] of this.#kinds) {
      page.sample("jobctl_rescheduled_total", retried, { kind });
    }
    page.metric("jobctl_lateness_seconds", "histogram", "From due to begun.");
    this.#lateness.write(page, "jobctl_lateness_seconds", {});
  }

  #unservedByLabel({ blocks, stats }: ManagerStatus): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { limit, name } of blocks) {
      if (limit !== "node") continue;
      const label = this.#label(name);
      sums.set(label, (sums.get(label) ?? 0) + (stats.kinds.get(name)?.scheduled ?? 0));
    }
    return sums;
  }

  /** The store's counts under bounded labels. */
  #countsByLabel(status: ManagerStatus): Map<string, Record<JobState, number>> {
    const sums = new Map<string, Record<JobState, number>>();
    for (const [kind, counts] of status.stats.kinds) {
      const label = this.#label(kind);
      const sum = sums.get(label);
      if (!sum) sums.set(label, { ...counts });
      else for (const state of JOB_STATES) sum[state] += counts[state];
    }
    return sums;
  }
}
