import { type FinalState, isFinal, JOB_STATES, type JobState } from "../core/state.ts";
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
  /** Stops counting. */
  readonly stop: () => void;

  constructor(manager: ManagerApi) {
    this.#manager = manager;
    this.stop = manager.subscribe((event) => this.#count(event));
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
    page.gauge("go_job_registered", "Registered jobs.", this.#manager.listJobs().length);
    page.gauge("go_job_workers", "Most concurrent attempts.", status.workers.count);
    page.metric("go_job_queued", "gauge", "Waiting instances.");
    for (const [kind, counts] of this.#countsByLabel(status)) {
      page.sample("go_job_queued", counts.created + counts.scheduled, { kind });
    }
    const executed = "go_job_executed_total";
    this.#writeCounter(page, executed, "Attempts that ended.", (kind) => kind.executed);
    for (const state of Object.keys(SETTLED_METRIC) as FinalState[]) {
      const help = `Instances that ended as ${state}.`;
      this.#writeCounter(page, SETTLED_METRIC[state], help, (kind) => kind.settled[state]);
    }
    page.metric("go_job_duration_seconds", "histogram", "Length of attempts.");
    for (const [kind, { duration }] of this.#kinds) {
      duration.write(page, "go_job_duration_seconds", { kind });
    }
  }

  #writeOurs(page: MetricsPage, status: ManagerStatus): void {
    const { workers, nodes, stats, nextScheduleAt } = status;
    page.metric("jobctl_build_info", "gauge", "Always 1, with the version as label.");
    page.sample("jobctl_build_info", 1, { version: status.version });
    const started = status.startedAt / 1000;
    page.gauge("jobctl_start_time_seconds", "When the daemon started, Unix time.", started);
    const isUp = status.storeProblem === null;
    page.gauge("jobctl_store_up", "1 while the store responds.", isUp ? 1 : 0);
    page.gauge(
      "jobctl_config_last_reload_successful",
      "0 after a reload that was refused, or that left out jobs.",
      status.reloadProblem === null ? 1 : 0,
    );
    page.gauge("jobctl_draining", "1 while stopping.", status.isDraining ? 1 : 0);
    page.gauge("jobctl_workers_busy", "Running attempts.", workers.busy);
    page.gauge(
      "jobctl_workers_full_seconds",
      "How long all workers have been busy while an instance waits for one.",
      (workers.fullMs ?? 0) / 1000,
    );
    page.gauge("jobctl_workers_alive", "Worker processes.", workers.alive);
    page.metric("jobctl_nodes", "gauge", "Daemons on the store, by state.");
    for (const state of ["live", "draining", "skewed"]) {
      page.sample("jobctl_nodes", nodes.filter((node) => node.state === state).length, { state });
    }
    page.gauge("jobctl_schedules", "Recurring schedules.", stats.schedules);
    if (nextScheduleAt !== null) {
      const name = "jobctl_next_schedule_timestamp_seconds";
      page.gauge(name, "Next tick of any schedule, Unix time.", nextScheduleAt / 1000);
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
    const rescheduled = "jobctl_rescheduled_total";
    const help = "Retries, releases and takeovers.";
    this.#writeCounter(page, rescheduled, help, (kind) => kind.retried);
    page.metric(
      "jobctl_lateness_seconds",
      "histogram",
      "Time from when an instance is due to its start.",
    );
    this.#lateness.write(page, "jobctl_lateness_seconds", {});
  }

  #writeCounter(
    page: MetricsPage,
    name: string,
    help: string,
    valueOf: (counters: KindCounters) => number,
  ): void {
    page.metric(name, "counter", help);
    for (const [kind, counters] of this.#kinds) page.sample(name, valueOf(counters), { kind });
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
