import type { ConfigInForce } from "../core/settings/config_settings.ts";
import { basename, dirname, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import {
  ConfigError,
  formatProblem,
  logProblem,
  problemFields,
} from "../config/values/problems.ts";
import { JobError, toJobError } from "../core/errors.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { stampOf } from "../jobs/loading/module_files.ts";
import type { Manager } from "../manager/manager.ts";
import type { Channel } from "../notices/channels/channel.ts";
import type { Logger } from "../platform/logger.ts";
import {
  countChanges,
  fixedDifferences,
  goneKinds,
  jobChanges,
  settingChanges,
} from "./compare_projects.ts";
import type { WatchedPlaces } from "./config_watch.ts";
import { disabledKinds, type Project } from "../tools/load_project.ts";
import type { ConfigChange, ReloadOptions, ReloadReport } from "../manager/api/daemon.ts";

/** Beginning of the message of a refused reload. */
const KEPT = "The config was not reloaded and the old one stays";
/** Time that the files must have been unchanged, in milliseconds. */
const REST_MS = 100;
/** Most reads before the reload gives up because the files keep changing. */
const READS_MAX = 20;
/** Most problems in a response; all are in the log. */
const PROBLEMS_SHOWN_MAX = 10;
/** Most differences in a response. */
const CHANGES_SHOWN_MAX = 200;
/** Most differences in the log, and most characters of their text. */
const CHANGES_LOGGED_MAX = 20;
const CHANGES_CHARS_MAX = 1_000;
/** Most jobs, or files, that a message names. */
const NAMES_SHOWN_MAX = 10;

/** The environment of a {@link Reloader}. */
export interface ReloaderOptions {
  readonly load: () => Promise<Project>;
  readonly wait: (delayMs: number) => Promise<void>;
  readonly logger: Logger;
  /** Applies the other parts of a configuration that take effect at once. */
  readonly adopt?: (config: Config) => void;
  /** Called when a reload begins, and with false when it has ended. */
  readonly reloading?: (isReloading: boolean) => void;
  readonly channels?: (config: Config) => Promise<readonly Channel[]>;
}

/**
 * Loads the configuration again while the daemon runs. It tolerates the same problems as a start: a
 * broken job is disabled, and the jobs of a file that cannot be read stay. With any other problem
 * the whole reload is refused, and everything stays as it was.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #logger: Logger;
  #manager: Manager | null = null;
  #project: Project;
  /** The jobs that the last project named without loading them. */
  #disabled: ReadonlyMap<string, string>;
  #last: Promise<unknown> = Promise.resolve();
  /** Reloads waiting for a running one: identical requests share one. */
  readonly #waiting = new Map<string, Promise<ReloadReport>>();
  #problem: string | null = null;
  /** The first problems of the last reload: for admins only, as they may show values. */
  #problems: readonly string[] = [];
  /** The files of a configuration that was refused. */
  #refusedFiles: readonly string[] = [];
  /** Sections that have changed since the start, and apply after a restart. */
  #restart: readonly string[] = [];

  /** @param project the project that the daemon started with */
  constructor(project: Project, options: ReloaderOptions) {
    this.#project = project;
    this.#disabled = disabledKinds(project);
    this.#options = options;
    this.#logger = options.logger;
  }

  /** The configuration that was loaded last, with its jobs. */
  get project(): Project {
    return this.#project;
  }

  /** The problem of the last reload; null if it succeeded. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The values of the configuration that was loaded last, without secrets. */
  settings(): ConfigInForce {
    const { config: { file }, settings } = this.#project;
    return { file, restart: this.#restart, problems: this.#problems, ...settings() };
  }

  /** Files and folders that can change the configuration. */
  places(): WatchedPlaces {
    const { config: { file, modules }, files } = this.#project;
    const all = [...new Set([...filesOf(this.#project), ...this.#refusedFiles])];
    const folders = new Set(files.map((path) => dirname(path)));
    for (const { path, value } of this.#project.settings().settings) {
      if (path !== "include" || file === null) continue;
      for (const pattern of JSON.parse(value) as string[]) {
        // Up to the first name with a wildcard.
        const [start = ""] = /^[^*?]*\/|^/.exec(pattern) ?? [];
        folders.add(resolve(dirname(file), start));
      }
    }
    return { files: all, configFolders: [...folders], moduleFolders: modules };
  }

  /** The manager has started: later reloads apply to it. */
  attach(manager: Manager): void {
    this.#manager = manager;
  }

  /**
   * Load, compare and apply.
   *
   * @param options.force reload even if more than half of the jobs would be removed
   * @throws JobError `invalid_config` for problems of more than single jobs; `conflict` when more
   * than half of the jobs would be removed or disabled, or the files keep changing. It has been
   * logged, and the old configuration stays
   */
  reload({ force = false, isDryRun = false }: ReloadOptions = {}): Promise<ReloadReport> {
    const key = `${force} ${isDryRun}`;
    const waiting = this.#waiting.get(key);
    if (waiting) return waiting;
    const reload = this.#last.then(() => {
      this.#waiting.delete(key);
      return isDryRun ? this.#compare(force) : this.#reload(force);
    });
    this.#waiting.set(key, reload);
    this.#last = reload.catch(() => {});
    return reload;
  }

  /** Changes that a reload would make; nothing is applied or logged. */
  async #compare(force: boolean): Promise<ReloadReport> {
    try {
      const { project, disabled } = await this.#loadNew();
      if (!force) this.#checkLost(project, disabled);
      return this.#reportOf(
        project,
        disabled,
        fixedDifferences(this.#project.config, project.config),
      );
    } catch (error) {
      const known = toJobError(error, "Cannot read the configuration");
      throw new JobError(known.code, `The config would not be reloaded: ${refusalOf(error)}`, {
        hint: known.hint,
      });
    }
  }

  async #reload(force: boolean): Promise<ReloadReport> {
    this.#options.reloading?.(true);
    try {
      return await this.#reloadOnce(force);
    } catch (error) {
      const known = toJobError(error, "Cannot reload the configuration");
      const problems = error instanceof ConfigError ? error.problems : [];
      this.#refusedFiles = error instanceof ConfigError ? error.files : [];
      for (const problem of problems) this.#logger.error(problem.message, problemFields(problem));
      const summary = problems.length > 0 ? firstLine(known.message) : known.message;
      this.#logger.error(`${KEPT}: ${summary}`, { hint: known.hint });
      this.#problem = `it was refused: ${shortOf(known)}`;
      this.#problems = firstOf(problems);
      this.#manager?.daemonNotices?.reloadRefused(shortOf(known));
      throw new JobError(known.code, `${KEPT}: ${refusalOf(error)}`, { hint: known.hint });
    } finally {
      this.#options.reloading?.(false);
    }
  }

  /** The current configuration, with the jobs of unreadable files. */
  async #loadNew() {
    const loaded = await this.#loadAtRest();
    const disabled = disabledKinds(loaded);
    return { project: this.#withMissing(loaded, disabled), disabled };
  }

  async #reloadOnce(force: boolean): Promise<ReloadReport> {
    const manager = this.#manager;
    if (!manager) throw new JobError("unavailable", "the daemon has not started yet");
    const { project, disabled } = await this.#loadNew();
    const { config, jobs, problems } = project;
    const { channels } = this.#options;
    for (const problem of problems) logProblem(problem, { logger: this.#logger, when: "reload" });
    if (!force) this.#checkLost(project, disabled);
    for (const warning of project.warnings) {
      this.#logger.warn(warning.message, problemFields(warning));
    }
    await manager.reload({
      jobs,
      disabled,
      keepsUnknown: problems.some(({ job }) => job === null),
      scheduleDefaults: { ...config.scheduleDefaults, timezone: config.timezone },
      ...(channels ? { channels: await channels(config) } : {}),
    });
    manager.daemonNotices?.reloadRefused(null);
    const { config: before } = this.#project;
    if (config.worker.count !== before.worker.count) {
      await manager.resizeWorkers(config.worker.count);
    }
    this.#options.adopt?.(config);
    const restart = this.#restart = fixedDifferences(before, config);
    for (const section of restart) {
      this.#logger.warn(`[${section}] has changed: restart to apply it; the rest was reloaded`);
    }
    const report = this.#reportOf(project, disabled, restart);
    this.#project = {
      ...project,
      config: { ...before, worker: { ...before.worker, count: config.worker.count } },
    };
    this.#problem = partialProblem(problems);
    this.#problems = firstOf(problems);
    this.#disabled = disabled;
    const { added, changed, removed, changes } = report;
    this.#logger.info("The config was reloaded", {
      jobs: jobs.length,
      added,
      changed,
      removed,
      changes: changesText(changes) || undefined,
    });
    return report;
  }

  #reportOf(
    project: Project,
    disabled: ReadonlyMap<string, string>,
    restart: readonly string[],
  ): ReloadReport {
    const { jobs, problems, warnings } = project;
    const before = { jobs: this.#project.jobs, disabled: this.#disabled };
    const ofJobs = jobChanges(before, { jobs, disabled });
    const changes = [
      ...ofJobs,
      ...settingChanges(this.#project.settings(), project.settings(), restart),
    ];
    const mistakes = warnings.filter(({ isMistake }) => isMistake);
    const shown = changes.slice(0, CHANGES_SHOWN_MAX);
    return {
      jobs: jobs.length,
      ...countChanges(ofJobs),
      restart,
      problems: [...problems, ...mistakes].slice(0, PROBLEMS_SHOWN_MAX).map(formatProblem),
      changes: shown,
      moreChanges: changes.length - shown.length,
    };
  }

  /** While a job file is unreadable, no job is removed: it may be in that file. */
  #withMissing(project: Project, disabled: ReadonlyMap<string, string>): Project {
    if (!project.problems.some(({ job }) => job === null)) return project;
    const gone = new Set(goneKinds(this.#project.jobs, project.jobs));
    const missing = this.#project.jobs.filter(({ kind }) => gone.has(kind) && !disabled.has(kind));
    return { ...project, jobs: [...project.jobs, ...missing] };
  }

  // An empty or truncated file reads as one without jobs, and a shared module may break many.
  #checkLost(project: Project, disabled: ReadonlyMap<string, string>): void {
    const { jobs } = this.#project;
    const gone = goneKinds(jobs, project.jobs);
    const removed = gone.filter((kind) => !disabled.has(kind));
    const broken = gone.filter((kind) => project.problems.some(({ job }) => job === kind));
    const lost = [...removed, ...broken];
    if (lost.length * 2 <= jobs.length) return;
    const does = broken.length === 0
      ? "remove"
      : removed.length === 0
      ? "disable"
      : "remove or disable";
    const what = `it would ${does} ${lost.length} of ${jobs.length} jobs: ${listed(lost)}`;
    throw new JobError("conflict", what, {
      hint: "If you mean it, run jobctl reload --force or restart the daemon",
    });
  }

  // Editors and copy tools write a file in steps: use it only if it was stable around the read.
  async #loadAtRest(): Promise<Project> {
    let files = filesOf(this.#project);
    for (let reads = 0; reads < READS_MAX; reads++) {
      const before = stampsOf(files);
      await this.#options.wait(REST_MS);
      try {
        const project = await this.#options.load();
        files = filesOf(project);
        if (stampsOf(files) === before) return project;
      } catch (error) {
        if (error instanceof ConfigError && error.files.length > 0) files = error.files;
        if (stampsOf(files) === before) throw error;
      }
    }
    throw new JobError("conflict", "its files keep changing", {
      hint: "Reload again once they are complete",
    });
  }
}

/** The first problems, each with its place. */
function firstOf(problems: readonly ConfigProblem[]): readonly string[] {
  return problems.slice(0, PROBLEMS_SHOWN_MAX).map(formatProblem);
}

/** The message of a refusal with the first problems, which fit into a response. */
function refusalOf(error: unknown): string {
  const { message } = toJobError(error, "Cannot reload the configuration");
  if (!(error instanceof ConfigError)) return message;
  const { problems } = error;
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  return [
    firstLine(message),
    ...problems.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => `  ${formatProblem(problem)}`),
    ...(more > 0 ? [`  and ${more} more: jobctl check lists them all`] : []),
  ].join("\n");
}

