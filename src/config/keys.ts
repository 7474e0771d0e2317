import { GRPC_PORT_DEFAULT } from "../core/address.ts";
import { LOG_LEVELS } from "../core/instance.ts";
import { MISFIRES, OVERLAPS, SCHEDULES_MAX } from "../core/schedule.ts";
import {
  boolean,
  choice,
  duration,
  integer,
  list,
  number,
  oneOrMany,
  optional,
  path,
  size,
  string,
  timezone,
} from "./readers.ts";
import * as limits from "./limit_readers.ts";
import { key, planned, schemaOf } from "./schema.ts";
import { environment } from "./secrets.ts";
import * as special from "./special_readers.ts";

const INT32_MAX = 2_147_483_647;

// Each is read twice: in [defaults], where it has a default, and in a job's table.
const OPTIONS = {
  priority: integer(0, INT32_MAX),
  timeout: duration(),
  deadline: duration(),
  kill_after: duration(),
  overlap: choice(OVERLAPS),
  misfire: choice(MISFIRES),
  misfire_within: duration(),
  jitter: duration(),
  crashes_max: integer(0, 1000),
  on_crash: choice(["retry", "terminate"]),
  "retry.max": integer(-1, 1_000_000),
  "retry.backoff": choice(["exponential", "linear", "fixed"]),
  "retry.initial": duration(),
  "retry.cap": duration(),
  "retry.jitter": number({ min: 0, max: 1 }),
  "retry.on": list(choice(["error", "timeout"])),
  "retry.not_on": list(special.failureName()),
  "keep.success": duration(),
  "keep.failure": duration(),
  "output.size_max": size({ minBytes: 1_000 }),
  "output.lines_max": integer(10, 1_000_000),
};

const DOCS = {
  priority: "Lower runs first, like nice: 0 high, 5 default, 10 low.",
  timeout: 'Longest time of one attempt; "0" for no limit.',
  deadline:
    'Longest time of a whole instance, from when it is first due, with all its waits and retries; "0" for no limit.',
  kill_after: "After the timeout or a cancel: the time between SIGTERM and SIGKILL.",
  overlap:
    'When a tick is due and the one before of the same schedule is not finished: "skip" drops it with a record, "queue" lets it wait for its turn, "replace" cancels the one before and runs it when that has ended, "allow" runs both.',
  misfire:
    'When ticks passed while nothing ran: "latest" runs the last of them once, "skip" runs none that is more than a minute late, "all" runs each, at most the last 100, one after the other unless `overlap` is "allow". Each is recorded.',
  misfire_within:
    "Ticks that are older than this are missed, whatever `misfire` says; a minute is never too old.",
  jitter:
    "Each run is later than its tick by up to this much: how much is always the same for a schedule on a node.",
  crashes_max:
    "How often an instance is taken over after its worker or node was lost, before it is given up.",
  on_crash:
    'When its worker or node was lost: "retry" takes the instance over up to `crashes_max` times, "terminate" gives it up at once.',
  "retry.max": "Retries after a failed attempt: 0 none, -1 for ever. `retry = 3` is short for it.",
  "retry.backoff": "How the wait grows with each failed attempt.",
  "retry.initial": "Wait before the first retry.",
  "retry.cap": "Longest wait between two attempts, jitter included.",
  "retry.jitter": "Share of the wait that chance moves, from 0 to 1.",
  "retry.on": "What a retry follows: an error, or a timeout of the attempt.",
  "retry.not_on":
    'Failures that no retry follows: names of errors such as "ValidationError", exit codes, or signals such as "SIGSEGV".',
  "keep.success": "How long an instance that completed is kept, with its history and log.",
  "keep.failure": "How long any other finished instance is kept.",
  "output.size_max":
    "How much of an attempt's output is kept, half from its beginning and half from its end.",
  "output.lines_max": "How many lines of an attempt's output are kept, likewise.",
};

