import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { JobTable } from "../core/job/job_table.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { checkNotify } from "../core/notices/settings.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { isObject } from "../core/text/object_keys.ts";
import { buildConfig } from "./build_config.ts";
import { checkConfigValues } from "./check_values.ts";
import type { Config, LoadedConfig } from "./config.ts";
import { environmentFields, flagFields } from "./environment.ts";
import type { Environment } from "./values/expand.ts";
import { type ConfigFile, includedFiles, readConfigFile } from "./files.ts";
import { type KEYS, SCHEMA } from "./keys.ts";
import { ConfigError, formatPlace, inOrder } from "./values/problems.ts";
import { disabledJob, readJob, readPart } from "./read_job.ts";
import { isTrusted } from "./values/secrets.ts";
import { collectFields, type Keys, readFields, type Values } from "./values/schema.ts";
import { LISTED_JOBS_MAX, settingsOf } from "./settings.ts";
import {
  childOf,
  type Field,
  type KeyPath,
  NO_PLACES,
  Report,
  type Source,
} from "./values/source.ts";

/** Inputs of {@link loadConfig} in addition to the file. */
export interface LoadConfigOptions {
  /** Variables: `JOBCTL_*`, and what `${VAR}` and secrets refer to. */
  readonly env?: Environment;
  /** Settings of the command line, by short name (`port`) or dotted path (`server.port`). */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Base of relative paths outside of files; the working directory by default. */
  readonly cwd?: string;
  /** Return the readable parts of a refused configuration, to be checked further. */
  readonly isCheck?: boolean;
}

type AllValues = Values<typeof KEYS>;

/**
 * Load the configuration. Later layers override earlier ones: defaults, the file, its includes in
 * name order, `JOBCTL_*` variables, flags.
 *
 * @param file null for the defaults, variables and flags alone
 * @returns the configuration, in which broken jobs are disabled, and their problems
 * @throws ConfigError (`invalid_config`) with every problem, if one concerns more than one job
 */
export async function loadConfig(
  file: string | null,
  options: LoadConfigOptions = {},
): Promise<LoadedConfig> {
  const { env = {}, flags = {}, cwd = process.cwd(), isCheck = false } = options;
  const report = new Report();
  const files = file === null ? [] : [resolve(cwd, file)];
  const main = file === null ? null : readConfigFile(file, { cwd, env }, report);
  const baseDir = main?.source.baseDir ?? cwd;
  const values = { ...builtIn(baseDir, report) };
  const fields = new Map<string, Field>();
  const apply = (layer: ReadonlyMap<string, Field>) => {
    Object.assign(values, readFields(SCHEMA, layer, report));
    for (const [path, field] of layer) fields.set(path, field);
  };
  const jobs = new NamedTables("jobs", "job");
  const notices = new NamedTables("notices", "channel");
  const named = [jobs, notices];
  // False if a file was not read, which may have further channels.
  let isWhole = file === null || main !== null;
  const incomplete = new Set(main?.incomplete);
  if (main !== null) {
    const layer = fileFields(main, named, report);
    apply(layer);
    const include = layer.get("include");
    const count = report.problems.length;
    const names = include === undefined ? [] : includedFiles(include, file!, report);
    isWhole = report.problems.length === count;
    for (const name of names) {
      files.push(resolve(cwd, name));
      const included = readConfigFile(name, { cwd, env, isIncluded: true, isCheck }, report);
      if (included === null) isWhole = false;
      else apply(includedFields(included, named, report));
      for (const table of included?.incomplete ?? []) incomplete.add(table);
    }
  }
  if ([...incomplete].some((table) => table.startsWith("notices."))) isWhole = false;
  apply(environmentFields(env, cwd, report));
  apply(flagFields(flags, { baseDir: cwd, env }, report));
  checkConfigValues(values, fields, report);
  const config = buildConfig(file === null ? null : resolve(cwd, file), values);
  checkStoreModule(config, fields, report);
  const channelTables = notices.unique(report);
  const channels = channelTables.length === 0 ? [] : await readChannels(channelTables, report);
  // Including faulty ones, which need not be reported twice.
  const names = notices.first().map(([name]) => name);
  const defaults = withChannels(config.defaults, fields.get("defaults.notify"), { names, report });
  const read = {
    file,
    files,
    names: isWhole && notices.isTable ? names : null,
    settings: listedSettings(fields, { notices, jobs }, report),
    incomplete,
    check: isCheck ? checkFacts(main !== null || file === null, fields, named) : null,
  };
  return finish(read, { ...config, defaults, notices: channels }, jobs, report);
}

/** Loaded late: most of a daemon's configurations have no channels. */
async function readChannels(tables: readonly Field[], report: Report) {
  const { readNotices } = await import("./notices/read_notices.ts");
  return readNotices(tables, report);
}

