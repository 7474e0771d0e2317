import { jobOptionKeys } from "./option_keys.ts";
import { boolean, integer, list, oneOrMany, path, string } from "./readers.ts";
import { key, schemaOf } from "./schema.ts";
import { environment, environmentFile } from "./secrets.ts";
import * as special from "./special_readers.ts";

/**
 * The keys of a job's table that definitions do not have: the command, its surroundings, `enabled`.
 */
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
    "Working directory. By default a command, and a module with `user`, runs in its user's home, and any other module in the daemon's directory.",
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
    "Disk priority: a class, and a level from 0 (first) to 7 (last), 4 by default. `realtime` requires a daemon that runs as root. Only on Linux with glibc, under Bun, which includes the compiled program; elsewhere the job is disabled.",
  ),
  env_file: key(
    oneOrMany(environmentFile(), { maxLength: 10 }),
    undefined,
    "Files of `NAME=value` lines, read at start and at each reload; one whose path begins with `-` need not exist. Each is a regular file of 64 KiB at most. `env` overrides them, and later files override earlier ones. Values are masked like secrets.",
  ),
  env: key(
    environment(),
    {},
    'Variables in addition to the minimal environment. Secrets by reference: `{ file = "/run/secrets/pg" }` or `{ env = "PGPASSWORD" }`.',
  ),
  enabled: key(boolean(), true, "False disables the job: its ticks are skipped."),
  leave_children: key(
    boolean(),
    false,
    "Whether processes that the command started in the background keep running when it ends, as under cron. By default they are ended with it, and its log names them. A timeout, a cancel or a stop ends all of them in any case.",
  ),
};

/** The schema of a job's table. */
export const JOB_SCHEMA = schemaOf({ ...JOB_KEYS, ...jobOptionKeys() }, { retry: "retry.max" });
