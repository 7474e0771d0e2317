import { SCHEDULES_MAX } from "../core/job/schedule.ts";
import { TAGS_MAX } from "../core/job/tags.ts";
import * as limits from "./limit_readers.ts";
import { DOCS, OPTIONS } from "./option_keys.ts";
import {
  boolean,
  choice,
  duration,
  integer,
  list,
  oneOrMany,
  path,
  size,
  string,
  timezone,
} from "./readers.ts";
import { key, schemaOf } from "./schema.ts";
import { environment, environmentFile } from "./secrets.ts";
import * as special from "./special_readers.ts";
import { TEXT_LENGTH_MAX } from "../core/text/text_limits.ts";

const INT32_MAX = 2_147_483_647;

/** Every key of a job's table. Without a default of its own a key takes that of [defaults]. */
export const JOB_KEYS = {
  run: key(
    string(),
    undefined,
    "A shell command line. The arguments declared in `params` are passed as `$1`, `$2`, …. Excludes `command`.",
  ),
  command: key(
    special.argv(),
    undefined,
    "A program and its arguments, run without a shell. The arguments declared in `params` are appended. Excludes `run`.",
  ),
  shell: key(
    list(string(), { minLength: 1 }),
    ["/bin/sh", "-c"],
    "What runs the line of `run`.",
  ),
  params: key(
    string({ isEmptyAllowed: true }),
    undefined,
    'Parameters of the command in TypeScript syntax, such as `"day: Date, count = 1"`. Arguments are checked and converted to these types, and the command also receives them by name, as `$JOB_ARG_day`. Without `params` the command takes no arguments.',
  ),
  allow_dash: key(
    boolean(),
    false,
    'Allow arguments that begin with "-". They are refused by default, because programs read them as options. Set it only if the command cannot do so, for example because they follow a `--`.',
  ),
  "stdin.text": key(
    string({ isEmptyAllowed: true }),
    undefined,
    "Text that the command reads from its standard input, which is empty otherwise.",
  ),
  "stdin.arg": key(
    special.argumentName(),
    undefined,
    "Argument that the command reads from its standard input instead of its command line: a name in `params`, or a position starting at 1. Excludes `stdin.text`.",
  ),
  success_codes: key(
    list(integer(0, 255), { minLength: 1 }),
    [0],
    "Exit codes of the command that are a success.",
  ),
  cwd: key(
    path(),
    undefined,
    "Working directory. By default a command, and a module with `user`, runs in its user's home, another module in the daemon's.",
  ),
  user: key(
    string(),
    undefined,
    "User that the job runs as, with all groups of that user; the daemon must be root.",
  ),
  group: key(string(), undefined, "Group that the job runs as; by default the user's."),
  umask: key(special.umask(), undefined, "File mode mask."),
  nice: key(
    integer(-20, 19),
    undefined,
    "Processor priority, from -20 (first) to 19 (last). A value below 0 requires a daemon that runs as root.",
  ),
  ionice: key(
    special.ionice(),
    undefined,
    "Disk priority: a class, and a level from 0 (first) to 7 (last), 4 by default. `realtime` requires a daemon that runs as root. Only on Linux with glibc, and on Bun, as in the compiled program; elsewhere the job is disabled.",
  ),
  env_file: key(
    oneOrMany(environmentFile(), { maxLength: 10 }),
    undefined,
    "Files of `NAME=value` lines, read at start and at each reload; one whose path begins with `-` need not exist. Each is a regular file of 64 KiB at most. `env` overrides them, and later files override earlier ones. Values are masked like secrets.",
  ),
  env: key(
    environment(),
    {},
    'Variables beside the minimal environment. Secrets by reference: `{ file = "/run/secrets/pg" }` or `{ env = "PGPASSWORD" }`.',
  ),
  description: key(
    string({ isEmptyAllowed: true, lengthMax: TEXT_LENGTH_MAX.description }),
    undefined,
    "One line that says what the job is for.",
  ),
  schedule: key(
    oneOrMany(special.scheduleText(), { maxLength: SCHEDULES_MAX }),
    [],
    "When it runs: cron with five or six fields, `@daily` and the like, `@every 15m`, or `@reboot`.",
  ),
  timezone: key(
    timezone(),
    undefined,
    "Time zone of the schedules; by default the top `timezone`.",
  ),
  starts_at: key(
    special.time(),
    undefined,
    "No tick is before this time, which is also the first tick of an `@every`. Without an offset in the job's time zone.",
  ),
  ends_at: key(special.time(), undefined, "No tick is at or after this time."),
  blackout: key(
    oneOrMany(special.blackout()),
    [],
    "Ticks in these windows, on the clock of the job's time zone, are skipped with a record.",
  ),
  runs_max: key(
    integer(1, INT32_MAX),
    undefined,
    "After so many runs each schedule of the job is finished.",
  ),
  queue_max: key(
    integer(1, 1000),
    10,
    'With `overlap = "queue"`: how many ticks of one schedule wait at most; more are skipped.',
  ),
  args: key(
    special.args(),
    [],
    "Arguments of scheduled runs, by position or by parameter name.",
  ),
  enabled: key(boolean(), true, "Whether it is loaded; else its ticks are skipped."),
  isolation: key(
    choice(["process", "inline"]),
    undefined,
    "Where the function runs; by default `worker.isolation`.",
  ),
  priority: key(OPTIONS.priority, undefined, DOCS.priority),
  timeout: key(OPTIONS.timeout, undefined, DOCS.timeout),
  deadline: key(OPTIONS.deadline, undefined, DOCS.deadline),
  kill_after: key(OPTIONS.kill_after, undefined, DOCS.kill_after),
  overlap: key(OPTIONS.overlap, undefined, DOCS.overlap),
  misfire: key(OPTIONS.misfire, undefined, DOCS.misfire),
  misfire_within: key(OPTIONS.misfire_within, undefined, DOCS.misfire_within),
  jitter: key(OPTIONS.jitter, undefined, DOCS.jitter),
  crashes_max: key(OPTIONS.crashes_max, undefined, DOCS.crashes_max),
  on_crash: key(OPTIONS.on_crash, undefined, DOCS.on_crash),
  on_drain: key(OPTIONS.on_drain, undefined, DOCS.on_drain),
  drain: key(
    duration(),
    undefined,
    "At a stop: how long its running attempts have to finish before they are stopped; by default `worker.drain`.",
  ),
  worker_slot: key(
    boolean(),
    true,
    "Whether a running attempt takes one of the `worker.count` workers. With false it does not wait for one, and at most 1,000 such attempts run at once on a node. Meant for commands that mostly wait, such as those imported from cron.",
  ),
  leave_children: key(
    boolean(),
    false,
    "Whether processes that the command started in the background keep running when it ends, as under cron. By default they are ended with it, and its log names them. A timeout, a cancel or a stop ends all of them in any case.",
  ),
  "retry.max": key(OPTIONS["retry.max"], undefined, DOCS["retry.max"]),
  "retry.backoff": key(OPTIONS["retry.backoff"], undefined, DOCS["retry.backoff"]),
  "retry.initial": key(OPTIONS["retry.initial"], undefined, DOCS["retry.initial"]),
  "retry.cap": key(OPTIONS["retry.cap"], undefined, DOCS["retry.cap"]),
  "retry.jitter": key(OPTIONS["retry.jitter"], undefined, DOCS["retry.jitter"]),
  "retry.on": key(OPTIONS["retry.on"], undefined, DOCS["retry.on"]),
  "retry.not_on": key(OPTIONS["retry.not_on"], undefined, DOCS["retry.not_on"]),
  "keep.success": key(OPTIONS["keep.success"], undefined, DOCS["keep.success"]),
  "keep.failure": key(OPTIONS["keep.failure"], undefined, DOCS["keep.failure"]),
  "output.size_max": key(OPTIONS["output.size_max"], undefined, DOCS["output.size_max"]),
  "output.lines_max": key(OPTIONS["output.lines_max"], undefined, DOCS["output.lines_max"]),
  concurrency: key(
    limits.concurrency(),
    undefined,
    "Most instances that run at once: of the job, or of each value of a parameter. See below.",
  ),
  "limits.memory": key(
    size({ minBytes: 1_048_576 }),
    undefined,
    "Most memory of an attempt, all its processes together; one that takes more is ended.",
  ),
  "limits.cpu": key(
    duration({ minMs: 1000 }),
    undefined,
    "Most processor time of an attempt, all its processes together; one that takes more is ended.",
  ),
  "limits.open_files": key(
    integer(64, 1_048_576),
    undefined,
    "Most open files of each process.",
  ),
  rate: key(
    limits.rate(),
    undefined,
    "Most starts in a span of time: of the job, or of each value of a parameter. See below.",
  ),
  pool: key(
    string(),
    undefined,
    "Pool of `worker.pools` that bounds how many run at once on a node.",
  ),
  waiting_max: key(
    integer(1, INT32_MAX),
    undefined,
    "Most instances that wait at once; a further one is refused.",
  ),
  needs: key(
    oneOrMany(special.nodeName(), { maxLength: TAGS_MAX }),
    undefined,
    "Tags that a node must have to run it: it waits for a node that has the job and all of them.",
  ),
  unique: key(
    limits.unique(),
    undefined,
    "What makes two instances the same one, of which one is accepted. See below.",
  ),
};

/** The schema of a job's table. */
export const JOB_SCHEMA = schemaOf(JOB_KEYS, { retry: "retry.max" });
