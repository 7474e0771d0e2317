import { relative, resolve } from "node:path";
import { checkChannels } from "../config/notices/check_channels.ts";
import { inOrder } from "../config/values/problems.ts";
import { checkServerFiles } from "../config/server_files.ts";
import { argumentsOf, describeSignature, describeType } from "../core/arguments/describe.ts";
import type { CommandSpec, JobDefinition, JobSource } from "../core/job/job.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { formatLocal } from "../core/time/local_time.ts";
import { REBOOT } from "../core/time/schedule.ts";
import { formatScheduleText, nextTickOf } from "../core/time/ticks.ts";
import { missingTags } from "../core/job/tags.ts";
import { checkExpectations, checkRules } from "./check_expectations.ts";
import { daemonMistakes } from "./daemon_mistakes.ts";
import { checkCommands } from "./check_commands.ts";
import { loadProject, type LoadProjectOptions, type Project } from "./load_project.ts";
import { unitSandbox } from "./service/unit_sandbox.ts";
import { type RunTime, runTimes } from "./run_times.ts";
import { evaluatingProgram, unquotedArgument } from "./unquoted_arguments.ts";

/** Coming runs listed for each schedule. */
const NEXT_COUNT = 3;

/** A schedule of a checked job. */
export interface ScheduleCheck {
  readonly schedule: string;
  readonly timezone: string;
  readonly next: readonly RunTime[];
}

/** A job that loads. */
export interface JobCheck {
  readonly kind: string;
  readonly description: string;
  /** The module's path, or "command". */
  readonly source: string;
  /** Usage line of a call. */
  readonly usage: string;
  /** One line about an operator's rights to it. */
  readonly operator: string;
  readonly schedules: readonly ScheduleCheck[];
}

/** The result of {@link checkConfig}. */
export type CheckResult = Awaited<ReturnType<typeof checkConfig>>;

/**
 * Load a configuration and every job that it names, like a start does, and report the result.
 *
 * @param file null for the built-in configuration
 * @param options.root a folder in place of `/`, for the unit that starts the daemon
 * @returns problems as data; throws only errors that are not problems of the configuration
 */
export async function checkConfig(
  file: string | null,
  options: LoadProjectOptions & { readonly root?: string },
) {
  const project = await loadProject(file, { ...options, isCheck: true });
  const { config, jobs } = project;
  const { isRefused, isRead, placeOf, parts } = project.check!;
  const problems = project.problems.filter((problem) => !isSecond(problem, project));
  const files = isRead ? await checkServerFiles(config, options.nowMs) : NOTHING;
  const channels = await checkChannels(config.notices, options.nowMs);
  const daemon = isRead
    ? daemonMistakes(config, file, { isDaemon: false, root: options.root })
    : [];
  const commands = checkCommands(jobs, parts).map((one) =>
    // Another machine may have missing parts of this one.
    isInstalled(file, options.root) ? { ...one, isMistake: true as const } : one
  );
  const warnings = [...project.warnings, ...daemon, ...commands];
  const broken = new Set([...problems.map(({ job }) => job), ...parts.map(({ kind }) => kind)]);
  const kinds = [...config.jobs, ...jobs].map(({ kind }) => kind);
  const ordered = (found: readonly ConfigProblem[]) =>
    inOrder(found.map((each) => each.place ? each : { ...each, place: placeOf(each.path) }));
  return {
    file,
    /** False when the configuration is refused: nothing would start. */
    isUsable: !isRefused && files.problems.length === 0,
    /** Problems of the whole configuration, those that disable one job, and mistakes. */
    problems: ordered([
      ...problems,
      ...files.problems,
      ...channels.problems,
      ...warnings.filter(({ isMistake }) => isMistake),
    ]),
    warnings: ordered([
      ...warnings.filter(({ isMistake }) => !isMistake),
      ...files.warnings,
      ...channels.warnings,
      ...config.notices.flatMap((channel) => checkRules(channel, kinds)),
      ...jobs.flatMap((job) => [
        ...neverRuns(job, options.nowMs),
        ...takesTooMuch(job),
        ...checkExpectations(job, options.nowMs),
      ]),
    ]),
    /** Correct, but perhaps unexpected: jobs that this node does not run. */
    notes: ordered(jobs.flatMap((job) => needsMore(job, config.node.tags))),
    jobs: isRefused ? [] : jobs.map((job) => checkJob(job, options)),
    /** Kinds whose tables have `enabled = false`. */
    notEnabled: isRefused ? [] : config.jobs
      .filter(({ kind, isEnabled }) => !isEnabled && !broken.has(kind)).map(({ kind }) => kind),
  };
}

const NOTHING = { problems: [], warnings: [] };

/** True if a unit of this machine starts the daemon with this configuration. */
function isInstalled(file: string | null, root: string | undefined): boolean {
  return file !== null && unitSandbox(resolve(file), root) !== null;
}

/**
 * True if a problem follows from another one: a job whose module is in an unreadable folder or part
 * of the configuration.
 */
function isSecond(problem: ConfigProblem, { problems, config }: Project): boolean {
  const { job, path, place } = problem;
  if (job === null || path !== `jobs.${job}`) return false;
  const table = config.jobs.find(({ kind }) => kind === job);
  if (!table?.isEnabled || table.command !== null || table.external) return false;
  const at = table.placeOf();
  const isOfTable = place !== null && place.file === at.file && place.line === at.line;
  return isOfTable &&
    problems.some((other) =>
      other.job === null && (other.unread !== undefined || other.path.startsWith("modules"))
    );
}

