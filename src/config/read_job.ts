import { resolve } from "node:path";
import { checkKind } from "../core/job/define.ts";
import { isJobError } from "../core/errors.ts";
import { type CommandSpec, NO_LIMITS, NO_PROCESS, type ProcessSpec } from "../core/job/job.ts";
import type { JobTable } from "../core/job/job_table.ts";
import type { Place } from "../core/config_problem.ts";
import { withValues } from "../core/job/option_table.ts";
import { REBOOT, type ScheduleSpec } from "../core/time/schedule.ts";
import { isEmptySpan, type ScheduleSettings, specsOf } from "../core/job/schedule_settings.ts";
import type { ScheduleText } from "../core/time/ticks.ts";
import { isObject } from "../core/text/object_keys.ts";
import type { Config } from "./config.ts";
import { JOB_KEYS, JOB_SCHEMA } from "./job_keys.ts";
import { optionValues } from "./option_keys.ts";
import { readHook } from "./read_hook.ts";
import { collectFields, readFields, type Values } from "./values/schema.ts";
import { type Field, type KeyPath, Report, type Source } from "./values/source.ts";

/** The values of a table by the paths of their keys. */
type JobValues = Partial<Values<typeof JOB_KEYS>> & {
  readonly description?: string;
  readonly schedule?: readonly ScheduleText[];
  readonly args?: JobTable["arguments"];
  readonly isolation?: "process" | "inline";
};

/** Keys that mean something only with `run` or `command`. */
const COMMAND_ONLY = [
  "shell",
  "params",
  "allow_dash",
  "stdin.text",
  "stdin.arg",
  "success_codes",
  "leave_children",
];

/** Keys of a process's environment: they have no meaning where the function runs in the daemon. */
const PROCESS_KEYS = [
  "cwd",
  "user",
  "group",
  "umask",
  "env",
  "env_file",
  "nice",
  "ionice",
  "limits.memory",
  "limits.cpu",
  "limits.open_files",
] as const;

/** Replaces a table with problems: a module of that kind must not run without its options. */
export function disabledJob(kind: string, field: Field): JobTable {
  return {
    kind,
    placeOf: (...keys) => placeIn(field.source, field.path, keys),
    description: null,
    command: null,
    params: null,
    options: {},
    schedules: [],
    arguments: [],
    isEnabled: false,
  };
}

/** The rest of the configuration that job tables inherit from. */
export type Inherited = Pick<Config, "timezone" | "scheduleDefaults" | "defaults">;

/** Read one `[jobs.KIND]` table. @returns null when the table has problems; they are in `report` */
export function readJob(table: Field, inherited: Inherited, report: Report): JobTable | null {
  const own = new Report();
  const read = readPart(table, inherited, own);
  report.addAll(own);
  return own.problems.length > 0 ? null : read;
}

/** The readable parts of a faulty table; null for another value. Its problems are in `own`. */
export function readPart(table: Field, inherited: Inherited, own: Report): JobTable | null {
  const kind = String(table.path[1]);
  if (!isObject(table.value)) return own.mismatch(table, "a table") ?? null;
  checkName(kind, table, own);
  const fields = collectFields(JOB_SCHEMA, table, own);
  const values: JobValues = readFields(JOB_SCHEMA, fields, own);
  const options: JobTable["options"] = withValues({}, optionValues(values, "option"));
  const external = readExternal(fields, values, own);
  const command = external ? null : readCommand(table, fields, values, own);
  checkRetry(fields, options, inherited, own);
  const scheduleTexts = values.schedule ?? [];
  const scheduleSettings: ScheduleSettings = optionValues(values, "schedule");
  const { timezone, scheduleDefaults: defaults } = inherited;
  const schedules = specsOf(scheduleTexts, scheduleSettings, { timezone, defaults });
  checkSpan(schedules, fields.get("ends_at"), own);
  const hook = external ? undefined : readHook(table, fields, values, own);
  const process = command === null && !external ? readProcess(fields, values, own) : null;
  return {
    kind,
    placeOf: (...keys) => placeIn(table.source, table.path, keys),
    description: values.description ?? null,
    command,
    ...(external ? { external } : {}),
    ...(hook ? { hook } : {}),
    params: values.params ?? null,
    process,
    options,
    schedules,
    scheduleTexts,
    scheduleSettings,
    arguments: values.args ?? [],
    isEnabled: values.enabled ?? true,
  };
}

function placeIn(source: Source, path: KeyPath, keys: KeyPath): Place {
  return keys.length === 0
    ? source.placeOf(path, "key")!
    : source.placeOf([...path, ...keys], "value")!;
}

function checkName(kind: string, table: Field, report: Report): void {
  try {
    checkKind(kind);
  } catch (error) {
    if (!isJobError(error)) throw error;
    report.key(table, error.message, error.hint);
  }
}

