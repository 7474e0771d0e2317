import { HOOK_FORMS, SECRETS_MAX, TOKEN_HEADER } from "../core/hooks/hook.ts";
import { HEADER_NAME, HOOK_ARGUMENTS, HOOK_CONDITIONS, HOOK_SECRET } from "./hooks/hook_readers.ts";
import { jobOptionKeys } from "./option_keys.ts";
import {
  BOOLEAN,
  choice,
  duration,
  integer,
  list,
  oneOrMany,
  PATH,
  string,
} from "./values/readers.ts";
import { key, schemaOf } from "./values/schema.ts";
import { ENVIRONMENT, ENVIRONMENT_FILE, PING_KEY } from "./values/secrets.ts";
import * as special from "./values/special_readers.ts";

/** The keys of `[jobs.KIND.hook]`: settings for starts by HTTP requests, and their arguments. */
export const HOOK_KEYS = {
  "hook.verify": key(
    choice(HOOK_FORMS),
    'How requests to `/hooks/KIND`, which start this job, are verified: by the signatures of `"github"`, `"stripe"` or `"standard"` (Standard Webhooks), or by a `"token"`. See [hooks](hooks.md).',
  ),
  "hook.secret": key(
    oneOrMany(HOOK_SECRET, { maxLength: SECRETS_MAX }),
    'The secret shared with the sender, by reference: `{ file = "/run/secrets/github" }`. If there are several, any of them is accepted, so that a secret can be replaced without a gap.',
  ),
  "hook.arguments": key(
    HOOK_ARGUMENTS,
    "Where the arguments are in a request, by name or by position: a path in its JSON body (`$.a.b`, `$['a b']`, `$.list[0]`, `$` for all of it), `header:NAME` or `query:NAME`. An optional argument may be missing.",
    {},
  ),
  "hook.only": key(
    HOOK_CONDITIONS,
    'What a request must have to start the job: `{ "$.ref" = ["refs/heads/main"] }`. Others are answered with 200 and ignored.',
    {},
  ),
  "hook.replay_window": key(
    duration({ minMs: 1_000 }),
    'How far the signed time of `"stripe"` and `"standard"` may be from now.',
    "5m",
  ),
  "hook.header": key(
    HEADER_NAME,
    'The header with the secret of `"token"`. In `authorization` it follows the word `Bearer`.',
    TOKEN_HEADER,
  ),
};

