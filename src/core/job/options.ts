import { PRIORITY_MAX } from "./job.ts";
import { TEXT_LENGTH_MAX } from "../text/text_limits.ts";
import {
  ARGUMENTS,
  CHANNELS,
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
import { MISFIRES, OVERLAPS, QUEUE_MAX } from "../time/schedule.ts";

const INT32_MAX = 2 ** 31 - 1;

/** An option of a job: of its table in the configuration, and of its definition. */
export interface JobOption {
  readonly value: OptionValue;
  /** Its meaning, for the docs, the JSON Schema and the types. It names options like tables do. */
  readonly doc: string;
  /** Its default, in a table's form. */
  readonly initial?: unknown;
  /** True if `[defaults]` of the configuration may set it for all jobs. */
  readonly isInherited?: true;
  /** The path of its value in the options of a job. */
  readonly option?: string;
  /** Likewise, in the settings of the job's schedules. */
  readonly schedule?: string;
  /** Likewise, in the processes of the job. */
  readonly process?: string;
  /** The value in a job's options if nothing sets it and there is no {@link initial}. */
  readonly unset?: unknown;
}

/** Options by their names in a table. */
export type JobOptionTable = Readonly<Record<string, JobOption>>;

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
    value: TIMEZONE,
    schedule: "timezone",
    doc: "Time zone of the schedules; by default the top `timezone`.",
  },
  starts_at: {
    value: TIME,
    schedule: "startsAt",
    doc:
      "No tick is before this time, which is also the first tick of an `@every`. A time without an offset is in the job's time zone.",
  },
  ends_at: {
    value: TIME,
    schedule: "endsAt",
    doc: "No tick is at or after this time.",
  },
  blackout: {
    value: texts("blackout"),
    schedule: "blackout",
    initial: [],
    doc: "Ticks in these windows, on the clock of the job's time zone, are skipped with a record.",
  },
  runs_max: {
    value: integer(1, INT32_MAX),
    schedule: "runsMax",
    doc: "Each schedule of the job is finished after this many runs.",
  },
  queue_max: {
    value: integer(1, 1_000),
    schedule: "queueMax",
    initial: QUEUE_MAX,
    doc: 'With `overlap = "queue"`: how many ticks of one schedule wait at most; more are skipped.',
  },
  args: {
    value: ARGUMENTS,
    initial: [],
    doc: "Arguments of scheduled runs, by position or by parameter name.",
  },
  isolation: {
    value: choice(["process", "inline"]),
    option: "isolation",
    unset: "process",
    doc: "Where the function runs; by default `worker.isolation`.",
  },
  priority: {
    value: integer(-PRIORITY_MAX, PRIORITY_MAX),
    option: "priority",
    initial: 5,
    isInherited: true,
    doc:
      "Lower numbers run first, as with nice: 0 is high, 5 the default, 10 low; negative numbers come before these.",
  },
  timeout: {
    value: duration(),
    option: "timeoutMs",
    initial: "0",
    isInherited: true,
    doc: 'Longest time of one attempt; "0" for no limit.',
  },
  deadline: {
    value: duration(),
    option: "deadlineMs",
    initial: "0",
    isInherited: true,
    doc:
      'Longest time of a whole instance, from when it is first due, with all its waits and retries; "0" for no limit.',
  },
  kill_after: {
    value: duration(),
    option: "killAfterMs",
    initial: "10s",
    isInherited: true,
    doc: "After the timeout or a cancel: the time between SIGTERM and SIGKILL.",
  },
  overlap: {
    value: choice(OVERLAPS),
    schedule: "overlap",
    initial: "skip",
    isInherited: true,
    doc:
      'When a tick is due and the previous run of the schedule is unfinished: "skip" drops the tick with a record, "queue" lets it wait, "replace" cancels the previous run and starts the new one when that has ended, "allow" runs both.',
  },
  misfire: {
    value: choice(MISFIRES),
    schedule: "misfire",
    initial: "latest",
    isInherited: true,
    doc:
      'When ticks passed while nothing ran: "latest" runs the last of them once, "skip" runs none that is more than a minute late, "all" runs each, at most the last 100, one after the other unless `overlap` is "allow". Each is recorded.',
  },
  misfire_within: {
    value: duration(),
    schedule: "misfireWithinMs",
    initial: "24h",
    isInherited: true,
    doc:
      "Ticks that are older than this are missed, whatever `misfire` says. A tick is never too old in its first minute.",
  },
  jitter: {
    value: duration(),
    schedule: "jitterMs",
    initial: "0",
    isInherited: true,
    doc:
      "Delays each run by up to this long after its tick, always by the same amount for one schedule on one node.",
  },
  crashes_max: {
    value: integer(0, 1_000, { max: Infinity }),
    option: "crashesMax",
    initial: 3,
    isInherited: true,
    doc:
      "How often an instance is taken over after its worker or node was lost, before it is given up.",
  },
  on_crash: {
    value: choice(["retry", "terminate"]),
    option: "onCrash",
    initial: "retry",
    isInherited: true,
    doc:
      'When its worker or node was lost: "retry" takes the instance over up to `crashes_max` times, "terminate" gives it up at once.',
  },
  on_change: {
    value: choice(["continue", "park"]),
    option: "onChange",
    initial: "continue",
    isInherited: true,
    doc:
      'When an instance with recorded steps would continue on changed code: "continue" does so, with a line in its log, "park" lets it wait until `jobctl resume ID --accept`.',
  },
  on_drain: {
    value: choice(["retry", "terminate"]),
    option: "onDrain",
    isInherited: true,
    doc:
      'When the daemon stopped and the attempt took longer than the drain: "retry" runs it again after the restart, "terminate" gives it up with the reason `drained`. The default is the value of `on_crash`. An attempt that had not begun is always run again.',
  },
  drain: {
    value: duration(),
    option: "drainMs",
    doc:
      "At a stop: how long its running attempts have to finish before they are stopped; by default `worker.drain`.",
  },
  worker_slot: {
    value: FLAG,
    option: "workerSlot",
    initial: true,
    doc:
      "Whether a running attempt takes one of the `worker.count` workers. With false it does not wait for one, and at most 1,000 such attempts run at once on a node. Meant for commands that mostly wait, such as those imported from cron.",
  },
  "retry.max": {
    value: integer(-1, 1_000_000, { max: Infinity }),
    option: "retry.max",
    initial: 0,
    isInherited: true,
    doc: "Retries after a failed attempt: 0 none, -1 forever. `retry = 3` is short for it.",
  },
  "retry.backoff": {
    value: choice(["exponential", "linear", "fixed"]),
    option: "retry.backoff",
    initial: "exponential",
    isInherited: true,
    doc: "How the wait grows with each failed attempt.",
  },
  "retry.initial": {
    value: duration(),
    option: "retry.initialMs",
    initial: "10s",
    isInherited: true,
    doc: "Wait before the first retry.",
  },
  "retry.cap": {
    value: duration(),
    option: "retry.capMs",
    initial: "1h",
    isInherited: true,
    doc: "Longest wait between two attempts, jitter included.",
  },
  "retry.jitter": {
    value: SHARE,
    option: "retry.jitter",
    initial: 0.2,
    isInherited: true,
    doc: "Share of the wait that is random, from 0 to 1.",
  },
  "retry.on": {
    value: choices(["error", "timeout"]),
    option: "retry.on",
    initial: ["error", "timeout"],
    isInherited: true,
    doc: "Failures that are retried: an error, or a timeout of the attempt.",
  },
  "retry.not_on": {
    value: FAILURES,
    option: "retry.notOn",
    initial: [],
    isInherited: true,
    doc:
      'Failures that are not retried: names of errors such as "ValidationError", exit codes, or signals such as "SIGSEGV".',
  },
  "keep.success": {
    value: duration(),
    option: "keepSuccessMs",
    initial: "7d",
    isInherited: true,
    doc: "How long an instance that completed is kept, with its history and log.",
  },
  "keep.failure": {
    value: duration(),
    option: "keepFailureMs",
    initial: "30d",
    isInherited: true,
    doc: "How long any other finished instance is kept.",
  },
  "output.size_max": {
    value: size(1_000),
    option: "output.bytesMax",
    initial: "1MiB",
    isInherited: true,
    doc: "How much of an attempt's output is kept, half from its beginning and half from its end.",
  },
  "output.lines_max": {
    value: integer(10, 1_000_000),
    option: "output.linesMax",
    initial: 10_000,
    isInherited: true,
    doc:
      "How many lines of an attempt's output are kept, half of them from its beginning and half from its end.",
  },
  notify: {
    value: CHANNELS,
    option: "notify",
    isInherited: true,
    doc:
      'Channels (`[notices.NAME]`) that report the job, whatever their `jobs` say. `[]` means none. `"*"` means every channel whose `jobs` match, which is the default.',
  },
  "expect.start_within": {
    value: duration(),
    option: "expect.startWithinMs",
    isInherited: true,
    doc:
      'A run is late if it has not started this long after it was due; "0" means never. The default is 10m for scheduled runs, and never for others.',
  },
  "expect.finish_within": {
    value: duration(),
    option: "expect.finishWithinMs",
    initial: "0",
    isInherited: true,
    doc:
      'A run takes too long if it has not finished this long after it was due, including waits and retries; "0" means never.',
  },
  "expect.min_duration": {
    value: duration(),
    option: "expect.minDurationMs",
    initial: "0",
    isInherited: true,
    doc: 'A successful attempt was suspiciously short if it took less; "0" means never.',
  },
  "expect.max_duration": {
    value: duration(),
    option: "expect.maxDurationMs",
    initial: "0",
    isInherited: true,
    doc:
      'An attempt takes too long if it runs longer; "0" means never. This only sends a notice; `timeout` ends the attempt.',
  },
  "expect.learn": {
    value: FLAG,
    option: "expect.learn",
    initial: false,
    isInherited: true,
    doc: "Compare attempts with the usual durations of the last 30 successes.",
  },
  "expect.every": {
    value: duration(),
    option: "expect.everyMs",
    initial: "0",
    isInherited: true,
    doc: 'A job is missed if it has had no success for this long; "0" means never.',
  },
  silence: {
    value: texts("silence"),
    option: "silence",
    initial: [],
    isInherited: true,
    doc:
      "Windows of planned work, in the job's time zone. Notices about the job are held, and sent as one summary when a window ends.",
  },
  concurrency: {
    value: CONCURRENCY,
    option: "concurrency",
    unset: [],
    doc: "Most instances that run at once: of the job, or of each value of a parameter. See below.",
  },
  "limits.memory": {
    value: size(1_048_576),
    process: "limits.memoryBytes",
    doc: "Most memory of an attempt, all its processes together; one that takes more is ended.",
  },
  "limits.cpu": {
    value: duration(1_000),
    process: "limits.cpuMs",
    doc:
      "Most processor time of an attempt, all its processes together; one that takes more is ended.",
  },
  "limits.open_files": {
    value: integer(64, 1_048_576),
    process: "limits.openFiles",
    doc: "Most open files of each process.",
  },
  nice: {
    value: integer(-20, 19, { min: 0 }),
    process: "nice",
    doc:
      "Processor priority, from -20 (first) to 19 (last). A value below 0 requires a daemon that runs as root.",
  },
  rate: {
    value: RATE,
    option: "rate",
    unset: [],
    doc: "Most starts in a span of time: of the job, or of each value of a parameter. See below.",
  },
  pool: {
    value: text(),
    option: "pool",
    unset: null,
    doc: "Pool of `worker.pools`, which limits how many attempts run at once on a node.",
  },
  waiting_max: {
    value: integer(1, INT32_MAX, { max: Infinity }),
    option: "waitingMax",
    unset: null,
    doc: "Most instances that wait at once; a further one is refused.",
  },
  needs: {
    value: TAGS,
    option: "needs",
    unset: [],
    doc:
      "Tags that a node must have to run the job. An instance waits for a node that has all of them.",
  },
  unique: {
    value: UNIQUE,
    option: "unique",
    unset: null,
    doc: "Which instances count as the same, so that only one of them is accepted. See below.",
  },
};
