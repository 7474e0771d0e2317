import { PRIORITY_MAX } from "./job.ts";
import { TEXT_LENGTH_MAX } from "../text/text_limits.ts";
import {
  ARGUMENTS,
  choice,
  choices,
  CONCURRENCY,
  duration,
  FAILURES,
  FLAG,
  integer,
  type OptionValue,
  RATE,
  SHARE,
  size,
  TAGS,
  text,
  texts,
  TIME,
  TIMEZONE,
  UNIQUE,
} from "./option_values.ts";
import { MISFIRES, OVERLAPS, QUEUE_MAX } from "./schedule.ts";

const INT32_MAX = 2 ** 31 - 1;

/** An option of a job: of its table in the configuration, and of its definition. */
export interface JobOption {
  readonly value: OptionValue;
  /** Its meaning, for the docs, the JSON Schema and the types. It names options as tables do. */
  readonly doc: string;
  /** Its default, as a table would have it. */
  readonly initial?: unknown;
  /** True if `[defaults]` of the configuration may set it for all jobs. */
  readonly isInherited?: true;
  /** The path of its value in the options of a job. */
  readonly option?: string;
  /** Likewise, in the settings of the job's schedules. */
  readonly schedule?: string;
  /** Likewise, in the processes of the job. */
  readonly process?: string;
  /** The value in the options of a job where nothing sets it and there is no {@link initial}. */
  readonly unset?: unknown;
  /** True if options of older versions may lack it in spite of its default. */
  readonly mayBeAbsent?: true;
}

/** Options by their names in a table. */
export type JobOptionTable = Readonly<Record<string, JobOption>>;

type Entry = Omit<JobOption, "doc">;

/** An option of a job that `[defaults]` may set for all jobs. */
function inherited(
  target: Pick<JobOption, "option" | "schedule">,
  value: OptionValue,
  initial?: unknown,
): Entry {
  return { ...target, value, initial, isInherited: true };
}

/** An option that each job sets for itself. */
function own(option: string, value: OptionValue, unset?: unknown): Entry {
  return { option, value, unset };
}

/** An option of the job's schedules. */
function ofSchedules(schedule: string, value: OptionValue, initial?: unknown): Entry {
  return { schedule, value, initial };
}

/** An option of the job's processes. */
function ofProcesses(process: string, value: OptionValue): Entry {
  return { process, value };
}

/**
 * Every option that a job's table and its definition share, by its name in the table. In
 * definitions the name is in camel case.
 *
 * A new option is one entry here and the code of its effect. All of these derive from the table:
 * the keys of `[jobs.KIND]` and `[defaults]`, the checks of definitions, inheritance, defaults, the
 * rows of docs/configuration.md, the JSON Schema of the configuration and, by `npm run generate`,
 * the types.
 */
