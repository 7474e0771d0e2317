import type { ArgumentInput, Signature } from "../../core/arguments/signature.ts";
import type { JobOptions } from "../../core/job/gen/job_options.ts";
import { checkCommandArguments } from "../../core/job/command_arguments.ts";
import { convertArguments } from "../../core/arguments/convert.ts";
import { checkKind } from "../../core/job/define.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import {
  type CommandSpec,
  type JobDefinition,
  NO_HANDLERS,
  type ProcessSpec,
} from "../../core/job/job.ts";
import type { JobTable } from "../../core/job/job_table.ts";
import type { ConfigProblem, Place } from "../../core/config_problem.ts";
import { checkLimits, checkPool } from "../../core/job/limits.ts";
import { checkNotify } from "../../core/notices/settings.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import type { ScheduleDefaults } from "../../core/time/schedule.ts";
import { resolveAccount } from "../../platform/system/accounts.ts";
import { type Clock, systemClock } from "../../platform/clock.ts";
import { HIDDEN_COMMANDS, selfCommand } from "../../platform/system/runtime.ts";
import { Slices } from "../../platform/slices.ts";
import { hookOf } from "./check_hook.ts";
import { NO_ARGUMENTS, resolveCommand } from "./command_job.ts";
import type { JobDescriptor } from "./describe_main.ts";
import { describeModules } from "./describe_modules.ts";
import { accountOf, surroundingsOf } from "./describe_surroundings.ts";
import { findModules, type ModuleFile } from "./find_modules.ts";
import { ModuleTrust } from "./module_trust.ts";
import { checkCommand, checkProcess } from "./process_spec.ts";
import { typeReader } from "../types/lazy_reader.ts";
import { resolveOptions, resolveProcess, resolveSchedules, withTable } from "./resolve_input.ts";
import { inTable, placeOfKey, TableError } from "./table_error.ts";

/** Time limit for loading one module. */
const IMPORT_LIMIT_MS = 5_000;

/** The sources of jobs. */
export interface LoadRequest {
  /** Absolute directories of job modules. */
  readonly modules: readonly string[];
  readonly tables: readonly JobTable[];
  readonly defaults: JobOptions;
  readonly scheduleDefaults: ScheduleDefaults;
  /** IANA zone of schedules that name none. */
  readonly timezone: string;
  /** The pools that a job may be in, by name; absent: not checked. */
  readonly pools?: Readonly<Record<string, number>>;
  /** The channels that a job may name; absent: not checked. */
  readonly channels?: readonly string[];
  /** Epoch ms. */
  readonly now: number;
  readonly clock?: Clock;
  /** argv of the describer; this program's own by default. */
  readonly describeCommand?: readonly string[];
  /** Time limit for loading one module. */
  readonly importLimitMs?: number;
}

/** The jobs that can run, by kind, and the obstacles of the others. */
export interface LoadedJobs {
  readonly jobs: readonly JobDefinition[];
  readonly problems: readonly ConfigProblem[];
  /** Parameters whose types cannot be read: their arguments are accepted unchanged. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Load all jobs: modules with the options of their tables, and commands. A table overrides the
 * module, and the module overrides the defaults. A problem of one job disables only that job.
 */
export async function loadJobs(request: LoadRequest): Promise<LoadedJobs> {
  return await new Loader(request).load();
}

/** A job that a module defines. */
interface FoundJob {
  readonly file: ModuleFile;
  readonly descriptor: JobDescriptor;
}

class Loader {
  readonly #request: LoadRequest;
  readonly #problems: ConfigProblem[] = [];
  readonly #warnings: ConfigProblem[] = [];
  readonly #tables: ReadonlyMap<string, JobTable>;
  readonly #trust = new ModuleTrust();
  readonly #clock: Clock;
  /** Warnings already given about folders that many modules share. */
  readonly #told = new Set<string>();