/** Every key outside of job tables. Those without a reader are planned. */
export const KEYS = {
  timezone: key(timezone(), "UTC", "Time zone of schedules that name none."),
  modules: key(list(path()), [], "Directories of `*.ts` and `*.js` job modules."),
  include: key(
    list(string()),
    [],
    "More files, in name order; `*` and `?` stand for parts of a name. Later files override earlier ones, key by key.",
  ),
  "log.level": key(
    choice(LOG_LEVELS),
    "info",
    "Least level of the daemon's own log.",
  ),
  "log.format": key(choice(["text", "json"]), "text", "Form of the daemon's own log."),
  "store.url": key(
    special.storeUrl(),
    "sqlite:data/jobctl.db",
    "Where instances and schedules are kept. `memory:` loses them at the end.",
  ),
  "store.fsync": planned("When the store waits for the disk."),
  "store.prefix": planned("Prefix of the keys in a shared store."),
  "store.max_skew": planned("Largest difference between the clocks of two nodes."),
  "server.host": key(
    string(),
    "127.0.0.1",
    "Address of the gRPC listener. One that other hosts reach needs TLS and authentication.",
  ),
  "server.port": key(
    integer(0, 65_535),
    GRPC_PORT_DEFAULT,
    "Port of the gRPC listener; 0 picks a free one.",
  ),
  "server.http": key(
    special.httpAddress(),
    "127.0.0.1:59052",
    'Listener of `/healthz`, `/readyz` and `/metrics`; "" turns it off.',
  ),
  "server.socket": key(
    special.socketPath(),
    "auto",
    'Unix socket that the local CLI uses: who may open it may use it. "auto" is `jobctl-PORT.sock` in the runtime directory, "" turns it off.',
  ),
  "server.socket_group": key(
    optional(string()),
    undefined,
    "Group whose members may open the socket.",
  ),
  "server.allow_insecure": key(
    boolean(),
    false,
    "Allow listeners that other hosts reach without TLS or authentication.",
  ),
  "server.tls.cert": key(optional(path()), undefined, "File of the certificate chain (PEM)."),
  "server.tls.key": key(optional(path()), undefined, "File of the private key (PEM)."),
  "server.tls.client_ca": key(
    optional(path()),
    undefined,
    "File of the authority that client certificates must come from (PEM).",
  ),
  "server.auth.mode": key(
    choice(["token", "mtls", "none"]),
    "token",
    "How callers over TCP show who they are.",
  ),
  "server.auth.tokens": key(
    special.tokens(),
    [],
    "Tokens besides the one made at the first start, each with a name and a role: viewer, operator or admin. Prefer `{ file = … }` to the token itself.",
  ),
  "server.auth.token_file": key(
    optional(path()),
    undefined,
    "File of the token that is made at the first start; by default `jobctl-PORT.token` in the runtime directory.",
  ),
  "worker.count": key(integer(0, 10_000), 4, "Attempts that run at once on this node."),
  "worker.isolation": key(
    choice(["process", "inline"]),
    "process",
    'Where job functions run: "process" in worker processes, "inline" in the daemon.',
  ),
  "worker.lease": key(
    duration({ minMs: 1000 }),
    "15s",
    "How long a claim holds without being renewed.",
  ),
  "worker.drain": key(
    duration(),
    "30s",
    "At a stop: how long running attempts may finish before they are stopped.",
  ),
  "worker.idle": key(duration(), "60s", "How long a worker process without work is kept."),
  "worker.pools": key(
    limits.pools(),
    {},
    'Most attempts at once of the jobs of a pool, `{ heavy = 2 }`; a job is in it by `pool = "heavy"`.',
  ),
  "worker.spare": key(
    integer(0, 100),
    0,
    "Worker processes for modules that are started ahead and kept ready, so that no attempt waits for a start.",
  ),
  "worker.recycle_after": key(
    integer(1, 1_000_000_000),
    10_000,
    "Attempts after which a worker process is replaced.",
  ),
  "worker.recycle_memory": key(
    size({ minBytes: 1_048_576 }),
    "512MB",
    "A worker process that holds more memory than this after an attempt is replaced.",
  ),
  "defaults.priority": key(OPTIONS.priority, 5, DOCS.priority),
  "defaults.timeout": key(OPTIONS.timeout, "0", DOCS.timeout),
  "defaults.deadline": key(OPTIONS.deadline, "0", DOCS.deadline),
  "defaults.kill_after": key(OPTIONS.kill_after, "10s", DOCS.kill_after),
  "defaults.overlap": key(OPTIONS.overlap, "skip", DOCS.overlap),
  "defaults.misfire": key(OPTIONS.misfire, "latest", DOCS.misfire),
  "defaults.misfire_within": key(OPTIONS.misfire_within, "24h", DOCS.misfire_within),
  "defaults.jitter": key(OPTIONS.jitter, "0", DOCS.jitter),
  "defaults.crashes_max": key(OPTIONS.crashes_max, 3, DOCS.crashes_max),
  "defaults.on_crash": key(OPTIONS.on_crash, "retry", DOCS.on_crash),
  "defaults.retry.max": key(OPTIONS["retry.max"], 0, DOCS["retry.max"]),
  "defaults.retry.backoff": key(
    OPTIONS["retry.backoff"],
    "exponential",
    DOCS["retry.backoff"],
  ),
  "defaults.retry.initial": key(OPTIONS["retry.initial"], "10s", DOCS["retry.initial"]),
  "defaults.retry.cap": key(OPTIONS["retry.cap"], "1h", DOCS["retry.cap"]),
  "defaults.retry.jitter": key(OPTIONS["retry.jitter"], 0.2, DOCS["retry.jitter"]),
  "defaults.retry.on": key(OPTIONS["retry.on"], ["error", "timeout"], DOCS["retry.on"]),
  "defaults.retry.not_on": key(OPTIONS["retry.not_on"], [], DOCS["retry.not_on"]),
  "defaults.keep.success": key(OPTIONS["keep.success"], "7d", DOCS["keep.success"]),
  "defaults.keep.failure": key(OPTIONS["keep.failure"], "30d", DOCS["keep.failure"]),
  "defaults.output.size_max": key(
    OPTIONS["output.size_max"],
    "1MiB",
    DOCS["output.size_max"],
  ),
  "defaults.output.lines_max": key(
    OPTIONS["output.lines_max"],
    10_000,
    DOCS["output.lines_max"],
  ),
};