/** The keys of a job's table that definitions lack: the command, its surroundings, `enabled`. */
export const JOB_KEYS = {
  run: key(
    string(),
    "A shell command line. The arguments declared in `params` are passed as `$1`, `$2`, …. Excludes `command`.",
  ),
  command: key(
    special.ARGV,
    "A program and its arguments, run without a shell. The arguments declared in `params` are appended. Excludes `run`.",
  ),
  shell: key(list(string(), { minLength: 1 }), "What runs the line of `run`.", ["/bin/sh", "-c"]),
  params: key(
    string({ isEmptyAllowed: true }),
    'Parameters of the command in TypeScript syntax, such as `"day: Date, count = 1"`. Arguments are checked and converted to these types, and the command also receives them by name, as `$JOB_ARG_day`. Without `params` the command takes no arguments.',
  ),
  allow_dash: key(
    BOOLEAN,
    'Allow arguments that begin with "-". They are refused by default, because programs read them as options. Set it only if the command cannot do so, for example because they follow a `--`.',
    false,
  ),
  "stdin.text": key(
    string({ isEmptyAllowed: true }),
    "Text that the command reads from its standard input, which is empty otherwise.",
  ),
  "stdin.arg": key(
    special.ARGUMENT_NAME,
    "Argument that the command reads from its standard input instead of its command line: a name in `params`, or a position starting at 1. Excludes `stdin.text`.",
  ),
  success_codes: key(
    list(integer(0, 255), { minLength: 1 }),
    "Exit codes of the command that are a success.",
    [0],
  ),
  cwd: key(
    PATH,
    "Working directory. By default a command, and a module with `user`, runs in its user's home, and any other module in the daemon's directory.",
  ),
  user: key(
    string(),
    "User that the job runs as, with all groups of that user; the daemon must be root.",
  ),
  group: key(string(), "Group that the job runs as; by default the user's."),
  umask: key(special.UMASK, "File mode mask."),
  ionice: key(
    special.IONICE,
    "Disk priority: a class, and a level from 0 (first) to 7 (last), 4 by default. `realtime` requires a daemon that runs as root. Only on Linux with glibc, under Bun, which includes the compiled program; elsewhere the job is disabled.",
  ),
  env_file: key(
    oneOrMany(ENVIRONMENT_FILE, { maxLength: 10 }),
    "Files of `NAME=value` lines, read at start and at each reload; one whose path begins with `-` need not exist. Each is a regular file of 64 KiB at most. `env` overrides them, and later files override earlier ones. Values are masked like secrets.",
  ),
  env: key(
    ENVIRONMENT,
    'Variables in addition to the minimal environment. Secrets by reference: `{ file = "/run/secrets/pg" }` or `{ env = "PGPASSWORD" }`.',
    {},
  ),
  external: key(
    BOOLEAN,
    "True if the job runs elsewhere. Its runs are only reported, by `jobctl wrap` or by pings, and its `schedule` says when a run is expected. See [external jobs](external.md).",
    false,
  ),
  ping_key: key(
    PING_KEY,
    'With `external`: the secret in the URL of its pings, instead of one that the daemon generates. At least 20 letters, digits, `-` and `_`, given by reference: `{ file = "/run/secrets/ping" }`.',
  ),
  ...HOOK_KEYS,
  enabled: key(BOOLEAN, "False disables the job: its ticks are skipped.", true),
  leave_children: key(
    BOOLEAN,
    "Whether processes that the command started in the background keep running when it ends, as under cron. By default they are ended with it, and its log names them. A timeout, a cancel or a stop ends all of them in any case.",
    false,
  ),
};

const WHERE_NOTICES =
  'Add a channel [notices.NAME], which reports every job, or name one: notify = ["NAME"]';

const WHERE_NEXT = "One job starts the next one: see jobctl docs howto/chain";
const WHERE_KEEP = 'Write: keep = { success = "30d", failure = "30d" }';

/** Keys that cron, systemd and other schedulers have. */
const MEANT_KEYS = {
  after: WHERE_NEXT,
  depends: WHERE_NEXT,
  depends_on: WHERE_NEXT,
  requires: WHERE_NEXT,
  on_success: WHERE_NEXT,
  at: 'Write the time as a schedule: "30 2 * * *" is every day at 2:30',
  on_calendar: "schedule",
  calendar: "schedule",
  exec: "run",
  arguments: "args",
  attempts: "retry",
  max_retries: "retry",
  max_runtime: "timeout",
  time_limit: "timeout",
  max_concurrent: "concurrency",
  max_instances: "concurrency",
  parallel: "concurrency",
  retention: WHERE_KEEP,
  history: WHERE_KEEP,
  every:
    'To run at intervals: schedule = "@every 15m". For the longest time without a success, also of an external job: expect = { every = "25h" }',
  interval: 'Write: schedule = "@every 15m"',
  cron: "schedule",
  cmd: "run",
  script: "run",
  tz: "timezone",
  retries: "retry",
  environment: "env",
  memory_max: "limits.memory",
  memory_limit: "limits.memory",
  max_memory: "limits.memory",
  mem_limit: "limits.memory",
  dir: "cwd",
  directory: "cwd",
  workdir: "cwd",
  working_dir: "cwd",
  working_directory: "cwd",
  disabled: "Write: enabled = false",
  notices: "notify",
  channels: "notify",
  webhook: "hook",
  mailto: WHERE_NOTICES,
  on_failure: WHERE_NOTICES,
};

/** The schema of a job's table. */
export const JOB_SCHEMA = schemaOf({ ...JOB_KEYS, ...jobOptionKeys() }, {
  shorthands: { retry: "retry.max" },
  meant: MEANT_KEYS,
});