  constructor(request: LoadRequest) {
    this.#request = request;
    this.#clock = request.clock ?? systemClock;
    this.#tables = new Map(request.tables.map((table) => [table.kind, table]));
  }

  async load(): Promise<LoadedJobs> {
    const modules = findModules(this.#request.modules);
    this.#problems.push(...modules.problems);
    if (modules.files.length > 0 || this.#request.tables.some(({ params }) => params !== null)) {
      await typeReader.get();
    }
    // A reload shares its thread with the schedules, and users may have many large modules.
    const slices = new Slices(this.#clock);
    const found = await this.#describe(modules.files, slices);
    const jobs: JobDefinition[] = [];
    for (const [kind, each] of found) {
      this.#add(jobs, kind, each);
      await slices.pause();
    }
    for (const table of this.#request.tables) {
      this.#addTable(jobs, table, found);
      await slices.pause();
    }
    jobs.sort((a, b) => (a.kind < b.kind ? -1 : 1));
    return { jobs, problems: this.#problems, warnings: this.#warnings };
  }

  /** Parse and import the modules; the jobs that they define, by kind. */
  async #describe(
    files: readonly ModuleFile[],
    slices: Slices,
  ): Promise<ReadonlyMap<string, readonly FoundJob[]>> {
    const tables = this.#request.tables;
    const parsed: ModuleFile[] = [];
    for (const file of files) {
      if (this.#isTrusted(file) && this.#isParsed(file)) parsed.push(file);
      await slices.pause();
    }
    const requests = parsed.map((file) => ({
      path: file.path,
      fileKind: file.fileKind,
      version: file.version,
      surroundings: surroundingsOf(file, tables),
    }));
    const descriptions = await describeModules(requests, {
      command: this.#request.describeCommand ?? [...selfCommand(), HIDDEN_COMMANDS.describe],
      clock: this.#clock,
      limitMs: this.#request.importLimitMs ?? IMPORT_LIMIT_MS,
    });
    const found = new Map<string, FoundJob[]>();
    for (const [index, description] of descriptions.entries()) {
      const file = parsed[index]!;
      if ("error" in description) {
        const { message, hint, line, column, file: blamed } = description.error;
        const place = { file: blamed ?? file.path, line: line ?? 1, column: column ?? 1 };
        this.#problem(file.fileKind, place, `Cannot load ${file.path}: ${message}`, hint);
        continue;
      }
      for (const descriptor of description.jobs) {
        const same = found.get(descriptor.kind) ?? [];
        found.set(descriptor.kind, [...same, { file, descriptor }]);
      }
    }
    return new Map(
      [...found].map(([kind, each]) => [kind, this.#withoutStrangers(kind, each)] as const)
        .filter(([, each]) => each.length > 0),
    );
  }

  /** Loaded if a job needs it. */
  get #types() {
    return typeReader.value!;
  }

  /**
   * Ignore definitions of a kind in modules of other users if the kind is also defined elsewhere:
   * otherwise those users could disable any job.
   */
  #withoutStrangers(kind: string, found: readonly FoundJob[]): readonly FoundJob[] {
    const table = this.#tables.get(kind);
    const isElsewhere = table?.command != null;
    if (found.length === 1 && !isElsewhere) return found;
    const account = accountOf(table?.command ?? table?.process ?? null);
    const own = found.filter(({ file }) => !this.#trust.problemOf(file, account)?.isFatal);
    if (own.length === 0 && !isElsewhere) return found;
    for (const { file } of found.filter((each) => !own.includes(each))) {
      const message =
        `"${file.path}" defines the job "${kind}" of another user: the definition is ignored`;
      this.#warn(null, startOf(file), message, { hint: "Rename the job in that file" });
    }
    return own;
  }

  // Checked before anything but a parser reads the module.
  #isTrusted(file: ModuleFile): boolean {
    const problem = this.#trust.problemOf(file, surroundingsOf(file, this.#request.tables).account);
    if (problem === null) return true;
    const { message, hint, isFatal } = problem;
    const place = startOf(file);
    if (isFatal) this.#problem(file.fileKind, place, `Cannot load ${file.path}: ${message}`, hint);
    else if (!this.#told.has(message)) {
      this.#told.add(message);
      this.#warn(null, place, message, { hint });
    }
    return !isFatal;
  }

  /** A module that belongs to a user defines only that user's jobs. */
  #checkOwner(kind: string, file: ModuleFile, process: ProcessSpec | null): void {
    const account = resolveAccount(process?.user ?? null, process?.group ?? null);
    const problem = this.#trust.problemOf(file, account);
    if (!problem?.isFatal) return;
    const message = `Cannot load job "${kind}": ${problem.message}, and the job runs as ` +
      `"${account.name}"`;
    throw new JobError("permission_denied", message, { hint: problem.hint });
  }

  // Before anything is imported: the parser knows the place of a syntax error on every runtime.
  #isParsed(file: ModuleFile): boolean {
    try {
      this.#types.readSignature(file.source, { file: file.path, language: file.language });
      return true;
    } catch (error) {
      const { message } = toJobError(error, `Cannot parse ${file.path}`);
      const match = /:(\d+):(\d+): /.exec(
        message.slice(message.indexOf(file.path) + file.path.length),
      );
      const place = {
        file: file.path,
        line: Number(match?.[1] ?? 1),
        column: Number(match?.[2] ?? 1),
      };
      this.#problem(file.fileKind, place, message);
      return false;
    }
  }

  #problem(job: string, place: Place, message: string, hint?: string, key?: string): void {
    const path = `jobs.${job}${key === undefined ? "" : `.${key}`}`;
    this.#problems.push({ place, path, message, hint, job });
  }