/** Changes for the log: `job mail added; job report: timeout; worker.count 2 -> 4`. */
function changesText(changes: readonly ConfigChange[]): string {
  const texts = changes.filter(({ path }) => !path?.startsWith("jobs.")).map((one) => {
    const { change, kind, keys, path, before = "default", after = "default" } = one;
    if (kind === undefined) return `${path} ${before} -> ${after}`;
    return change === "changed" ? `job ${kind}: ${keys!.join(", ")}` : `job ${kind} ${change}`;
  });
  const more = texts.length - CHANGES_LOGGED_MAX;
  const text = texts.slice(0, CHANGES_LOGGED_MAX).join("; ").slice(0, CHANGES_CHARS_MAX);
  return more > 0 ? `${text}; and ${more} more` : text;
}

/** Files of a configuration and its modules, by name. */
function filesOf({ files, jobs }: Project): readonly string[] {
  const modules = jobs.flatMap(({ source }) =>
    source.type === "module" ? [...(source.files?.keys() ?? [source.path])] : []
  );
  return [...new Set([...files, ...modules])].sort();
}

/** Changes when a file changes, or the set of files. */
function stampsOf(files: readonly string[]): string {
  return files.map((file) => `${file} ${stampOf(file)}`).join("\n");
}

/** Status text of a reload that omitted single jobs. */
function partialProblem(problems: readonly ConfigProblem[]): string | null {
  if (problems.length === 0) return null;
  const disabled = problems.flatMap(({ job }) => job ?? []);
  // Every viewer can see the status, so it omits their paths on this host.
  const files = problems.flatMap(({ job, unread }) =>
    job === null && unread !== undefined ? [basename(unread)] : []
  );
  const parts = [
    ...(disabled.length > 0 ? [`disabled: ${listed(disabled)}`] : []),
    ...(files.length > 0 ? [`files that cannot be read: ${listed(files)}`] : []),
  ];
  return `${parts.join("; ")}; see the daemon's log, or run jobctl check`;
}

/** Each name once, and only the number of the names after the first. */
function listed(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const more = unique.length - NAMES_SHOWN_MAX;
  const shown = unique.slice(0, NAMES_SHOWN_MAX).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

// Every viewer can see the status, so details of values are only in the log.
function shortOf(error: JobError): string {
  if (error.code !== "invalid_config") return `${error.message}. ${error.hint ?? ""}`.trim();
  return `${firstLine(error.message)}; see the daemon's log, or run jobctl check`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