function finish(
  { file, files, names, settings, incomplete, check }: {
    readonly file: string | null;
    readonly files: readonly string[];
    readonly names: readonly string[] | null;
    readonly settings: LoadedConfig["settings"];
    readonly incomplete: ReadonlySet<string>;
    readonly check: CheckFacts | null;
  },
  config: Config,
  jobs: NamedTables,
  report: Report,
): LoadedConfig {
  const read = jobs.unique(report).map((field) => readJob(field, config, report));
  checkPingKeys(jobs, read, report);
  if (config.server.http === null) warnOfHooks(jobs, read, report);
  // A variable with a secret may also be part of another value.
  const mask = new SecretMask(report.secrets);
  // Faults in this table may follow from the unreadable statement.
  const tables = [...incomplete];
  const isSecond = ({ path }: ConfigProblem) =>
    tables.some((table) => path === table || path.startsWith(`${table}.`));
  const problems = inOrder(report.problems.filter((problem) => !isSecond(problem)))
    .map((problem) => mask.problem(problem));
  const warnings = inOrder(report.warnings).map((warning) => mask.problem(warning));
  const isRefused = problems.some(({ job, unread }) => job === null && unread === undefined);
  if (isRefused && check === null) {
    const mistakes = names === null ? [] : unknownChannels(read, names);
    throw new ConfigError(file, problems, files, {
      channels: config.notices,
      warnings: [...warnings, ...mistakes.map((mistake) => mask.problem(mistake))],
    });
  }
  const broken = new Set([
    ...problems.flatMap(({ job }) => job ?? []),
    ...tables.flatMap((table) => /^jobs\.([^]*)/.exec(table)?.[1] ?? []),
  ]);
  const whole = read.filter((table) => table !== null && !broken.has(table.kind)) as JobTable[];
  return {
    config: { ...config, jobs: [...whole, ...disabledJobs(jobs, broken)] },
    problems,
    warnings,
    files,
    secrets: report.secrets,
    settings,
    ...(check === null ? {} : {
      check: { ...check, isRefused, channels: names, parts: partsOfJobs(jobs, broken, config) },
    }),
  };
}

/** Facts about the files, beside their values, that a check needs. */
type CheckFacts = Pick<NonNullable<LoadedConfig["check"]>, "isRead" | "placeOf">;

function checkFacts(
  isRead: boolean,
  fields: ReadonlyMap<string, Field>,
  named: readonly NamedTables[],
): CheckFacts {
  return {
    isRead,
    placeOf(path) {
      const parts = partsOf(path);
      for (const tables of named) {
        const found = parts[0] === tables.key ? tables.at(path) : null;
        if (found === null) continue;
        const { table, rest } = found;
        return rest === ""
          ? table.source.placeOf(table.path, "key")
          : table.source.placeOf([...table.path, ...partsOf(rest)], "value");
      }
      for (let length = parts.length; length > 0; length--) {
        const field = fields.get(parts.slice(0, length).join("."));
        if (field) return field.source.placeOf([...field.path, ...parts.slice(length)], "value");
      }
      // A table has the place of its first key in the files.
      const below = [...fields.values()].find((field) =>
        field.path.slice(0, parts.length).join(".") === path
      );
      return below?.source.placeOf(parts, "key") ?? null;
    },
  };
}