export const JOB_OPTIONS: JobOptionTable = {
  description: {
    value: text({ lengthMax: TEXT_LENGTH_MAX.description, isEmptyAllowed: true }),
    doc: "One line that says what the job is for.",
  },
  schedule: {
    value: texts("schedules"),
    initial: [],
    doc:
      "When it runs: cron with five or six fields, `@daily` and the like, `@every 15m`, or `@reboot`.",
  },
  timezone: {
    ...ofSchedules("timezone", TIMEZONE),
    doc: "Time zone of the schedules; by default the top `timezone`.",
  },
  starts_at: {
    ...ofSchedules("startsAt", TIME),
    doc:
      "No tick is before this time, which is also the first tick of an `@every`. A time without an offset is in the job's time zone.",
  },
  ends_at: {
    ...ofSchedules("endsAt", TIME),
    doc: "No tick is at or after this time.",
  },
  blackout: {
    ...ofSchedules("blackout", texts("blackout"), []),
    doc: "Ticks in these windows, on the clock of the job's time zone, are skipped with a record.",
  },
  runs_max: {
    ...ofSchedules("runsMax", integer(1, INT32_MAX)),
    doc: "Each schedule of the job is finished after this many runs.",
  },
  queue_max: {
    ...ofSchedules("queueMax", integer(1, 1_000), QUEUE_MAX),
    doc: 'With `overlap = "queue"`: how many ticks of one schedule wait at most; more are skipped.',
  },
  args: {
    value: ARGUMENTS,
    initial: [],
    doc: "Arguments of scheduled runs, by position or by parameter name.",
  },
  isolation: {
    ...own("isolation", choice(["process", "inline"]), "process"),
    doc: "Where the function runs; by default `worker.isolation`.",
  },
  priority: {
    ...inherited({ option: "priority" }, integer(-PRIORITY_MAX, PRIORITY_MAX), 5),
    doc: "Lower runs first, like nice: 0 high, 5 default, 10 low, below 0 before those.",
  },
  timeout: {
    ...inherited({ option: "timeoutMs" }, duration(), "0"),
    doc: 'Longest time of one attempt; "0" for no limit.',
  },
  deadline: {
    ...inherited({ option: "deadlineMs" }, duration(), "0"),
    doc:
      'Longest time of a whole instance, from when it is first due, with all its waits and retries; "0" for no limit.',
  },
  kill_after: {
    ...inherited({ option: "killAfterMs" }, duration(), "10s"),
    doc: "After the timeout or a cancel: the time between SIGTERM and SIGKILL.",
  },
  overlap: {
    ...inherited({ schedule: "overlap" }, choice(OVERLAPS), "skip"),
    doc:
      'When a tick is due and the previous run of the schedule is unfinished: "skip" drops the tick with a record, "queue" lets it wait, "replace" cancels the previous run and starts the new one when that has ended, "allow" runs both.',
  },
  misfire: {
    ...inherited({ schedule: "misfire" }, choice(MISFIRES), "latest"),
    doc:
      'When ticks passed while nothing ran: "latest" runs the last of them once, "skip" runs none that is more than a minute late, "all" runs each, at most the last 100, one after the other unless `overlap` is "allow". Each is recorded.',
  },
  misfire_within: {
    ...inherited({ schedule: "misfireWithinMs" }, duration(), "24h"),
    doc:
      "Ticks that are older than this are missed, whatever `misfire` says. A tick is never too old in its first minute.",
  },
  jitter: {
    ...inherited({ schedule: "jitterMs" }, duration(), "0"),
    doc:
      "Delays each run by up to this long after its tick, always by the same amount for one schedule on one node.",
  },
  crashes_max: {
    ...inherited({ option: "crashesMax" }, integer(0, 1_000, { max: Infinity }), 3),
    doc:
      "How often an instance is taken over after its worker or node was lost, before it is given up.",
  },
  on_crash: {
    ...inherited({ option: "onCrash" }, choice(["retry", "terminate"]), "retry"),
    mayBeAbsent: true,
    doc:
      'When its worker or node was lost: "retry" takes the instance over up to `crashes_max` times, "terminate" gives it up at once.',
  },
  on_drain: {
    ...inherited({ option: "onDrain" }, choice(["retry", "terminate"])),
    doc:
      'When the daemon stopped and the attempt took longer than the drain: "retry" runs it again after the restart, "terminate" gives it up with the reason `drained`. By default as `on_crash` says. An attempt that had not begun is always run again.',
  },
  drain: {
    ...own("drainMs", duration()),
    doc:
      "At a stop: how long its running attempts have to finish before they are stopped; by default `worker.drain`.",
  },
  worker_slot: {
    ...own("workerSlot", FLAG),
    initial: true,
    doc:
      "Whether a running attempt takes one of the `worker.count` workers. With false it does not wait for one, and at most 1,000 such attempts run at once on a node. Meant for commands that mostly wait, such as those imported from cron.",
  },
  "retry.max": {
    ...inherited({ option: "retry.max" }, integer(-1, 1_000_000, { max: Infinity }), 0),
    doc: "Retries after a failed attempt: 0 none, -1 for ever. `retry = 3` is short for it.",
  },
  "retry.backoff": {
    ...inherited(
      { option: "retry.backoff" },
      choice(["exponential", "linear", "fixed"]),
      "exponential",
    ),
    doc: "How the wait grows with each failed attempt.",
  },
  "retry.initial": {
    ...inherited({ option: "retry.initialMs" }, duration(), "10s"),
    doc: "Wait before the first retry.",
  },
  "retry.cap": {
    ...inherited({ option: "retry.capMs" }, duration(), "1h"),
    doc: "Longest wait between two attempts, jitter included.",
  },
  "retry.jitter": {
    ...inherited({ option: "retry.jitter" }, SHARE, 0.2),
    doc: "Share of the wait that is random, from 0 to 1.",
  },
  "retry.on": {
    ...inherited({ option: "retry.on" }, choices(["error", "timeout"]), ["error", "timeout"]),
    mayBeAbsent: true,
    doc: "Failures that are retried: an error, or a timeout of the attempt.",
  },
  "retry.not_on": {
    ...inherited({ option: "retry.notOn" }, FAILURES, []),
    mayBeAbsent: true,
    doc:
      'Failures that are not retried: names of errors such as "ValidationError", exit codes, or signals such as "SIGSEGV".',
  },
  "keep.success": {
    ...inherited({ option: "keepSuccessMs" }, duration(), "7d"),
    doc: "How long an instance that completed is kept, with its history and log.",
  },
  "keep.failure": {
    ...inherited({ option: "keepFailureMs" }, duration(), "30d"),
    doc: "How long any other finished instance is kept.",
  },
  "output.size_max": {
    ...inherited({ option: "output.bytesMax" }, size(1_000), "1MiB"),
    doc: "How much of an attempt's output is kept, half from its beginning and half from its end.",
  },
  "output.lines_max": {
    ...inherited({ option: "output.linesMax" }, integer(10, 1_000_000), 10_000),
    doc: "How many lines of an attempt's output are kept, likewise.",
  },
  concurrency: {
    ...own("concurrency", CONCURRENCY, []),
    doc: "Most instances that run at once: of the job, or of each value of a parameter. See below.",
  },
  "limits.memory": {
    ...ofProcesses("limits.memoryBytes", size(1_048_576)),
    doc: "Most memory of an attempt, all its processes together; one that takes more is ended.",
  },
  "limits.cpu": {
    ...ofProcesses("limits.cpuMs", duration(1_000)),
    doc:
      "Most processor time of an attempt, all its processes together; one that takes more is ended.",
  },
  "limits.open_files": {
    ...ofProcesses("limits.openFiles", integer(64, 1_048_576)),
    doc: "Most open files of each process.",
  },
  nice: {
    ...ofProcesses("nice", integer(-20, 19, { min: 0 })),
    doc:
      "Processor priority, from -20 (first) to 19 (last). A value below 0 requires a daemon that runs as root.",
  },
  rate: {
    ...own("rate", RATE, []),
    doc: "Most starts in a span of time: of the job, or of each value of a parameter. See below.",
  },
  pool: {
    ...own("pool", text(), null),
    doc: "Pool of `worker.pools`, which limits how many attempts run at once on a node.",
  },
  waiting_max: {
    ...own("waitingMax", integer(1, INT32_MAX, { max: Infinity }), null),
    doc: "Most instances that wait at once; a further one is refused.",
  },
  needs: {
    ...own("needs", TAGS, []),
    doc:
      "Tags that a node must have to run it: it waits for a node that has the job and all of them.",
  },
  unique: {
    ...own("unique", UNIQUE, null),
    doc: "Which instances count as the same, so that only one of them is accepted. See below.",
  },
};