/** A warning for each schedule without further runs. */
function neverRuns(job: JobDefinition, nowMs: number): ConfigProblem[] {
  return job.schedules.flatMap(({ spec }, index) => {
    const { endsAt, timezone } = spec;
    const isOver = spec.cron !== REBOOT && nextTickOf(spec, nowMs, nowMs) === null;
    if (!isOver) return [];
    const end = endsAt === undefined ? "" : `; it ends at ${formatLocal(endsAt, timezone)}`;
    return problemOf(job, `schedule[${index}]`, {
      message: `"${formatScheduleText(spec)}" has no more runs${end}`,
      hint: "Change ends_at, or set enabled = false",
    });
  });
}

/** Warnings about a command that executes its arguments or splits them into words. */
function takesTooMuch(job: JobDefinition): ConfigProblem[] {
  const { source, signature } = job;
  if (source.type !== "command") return [];
  const risk = commandRisk(source.command);
  if (risk !== null) {
    const hint =
      'Pass it on standard input (stdin = { arg = … }), or use `run` with "$1" in quotes';
    return problemOf(job, "params", { message: risk, hint });
  }
  const program = evaluatingProgram(source.command, signature);
  if (program !== null) {
    return problemOf(job, "run", {
      message:
        `"${program}" runs its arguments as a shell command, even quoted ones, so an operator can run anything`,
      hint: 'List the values in params ("daily" | "weekly"), or pass it on standard input',
    });
  }
  const unquoted = unquotedArgument(source.command, signature);
  if (unquoted === null) return [];
  return problemOf(job, "run", {
    message:
      `${unquoted} is not quoted: the shell splits it into words, some of which may be options`,
    hint: `Write "${unquoted}"`,
  });
}

/** A note for a job whose tag this node lacks. Another node may have it. */
function needsMore(job: JobDefinition, tags: readonly string[]): ConfigProblem[] {
  const missing = missingTags(job.options.needs, new Set(tags));
  if (missing.length === 0) return [];
  const names = missing.map((tag) => `"${tag}"`).join(", ");
  return problemOf(job, "needs", {
    message: `this node does not run it: node.tags does not include ${names}`,
    hint: "It waits for a node on the same store that has them",
  });
}

/** One problem with a key of a job. */
function problemOf(
  { kind }: JobDefinition,
  key: string,
  text: { readonly message: string; readonly hint: string },
): ConfigProblem[] {
  return [{ path: `jobs.${kind}.${key}`, place: null, job: kind, ...text }];
}

function checkJob(
  job: JobDefinition,
  options: { readonly nowMs: number; readonly cwd?: string },
): JobCheck {
  const { nowMs, cwd = process.cwd() } = options;
  return {
    kind: job.kind,
    description: job.description,
    source: sourceText(job.source, cwd),
    usage: describeSignature(job.kind, job.signature),
    operator: operatorRights(job),
    schedules: job.schedules.map(({ spec }) => ({
      schedule: formatScheduleText(spec),
      timezone: spec.timezone,
      next: runTimes(spec, { afterMs: nowMs, nowMs, count: NEXT_COUNT }),
    })),
  };
}

function sourceText(source: JobSource, cwd: string): string {
  if (source.type !== "module") return source.type;
  const path = relative(cwd, source.path);
  return path.startsWith("..") ? source.path : path;
}

/** Programs that execute their arguments as a shell command or program. */
const SHELL_LIKE: ReadonlySet<string> = new Set(["eval", "parallel", "rsh", "ssh", "watch"]);
/** An option whose value is code: `sh -c`, `python3 -c`, `perl -e`, `bash -lc`. */
const CODE_OPTION = /^-[a-zA-Z]*[ce]$/;

/** One line about what an operator can do with a job. */
function operatorRights({ signature, source }: JobDefinition): string {
  if (source.type === "external") return "may not run it: it runs elsewhere";
  const parts = argumentsOf(signature).map(({ name, shape, isRest, isOptional, defaultText }) => {
    const notes = [describeType(shape), ...(isRest || isOptional ? ["optional"] : [])];
    if (defaultText !== undefined) notes.splice(1, 1, `default ${defaultText}`);
    return `${isRest ? "..." : ""}${name} (${notes.join(", ")})`;
  });
  if (!signature.isTyped && parts.length === 0) parts.push("any arguments");
  const process = source.type === "command" ? source.command : sourceProcess(source);
  const user = process?.user == null ? "" : ` as ${process.user}`;
  if (parts.length === 0) return `may run it${user}, without arguments`;
  const dash = source.type === "command" && source.command.allowsDash
    ? '; they may begin with "-"'
    : "";
  return `may run it${user} with: ${parts.join(", ")}${dash}`;
}

function sourceProcess(source: JobDefinition["source"]) {
  return source.type === "module" ? source.process ?? null : null;
}

/** Why arguments let a caller run anything through a command; null if no such risk is known. */
function commandRisk({ argv, parameters, hasRest, stdin }: CommandSpec): string | null {
  const count = parameters.length - (stdin !== null && "arg" in stdin ? 1 : 0);
  if (count === 0 && !hasRest) return null;
  const program = argv[0]!.split("/").at(-1)!;
  if (SHELL_LIKE.has(program)) {
    return `"${program}" runs its arguments as a shell command, so an operator can run anything`;
  }
  const last = argv.at(-1)!;
  if (argv.length > 1 && CODE_OPTION.test(last)) {
    return `its first argument is code for "${last}", so an operator can run anything`;
  }
  return null;
}
