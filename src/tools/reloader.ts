import type { Config } from "../config/config.ts";
import { problemFields } from "../config/problems.ts";
import { toJobError } from "../core/errors.ts";
import type { Manager } from "../manager/manager.ts";
import type { Logger } from "../platform/logger.ts";
import { countChanges, fixedDifferences } from "./compare_projects.ts";
import { disabledKinds, type Project } from "./load_project.ts";

/** How a reload that is refused begins. */
const KEPT = "The config was not reloaded and the old one stays";
/** Loads the jobs of the config again while the daemon runs: all of it, or nothing. */
export class Reloader {
  readonly #manager: Manager;
  readonly #load: () => Promise<Project>;
  readonly #logger: Logger;
  readonly #adopt: (config: Config) => void;
  #project: Project;
  #isRunning = false;
  #isAskedAgain = false;

  constructor(
    manager: Manager,
    project: Project,
    options: {
      readonly load: () => Promise<Project>;
      readonly logger: Logger;
      /** Takes over what else of a configuration counts at once. */
      readonly adopt?: (config: Config) => void;
    },
  ) {
    this.#manager = manager;
    this.#project = project;
    this.#load = options.load;
    this.#logger = options.logger;
    this.#adopt = options.adopt ?? (() => {});
  }

  /** Load, compare and take over; asked again meanwhile, once more after. Never throws: what is wrong is logged, and the old configuration stays. */
  async reload(): Promise<void> {
    this.#isAskedAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      try {
        await this.#reloadOnce();
      } catch (error) {
        const { message, hint } = toJobError(error, "Cannot reload the config");
        this.#logger.error(`${KEPT}: ${message}`, { hint });
      }
    }
    this.#isRunning = false;
  }

  async #reloadOnce(): Promise<void> {
    const project = await this.#load();
    const { config, jobs, problems } = project;
    for (const problem of problems) {
      this.#logger.error(`Job "${problem.job}": ${problem.message}`, problemFields(problem));
    }
    if (problems.length > 0) {
      this.#logger.error(
        `${KEPT}: ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`,
      );
      return;
    }
    for (const warning of project.warnings) {
      this.#logger.warn(warning.message, problemFields(warning));
    }
    await this.#manager.reload({
      jobs,
      disabled: disabledKinds(project),
      keepsUnknown: false,
      scheduleDefaults: { ...config.scheduleDefaults, timezone: config.timezone },
    });
    this.#adopt(config);
    const { config: before, jobs: jobsBefore } = this.#project;
    if (config.worker.count !== before.worker.count) {
      await this.#manager.resizeWorkers(config.worker.count);
    }
    for (const section of fixedDifferences(before, config)) {
      this.#logger.warn(`[${section}] has changed: restart for it, the rest is reloaded`);
    }
    this.#project = {
      ...project,
      config: { ...before, worker: { ...before.worker, count: config.worker.count } },
    };
    this.#logger.info("The config was reloaded", {
      jobs: jobs.length,
      ...countChanges(jobsBefore, jobs),
    });
  }
}
