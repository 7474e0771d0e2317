import { isExternal } from "../core/job/external.ts";
import { JobError } from "../core/errors.ts";
import type { JobDefinition, JobSchedule } from "../core/job/job.ts";
import { didYouMean } from "../core/text/nearest.ts";
import { argumentsFor, queueKeyOf } from "../manager/instances/new_instance.ts";
import { loadProject, type LoadProjectOptions, type Project } from "./load_project.ts";
import { differences, RunTimesByKind } from "./simulation/difference.ts";
import type { SimulatedJob, SimulatedTick } from "./simulation/engine.ts";
import type { SimulatedLimit } from "./simulation/slots.ts";
import { report, type SimulationReport } from "./simulation/report.ts";

/** Longest span that is simulated: five years. */
const SPAN_MS_MAX = 5 * 366 * 86_400_000;

/** Durations of runs. */
export interface Durations {
  /** Milliseconds by kind. */
  readonly known: ReadonlyMap<string, number>;
  /** Kinds among them that the user named; they must exist. */
  readonly named: readonly string[];
  /** Milliseconds of the others. */
  readonly assumedMs: number;
}

/** Parameters of {@link simulateConfig}. */
export interface SimulateRequest {
  readonly file: string;
  /** Another configuration for comparison. */
  readonly against: string | null;
  /** Epoch ms; ticks are at this time or later. */
  readonly fromMs: number;
  /** Epoch ms, excluded. */
  readonly toMs: number;
  /** Attempts at once; null for the value of each configuration. */
  readonly workers: number | null;
  readonly node: string;
  readonly durations: Durations;
}

/** The result of a simulation, and how the other configuration differs. */
export type Simulated = Awaited<ReturnType<typeof simulateConfig>>;

/**
 * Run the schedules of a configuration on a clock that jumps from event to event.
 *
 * @param onTick called with every tick of the first configuration
 * @throws ConfigError if a configuration is refused; JobError `invalid_argument` if the span is
 * empty or too long
 */
export async function simulateConfig(
  request: SimulateRequest,
  options: LoadProjectOptions,
  onTick: (tick: SimulatedTick) => void = () => {},
) {
  const { fromMs, toMs, against } = request;
  if (toMs <= fromMs || toMs - fromMs > SPAN_MS_MAX) {
    const span = `${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}`;
    throw new JobError(
      "invalid_argument",
      `Cannot simulate ${span}: ${toMs <= fromMs ? "it ends before it begins" : "it is too long"}`,
      { path: "to", hint: "Give a span of at most five years" },
    );
  }
  const project = await loadProject(request.file, options);
  checkNamed(project, request.durations.named);
  const times = new RunTimesByKind();
  const first = reportOf(project, request, (tick) => {
    if (against !== null) times.add(tick);
    onTick(tick);
  });
  const { problems } = project;
  if (against === null) return { report: first, problems, against: null };
  const other = await loadProject(against, options);
  const otherTimes = new RunTimesByKind();
  const second = reportOf(other, request, (tick) => otherTimes.add(tick));
  return {
    report: first,
    /** Problems of jobs that could not be loaded and are left out. */
    problems,
    against: {
      report: second,
      problems: other.problems,
      differences: differences(times, otherTimes),
    },
  };
}

function checkNamed({ jobs }: Project, named: readonly string[]): void {
  const kinds = jobs.map(({ kind }) => kind);
  const unknown = named.find((kind) => !kinds.includes(kind));
  if (unknown === undefined) return;
  throw new JobError("not_found", `Cannot simulate with a duration of "${unknown}": no such kind`, {
    hint: didYouMean(unknown, kinds) ?? "Name a kind of the configuration",
  });
}

function reportOf(
  { config, jobs }: Project,
  { fromMs, toMs, node, durations, workers }: SimulateRequest,
  onTick: (tick: SimulatedTick) => void,
): SimulationReport {
  const simulated = jobs.filter(({ schedules }) => schedules.length > 0)
    .map((job) => simulatedJob(job, durations, config.worker.pools));
  const input = {
    jobs: simulated,
    workers: workers ?? config.worker.count,
    node,
    fromMs,
    toMs,
    // A run at the very start belongs to the span.
    afterMs: fromMs - 1,
  };
  return report(input, onTick);
}

// A run longer than its limit is stopped there.
function simulatedJob(
  job: JobDefinition,
  { known, assumedMs }: Durations,
  pools: Pools,
): SimulatedJob {
  const { kind, options: { timeoutMs, priority, workerSlot = true } } = job;
  const durationMs = known.get(kind) ?? assumedMs;
  return {
    kind,
    durationMs: timeoutMs > 0 ? Math.min(durationMs, timeoutMs) : durationMs,
    // A job that runs elsewhere takes no worker of ours.
    hasSlot: workerSlot && !isExternal(job),
    schedules: job.schedules.map((schedule, index) => ({
      id: `config:${kind}:${index}`,
      spec: schedule.spec,
      priority: schedule.priority ?? priority,
      limits: limitsOf(job, schedule, pools),
    })),
  };
}

type Pools = Readonly<Record<string, number>>;

function limitsOf(
  job: JobDefinition,
  schedule: JobSchedule,
  pools: Pools,
): readonly SimulatedLimit[] {
  const { kind, options: { concurrency, rate, pool } } = job;
  const queue = queueKeyOf(job, argumentsFor(job, schedule.arguments));
  const keyOf = (by: readonly string[]) => by.length === 0 ? kind : queue;
  return [
    ...concurrency.map(({ max, by }) => ({ key: keyOf(by), max, perMs: null })),
    ...rate.map(({ max, perMs, by }) => ({ key: keyOf(by), max, perMs })),
    ...pool === null ? [] : [{ key: `pool ${pool}`, max: pools[pool] ?? Infinity, perMs: null }],
  ];
}
