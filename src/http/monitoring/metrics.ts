import { orElseIf } from "../../core/or_else.ts";
import type { AttemptUsage } from "../../core/instance.ts";
import type { NoticeSubject } from "../../core/notices/notice.ts";
import { type FinalState, isFinal, JOB_STATES, type JobState } from "../../core/state.ts";
import type { ManagerApi, ManagerEvent, ManagerStatus } from "../../manager/api.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { type JobFacts, JobFactsReader } from "./job_facts.ts";
import { Histogram, MetricsPage } from "./prometheus.ts";

/** Default limit of kinds with a separate label; later ones share a label. */
export const KIND_LABELS_MAX = 200;
/** Most kinds of the product's own jobs with a label, in addition. */
const SYSTEM_LABELS_MAX = 100;
const OTHER = "_other";
/** Time for which a page waits for the store; after that it shows earlier facts. */
const FACTS_WAIT_MS = 1_000;
/** Most pages of open incidents that are counted. */
const INCIDENT_PAGES_MAX = 5;

/** Options of the metrics. */
export interface MetricsOptions {
  readonly clock: Clock;
  readonly kindLabelsMax?: number;
}

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
  /** Resource use of its attempts, if known for any, or soon known. */
  used: { cpuMs: number; maxRssBytes: number | null } | null = null;
  readonly duration = new Histogram();
  readonly queued = new Histogram();

  add({ cpuMs, maxRssBytes }: AttemptUsage): void {
    this.used ??= { cpuMs: 0, maxRssBytes: null };
    this.used.cpuMs += cpuMs ?? 0;
    if (maxRssBytes !== null) this.used.maxRssBytes = maxRssBytes;
  }
}