  #warn(
    job: string | null,
    place: Place,
    message: string,
    more: Partial<Pick<ConfigProblem, "hint" | "isMistake">> & { readonly key?: string } = {},
  ): void {
    const { key, ...rest } = more;
    const path = job === null ? "" : `jobs.${job}${key === undefined ? "" : `.${key}`}`;
    this.#warnings.push({ place, path, message, job, ...rest });
  }

  #add(jobs: JobDefinition[], kind: string, found: readonly FoundJob[]): void {
    const table = this.#tables.get(kind);
    if (table?.isEnabled === false) return;
    const [{ file, descriptor }, second] = found as [FoundJob, FoundJob?];
    const place = startOf(file);
    if (second !== undefined) {
      const message =
        `Cannot tell which job "${kind}" is: ${file.path} and ${second.file.path} define it`;
      return this.#problem(kind, place, message, "Rename one of them");
    }
    if (table?.command || table?.external) {
      const what = table.external ? "runs elsewhere" : "has a command";
      const message =
        `Cannot tell which job "${kind}" is: the table ${what} and ${file.path} defines it too`;
      return this.#problem(kind, table.placeOf(), message, "Rename one of them");
    }
    const count = this.#problems.length;
    this.#attempt(kind, () => place, () => {
      checkKind(kind);
      const job = this.#moduleJob(kind, file, descriptor, table);
      if (this.#problems.length > count) return;
      jobs.push(job);
      for (const { message, file: at = file.path, line, column } of job.signature.warnings) {
        this.#warn(kind, { file: at, line, column }, message);
      }
      if (job.hasHandler.retryDelay && job.options.retry.max === 0) {
        const hint = "Set retry to the number of retries that may follow";
        this.#warn(kind, place, "its retryDelay is never called: retry.max is 0", { hint });
      }
    });
  }

  /** Run `action`; if it throws a JobError, the job is disabled by a problem at this place. */
  #attempt(kind: string, placeOf: (path?: string) => Place, action: () => void): void {
    try {
      action();
    } catch (error) {
      const { message, hint, path } = toJobError(error, `Cannot load job "${kind}"`);
      const at = error instanceof TableError ? error.place : placeOf(path);
      this.#problem(kind, at, message, hint, path);
    }
  }

  #moduleJob(
    kind: string,
    file: ModuleFile,
    descriptor: JobDescriptor,
    table: JobTable | undefined,
  ): JobDefinition {
    const { timezone, scheduleDefaults, now } = this.#request;
    const { input } = descriptor;
    const read = this.#types.readSignature(file.source, {
      file: file.path,
      language: file.language,
      entry: kind,
    });
    const signature = input.params === undefined || read.isTyped
      ? read
      : { ...read, ...this.#types.parseParams(input.params), appliesDefaults: true as const };
    const inherited = { kind, timezone, defaults: scheduleDefaults, now };
    const specs = resolveSchedules(input, inherited, table);
    const args = isGiven(table?.arguments) ? table!.arguments : input.args ?? [];
    const place = startOf(file);
    // Check each separately, so that all errors are reported.
    const check = (action: () => void) => this.#attempt(kind, () => place, action);
    check(() => checkArguments({ kind, signature, command: null }, args, specs.length > 0, table));
    const resolved = withTable(resolveOptions(input, this.#request.defaults), table);
    check(() => this.#checkLimits(kind, signature, resolved, table));
    const options = this.#withChannels(kind, resolved, { table, placeOf: () => place });
    const process = resolveProcess(input, table?.process ?? null);
    check(() => {
      if (process !== null) inTable(table, () => checkProcess(kind, process, options.isolation));
      this.#checkOwner(kind, file, process);
    });
    let hook: ReturnType<typeof hookOf> = {};
    if (table !== undefined) check(() => hook = hookOf(table, signature));
    return {
      kind,
      description: table?.description ?? input.description ?? firstLine(signature.doc),
      source: {
        type: "module",
        path: file.path,
        entry: kind,
        version: file.version,
        files: file.hashes,
        ...(process === null ? {} : { process }),
      },
      signature,
      options,
      schedules: specs.map((spec) => ({ spec, arguments: args })),
      timezone: table?.scheduleSettings?.timezone ?? input.timezone ?? timezone,
      hasHandler: descriptor.hasHandler,
      ...hook,
      registeredAt: now,
    };
  }

  #checkLimits(
    kind: string,
    signature: Signature,
    options: JobOptions,
    table: JobTable | undefined,
  ): void {
    const { pools } = this.#request;
    try {
      checkLimits({ kind, signature, limits: options, unique: options.unique });
      if (pools) checkPool(kind, options.pool, pools);
    } catch (error) {
      const problem = toJobError(error, `Cannot limit job "${kind}"`);
      const key = problem.path as keyof JobTable["options"];
      throw table?.options[key] === undefined
        ? problem
        : new TableError(problem, placeOfKey(table, key));
    }
  }

  /** Omit unknown channels: the job still runs. */
  #withChannels(
    kind: string,
    options: JobOptions,
    at: { readonly table: JobTable | undefined; readonly placeOf: () => Place },
  ): JobOptions {
    const { channels } = this.#request;
    if (channels === undefined || options.notify === undefined) return options;
    const { notify, problem } = checkNotify(options.notify, channels);
    if (problem === null) return options;
    const place = at.table?.options.notify === undefined
      ? at.placeOf()
      : at.table.placeOf("notify");
    const { message, hint } = problem;
    this.#warn(kind, place, message, { key: "notify", hint, isMistake: true });
    const { notify: _, ...rest } = options;
    return notify === undefined ? rest : { ...rest, notify };
  }

  #addTable(
    jobs: JobDefinition[],
    table: JobTable,
    found: ReadonlyMap<string, readonly FoundJob[]>,
  ): void {
    const { kind, command } = table;
    if (!table.isEnabled || found.has(kind)) return;
    if (table.external) return this.#addExternal(jobs, table);
    if (command === null) {
      // The module's own problem says more than a missing module.
      if (this.#problems.some((problem) => problem.job === kind)) return;
      const hint = didYouMean(kind, found.keys()) ??
        'Add "run" or "command", or a module of that name';
      const message = `Cannot run job "${kind}": no module defines it and the table has no command`;
      return this.#problem(kind, table.placeOf(), message, hint);
    }
    // Check each separately, so that all errors are reported.
    const check = (action: () => void) =>
      this.#attempt(kind, (path) => placeOfKey(table, path), action);
    const count = this.#problems.length;
    check(() => {
      checkKind(kind);
      inTable(table, () => checkCommand(kind));
      check(() => inTable(table, () => checkProcess(kind, command, "process")));
      const declared = table.params === null ? null : this.#types.parseParams(table.params);
      const resolved = resolveCommand(command, declared);
      const { signature } = resolved;
      check(() => {
        if (table.params === null && isGiven(table.arguments)) {
          throw undeclared(kind, table.placeOf("args"));
        }
        checkArguments({ kind, ...resolved }, table.arguments, table.schedules.length > 0, table);
      });
      let hook: ReturnType<typeof hookOf> = {};
      check(() => hook = hookOf(table, signature));
      const options = this.#tableOptions(table, signature);
      if (this.#problems.length > count) return;
      const source = { type: "command", command: resolved.command } as const;
      jobs.push({ ...this.#tableJob(table, table.arguments), source, signature, options, ...hook });
      for (const { message } of signature.warnings) {
        // Their lines and columns refer to the text, which the configuration may have escaped.
        this.#warn(kind, table.placeOf("params"), message, { key: "params" });
      }
    });
  }

  #tableOptions(table: JobTable, signature: Signature): JobOptions {
    const options = withTable(this.#request.defaults, table);
    this.#checkLimits(table.kind, signature, options, table);
    return this.#withChannels(table.kind, options, { table, placeOf: table.placeOf });
  }

  /** The part of a job without a module that its table gives. */
  #tableJob(table: JobTable, args: ArgumentInput) {
    return {
      kind: table.kind,
      description: table.description ?? "",
      schedules: table.schedules.map((spec) => ({ spec, arguments: args })),
      timezone: table.scheduleSettings?.timezone ?? this.#request.timezone,
      hasHandler: NO_HANDLERS,
      registeredAt: this.#request.now,
    };
  }

  #addExternal(jobs: JobDefinition[], table: JobTable): void {
    const { kind, external } = table;
    this.#attempt(kind, (path) => placeOfKey(table, path), () => {
      checkKind(kind);
      const options = this.#tableOptions(table, NO_ARGUMENTS);
      const source = { type: "external", ...external! } as const;
      jobs.push({ ...this.#tableJob(table, []), source, signature: NO_ARGUMENTS, options });
    });
  }
}

/** Configured arguments are checked at load, so that a schedule does not fail at its first tick. */
function checkArguments(
  { kind, signature, command }: {
    readonly kind: string;
    readonly signature: Signature;
    /** Null for a module. */
    readonly command: CommandSpec | null;
  },
  args: ArgumentInput,
  isScheduled: boolean,
  table: JobTable | undefined,
): void {
  if (!isGiven(args) && (!isScheduled || signature.parameters.length === 0)) return;
  inTable(table, () => {
    const converted = convertArguments(signature, args, { kind });
    if (command !== null) checkCommandArguments(kind, command, converted);
  }, "args");
}

function undeclared(kind: string, place: Place): TableError {
  const message = `Cannot pass arguments to job "${kind}": its command declares no params`;
  const hint = 'Write them into "command", or declare them: params = "path: string"';
  return new TableError(new JobError("invalid_argument", message, { hint, path: "args" }), place);
}

/** The place of a problem of a whole module. */
function startOf({ path }: ModuleFile): Place {
  return { file: path, line: 1, column: 1 };
}

function isGiven(args: ArgumentInput | undefined): boolean {
  return args !== undefined && Object.keys(args).length > 0;
}

function firstLine(doc: string | undefined): string {
  return doc?.split("\n")[0] ?? "";
}