/** The names and indices of a path: `schedule[1].at`. */
function partsOf(path: string): KeyPath {
  return path.split(/[.[]/).map((part) => part.endsWith("]") ? Number(part.slice(0, -1)) : part);
}

/** Apart from {@link loadConfig}, whose variables it must not keep: they hold all jobs. */
function listedSettings(
  fields: ReadonlyMap<string, Field>,
  { notices, jobs }: { readonly notices: NamedTables; readonly jobs: NamedTables },
  { secrets }: Report,
): LoadedConfig["settings"] {
  const named = jobs.first();
  const hasMore = named.length > LISTED_JOBS_MAX;
  const tables = [...notices.first(), ...hasMore ? [] : named].map(([, table]) => table);
  return settingsOf({ fields, tables, hasMore, secrets });
}

/** The readable parts of faulty tables, whose problems were reported. */
function partsOfJobs(
  jobs: NamedTables,
  broken: ReadonlySet<string>,
  config: Config,
): readonly JobTable[] {
  return jobs.first().flatMap(([kind, table]) =>
    broken.has(kind) ? readPart(table, config, new Report()) ?? [] : []
  );
}

/** Unknown channels in the tables of a refused configuration; otherwise the jobs check them. */
function unknownChannels(
  tables: readonly (JobTable | null)[],
  names: readonly string[],
): ConfigProblem[] {
  return tables.flatMap((table) => {
    if (!table?.isEnabled) return [];
    const { kind } = table;
    const { problem } = checkNotify(table.options.notify, names);
    if (problem === null) return [];
    const place = table.placeOf("notify");
    return [{ place, path: `jobs.${kind}.notify`, ...problem, job: kind, isMistake: true }];
  });
}

/** Jobs check their channels; a wrong default for all of them is one mistake. */
function withChannels(
  defaults: Config["defaults"],
  field: Field | undefined,
  { names, report }: { readonly names: readonly string[]; readonly report: Report },
): Config["defaults"] {
  const { notify, problem } = checkNotify(defaults.notify, names);
  if (field === undefined || problem === null) return defaults;
  report.mistake(field, problem.message, problem.hint);
  const { notify: _, ...rest } = defaults;
  return notify === undefined ? rest : { ...rest, notify };
}

/** A store module runs in this process, so no other user may be able to change it. */
function checkStoreModule(
  { store: { address } }: Config,
  fields: ReadonlyMap<string, Field>,
  report: Report,
): void {
  const field = fields.get("store.url");
  if (field !== undefined && address.type === "module") isTrusted(field, address.path, report);
}

// The defaults are written as in a file, and read by the same readers.
function builtIn(baseDir: string, report: Report): AllValues {
  const source: Source = { baseDir, label: null, env: {}, isText: false, ...NO_PLACES };
  const fields = new Map<string, Field>();
  for (const [path, key] of Object.entries<Keys[string]>(SCHEMA.keys)) {
    fields.set(path, { value: key.initial, path: path.split("."), source });
  }
  return readFields(SCHEMA, fields, report) as AllValues;
}

function fileFields(
  file: ConfigFile,
  named: readonly NamedTables[],
  report: Report,
): Map<string, Field> {
  const rest = { ...file.tree };
  const root: Field = { value: rest, path: [], source: file.source };
  for (const tables of named) {
    tables.addFrom(root, rest[tables.key], report);
    delete rest[tables.key];
  }
  return collectFields(SCHEMA, root, report);
}

function includedFields(
  file: ConfigFile,
  named: readonly NamedTables[],
  report: Report,
): Map<string, Field> {
  const fields = fileFields(file, named, report);
  const include = fields.get("include");
  if (include !== undefined) {
    report.key(include, "an included file includes no others", "Name them in the main file");
    fields.delete("include");
  }
  return fields;
}

/** The tables of one key of all files by their names, such as `[jobs.KIND]`. */
class NamedTables {
  readonly key: string;
  readonly #noun: string;
  readonly #tables = new Map<string, Field[]>();
  /** False if a file has something else under the key. */
  isTable = true;

  constructor(key: string, noun: string) {
    this.key = key;
    this.#noun = noun;
  }

  addFrom(root: Field, tables: unknown, report: Report): void {
    if (tables === undefined) return;
    const field = childOf(root, this.key, tables);
    if (!isObject(tables)) {
      this.isTable = false;
      report.mismatch(field, `a table of ${this.#noun}s`);
      return;
    }
    for (const [name, table] of Object.entries(tables)) {
      const child = childOf(field, name, table);
      this.#tables.set(name, [...this.#tables.get(name) ?? [], child]);
    }
  }

  /** The tables with unique names. For each duplicate, a problem names both places. */
  unique(report: Report): Field[] {
    const unique: Field[] = [];
    for (const [first, ...all] of this.#tables.values()) {
      const others = all.filter((other) => !this.#isSame(first!, other));
      for (const other of others) {
        const at = formatPlace(first!.source.placeOf(first!.path, "key")!);
        report.key(other, `the ${this.#noun} has a table at ${at} already`, "Keep one of them");
      }
      if (others.length === 0) unique.push(first!);
    }
    return unique;
  }

  /** Each import of a crontab writes channels for its mail, and several files may be included. */
  #isSame(first: Field, other: Field): boolean {
    return this.key === "notices" && first.source.baseDir === other.source.baseDir &&
      isDeepStrictEqual(first.value, other.value);
  }

  /** The table with the longest name that a path begins with, and the rest; names may have dots. */
  at(path: string): { readonly table: Field; readonly rest: string } | null {
    const [, ...parts] = path.split(".");
    for (let length = parts.length; length > 0; length--) {
      const [table] = this.#tables.get(parts.slice(0, length).join(".")) ?? [];
      if (table) return { table, rest: parts.slice(length).join(".") };
    }
    return null;
  }

  /** The first table of each name. */
  first(): [name: string, table: Field][] {
    return Array.from(this.#tables, ([name, [first]]) => [name, first!]);
  }
}

/** A ping with the key of two jobs would report only one of them. */
function checkPingKeys(
  jobs: NamedTables,
  read: readonly (JobTable | null)[],
  report: Report,
): void {
  const fields = new Map(jobs.first());
  const owners = new Map<string, string>();
  for (const table of read) {
    const key = table?.external?.pingKey;
    if (!table || !key) continue;
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, table.kind);
    else {
      const field = childOf(fields.get(table.kind)!, "ping_key", key);
      report.value(field, `job "${owner}" has the same key`, "Give each job a key of its own");
    }
  }
}

/** Nothing reaches hooks without the HTTP listener. */
function warnOfHooks(
  jobs: NamedTables,
  read: readonly (JobTable | null)[],
  report: Report,
): void {
  const fields = new Map(jobs.first());
  for (const table of read) {
    if (!table?.hook) continue;
    const field = childOf(fields.get(table.kind)!, "hook", null);
    report.warn(
      field,
      "no request reaches it: server.http is off",
      "Set server.http to an address",
    );
  }
}

/** Tables that keep the jobs of `kinds` from running. */
function disabledJobs(jobs: NamedTables, kinds: ReadonlySet<string>): JobTable[] {
  return jobs.first().filter(([kind]) => kinds.has(kind)).map(([kind, first]) =>
    disabledJob(kind, first)
  );
}