/** A metric of {@link JobFacts} with its help. */
const FACT_METRICS: readonly (readonly [fact: keyof JobFacts, name: string, help: string])[] = [
  [
    "lastSuccessAt",
    "jobctl_job_last_success_timestamp_seconds",
    "When an instance of the job last completed, Unix time.",
  ],
  [
    "lastFailureAt",
    "jobctl_job_last_failure_timestamp_seconds",
    "When an instance of the job last failed for good, Unix time.",
  ],
  [
    "lastTickAt",
    "jobctl_job_last_tick_timestamp_seconds",
    "The last tick of a schedule of the job that became an instance, Unix time.",
  ],
  [
    "nextTickAt",
    "jobctl_job_next_run_timestamp_seconds",
    "The next tick of any schedule of the job, Unix time.",
  ],
  [
    "runningSince",
    "jobctl_job_running_since_timestamp_seconds",
    "Start of the oldest attempt that is running, Unix time.",
  ],
];

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
  readonly #options: MetricsOptions;
  readonly #kinds = new Map<string, KindCounters>();
  readonly #labels = new Set<string>();
  #systemLabels = 0;
  readonly #facts: JobFactsReader;
  readonly stop: () => void;

  constructor(manager: ManagerApi, options: MetricsOptions) {
    this.#manager = manager;
    this.#options = options;
    this.#facts = new JobFactsReader(manager);
    this.#labelJobs();
    this.stop = manager.subscribe((event) => this.#count(event));
  }

  /**
   * The page for a scrape. While the store does not respond, it has only this process's counters.
   *
   * @throws JobError like `ManagerApi.status`, except for `unavailable`
   */
  async page(): Promise<string> {
    const page = new MetricsPage();
    const status = await orElseIf(this.#manager.status(), ["unavailable"], null);
    page.metric("jobctl_build_info", "gauge", "Always 1, with the version as label.");
    page.sample("jobctl_build_info", 1, { version: this.#manager.version });
    const isUp = status !== null && status.storeProblem === null;
    page.gauge("jobctl_store_up", "1 while the store responds.", isUp ? 1 : 0);
    if (status !== null) await this.#writeStatus(page, status);
    this.#writeCounters(page);
    return page.toString();
  }

  async #writeStatus(page: MetricsPage, status: ManagerStatus): Promise<void> {
    this.#labelJobs();
    for (const kind of status.stats.kinds.keys()) this.#label(kind);
    const incidents = await this.#readFacts(status);
    this.#writeGoJob(page, status);
    this.#writeOurs(page, status);
    this.#writeJobs(page, status, incidents);
  }

  /** Read from the store, for a while: a slow store must not delay the rest of the page. */
  async #readFacts(status: ManagerStatus): Promise<readonly NoticeSubject[] | null> {
    const { clock } = this.#options;
    let incidents: readonly NoticeSubject[] | null = null;
    const isRead = new AbortController();
    // Unreadable facts stay as they were; the next page tries again.
    void Promise.allSettled([
      this.#facts.read(status, this.#labels, clock.now().monotonicMs),
      this.#readIncidents().then((found) => incidents = found),
    ]).then(() => isRead.abort());
    await sleep(clock, FACTS_WAIT_MS, isRead.signal);
    return incidents;
  }

  /** The subjects of open incidents, without duplicates. */
  async #readIncidents(): Promise<readonly NoticeSubject[]> {
    const found: NoticeSubject[] = [];
    let token: string | undefined;
    for (let pages = 0; pages < INCIDENT_PAGES_MAX; pages++) {
      const page = await this.#manager.listIncidents({}, { limit: 1_000, token });
      for (const { subject } of page.items) found.push(subject);
      if (page.nextToken === null) break;
      token = page.nextToken;
    }
    return found;
  }

  #count(event: ManagerEvent): void {
    const { instance } = event;
    if (event.type === "log" || event.type === "progress") return;
    const counters = this.#kinds.get(instance.kind) ?? this.#countersOf(instance.kind);
    if (event.type === "attempt") {
      counters.executed += 1;
      counters.duration.observe(event.durationMs / 1000);
      if (instance.usage !== null) counters.add(instance.usage);
      return;
    }
    if (isFinal(event.state)) {
      counters.settled[event.state] += 1;
      if (this.#labels.has(instance.kind)) this.#facts.ended(instance);
    } else if (event.state === "processing") {
      counters.queued.observe(Math.max(0, event.at - instance.dueAt) / 1000);
    } else if (event.state === "scheduled") {
      if (instance.attempt > 0) counters.retried += 1;
      else if (instance.retryOf !== null && this.#labels.has(instance.kind)) {
        this.#facts.redriven(instance.kind);
      }
    }
  }

  /** Configured jobs get labels before all others, so that a restart chooses the same. */
  #labelJobs(): void {
    for (const { kind, source } of this.#manager.listJobs()) {
      const counters = this.#countersOf(kind);
      if (source.type === "command") counters.used ??= { cpuMs: 0, maxRssBytes: null };
    }
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
    const isSystem = kind.startsWith("system.");
    const count = isSystem ? this.#systemLabels : this.#labels.size - this.#systemLabels;
    const { kindLabelsMax = KIND_LABELS_MAX } = this.#options;
    if (count >= (isSystem ? SYSTEM_LABELS_MAX : kindLabelsMax)) return OTHER;
    this.#labels.add(kind);
    if (isSystem) this.#systemLabels += 1;
    return kind;
  }

  #writeGoJob(page: MetricsPage, status: ManagerStatus): void {
    page.gauge("go_job_registered", "Registered jobs.", this.#manager.listJobs().length);
    page.gauge("go_job_workers", "Most concurrent attempts.", status.workers.count);
    page.metric("go_job_queued", "gauge", "Waiting instances.");
    for (const [kind, counts] of this.#countsByLabel(status)) {
      page.sample("go_job_queued", counts.created + counts.scheduled, { kind });
    }
  }

  #writeOurs(page: MetricsPage, status: ManagerStatus): void {
    const { workers, nodes, stats, nextScheduleAt } = status;
    const started = status.startedAt / 1000;
    page.gauge("jobctl_start_time_seconds", "When the daemon started, Unix time.", started);
    page.gauge(
      "jobctl_config_last_reload_successful",
      "0 after a reload that was refused, or that left out jobs.",
      status.reloadProblem === null ? 1 : 0,
    );
    page.gauge(
      "jobctl_listeners_closed",
      "Listeners that cannot be opened at the moment.",
      status.listenerProblems?.length ?? 0,
    );
    page.gauge("jobctl_draining", "1 while stopping.", status.isDraining ? 1 : 0);
    page.gauge("jobctl_workers_busy", "Running attempts.", workers.busy);
    page.gauge(
      "jobctl_workers_full_seconds",
      "How long all workers have been busy while an instance waits for one.",
      (workers.fullMs ?? 0) / 1000,
    );
    page.gauge("jobctl_workers_alive", "Worker processes.", workers.alive);
    page.gauge(
      "jobctl_attempts_without_process",
      "Attempts that seem to run without a process.",
      workers.missing ?? 0,
    );
    page.gauge(
      "jobctl_supervisors_silent",
      "Supervisors of commands that do not respond.",
      workers.silent ?? 0,
    );
    page.metric("jobctl_nodes", "gauge", "Daemons on the store, by state.");
    for (const state of ["live", "draining", "skewed"]) {
      page.sample("jobctl_nodes", nodes.filter((node) => node.state === state).length, { state });
    }
    page.sample("jobctl_nodes", status.lostCount ?? 0, { state: "lost" });
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
  }

  #writeJobs(
    page: MetricsPage,
    { ticks }: ManagerStatus,
    incidents: readonly NoticeSubject[] | null,
  ): void {
    for (const [fact, name, help] of FACT_METRICS) {
      page.metric(name, "gauge", help);
      for (const [kind, facts] of this.#facts.facts) {
        const at = facts[fact];
        if (at !== null && this.#labels.has(kind)) page.sample(name, at / 1000, { kind });
      }
    }
    const dead = "jobctl_job_dead_letters";
    page.metric(dead, "gauge", "Dead letters among the last 100 failed instances of the job.");
    for (const [kind, { deadCount }] of this.#facts.facts) {
      if (deadCount !== null) page.sample(dead, deadCount, { kind });
    }
    this.#writeTicks(page, ticks ?? new Map());
    if (incidents === null) return;
    const open = "jobctl_job_incidents_open";
    page.metric(open, "gauge", "Open incidents of the job.");
    const ofJobs = incidents.filter(({ type }) => type === "job");
    const counts = ofJobs.map(({ name }) => [name, 1] as const);
    for (const [label, count] of this.#sumByLabel(counts, this.#labels)) {
      page.sample(open, count, { kind: label });
    }
    const all = "jobctl_incidents_open";
    page.metric(all, "gauge", "Open incidents, by what they are about.");
    for (const type of ["job", "node", "daemon", "store", "channel"] as const) {
      page.sample(all, incidents.filter((subject) => subject.type === type).length, { type });
    }
  }

  #writeTicks(page: MetricsPage, ticks: NonNullable<ManagerStatus["ticks"]>): void {
    const help = {
      missed: "Ticks that passed while nothing ran and were too late to run then.",
      skipped: "Ticks that came while something forbade their run.",
    };
    for (const fate of ["missed", "skipped"] as const) {
      const name = `jobctl_job_ticks_${fate}_total`;
      page.metric(name, "counter", help[fate]);
      const counts = [...ticks].map(([kind, count]) => [kind, count[fate]] as const);
      // All known jobs begin at 0: a counter that first appears at 1 hides its increase.
      for (const [label, count] of this.#sumByLabel(counts, this.#kinds.keys())) {
        page.sample(name, count, { kind: label });
      }
    }
  }

  /** Counts by kind under bounded labels; 0 for the others of `labels`. */
  #sumByLabel(
    counts: Iterable<readonly [kind: string, count: number]>,
    labels: Iterable<string>,
  ): Map<string, number> {
    const sums = new Map([...labels].map((label) => [label, 0]));
    for (const [kind, count] of counts) {
      const label = this.#label(kind);
      sums.set(label, (sums.get(label) ?? 0) + count);
    }
    return sums;
  }

  #writeCounters(page: MetricsPage): void {
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
    this.#writeUsage(page);
    const rescheduled = "jobctl_rescheduled_total";
    const help = "Retries, releases and takeovers.";
    this.#writeCounter(page, rescheduled, help, (kind) => kind.retried);
    page.metric(
      "jobctl_lateness_seconds",
      "histogram",
      "Time from when an instance is due to its start.",
    );
    const lateness = new Histogram();
    for (const { queued } of this.#kinds.values()) lateness.add(queued);
    lateness.write(page, "jobctl_lateness_seconds", {});
    const queued = "jobctl_job_queue_seconds";
    page.metric(queued, "histogram", "Time from when an instance of the job is due to its start.");
    for (const [kind, counters] of this.#kinds) counters.queued.write(page, queued, { kind });
  }

  /** Kinds whose attempts have known resource use. */
  #writeUsage(page: MetricsPage): void {
    const cpu = "jobctl_job_cpu_seconds_total";
    page.metric(cpu, "counter", "Processor time of the job's attempts of which it is known.");
    for (const [kind, { used }] of this.#kinds) {
      if (used !== null) page.sample(cpu, used.cpuMs / 1000, { kind });
    }
    const memory = "jobctl_job_max_rss_bytes";
    page.metric(memory, "gauge", "Most memory of the job's last attempt of which it is known.");
    for (const [kind, { used }] of this.#kinds) {
      const bytes = used?.maxRssBytes ?? null;
      if (bytes !== null) page.sample(memory, bytes, { kind });
    }
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