function readCommand(
  table: Field,
  fields: ReadonlyMap<string, Field>,
  values: JobValues,
  report: Report,
): CommandSpec | null {
  const [run, command] = [fields.get("run"), fields.get("command")];
  if (run !== undefined && command !== undefined) {
    report.key(command, "run and command exclude each other", "Keep one of them");
  }
  if (run === undefined && command === undefined) {
    for (const name of COMMAND_ONLY) {
      const field = fields.get(name);
      if (field !== undefined) report.key(field, "works only with run or command");
    }
    return null;
  }
  const shell = fields.get("shell");
  if (shell !== undefined && run === undefined) report.key(shell, "works only with run");
  const isolation = fields.get("isolation");
  if (isolation !== undefined) {
    report.key(isolation, "works only with module jobs", "A command always has its own process");
  }
  const stdin = fields.get("stdin.arg");
  if (stdin !== undefined && fields.has("stdin.text")) {
    report.key(stdin, "stdin.arg and stdin.text exclude each other", "Keep one of them");
  }
  const argv = commandLine(table, values);
  if (argv === null) return null;
  return {
    argv,
    ...processSpec(values),
    stdin: readStdin(values),
    successCodes: values.success_codes ?? JOB_KEYS.success_codes.initial as number[],
    parameters: [],
    hasRest: false,
    allowsDash: values.allow_dash ?? false,
    ...(values.leave_children ? { leavesChildren: true } : {}),
  };
}

/** The keys that have a meaning for a job that runs elsewhere. */
const EXTERNAL_KEYS: ReadonlySet<string> = new Set([
  "external",
  "ping_key",
  "enabled",
  "description",
  "schedule",
  "timezone",
  "starts_at",
  "ends_at",
  "blackout",
  "overlap",
  "misfire",
  "misfire_within",
  "timeout",
  "notify",
  "silence",
]);
const EXTERNAL_GROUPS = /^(?:keep|output|expect)\./;

function readExternal(
  fields: ReadonlyMap<string, Field>,
  values: JobValues,
  report: Report,
): JobTable["external"] {
  if (values.external !== true) {
    const key = fields.get("ping_key");
    if (key !== undefined) report.key(key, "works only with external = true");
    return undefined;
  }
  for (const [name, field] of fields) {
    if (EXTERNAL_KEYS.has(name) || EXTERNAL_GROUPS.test(name)) continue;
    report.key(field, "works only with jobs that run here", "Remove it, or external = true");
  }
  if (values.schedule?.some(({ cron }) => cron === REBOOT)) {
    report.value(fields.get("schedule")!, '"@reboot" is a start of this daemon: nothing elsewhere');
  }
  return { pingKey: values.ping_key ?? null };
}

function readStdin(values: JobValues): CommandSpec["stdin"] {
  const { "stdin.arg": arg, "stdin.text": text } = values;
  if (arg !== undefined) return { arg };
  return text === undefined ? null : { text };
}

function processSpec(values: JobValues): ProcessSpec {
  const { cwd = null, user = null, group = null, umask = null, ionice } = values;
  const surroundings: ProcessSpec = {
    cwd,
    ...readEnvironment(values),
    user,
    group,
    umask,
    nice: null,
    ...(ionice === undefined ? {} : { ionice }),
    limits: NO_LIMITS,
  };
  return withValues(surroundings, optionValues(values, "process"));
}

function readEnvironment(
  { env, env_file: files }: JobValues,
): Pick<ProcessSpec, "env" | "secrets"> {
  if (files === undefined) {
    return { env: env?.values ?? NO_PROCESS.env, secrets: env?.secrets ?? NO_PROCESS.secrets };
  }
  const all = [...files, ...(env === undefined ? [] : [env])];
  return {
    env: Object.assign({}, ...all.map(({ values }) => values)),
    secrets: all.flatMap(({ secrets }) => secrets),
  };
}

function readProcess(
  fields: ReadonlyMap<string, Field>,
  values: JobValues,
  report: Report,
): ProcessSpec | null {
  const set = PROCESS_KEYS.flatMap((name) => fields.get(name) ?? []);
  if (set.length === 0) return null;
  if (values.isolation === "inline") {
    for (const field of set) {
      report.key(
        field,
        'works only with isolation = "process"',
        "The daemon's own process stays as it is",
      );
    }
  }
  return processSpec(values);
}

function commandLine(table: Field, values: JobValues): readonly string[] | null {
  if (values.run !== undefined) {
    const shell = values.shell ?? JOB_KEYS.shell.initial as string[];
    // The word after the line becomes $0, so that the arguments become $1, $2, ….
    return [...shell, values.run, "jobctl"];
  }
  if (values.command === undefined) return null;
  const [program, ...rest] = values.command;
  const isRelative = /^\.{1,2}\//.test(program!);
  return [isRelative ? resolve(table.source.baseDir, program!) : program!, ...rest];
}

function checkRetry(
  fields: ReadonlyMap<string, Field>,
  { retry }: JobTable["options"],
  { defaults }: Inherited,
  report: Report,
): void {
  const { initialMs, capMs } = { ...defaults.retry, ...retry };
  const field = fields.get("retry.initial") ?? fields.get("retry.cap");
  if (field === undefined || initialMs <= capMs) return;
  report.value(field, "retry.initial is longer than retry.cap, wanted it no longer");
}

function checkSpan(specs: readonly ScheduleSpec[], end: Field | undefined, report: Report): void {
  if (end === undefined || !specs.some(isEmptySpan)) return;
  report.value(end, "ends_at is not after starts_at, wanted it later");
}