/** Every key of a job's table. Without a default of its own a key takes that of [defaults]. */
export const JOB_KEYS = {
  run: key(
    string(),
    undefined,
    "A line for the shell. Arguments follow as `$1`, `$2`, …. Excludes `command`.",
  ),
  command: key(
    special.argv(),
    undefined,
    "A program and its arguments, run without a shell. Arguments of the instance follow them. Excludes `run`.",
  ),
  shell: key(
    list(string(), { minLength: 1 }),
    ["/bin/sh", "-c"],
    "What runs the line of `run`.",
  ),
  params: key(
    string({ isEmptyAllowed: true }),
    undefined,
    'Parameters of the command as in TypeScript, such as `"day: Date, count = 1"`: arguments are checked and converted by them, and the command has them by name as `$JOB_ARG_day`.',
  ),
  "stdin.text": key(
    string({ isEmptyAllowed: true }),
    undefined,
    "Text that the command reads from its standard input, which is empty otherwise.",
  ),
  "stdin.arg": key(
    special.argumentName(),
    undefined,
    "Argument that the command reads from its standard input instead of being given it, by its name in `params` or by its position, 1 for the first. Excludes `stdin.text`.",
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
    "Priority for the processor, from -20, first, to 19, last. Below 0 the daemon must be root.",
  ),
  env: key(
    environment(),
    {},
    'Variables beside the minimal environment. Secrets by reference: `{ file = "/run/secrets/pg" }` or `{ env = "PGPASSWORD" }`.',
  ),
  description: key(string({ isEmptyAllowed: true }), undefined, "What the job is for, in a line."),
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
  unique: key(
    limits.unique(),
    undefined,
    "What makes two instances the same one, of which one is accepted. See below.",
  ),
};

/** The schema outside of job tables. */
export const SCHEMA = schemaOf(KEYS, { "defaults.retry": "defaults.retry.max" }, ["jobs"]);

/** The schema of a job's table. */
export const JOB_SCHEMA = schemaOf(JOB_KEYS, { retry: "retry.max" });
